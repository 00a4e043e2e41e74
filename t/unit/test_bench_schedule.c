/* SPDX-License-Identifier: MIT */
#include "bench/schedule.h"

#include <criterion/criterion.h>

static const struct schedule_plan plan = { .rate = 1000,
	.publishers = 7,
	.own = 7,
	.duration_ns = 100000000,
	.seed = 1 };

Test(bench_schedule, constant_gaps_and_publishers_in_turn)
{
	struct schedule s;
	struct schedule_entry e;
	unsigned n = 0;

	schedule_init(&s, &plan);
	for (; schedule_next(&s, &e); n++) {
		cr_assert_eq(e.offset_ns, n * UINT64_C(1000000));
		cr_assert_eq(e.publisher, n % 7);
	}
	cr_assert_eq(n, 100);
	cr_assert(!schedule_next(&s, &e), "it stays at its end");
}

/* Whatever processes share the load, it is the same load. */
Test(bench_schedule, parts_are_together_the_whole)
{
	static const unsigned first[] = { 0, 3, 4, 7 };
	bool seen[100] = { false };
	unsigned n = 0;

	for (unsigned part = 0; part < 3; part++) {
		struct schedule_plan p = plan;
		struct schedule s;
		struct schedule_entry e;

		p.first = first[part];
		p.own = first[part + 1] - first[part];
		schedule_init(&s, &p);
		for (; schedule_next(&s, &e); n++) {
			unsigned at = (unsigned)(e.offset_ns / 1000000);

			cr_assert_eq(e.publisher, at % 7);
			cr_assert(!seen[at], "message %u is sent twice", at);
			seen[at] = true;
		}
	}
	cr_assert_eq(n, 100);
}

Test(bench_schedule, so_many_messages_in_all)
{
	for (uint64_t messages = 1; messages < 30; messages++) {
		uint64_t n = 0;

		for (unsigned first = 0; first < 7; first += 3) {
			struct schedule_plan p = plan;
			struct schedule s;
			struct schedule_entry e;

			p.duration_ns = 0;
			p.messages = messages;
			p.first = first;
			p.own = first == 6 ? 1 : 3;
			schedule_init(&s, &p);
			while (schedule_next(&s, &e))
				n++;
		}
		cr_assert_eq(n, messages);
	}
}

/* In 1000 s of 1000 a second: gaps are 1 ms in the mean, and their deviation is
 * 1 ms too. */
Test(bench_schedule, a_poisson_process_has_its_mean_and_deviation)
{
	struct schedule_plan p = plan;
	struct schedule s;
	struct schedule_entry e;
	uint64_t before = 0, n = 0;
	double squares = 0;

	p.poisson = true;
	p.duration_ns = UINT64_C(1000000000000);
	schedule_init(&s, &p);
	for (; schedule_next(&s, &e); n++) {
		double gap = (double)(e.offset_ns - before) / 1e6;

		cr_assert(e.offset_ns >= before && e.offset_ns < p.duration_ns);
		squares += (gap - 1) * (gap - 1);
		before = e.offset_ns;
	}
	cr_assert(n > 990000 && n < 1010000, "%lu messages", n);
	cr_assert_float_eq(squares / (double)n, 1, 0.02);
}

static uint64_t
nth(uint64_t seed, unsigned first, unsigned n)
{
	struct schedule_plan p = plan;
	struct schedule s;
	struct schedule_entry e = { 0, 0 };

	p.poisson = true;
	p.seed = seed;
	p.first = first;
	p.own = 1;
	schedule_init(&s, &p);
	while (n--)
		(void)schedule_next(&s, &e);
	return e.offset_ns;
}

Test(bench_schedule, the_seed_fixes_the_times)
{
	cr_assert_eq(nth(1, 0, 5), nth(1, 0, 5));
	cr_assert_neq(nth(1, 0, 5), nth(2, 0, 5));
	cr_assert_neq(nth(1, 0, 5), nth(1, 1, 5));
	cr_assert_neq(nth(0, 0, 5), 0);
}

Test(bench_schedule, who_has_no_publisher_sends_nothing)
{
	struct schedule_plan p = plan;
	struct schedule s;
	struct schedule_entry e;

	p.own = 0;
	schedule_init(&s, &p);
	cr_assert(!schedule_next(&s, &e));
}
