/* SPDX-License-Identifier: MIT */
#include "bench/loader.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/payload.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Few, so that the clock is not old when the last of them is received. */
#define EVENTS 64

/* Receives between two looks at the clock and at what is due. */
#define LOOK_EVERY 8

#define COMPLAINTS_MAX 20

/* How long a loader waits without being woken. */
#define IDLE_NS UINT64_C(100000000)

/* The table of what each was shown, of one loader. */
#define ACCOUNT_MAX (UINT64_C(1) << 30)

void
loader_fail(struct loader *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(l->me->failure, sizeof l->me->failure, fmt, ap);
	va_end(ap);
	_exit(BENCH_FAILED);
}

void
loader_complain(struct loader *l, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	if (l->complaints == COMPLAINTS_MAX)
		return;
	l->complaints++;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof line)
		n = (int)sizeof line - 1;
	/* In one piece, because several write. */
	(void)fprintf(stderr, "banter-bench: %.*s%s\n", n, line,
		l->complaints == COMPLAINTS_MAX ? " (and so on)" : "");
}

static void
pin(struct loader *l)
{
	cpu_set_t set;

	if (l->o->n_cpus == 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(l->o->cpu[l->index % l->o->n_cpus], &set);
	if (sched_setaffinity(0, sizeof set, &set) == -1)
		loader_fail(l, "cannot run on CPU %u: %s",
			l->o->cpu[l->index % l->o->n_cpus], strerror(errno));
}

static void
open_memory(struct loader *l)
{
	const struct plan *p = l->plan;
	unsigned end = plan_first(p, l->index + 1);
	uint64_t bytes;

	l->first = plan_first(p, l->index);
	l->n = end - l->first;
	if (l->first < p->publishers)
		l->n_publishers =
			(end < p->publishers ? end : p->publishers) - l->first;
	bytes = account_bytes(l->n, p->width, l->o->check_last);
	if (bytes > ACCOUNT_MAX)
		loader_fail(l,
			"%u clients times %u senders are too many to check "
			"each message: more --processes, or --check=last",
			l->n, p->width);
	account_open(&l->account, l->n, p->width, l->o->check_last);
	l->conn = xcalloc(l->n + 1u, sizeof *l->conn);
	l->publisher = xcalloc(l->n_publishers + 1u, sizeof *l->publisher);
	l->dirty = xcalloc(l->n_publishers + 1u, sizeof *l->dirty);
	l->in = xcalloc(ADAPTER_ITEM_MAX + RECEIVE_MAX, 1);
	l->text_len = l->o->size - l->o->adapter->ends_in_lf;
	l->text = xcalloc(l->text_len, 1);
	/* One message with its framing, and a batch of them. */
	l->frame_cap = l->o->size + 256 + (64u << 10);
	l->frame = xcalloc(l->frame_cap, 1);
	if (p->transients)
		transient_open(l);
}

static void
open_epoll(struct loader *l)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = KEY_WAKE };

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll == -1 ||
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->me->wake, &e) == -1)
		loader_fail(l, "epoll: %s", strerror(errno));
}

/* Those that do not read during the measured phase. */
static void
watch_slow(struct loader *l, bool on)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct conn *c = &l->conn[i];

		if (!plan_is_slow(l->plan, c->id) || c->state != CONN_READY)
			continue;
		if (on)
			conn_watch(l, c, i, EPOLL_CTL_ADD, EPOLLIN);
		else
			conn_watch(l, c, i, EPOLL_CTL_DEL, 0);
	}
}

static void
enter_phase(struct loader *l, uint32_t number)
{
	l->phase = l->s->phase;
	l->phase_number = number;
	l->sent = l->expected = l->delivered = 0;
	/* The phase before may have been cut short. */
	l->publishing = l->has_next = l->transients_due = false;
	if (l->phase.measured && l->plan->slow &&
		l->phase.kind == PHASE_TRAFFIC)
		watch_slow(l, false);
	if (l->phase.kind == PHASE_END)
		receive_finish(l);
	l->begun = l->phase.kind != PHASE_TRAFFIC;
	atomic_store(&l->me->entered, number);
}

/* All are in the phase: what one says now counts everywhere. */
static void
begin_phase(struct loader *l)
{
	l->phase.start_ns = atomic_load(&l->s->start_ns);
	if (l->phase.start_ns == 0)
		return;
	l->begun = true;
	publish_enter(l);
	transient_enter(l);
}

