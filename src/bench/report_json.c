/* report_json.c - everything, for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/version.h"
#include "bench/adapter.h"
#include "bench/director.h"
#include "bench/facts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void
set(json_t *o, const char *key, json_t *value)
{
	/* Only memory can be short. */
	(void)json_object_set_new(o, key, value);
}

static void
set_int(json_t *o, const char *key, uint64_t value)
{
	set(o, key, json_integer((json_int_t)value));
}

static void
set_real(json_t *o, const char *key, double value)
{
	set(o, key, json_real(value));
}

static json_t *
text(const char *s)
{
	/* What a command line has may be no UTF-8. */
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *
times(const struct histogram *h)
{
	json_t *o = json_object();

	set_int(o, "count", h->total);
	set_int(o, "min", histogram_min(h));
	set_real(o, "mean", histogram_mean(h));
	set_int(o, "p50", histogram_percentile(h, 50));
	set_int(o, "p90", histogram_percentile(h, 90));
	set_int(o, "p99", histogram_percentile(h, 99));
	set_int(o, "p99_9", histogram_percentile(h, 99.9));
	set_int(o, "max", h->max);
	return o;
}

static void
set_times(json_t *o, const char *key, const struct histogram *h)
{
	if (h->total)
		set(o, key, times(h));
}

static void
set_head(json_t *j, const struct bench_options *o, const struct result *r)
{
	char when[40] = "";
	struct tm tm;
	json_t *argv = json_array(), *addresses = json_array(),
	       *notes = json_object();

	if (gmtime_r(&r->started.tv_sec, &tm))
		(void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	for (int i = 0; i < o->argc; i++)
		(void)json_array_append_new(argv, text(o->argv[i]));
	for (unsigned i = 0; i < o->n_addresses; i++)
		(void)json_array_append_new(addresses, text(o->address[i]));
	for (unsigned i = 0; i < o->n_notes; i++) {
		const char *equals = strchr(o->note[i], '=');
		char key[128];

		(void)snprintf(key, sizeof key, "%.*s",
			(int)(equals - o->note[i]), o->note[i]);
		set(notes, key, text(equals + 1));
	}
	set_int(j, "format", 1);
	set(j, "tool", json_string("banter-bench"));
	set(j, "version", json_string(BANTER_VERSION));
	set(j, "started", json_string(when));
	set(j, "argv", argv);
	set(j, "scenario", text(o->scenario.text));
	set(j, "adapter", json_string(o->adapter->name));
	set(j, "addresses", addresses);
	if (o->revision)
		set(j, "revision", text(o->revision));
	set(j, "notes", notes);
}

static json_t *
parameters(const struct bench_options *o, const struct result *r)
{
	const struct plan *p = &r->plan;
	json_t *j = json_object(), *cpus = json_array();
	const char *loop = !p->talks && o->rate == 0 ? "none"
			   : o->window               ? "closed"
						     : "open";

	if (p->kind == BENCH_CONN_RATE)
		loop = o->rate > 0 ? "open" : "closed";
	for (unsigned i = 0; i < o->n_cpus; i++)
		(void)json_array_append_new(cpus, json_integer(o->cpu[i]));
	set_int(j, "clients", p->clients);
	set_int(j, "publishers", p->publishers);
	set_int(j, "receivers", p->talks ? plan_receivers(p, 0, false) : 0);
	set_int(j, "slow", p->slow);
	set_int(j, "rooms", p->rooms);
	set_int(j, "active", p->publishers);
	set(j, "loop", json_string(loop));
	set(j, "arrival", json_string(o->poisson ? "poisson" : "constant"));
	set_real(j, "rate", o->rate);
	set_int(j, "window", o->window);
	set_int(j, "size", o->size);
	set_int(j, "messages", o->messages);
	set_real(j, "duration_s", o->duration_s);
	set_real(j, "warmup_s", o->warmup_s);
	set_real(j, "churn", p->kind == BENCH_CHURN ? o->churn : 0);
	set_int(j, "concurrency",
		p->kind == BENCH_CONN_RATE && o->rate == 0 ? o->concurrency
							   : 0);
	set_int(j, "processes", p->processes);
	set(j, "cpus", cpus);
	set_int(j, "sources", p->sources);
	set(j, "check", json_string(o->check_last ? "last" : "full"));
	set_int(j, "seed", o->seed);
	set(j, "own", json_boolean(p->own));
	set_int(j, "spin_us", o->spin_us);
	set_int(j, "nap_us", o->nap_us);
	return j;
}

static json_t *
texts(const char list[][200], unsigned n)
{
	json_t *j = json_array();

	for (unsigned i = 0; i < n; i++)
		(void)json_array_append_new(j, json_string(list[i]));
	return j;
}

static json_t *
errors(const struct bench_errors *e)
{
	json_t *j = json_object();

	set_int(j, "lost", e->lost);
	set_int(j, "duplicated", e->duplicated);
	set_int(j, "disordered", e->disordered);
	set_int(j, "damaged", e->damaged);
	set_int(j, "closed", e->closed);
	set_int(j, "refused", e->refused);
	return j;
}

static void
set_counts(json_t *j, const struct result *r)
{
	json_t *counts = json_object(), *rates = json_object();
	double seconds = (double)r->measured_ns / 1e9;

	set_int(counts, "sent", r->sent);
	set_int(counts, "expected", r->expected);
	set_int(counts, "delivered", r->delivered);
	set_int(counts, "connections", r->plan.clients + r->transients);
	set_int(counts, "transients", r->transients);
	set_real(counts, "seconds", seconds);
	set_real(rates, "messages_per_s", (double)r->sent / seconds);
	set_real(rates, "deliveries_per_s", (double)r->delivered / seconds);
	set_real(rates, "connections_per_s", (double)r->transients / seconds);
	set(j, "counts", counts);
	set(j, "rates", rates);
}

static json_t *
connecting(const struct result *r)
{
	json_t *j = json_object();
	double seconds = (double)r->setup_ns / 1e9;

	set_int(j, "connections", r->plan.clients);
	set_real(j, "seconds", seconds);
	set_real(j, "per_s",
		seconds > 0 ? (double)r->plan.clients / seconds : 0);
	return j;
}

static void
set_all_times(json_t *j, const struct bench_times *t)
{
	set_times(j, "latency", &t->latency);
	set_times(j, "latency_from_send", &t->from_send);
	set_times(j, "first", &t->first);
	set_times(j, "completion", &t->completion);
	if (t->completion.total)
		set_int(json_object_get(j, "completion"), "untracked",
			t->untracked);
	set_times(j, "lateness", &t->lateness);
	set_times(j, "turn", &t->turn);
	set_times(j, "setup", &t->setup);
}

static json_t *
loader(const struct result *r)
{
	json_t *j = json_object(), *list = json_array();
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->plan.processes; i++) {
		const struct loader_use *u = &r->loader[i];
		json_t *one = json_object();

		sum += u->cpu_ns;
		set_int(one, "pid", (uint64_t)u->pid);
		set_int(one, "cpu_ns", u->cpu_ns);
		set_real(one, "cpu_share",
			(double)u->cpu_ns / (double)r->measured_ns);
		set_int(one, "clients", u->clients);
		(void)json_array_append_new(list, one);
	}
	set_int(j, "cpu_ns", sum);
	set_real(j, "cpu_share_max", result_loader_share(r));
	set(j, "processes", list);
	return j;
}

static json_t *
server_process(const struct process *after, const struct process *before)
{
	static const struct process none;
	const struct process *b = before ? before : &none;
	json_t *j = json_object();

	set_int(j, "pid", (uint64_t)after->pid);
	set(j, "name", text(after->name));
	set_int(j, "cpu_ns", after->cpu_ns - b->cpu_ns);
	set_int(j, "user_ns", after->user_ns - b->user_ns);
	set_int(j, "system_ns", after->system_ns - b->system_ns);
	return j;
}

static void
set_per(json_t *j, const char *key, uint64_t cpu_ns, uint64_t n)
{
	if (n)
		set_real(j, key, (double)cpu_ns / (double)n);
}

static void
set_softirqd(json_t *j, const struct result *r)
{
	json_t *cpus = json_array();

	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &r->softirqd.cpus))
			(void)json_array_append_new(cpus, json_integer(i));
	set(j, "softirqd_cpus", cpus);
	set(j, "softirqd_shared", json_boolean(r->softirqd.shared));
	set_int(j, "softirqd_ns", r->softirqd_ns);
	set_real(j, "softirqd_share",
		(double)r->softirqd_ns / (double)r->measured_ns);
	set_per(j, "softirqd_per_delivery_ns", r->softirqd_ns, r->delivered);
	set_per(j, "softirqd_per_message_ns", r->softirqd_ns, r->sent);
	set_per(j, "softirqd_per_connection_ns", r->softirqd_ns, r->transients);
}

