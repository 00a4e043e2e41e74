/* report_text.c - a summary, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"
#include "bench/director.h"

#include <inttypes.h>
#include <stdio.h>

static void
times(const char *name, const struct histogram *h)
{
	if (h->total == 0)
		return;
	printf("%-14s %10" PRIu64 "  p50 %9.1f  p90 %9.1f  p99 %9.1f  "
	       "p99.9 %9.1f  max %9.1f us\n",
		name, h->total, (double)histogram_percentile(h, 50) / 1e3,
		(double)histogram_percentile(h, 90) / 1e3,
		(double)histogram_percentile(h, 99) / 1e3,
		(double)histogram_percentile(h, 99.9) / 1e3,
		(double)h->max / 1e3);
}

static void
head(const struct bench_options *o, const struct result *r)
{
	const struct plan *p = &r->plan;

	printf("%s over %s: %u clients, %u publishers, %u loader processes\n",
		o->scenario.text, o->adapter->name, p->clients, p->publishers,
		p->processes);
	if (p->clients && r->setup_ns)
		printf("connected in %.3f s, %.0f a second\n",
			(double)r->setup_ns / 1e9,
			p->clients / ((double)r->setup_ns / 1e9));
}

static void
traffic(const struct result *r)
{
	double seconds = (double)r->measured_ns / 1e9;

	if (r->plan.talks)
		printf("%" PRIu64 " messages, %" PRIu64 " of %" PRIu64
		       " deliveries in %.3f s: %.0f messages/s, %.0f "
		       "deliveries/s\n",
			r->sent, r->delivered, r->expected, seconds,
			(double)r->sent / seconds,
			(double)r->delivered / seconds);
	if (r->plan.transients)
		printf("%" PRIu64 " connections came and went: %.0f/s\n",
			r->transients, (double)r->transients / seconds);
	times("latency", &r->times.latency);
	times("from the send", &r->times.from_send);
	times("first shown", &r->times.first);
	times("all shown", &r->times.completion);
	times("setting up", &r->times.setup);
	times("lateness", &r->times.lateness);
	times("turn", &r->times.turn);
}

static void
per_deed(uint64_t ns, const struct result *r)
{
	if (r->delivered)
		printf(", %.0f ns per delivery",
			(double)ns / (double)r->delivered);
	if (r->transients)
		printf(", %.0f ns per connection",
			(double)ns / (double)r->transients);
}

/* Work that no process has on its account. */
static void
softirqd(const struct result *r)
{
	const char *comma = "";

	printf("softirq threads of CPU ");
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &r->softirqd.cpus)) {
			printf("%s%d", comma, i);
			comma = ",";
		}
	printf(": %.1f %% of a CPU",
		(double)r->softirqd_ns / (double)r->measured_ns * 100);
	per_deed(r->softirqd_ns, r);
	puts(r->softirqd.shared ? " (with the loader's)" : "");
}

static void
use(const struct bench_options *o, const struct result *r)
{
	const struct memory *b = &r->memory_before, *a = &r->memory_after;

	printf("busiest loader: %.0f %% of a CPU\n",
		result_loader_share(r) * 100);
	if (o->n_servers) {
		printf("server: %.0f %% of a CPU, %u processes",
			(double)r->cpu_ns / (double)r->measured_ns * 100,
			r->after.n);
		per_deed(r->cpu_ns, r);
		putchar('\n');
		if (r->has_softirqd)
			softirqd(r);
	}
	if (r->plan.clients == 0)
		return;
	printf("kernel: %.0f bytes of slabs per client, both ends\n",
		((double)a->slab - (double)b->slab) / r->plan.clients);
	if (o->n_servers)
		printf("server: %.0f bytes of its own per client\n",
			((double)a->pss - (double)b->pss) / r->plan.clients);
}

bool
report_text(const struct bench_options *o, const struct result *r)
{
	const struct bench_errors *e = &r->errors;

	if (r->failed[0])
		return true;
	head(o, r);
	traffic(r);
	use(o, r);
	printf("lost %" PRIu64 ", duplicated %" PRIu64 ", disordered %" PRIu64
	       ", damaged %" PRIu64 ", closed %" PRIu64 ", refused %" PRIu64
	       "\n",
		e->lost, e->duplicated, e->disordered, e->damaged, e->closed,
		e->refused);
	for (unsigned i = 0; i < r->n_warnings; i++)
		printf("note: %s\n", r->warning[i]);
	for (unsigned i = 0; i < r->n_invalid; i++)
		printf("VOID: %s\n", r->invalid[i]);
	return fflush(stdout) != EOF && !ferror(stdout);
}
