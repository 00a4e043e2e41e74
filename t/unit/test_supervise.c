/* SPDX-License-Identifier: MIT */
#include "master/backoff.h"

#include <criterion/criterion.h>

Test(backoff, before_ready_it_doubles_up_to_a_minute)
{
	struct backoff b = { 0 };
	uint64_t want = BACKOFF_FIRST_MS;

	for (unsigned i = 0; i < 20; i++) {
		uint64_t at = backoff_died(&b, false, 1000, 7777u * i);

		cr_assert_geq(at, 1000 + want - want / 10, "death %u", i);
		cr_assert_leq(at, 1000 + want + want / 10, "death %u", i);
		want = want * 2 < BACKOFF_MOST_MS ? want * 2 : BACKOFF_MOST_MS;
	}
}

Test(backoff, jitter_differs)
{
	struct backoff a = { 0 }, b = { 0 };

	cr_assert_neq(
		backoff_died(&a, false, 0, 3), backoff_died(&b, false, 0, 11));
}

Test(backoff, ready_forgets_the_waits)
{
	struct backoff b = { 0 };

	for (unsigned i = 0; i < 8; i++)
		(void)backoff_died(&b, false, 0, 0);
	backoff_ready(&b);
	cr_assert_leq(backoff_died(&b, false, 0, 0), BACKOFF_FIRST_MS);
}

Test(backoff, three_deaths_cost_nothing)
{
	struct backoff b = { 0 };

	for (uint64_t now = 5000; now < 5003; now++) {
		backoff_started(&b, now);
		cr_assert_eq(backoff_died(&b, true, now, 0), now);
	}
	backoff_started(&b, 5003);
	cr_assert_eq(backoff_died(&b, true, 5004, 0), 5003 + BACKOFF_SLOW_MS);
}

/* Fifty crashes in a row: one start a second, never a longer pause. */
Test(backoff, a_crash_loop_is_slowed_but_never_stopped)
{
	struct backoff b = { 0 };
	uint64_t now = 100000, longest = 0;

	for (unsigned i = 0; i < 50; i++) {
		uint64_t at;

		backoff_started(&b, now);
		now += 5;
		at = backoff_died(&b, true, now, 0);
		cr_assert_geq(at, now);
		if (at - now > longest)
			longest = at - now;
		now = at;
	}
	cr_assert_leq(longest, BACKOFF_SLOW_MS);
	cr_assert_geq(now, 100000 + 40 * BACKOFF_SLOW_MS);
}

Test(backoff, deaths_far_apart_are_not_slowed)
{
	struct backoff b = { 0 };

	for (uint64_t now = 1; now < 200000; now += 4000) {
		backoff_started(&b, now);
		cr_assert_eq(backoff_died(&b, true, now + 1, 0), now + 1);
	}
}

Test(backoff, unthrottled_starts_at_once)
{
	struct backoff b = { .unthrottled = true };

	for (unsigned i = 0; i < 50; i++)
		cr_assert_eq(backoff_died(&b, i % 2, 10, 0), 10);
}