static json_t *
server(const struct bench_options *o, const struct result *r)
{
	json_t *j = json_object(), *pids = json_array(), *list = json_array();

	for (unsigned i = 0; i < o->n_servers; i++)
		(void)json_array_append_new(pids, json_integer(o->server[i]));
	for (unsigned i = 0; i < r->after.n; i++)
		(void)json_array_append_new(list,
			server_process(&r->after.p[i],
				processes_find(&r->before, r->after.p[i].pid)));
	set(j, "pids", pids);
	set(j, "cpu_source", json_string("cpuclock"));
	set_int(j, "cpu_ns", r->cpu_ns);
	set_real(j, "cpu_share", (double)r->cpu_ns / (double)r->measured_ns);
	set_per(j, "cpu_per_delivery_ns", r->cpu_ns, r->delivered);
	set_per(j, "cpu_per_message_ns", r->cpu_ns, r->sent);
	set_per(j, "cpu_per_connection_ns", r->cpu_ns, r->transients);
	if (r->has_softirqd)
		set_softirqd(j, r);
	set_int(j, "ended", r->ended);
	set(j, "processes", list);
	return j;
}

static json_t *
slab_delta(const struct memory *before, const struct memory *after)
{
	json_t *j = json_object();

	for (unsigned i = 0; i < after->n_slabs; i++) {
		const struct slab *a = &after->slabs[i];
		uint64_t objects = 0, bytes = 0;
		json_t *one;

		for (unsigned k = 0; k < before->n_slabs; k++)
			if (!strcmp(before->slabs[k].name, a->name)) {
				objects = before->slabs[k].objects;
				bytes = before->slabs[k].bytes;
				break;
			}
		if (a->objects == objects)
			continue;
		one = json_object();
		set_int(one, "objects", a->objects - objects);
		set_int(one, "bytes", a->bytes - bytes);
		set(j, a->name, one);
	}
	return j;
}

