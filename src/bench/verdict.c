/* verdict.c - what a run is worth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/director.h"

#include <stdarg.h>
#include <stdio.h>

/* A server that is busy for less than this was not what set the pace. */
#define SATURATED 0.95

static void add(char text[][200], unsigned *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void
add(char text[][200], unsigned *n, const char *fmt, ...)
{
	va_list ap;

	if (*n == RESULT_TEXTS)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text[(*n)++], 200, fmt, ap);
	va_end(ap);
}

/* The latency has the lateness in it.  Below the floor it is the resolution of
 * timers, which no loader can help, and the reader is only told. */
static void
judge_lateness(const struct bench_options *o, struct result *r)
{
	const struct histogram *of =
		r->times.latency.total ? &r->times.latency : &r->times.setup;
	double late = (double)histogram_percentile(&r->times.lateness, 99);
	double p50 = (double)histogram_percentile(of, 50);
	double limit = p50 * o->late_max / 100;

	if (r->times.lateness.total == 0 || late <= limit)
		return;
	if (late > o->late_floor_us * 1e3)
		add(r->invalid, &r->n_invalid,
			"the loader was late: p99 of its lateness is %.1f us, "
			"and %.0f %% of the latency's p50 are %.1f us",
			late / 1e3, o->late_max, limit / 1e3);
	else
		add(r->warning, &r->n_warnings,
			"p99 of the loader's lateness is %.1f us, %.0f %% of "
			"the latency's p50: see the latency from the send",
			late / 1e3, p50 > 0 ? late / p50 * 100 : 0);
}

static void
judge_cpu(const struct bench_options *o, struct result *r)
{
	double share = result_loader_share(r) * 100;
	double server = result_server_share(r);

	if (o->rate > 0 && share > o->cpu_max)
		add(r->invalid, &r->n_invalid,
			"a loader process used %.0f %% of a CPU, more than "
			"%.0f %%",
			share, o->cpu_max);
	if (o->window > 1 && o->n_servers && server < SATURATED)
		add(r->warning, &r->n_warnings,
			"the server was busy for %.0f %% of the time only: the "
			"rate is not the most that it can do",
			server * 100);
}

static void
judge_run(const struct bench_options *o, struct result *r)
{
	if (r->plan.kind != BENCH_IDLE && r->plan.talks && r->sent == 0)
		add(r->invalid, &r->n_invalid, "nothing was sent");
	if (r->ended)
		add(r->warning, &r->n_warnings,
			"%u processes of the server have ended meanwhile",
			r->ended);
	if (o->n_servers && r->after.n == 0)
		add(r->invalid, &r->n_invalid, "the server has ended");
	if (r->times.untracked)
		add(r->warning, &r->n_warnings,
			"%llu messages were in flight beyond those that are "
			"followed: their completion is not in the figures",
			(unsigned long long)r->times.untracked);
}

void
verdict(const struct bench_options *o, struct result *r)
{
	judge_lateness(o, r);
	judge_cpu(o, r);
	judge_run(o, r);
}
