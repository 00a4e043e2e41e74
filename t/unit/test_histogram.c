/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct histogram h, other;

Test(histogram, an_empty_one_is_all_zero)
{
	cr_assert_eq(histogram_percentile(&h, 50), 0);
	cr_assert_eq(histogram_percentile(&h, 100), 0);
	cr_assert_eq(histogram_min(&h), 0);
	cr_assert_float_eq(histogram_mean(&h), 0, 0);
}

Test(histogram, small_values_are_exact)
{
	for (uint64_t v = 0; v < 2 * HISTOGRAM_STEPS; v++)
		histogram_record(&h, v);
	cr_assert_eq(histogram_min(&h), 0);
	cr_assert_eq(histogram_percentile(&h, 50), HISTOGRAM_STEPS - 1);
	cr_assert_eq(histogram_percentile(&h, 100), 2 * HISTOGRAM_STEPS - 1);
	cr_assert_eq(histogram_percentile(&h, 0), 0);
}

/* Each cell begins where the one before ends, over all 64 bits. */
Test(histogram, cells_have_no_holes)
{
	for (unsigned i = 0; i + 1 < HISTOGRAM_CELLS; i++) {
		uint64_t max = histogram_cell_max(i);

		cr_assert_eq(histogram_cell(max), i, "cell %u", i);
		cr_assert_eq(histogram_cell(max + 1), i + 1, "cell %u", i);
	}
	cr_assert_eq(histogram_cell(UINT64_MAX), HISTOGRAM_CELLS - 1);
	cr_assert_eq(histogram_cell_max(HISTOGRAM_CELLS - 1), UINT64_MAX);
}

Test(histogram, a_value_is_known_to_one_in_128)
{
	for (uint64_t v = 1; v < UINT64_C(1) << 60; v = v * 3 + 1) {
		uint64_t max = histogram_cell_max(histogram_cell(v));

		cr_assert(max >= v && max - v <= v / HISTOGRAM_STEPS);
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

Test(histogram, percentiles_are_those_of_the_sorted_values)
{
	static const double percent[] = { 1, 50, 90, 99, 99.9, 100 };
	static uint64_t v[10000];
	uint64_t x = 88172645463325252;
	double sum = 0;

	for (unsigned i = 0; i < 10000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = x >> (x & 31) >> 24;
		sum += (double)v[i];
		histogram_record(&h, v[i]);
	}
	qsort(v, 10000, sizeof v[0], compare);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t want = v[(unsigned)(percent[i] * 100) - 1];
		uint64_t got = histogram_percentile(&h, percent[i]);

		cr_assert(got >= want && got - want <= want / HISTOGRAM_STEPS,
			"p%g: %lu, not %lu", percent[i], got, want);
	}
	cr_assert_eq(histogram_percentile(&h, 100), v[9999]);
	cr_assert_eq(histogram_min(&h), v[0]);
	cr_assert_float_eq(histogram_mean(&h), sum / 10000, 1);
}

Test(histogram, two_are_merged_as_if_they_were_one)
{
	histogram_record(&h, 1000);
	histogram_record(&other, 10);
	histogram_record(&other, 5000);
	histogram_merge(&h, &other);
	cr_assert_eq(h.total, 3);
	cr_assert_eq(histogram_min(&h), 10);
	cr_assert_eq(h.max, 5000);
	cr_assert_eq(h.sum, 6010);
}

Test(histogram, an_empty_one_adds_nothing)
{
	histogram_record(&h, 1000);
	histogram_merge(&h, &other);
	cr_assert_eq(histogram_min(&h), 1000);
	histogram_merge(&other, &h);
	cr_assert_eq(histogram_min(&other), 1000);
}
