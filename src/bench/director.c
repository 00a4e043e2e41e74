/* SPDX-License-Identifier: MIT */
#include "bench/director.h"

#include "base/clock.h"
#include "bench/loader.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS   UINT64_C(1000000)
#define SETTLE_NS UINT64_C(100000000)

/* From the word to begin to the begin: for all loaders to wake up. */
#define LEAD_NS UINT64_C(10000000)

struct director {
	const struct bench_options *o;
	struct result *r;
	struct shared *s;
	struct target target[BENCH_ADDRESSES];
	unsigned alive;
};

static int fail(struct director *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int
fail(struct director *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(d->r->failed, sizeof d->r->failed, fmt, ap);
	va_end(ap);
	return -1;
}

static void
nap(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000),
		(long)(ns % 1000000000) };

	(void)nanosleep(&t, NULL);
}

static void
progress(const struct director *d, const char *what)
{
	if (!d->o->quiet)
		(void)fprintf(stderr, "banter-bench: %s\n", what);
}

static unsigned
raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1024;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	return rl.rlim_cur > 16777216 ? 16777216 : (unsigned)rl.rlim_cur;
}

static int
pin(struct director *d)
{
	cpu_set_t set;

	if (d->o->n_cpus == 0)
		return 0;
	CPU_ZERO(&set);
	for (unsigned i = 0; i < d->o->n_cpus; i++)
		CPU_SET(d->o->cpu[i], &set);
	if (sched_setaffinity(0, sizeof set, &set) == -1)
		return fail(d, "cannot run on the CPUs of --cpu: %s",
			strerror(errno));
	return 0;
}

static int
start_loaders(struct director *d)
{
	const struct plan *p = &d->r->plan;

	for (unsigned i = 0; i < p->processes; i++) {
		pid_t pid = fork();

		if (pid == -1)
			return fail(d, "fork: %s", strerror(errno));
		if (pid == 0)
			loader_run(d->o, p, d->target, d->s, i);
		d->s->loader[i].pid = d->r->loader[i].pid = pid;
		d->r->loader[i].clients =
			plan_first(p, i + 1) - plan_first(p, i);
		d->alive++;
	}
	return 0;
}

static void
stop_loaders(struct director *d)
{
	for (unsigned i = 0; d->s && i < d->r->plan.processes; i++)
		if (d->s->loader[i].pid > 0)
			(void)kill(d->s->loader[i].pid, SIGKILL);
	while (d->alive && waitpid(-1, NULL, 0) > 0)
		d->alive--;
}

/* A loader that has ended before its end. */
static int
look_after(struct director *d)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return 0;
	d->alive--;
	for (unsigned i = 0; i < d->r->plan.processes; i++) {
		struct loader_shared *l = &d->s->loader[i];

		if (l->pid != pid)
			continue;
		l->pid = 0;
		if (l->failure[0])
			return fail(d, "%s", l->failure);
	}
	return fail(d, "loader %d has ended by signal %d, code %d", (int)pid,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

static void
wake_all(struct director *d)
{
	for (unsigned i = 0; i < d->r->plan.processes; i++)
		shared_wake(&d->s->loader[i]);
}

#define SUM(d, field) sum_of(d, offsetof(struct loader_shared, field))

static uint64_t
sum_of(const struct director *d, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->r->plan.processes; i++)
		sum += atomic_load((
			_Atomic uint64_t *)((char *)&d->s->loader[i] + offset));
	return sum;
}

/* Has the sum of what goes on changed within the timeout? */
struct patience {
	uint64_t sum, since_ns, timeout_ns;
};

static bool
is_patient(struct patience *p, uint64_t sum)
{
	uint64_t now = clock_mono_ns();

	if (sum != p->sum || p->since_ns == 0) {
		p->sum = sum;
		p->since_ns = now;
	}
	return now - p->since_ns < p->timeout_ns;
}

static int
set_up(struct director *d)
{
	const struct plan *plan = &d->r->plan;
	struct patience p = { .timeout_ns = (uint64_t)(d->o->timeout_s * 1e9) };
	uint64_t start = clock_mono_ns();

	for (;;) {
		uint64_t ready = SUM(d, ready), connected = SUM(d, connected);

		if (ready == plan->clients)
			break;
		if (connected == plan->clients &&
			!atomic_exchange(&d->s->probe, true))
			wake_all(d);
		if (look_after(d) == -1)
			return -1;
		if (!is_patient(&p, ready + connected + SUM(d, bytes)))
			return fail(d,
				"of %u clients %llu are connected and %llu set "
				"up, and nothing happens any more",
				plan->clients, (unsigned long long)connected,
				(unsigned long long)ready);
		nap(POLL_NS);
	}
	d->r->setup_ns = clock_mono_ns() - start;
	return 0;
}

