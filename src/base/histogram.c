/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

uint64_t
histogram_cell_max(unsigned cell)
{
	unsigned shift;

	if (cell < HISTOGRAM_STEPS)
		return cell;
	shift = cell / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(HISTOGRAM_STEPS + cell % HISTOGRAM_STEPS) << shift) +
	       (((uint64_t)1 << shift) - 1);
}

void
histogram_merge(struct histogram *h, const struct histogram *more)
{
	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++)
		h->cell[i] += more->cell[i];
	h->total += more->total;
	h->sum += more->sum;
	if (more->max > h->max)
		h->max = more->max;
	if (more->min_plus_1 - 1 < h->min_plus_1 - 1)
		h->min_plus_1 = more->min_plus_1;
}

uint64_t
histogram_percentile(const struct histogram *h, double percent)
{
	/* The smallest count that is at least this part of all. */
	double exact = (double)h->total * percent / 100.0;
	uint64_t want = (uint64_t)exact, seen = 0;

	if ((double)want < exact)
		want++;
	if (want == 0)
		want = 1;
	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
		uint64_t value = histogram_cell_max(i);

		seen += h->cell[i];
		if (seen >= want)
			return value < h->max ? value : h->max;
	}
	return h->max;
}

uint64_t
histogram_min(const struct histogram *h)
{
	return h->total ? h->min_plus_1 - 1 : 0;
}

double
histogram_mean(const struct histogram *h)
{
	return h->total ? (double)h->sum / (double)h->total : 0;
}
