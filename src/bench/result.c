/* result.c - what the loaders and the server's processes come to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/director.h"

/* What a process that lives has used more; what children that were reaped had
 * used, less what they had used before. */
void
result_server_cpu(struct result *r)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < r->after.n; i++) {
		const struct process *a = &r->after.p[i];
		const struct process *b = processes_find(&r->before, a->pid);

		sum += (int64_t)(a->cpu_ns - (b ? b->cpu_ns : 0));
		sum += (int64_t)(a->reaped_ns - (b ? b->reaped_ns : 0));
	}
	for (unsigned i = 0; i < r->before.n; i++) {
		const struct process *b = &r->before.p[i];

		if (processes_find(&r->after, b->pid))
			continue;
		r->ended++;
		sum -= (int64_t)b->cpu_ns;
	}
	r->cpu_ns = sum > 0 ? (uint64_t)sum : 0;
}

static void
add_errors(struct bench_errors *sum, const struct bench_errors *e)
{
	sum->lost += e->lost;
	sum->duplicated += e->duplicated;
	sum->disordered += e->disordered;
	sum->damaged += e->damaged;
	sum->closed += e->closed;
	sum->refused += e->refused;
}

void
result_merge(struct result *r, const struct loader_shared *l)
{
	const struct bench_times *t = &l->times;

	histogram_merge(&r->times.latency, &t->latency);
	histogram_merge(&r->times.from_send, &t->from_send);
	histogram_merge(&r->times.first, &t->first);
	histogram_merge(&r->times.completion, &t->completion);
	histogram_merge(&r->times.lateness, &t->lateness);
	histogram_merge(&r->times.turn, &t->turn);
	histogram_merge(&r->times.setup, &t->setup);
	r->times.untracked += t->untracked;
	add_errors(&r->errors, &l->errors);
}

bool
result_has_errors(const struct result *r)
{
	const struct bench_errors *e = &r->errors;

	return e->lost || e->duplicated || e->disordered || e->damaged ||
	       e->closed || e->refused;
}

double
result_loader_share(const struct result *r)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < r->plan.processes; i++)
		if (r->loader[i].cpu_ns > most)
			most = r->loader[i].cpu_ns;
	return r->measured_ns ? (double)most / (double)r->measured_ns : 0;
}

double
result_server_share(const struct result *r)
{
	uint64_t busy = r->cpu_ns;

	if (r->has_softirqd && !r->softirqd.shared)
		busy += r->softirqd_ns;
	return r->measured_ns ? (double)busy / (double)r->measured_ns : 0;
}
