/* SPDX-License-Identifier: MIT */
#include "hist.h"

#define STEPS 16
#define CELLS (64 * STEPS)

static uint64_t cell[CELLS], total, highest;

static unsigned
index_of(uint64_t us)
{
	if (us < STEPS)
		return (unsigned)us;
	unsigned shift = 59 - (unsigned)__builtin_clzll(us);
	return (shift + 1) * STEPS + (unsigned)(us >> shift & (STEPS - 1));
}

static uint64_t
value_of(unsigned i)
{
	if (i < STEPS)
		return i;
	unsigned shift = i / STEPS - 1;
	return ((uint64_t)(STEPS + i % STEPS) << shift) +
	       (((uint64_t)1 << shift) - 1);
}

void
hist_add(uint64_t us)
{
	cell[index_of(us)]++;
	total++;
	if (us > highest)
		highest = us;
}

uint64_t
hist_percentile(double percent)
{
	uint64_t want = (uint64_t)((double)total * percent / 100.0), n = 0;

	for (unsigned i = 0; i < CELLS; i++) {
		n += cell[i];
		if (n > want)
			return value_of(i) < highest ? value_of(i) : highest;
	}
	return highest;
}

uint64_t
hist_max(void)
{
	return highest;
}