static json_t *
sockstat(const struct memory *m)
{
	json_t *j = json_object();

	set_int(j, "tcp_inuse", m->tcp_inuse);
	set_int(j, "tcp_alloc", m->tcp_alloc);
	set_int(j, "tcp_mem_pages", m->tcp_pages);
	return j;
}

static json_t *
memory(const struct bench_options *o, const struct result *r)
{
	const struct memory *b = &r->memory_before, *a = &r->memory_after;
	double clients = r->plan.clients;
	json_t *j = json_object(), *sockets = json_object();

	set_int(j, "clients", r->plan.clients);
	if (o->n_servers) {
		set_int(j, "pss_before", b->pss);
		set_int(j, "pss_after", a->pss);
		set_real(j, "pss_per_client",
			((double)a->pss - (double)b->pss) / clients);
	}
	set_int(j, "slab_before", b->slab);
	set_int(j, "slab_after", a->slab);
	set_real(j, "slab_per_client",
		((double)a->slab - (double)b->slab) / clients);
	if (a->n_slabs && b->n_slabs)
		set(j, "slabinfo", slab_delta(b, a));
	set(sockets, "before", sockstat(b));
	set(sockets, "after", sockstat(a));
	set(j, "sockstat", sockets);
	return j;
}

bool
report_json(const struct bench_options *o, const struct result *r)
{
	json_t *j = json_object();
	int rc;

	set_head(j, o, r);
	if (r->failed[0]) {
		set(j, "failed", text(r->failed));
		set(j, "ok", json_false());
	} else {
		set(j, "parameters", parameters(o, r));
		set(j, "ok", json_boolean(!result_has_errors(r)));
		set(j, "void", json_boolean(r->n_invalid));
		set(j, "void_reasons", texts(r->invalid, r->n_invalid));
		set(j, "warnings", texts(r->warning, r->n_warnings));
		set(j, "errors", errors(&r->errors));
		set_counts(j, r);
		if (r->plan.clients)
			set(j, "connect", connecting(r));
		set_all_times(j, &r->times);
		set(j, "loader", loader(r));
		if (o->n_servers)
			set(j, "server", server(o, r));
		if (r->plan.clients)
			set(j, "memory", memory(o, r));
	}
	set(j, "machine", facts_machine());
	rc = json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
	json_decref(j);
	return rc == 0 && putchar('\n') != EOF && fflush(stdout) != EOF;
}