/* Counters before `done`: whoever sees that sees what they came to. */
static void
tell(struct loader *l)
{
	struct loader_shared *me = l->me;
	bool done;

	atomic_store_explicit(&me->ready, l->ready, memory_order_relaxed);
	atomic_store_explicit(&me->bytes, l->bytes, memory_order_relaxed);
	atomic_store_explicit(&me->sent, l->sent, memory_order_relaxed);
	atomic_store_explicit(&me->expected, l->expected, memory_order_relaxed);
	atomic_store_explicit(
		&me->delivered, l->delivered, memory_order_relaxed);
	atomic_store_explicit(
		&me->transients, l->transient_done, memory_order_relaxed);
	done = l->begun && publish_is_done(l) && transient_is_done(l);
	if (done)
		atomic_store(&me->done, l->phase_number);
}

static void
wake_up(struct loader *l)
{
	uint64_t n;

	(void)!read(l->me->wake, &n, sizeof n);
	atomic_store(&l->me->woken, false);
	publish_look(l);
}

static void
dispatch(struct loader *l, const struct epoll_event *e)
{
	if (e->data.u32 == KEY_WAKE)
		wake_up(l);
	else if (e->data.u32 & KEY_TRANSIENT)
		transient_event(l, e->data.u32, e->events);
	else
		receive_event(l, e->data.u32, e->events);
}

/* Do what is due; when the next is. */
static uint64_t
due(struct loader *l)
{
	uint64_t at = publish_due(l), other;

	publish_windows(l);
	other = transient_due(l);
	return at < other ? at : other;
}

static uint64_t
wait_ns(const struct loader *l, uint64_t at, uint64_t now)
{
	uint64_t spin = l->o->spin_us * UINT64_C(1000);
	uint64_t gap = at > now ? at - now : 0;

	if (l->n_dirty && l->publishing)
		return now < l->phase.start_ns ? l->phase.start_ns - now : 0;
	if (gap <= spin)
		return 0;
	gap -= spin;
	return gap < IDLE_NS ? gap : IDLE_NS;
}

static void
handle(struct loader *l, const struct epoll_event *e, int n)
{
	for (int i = 0; i < n; i++) {
		if (i && i % LOOK_EVERY == 0) {
			(void)publish_due(l);
			l->now_ns = clock_mono_ns();
		}
		dispatch(l, &e[i]);
	}
	if (n && l->phase.measured)
		histogram_record(
			&l->me->times.turn, clock_mono_ns() - l->now_ns);
}

/* Asleep where no message can wake us: to do so would cost its sender. */
static void
nap(const struct loader *l, uint64_t most_ns)
{
	uint64_t ns = l->o->nap_us * UINT64_C(1000);
	struct timespec t;

	if (ns > most_ns)
		ns = most_ns;
	t = (struct timespec){ (time_t)(ns / 1000000000),
		(long)(ns % 1000000000) };
	(void)nanosleep(&t, NULL);
}

static void
turn(struct loader *l)
{
	struct epoll_event e[EVENTS];
	uint64_t at, now;
	struct timespec t;
	uint32_t number = atomic_load(&l->s->phase_number);
	int n;

	if (number != l->phase_number) {
		enter_phase(l, number);
		return;
	}
	if (!l->begun)
		begin_phase(l);
	/* Behind the begin: what was due before it says nothing of the plan. */
	at = due(l);
	now = clock_mono_ns();
	if (l->phase.kind == PHASE_SETUP) {
		uint64_t step = setup_step(l, now);

		at = step < at ? step : at;
	}
	tell(l);
	now = clock_mono_ns();
	at = wait_ns(l, at, now);
	t = (struct timespec){ (time_t)(at / 1000000000),
		(long)(at % 1000000000) };
	if (l->o->nap_us) {
		nap(l, at);
		t = (struct timespec){ 0, 0 };
	}
	n = epoll_pwait2(l->epoll, e, EVENTS, &t, NULL);
	if (n == -1 && errno != EINTR)
		loader_fail(l, "epoll_pwait2: %s", strerror(errno));
	l->now_ns = clock_mono_ns();
	handle(l, e, n < 0 ? 0 : n);
}

void
loader_run(const struct bench_options *o, const struct plan *p,
	const struct target *target, struct shared *s, unsigned index)
{
	static struct loader l;

	l = (struct loader){ .o = o,
		.plan = p,
		.target = target,
		.s = s,
		.run = (char)('a' + getppid() % 26),
		.me = &s->loader[index],
		.index = index };
	/* No loader outlives the director, nor is late for 50 us by default. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->director)
		_exit(BENCH_FAILED);
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	pin(&l);
	open_memory(&l);
	open_epoll(&l);
	while (l.phase.kind != PHASE_END)
		turn(&l);
	atomic_store(&l.me->done, l.phase_number);
	_exit(0);
}