/* Until nothing has been received for a while: what setting up many brought
 * about. */
static int
settle(struct director *d)
{
	struct patience p = { .timeout_ns = SETTLE_NS };
	uint64_t end = clock_mono_ns() + (uint64_t)(d->o->timeout_s * 1e9);

	while (is_patient(&p, SUM(d, bytes)) && clock_mono_ns() < end) {
		if (look_after(d) == -1)
			return -1;
		nap(POLL_NS);
	}
	return 0;
}

static void
announce(struct director *d, const struct phase *p)
{
	d->s->phase = *p;
	atomic_store(&d->s->start_ns, 0);
	atomic_fetch_add(&d->s->phase_number, 1);
	wake_all(d);
}

/* Once every loader is in the phase, let them begin.  *ret_ns: when. */
static int
begin(struct director *d, uint64_t *ret_ns)
{
	uint32_t number = atomic_load(&d->s->phase_number);

	for (unsigned i = 0; i < d->r->plan.processes; i++)
		while (atomic_load(&d->s->loader[i].entered) != number) {
			if (look_after(d) == -1)
				return -1;
			nap(POLL_NS / 4);
		}
	*ret_ns = clock_mono_ns() + LEAD_NS;
	atomic_store(&d->s->start_ns, *ret_ns);
	wake_all(d);
	return 0;
}

static bool
all_done(const struct director *d)
{
	uint32_t number = atomic_load(&d->s->phase_number);

	for (unsigned i = 0; i < d->r->plan.processes; i++)
		if (atomic_load(&d->s->loader[i].done) != number)
			return false;
	return SUM(d, delivered) >= SUM(d, expected);
}

/* Until all that was sent has come, or nothing comes any more. */
static int
wait_done(struct director *d, uint64_t start_ns, uint64_t duration_ns)
{
	struct patience p = { .timeout_ns = (uint64_t)(d->o->timeout_s * 1e9) };

	/* A planned load may have nothing to send for so long. */
	if (d->o->rate > 0)
		p.timeout_ns += (uint64_t)(10e9 / d->o->rate);
	while (!all_done(d)) {
		if (look_after(d) == -1)
			return -1;
		if (!is_patient(&p, SUM(d, delivered) + SUM(d, sent) +
					    SUM(d, transients)))
			break;
		/* Seldom while there is nothing to miss. */
		nap(clock_mono_ns() + 20 * POLL_NS < start_ns + duration_ns
				? 10 * POLL_NS
				: POLL_NS);
	}
	return 0;
}

static int
traffic(struct director *d, bool measured, uint64_t *ret_start_ns)
{
	const struct bench_options *o = d->o;
	struct phase p = { .kind = PHASE_TRAFFIC, .measured = measured };

	if (!measured)
		p.duration_ns = (uint64_t)(o->warmup_s * 1e9);
	else if (o->messages && d->r->plan.talks)
		p.messages = o->messages;
	else
		p.duration_ns = (uint64_t)(o->duration_s * 1e9);
	announce(d, &p);
	if (begin(d, &p.start_ns) == -1)
		return -1;
	*ret_start_ns = p.start_ns;
	return wait_done(d, p.start_ns, p.duration_ns);
}

static int
hold(struct director *d, double seconds, bool measured)
{
	uint64_t end = clock_mono_ns() + (uint64_t)(seconds * 1e9);

	announce(
		d, &(struct phase){ .kind = PHASE_HOLD, .measured = measured });
	while (clock_mono_ns() < end) {
		uint64_t left = end - clock_mono_ns();

		if (look_after(d) == -1)
			return -1;
		nap(left < 50 * POLL_NS ? left : 50 * POLL_NS);
	}
	return 0;
}

static void
loader_cpu(struct director *d, bool after)
{
	for (unsigned i = 0; i < d->r->plan.processes; i++) {
		struct loader_use *u = &d->r->loader[i];
		uint64_t before = after ? u->cpu_ns : 0, now = before;

		(void)process_cpu_ns(u->pid, &now);
		u->cpu_ns = now - before;
	}
}

