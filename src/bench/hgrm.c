/* hgrm.c - histograms in the text format of HdrHistogram, which its plotter and
 * many other tools read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/director.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* Of each half of what is left: as HdrHistogram does it. */
#define TICKS_PER_HALF 5

/* Values in us. */
#define UNIT 1e3

static double
next_percentile(double percent)
{
	double half = exp2(floor(log2(100.0 / (100.0 - percent))) + 1);

	return percent + 100.0 / (half * TICKS_PER_HALF);
}

static double
deviation(const struct histogram *h)
{
	double mean = histogram_mean(h), sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
		double d = (double)histogram_cell_max(i) - mean;

		if (h->cell[i])
			sum += d * d * (double)h->cell[i];
	}
	return h->total ? sqrt(sum / (double)h->total) : 0;
}

static void
print_body(FILE *f, const struct histogram *h)
{
	uint64_t seen = 0;
	double percent = 0;

	for (unsigned i = 0; i < HISTOGRAM_CELLS && seen < h->total; i++) {
		uint64_t value = histogram_cell_max(i);

		if (h->cell[i] == 0)
			continue;
		seen += h->cell[i];
		if (value > h->max)
			value = h->max;
		while (seen < h->total &&
			(double)seen * 100 >= percent * (double)h->total) {
			(void)fprintf(f, "%12.3f %2.12f %10llu %14.2f\n",
				(double)value / UNIT, percent / 100,
				(unsigned long long)seen,
				1 / (1 - percent / 100));
			percent = next_percentile(percent);
		}
	}
	(void)fprintf(f, "%12.3f %2.12f %10llu\n", (double)h->max / UNIT, 1.0,
		(unsigned long long)h->total);
}

static bool
print(FILE *f, const struct histogram *h)
{
	(void)fprintf(f, "%12s %14s %10s %14s\n\n", "Value", "Percentile",
		"TotalCount", "1/(1-Percentile)");
	print_body(f, h);
	(void)fprintf(f,
		"#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
		"#[Max     = %12.3f, Total count    = %12llu]\n"
		"#[Buckets = %12d, SubBuckets     = %12u]\n",
		histogram_mean(h) / UNIT, deviation(h) / UNIT,
		(double)h->max / UNIT, (unsigned long long)h->total,
		64 - HISTOGRAM_BITS, HISTOGRAM_STEPS);
	return !ferror(f);
}

static int
write_one(const char *prefix, const char *name, const struct histogram *h)
{
	char path[4096];
	FILE *f;
	bool good;

	if (h->total == 0)
		return 0;
	if (snprintf(path, sizeof path, "%s.%s.hgrm", prefix, name) >=
		(int)sizeof path)
		return -ENAMETOOLONG;
	f = fopen(path, "we");
	if (!f)
		return -errno;
	good = print(f, h);
	return fclose(f) == EOF || !good ? -EIO : 0;
}

int
hgrm_write(const struct bench_options *o, const struct result *r)
{
	const struct {
		const char *name;
		const struct histogram *h;
	} all[] = {
		{ "latency", &r->times.latency },
		{ "from_send", &r->times.from_send },
		{ "first", &r->times.first },
		{ "completion", &r->times.completion },
		{ "lateness", &r->times.lateness },
		{ "turn", &r->times.turn },
		{ "setup", &r->times.setup },
	};
	int rc = 0;

	for (size_t i = 0; o->hgrm && i < sizeof all / sizeof all[0]; i++)
		if (rc == 0)
			rc = write_one(o->hgrm, all[i].name, all[i].h);
	return rc;
}
