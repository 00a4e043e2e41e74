/* SPDX-License-Identifier: MIT */
#include "master/quota.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t
sum(const struct quota *q)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < q->n; i++)
		n += q->slot[i].quota;
	return n;
}

Test(quota, shares_are_even_and_the_rest_is_the_pool)
{
	struct quota q;

	quota_init(&q, 3, 100, 1000);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(q.slot[i].quota, 33);
	cr_assert_eq(quota_pool(&q), 1);
}

Test(quota, descriptors_cap_a_share)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 100, 30);
	cr_assert_eq(q.slot[0].quota, 30);
	q.slot[0].wants = true;
	q.slot[0].clients = 30;
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 0, "beyond its descriptors nothing is given");
	cr_assert_eq(q.slot[0].quota, 30);
	cr_assert_not(quota_is_pressed(&q));
}

Test(quota, the_pool_is_given_first)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 4, 7, 100);
	q.slot[2].wants = true;
	q.slot[2].clients = 1;
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 1u << 2);
	cr_assert_eq(asked, 0);
	cr_assert_eq(q.slot[2].quota, 4);
	cr_assert_eq(sum(&q), 7);
}

Test(quota, then_the_slackest_is_asked)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 3, 30, 100);
	q.slot[0].clients = 10;
	q.slot[0].wants = true;
	q.slot[1].clients = 8;
	q.slot[2].clients = 2;
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 0);
	cr_assert_eq(asked, 1u << 2);
	cr_assert_eq(q.slot[2].ask, 6);
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 0, "one at a time");
	cr_assert(quota_kept(&q, 2, 6));
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 1u);
	cr_assert_eq(q.slot[0].quota, 14);
	cr_assert_eq(sum(&q), 30);
	cr_assert_not(quota_is_pressed(&q));
}

Test(quota, a_mute_slot_holds_nobody_up)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 3, 30, 100);
	q.slot[0].clients = 10;
	q.slot[0].wants = true;
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1u << 1);
	q.slot[1].mute = true;
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1u << 2);
	cr_assert(quota_kept(&q, 2, 5));
	cr_assert(quota_kept(&q, 1, 5), "its answer still counts");
}

Test(quota, answers_that_nobody_asked_for_change_nothing)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 20, 100);
	/* Of the question to a worker that died meanwhile. */
	cr_assert(quota_kept(&q, 0, 5));
	q.slot[0].clients = 10;
	q.slot[0].wants = true;
	quota_round(&q, &given, &asked);
	cr_assert_not(quota_kept(&q, 1, 11), "more than it had");
	cr_assert(quota_kept(&q, 1, 10));
	cr_assert(quota_kept(&q, 1, 5), "twice");
	cr_assert_eq(q.slot[1].quota, 10);
}

Test(quota, a_lowered_total_is_taken_back_as_clients_leave)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 20, 100);
	q.slot[0].clients = 9;
	q.slot[1].clients = 3;
	q.total = 8;
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 3);
	cr_assert(quota_kept(&q, 0, q.slot[0].ask));
	cr_assert(quota_kept(&q, 1, q.slot[1].ask));
	cr_assert_eq(sum(&q), 12, "nobody is cut off");
	cr_assert(quota_is_pressed(&q));
	q.slot[0].clients = 2;
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1);
	cr_assert(quota_kept(&q, 0, q.slot[0].ask));
	cr_assert_eq(sum(&q), 8);
	cr_assert_not(quota_is_pressed(&q));
}

Test(quota, who_is_away_gives_its_places_and_comes_back)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 20, 100);
	quota_away(&q, 1);
	cr_assert_eq(quota_pool(&q), 10);
	q.slot[0].clients = 10;
	q.slot[0].wants = true;
	quota_round(&q, &given, &asked);
	cr_assert_eq(q.slot[0].quota, 20);
	quota_back(&q, 1);
	cr_assert_eq(q.slot[1].quota, 0, "nothing is left");
	q.slot[1].wants = true;
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1);
}

/* Whatever happens in whatever order, the sum is never above the total. */
Test(quota, the_sum_never_passes_the_total)
{
	struct quota q;
	uint64_t given, asked;

	srandom(1);
	quota_init(&q, 5, 97, 60);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)random() % q.n;
		struct quota_slot *s = &q.slot[i];

		switch (random() % 7) {
		case 0:
			s->wants = !s->away;
			break;
		case 1:
			if (s->clients < s->quota && !s->recalled)
				s->clients++;
			break;
		case 2:
			s->clients -= s->clients > 0;
			break;
		case 3:
			if (s->recalled)
				cr_assert(quota_kept(&q, i,
					s->ask > s->clients ? s->ask
							    : s->clients));
			break;
		case 4:
			if (random() % 50 == 0)
				quota_away(&q, i);
			break;
		case 5:
			quota_back(&q, i);
			break;
		default:
			s->mute = random() % 4 == 0;
			break;
		}
		quota_round(&q, &given, &asked);
		cr_assert_leq(sum(&q), 97, "step %u", step);
		cr_assert_eq(given & asked, 0, "step %u", step);
		for (unsigned k = 0; k < q.n; k++)
			cr_assert_leq(q.slot[k].quota, 60);
	}
}

Test(quota, who_drains_gives_back_what_it_does_not_use)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 100, 100);
	q.slot[1].clients = 20;
	quota_leave(&q, 1);
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1u << 1, "although nobody is in want");
	cr_assert_eq(q.slot[1].ask, 20);
	cr_assert(quota_kept(&q, 1, 20));
	cr_assert_eq(quota_pool(&q), 30);
	quota_round(&q, &given, &asked);
	cr_assert_eq(given | asked, 0, "and that is all");
}

Test(quota, who_drains_is_given_a_little_for_its_own_queue)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 100, 100);
	q.slot[1].quota = q.slot[1].clients = 20;
	quota_leave(&q, 1);
	q.slot[1].wants = true;
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 1u << 1);
	cr_assert_eq(asked, 0, "not back at once");
	cr_assert_eq(q.slot[1].quota, 36);
}

Test(quota, who_drains_counts_in_no_share)
{
	struct quota q;

	quota_init(&q, 4, 100, 100);
	for (unsigned i = 1; i < 4; i++) {
		quota_leave(&q, i);
		quota_away(&q, i);
		quota_back(&q, i);
		cr_assert_eq(q.slot[i].quota, 0);
	}
	quota_away(&q, 0);
	quota_back(&q, 0);
	cr_assert_eq(q.slot[0].quota, 100);
}

Test(quota, who_drains_no_more_is_hungry)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 100, 100);
	q.slot[1].quota = q.slot[1].clients = 2;
	quota_leave(&q, 1);
	quota_stay(&q, 1);
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 1u << 1);
	cr_assert_eq(q.slot[1].quota, 50);
}

Test(quota, new_slots_get_theirs_from_the_others)
{
	struct quota q;
	uint64_t given, asked;

	quota_init(&q, 2, 100, 100);
	quota_grow(&q, 4, 100);
	cr_assert_eq(q.n, 4);
	cr_assert_eq(sum(&q), 100);
	quota_round(&q, &given, &asked);
	cr_assert_eq(given | asked, 0, "without a worker they want nothing");
	quota_back(&q, 2);
	cr_assert_eq(q.slot[2].quota, 0);
	quota_round(&q, &given, &asked);
	cr_assert_eq(asked, 1, "before anybody waits");
	cr_assert(quota_kept(&q, 0, q.slot[0].ask));
	quota_round(&q, &given, &asked);
	cr_assert_eq(given, 1u << 2);
	cr_assert_eq(q.slot[2].quota, 25);
}