/* Beside the server's processes, at the same time. */
static void
softirqd_use(struct director *d, bool after)
{
	struct result *r = d->r;
	uint64_t before = r->softirqd_ns, now = 0;
	bool known = softirqd_cpu_ns(&r->softirqd, &now);

	r->has_softirqd = known && (!after || r->has_softirqd);
	r->softirqd_ns = after && r->has_softirqd ? now - before : now;
}

static void
collect(struct director *d)
{
	struct result *r = d->r;

	r->sent = SUM(d, sent);
	r->expected = SUM(d, expected);
	r->delivered = SUM(d, delivered);
	r->transients = SUM(d, transients) - r->transients;
	r->after = processes_of(d->o->server, d->o->n_servers);
	softirqd_use(d, true);
	result_server_cpu(r);
	memory_sample(&r->memory_after, &r->after);
}

static int
measured(struct director *d)
{
	struct result *r = d->r;
	uint64_t start;
	int rc;

	r->transients = SUM(d, transients);
	r->before = processes_of(d->o->server, d->o->n_servers);
	softirqd_use(d, false);
	loader_cpu(d, false);
	start = clock_mono_ns();
	if (r->plan.kind == BENCH_IDLE)
		rc = hold(d, d->o->duration_s, true);
	else
		rc = traffic(d, true, &start);
	r->measured_ns = clock_mono_ns() - start;
	loader_cpu(d, true);
	collect(d);
	return rc;
}

/* All loaders say what is missing, and end. */
static int
finish(struct director *d)
{
	if (hold(d, d->o->linger_ms / 1e3, false) == -1)
		return -1;
	announce(d, &(struct phase){ .kind = PHASE_END });
	while (d->alive) {
		int status;

		if (waitpid(-1, &status, 0) == -1)
			break;
		d->alive--;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			return fail(d, "a loader has failed at its end");
	}
	for (unsigned i = 0; i < d->r->plan.processes; i++)
		result_merge(d->r, &d->s->loader[i]);
	return 0;
}

static int
prepare(struct director *d)
{
	const char *why;
	int rc;

	for (unsigned i = 0; i < d->o->n_addresses; i++)
		if (!target_parse(d->o->address[i], &d->target[i]))
			return fail(d,
				"%s is no address: 127.0.0.1:7788, "
				"[::1]:7788 or /path/of/socket",
				d->o->address[i]);
	why = plan_make(&d->r->plan, d->o, raise_nofile());
	if (why)
		return fail(d, "%s", why);
	rc = shared_open(&d->s, &d->r->plan, d->o);
	if (rc < 0)
		return fail(d, "shared memory: %s", strerror(-rc));
	d->s->director = getpid();
	for (unsigned i = 0; i < d->o->n_servers; i++)
		if (!process_cpu_ns(d->o->server[i], &(uint64_t){ 0 }))
			return fail(d, "there is no process %d to measure",
				(int)d->o->server[i]);
	if (pin(d) == -1)
		return -1;
	/* Now that the director may run where its loaders may. */
	if (softirqd_choose(&d->r->softirqd, d->o->server, d->o->n_servers))
		softirqd_find(&d->r->softirqd, "/proc");
	return 0;
}

static int
run(struct director *d)
{
	struct result *r = d->r;
	struct processes server;
	uint64_t start;
	bool warm = d->o->warmup_s > 0 && r->plan.kind != BENCH_IDLE;

	server = processes_of(d->o->server, d->o->n_servers);
	memory_sample(&r->memory_before, &server);
	free(server.p);
	progress(d, "connecting");
	if (start_loaders(d) == -1 || set_up(d) == -1 || settle(d) == -1)
		return -1;
	if (warm) {
		progress(d, "warming up");
		if (traffic(d, false, &start) == -1)
			return -1;
	}
	progress(d, "measuring");
	return measured(d) == -1 ? -1 : finish(d);
}

int
director_run(const struct bench_options *o, struct result *r)
{
	struct director d = { .o = o, .r = r };
	int rc;

	(void)clock_gettime(CLOCK_REALTIME, &r->started);
	rc = prepare(&d);
	if (rc == 0)
		rc = run(&d);
	stop_loaders(&d);
	if (rc == 0)
		verdict(o, r);
	return rc;
}
