/* histogram.h - how often each value was seen, to within 1/128.
 *
 * Log-linear: each power of two is divided into 128 cells, so that a value is
 * known to better than 0.8 % whatever its size.  Recording is a few
 * instructions and allocates nothing; the struct has no pointers, so that it
 * may lie in memory that processes share.  Only one writes to it at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_HISTOGRAM_H
#define BANTER_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS  7
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_CELLS ((64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

/* All zero is an empty one. */
struct histogram {
	uint64_t total, sum, max;
	uint64_t min_plus_1; /* 0: none yet */
	uint64_t cell[HISTOGRAM_CELLS];
};

static inline unsigned
histogram_cell(uint64_t value)
{
	unsigned shift;

	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
	return (shift + 1) * HISTOGRAM_STEPS +
	       (unsigned)(value >> shift & (HISTOGRAM_STEPS - 1));
}

static inline void
histogram_record(struct histogram *h, uint64_t value)
{
	h->cell[histogram_cell(value)]++;
	h->total++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	if (value < h->min_plus_1 - 1)
		h->min_plus_1 = value + 1;
}

/* The highest value that falls into this cell. */
uint64_t histogram_cell_max(unsigned cell);

/* Add all of `more` to h. */
void histogram_merge(struct histogram *h, const struct histogram *more);

/* The value that `percent` (0 to 100) of all do not exceed, up to one cell and
 * never above the highest that was recorded; 0 when nothing was. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* 0 when nothing was recorded. */
uint64_t histogram_min(const struct histogram *h);
double histogram_mean(const struct histogram *h);

#endif
