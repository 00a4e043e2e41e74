/* SPDX-License-Identifier: MIT */
#include "master/relay.h"
#include "msg/session_id.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct relay *r;

static void
setup(void)
{
	r = relay_new(0);
	cr_assert_not_null(r);
	for (unsigned s = 1; s <= 3; s++)
		relay_enter(r, s);
}

static void
teardown(void)
{
	relay_free(&r);
}

TestSuite(relay, .init = setup, .fini = teardown, .timeout = 20);

static uint64_t next_sequence;

static void
say(uint64_t mask, uint32_t room, uint64_t sender, unsigned flags, size_t text)
{
	static char body[BUS_BATCH_MAX];
	struct bus_frame f = { .version = BUS_VERSION,
		.type = BUS_SAY,
		.flags = (uint16_t)flags,
		.room = room,
		.sender = sender,
		.length = (uint32_t)(sizeof f + 2 + text),
		.sequence = ++next_sequence };

	relay_append(r, mask, &f, slice_of(body, 2 + text));
}

static void
put(uint64_t mask, enum bus_type type, uint32_t room, uint64_t sender,
	const void *body, size_t len)
{
	struct bus_frame f = { .version = BUS_VERSION,
		.type = (uint8_t)type,
		.room = room,
		.sender = sender,
		.length = (uint32_t)(sizeof f + len) };

	relay_append(r, mask, &f, slice_of(body, len));
}

/* What a slot was given, by type. */
struct got {
	uint64_t n_say, n_answers, first, last, number;
	uint64_t gap[8], own[8]; /* by room */
	uint64_t order;          /* a digit per frame: 1 gap, 2 answer, 3 say */
};

static void
take(struct got *g, struct slice d)
{
	const struct bus_frame *f;
	size_t at = 0;
	bool damaged;

	cr_assert_leq(d.len, BUS_BATCH_MAX);
	g->number++;
	cr_assert_eq(((const struct bus_batch *)(const void *)d.p)->number,
		g->number);
	while ((f = bus_next(d, &at, false, &damaged))) {
		struct slice body = bus_body(f);
		struct bus_gap gap;

		if (f->type == BUS_GAP) {
			cr_assert(bus_get(&body, &gap, sizeof gap));
			if (gap.session && f->room)
				g->own[f->room] += gap.number;
			else
				g->gap[f->room] += gap.number;
		} else if (f->type == BUS_SAY) {
			cr_assert_gt(f->sequence, g->last);
			g->last = f->sequence;
			if (g->n_say++ == 0)
				g->first = f->sequence;
		} else {
			g->n_answers++;
		}
		g->order = g->order % 1000000000 * 10 +
			   (f->type == BUS_GAP          ? 1u
				   : f->type == BUS_SAY ? 3u
							: 2u);
	}
	cr_assert(!damaged);
}

static void
drain(struct got *g, unsigned slot)
{
	uint64_t same;

	while (relay_pending(r) & relay_bit(slot)) {
		struct slice d = relay_next(r, slot, &same);

		if (d.len == 0)
			break;
		cr_assert(same & relay_bit(slot));
		take(g, d);
		relay_given(r, slot);
	}
	cr_assert(!(relay_pending(r) & relay_bit(slot)));
}

Test(relay, a_slot_is_given_its_frames_in_order_and_no_others)
{
	struct got g[4] = { 0 };

	for (int i = 0; i < 100; i++)
		say(i % 2 ? 1 : 3, 1, 9, 0, (size_t)i);
	drain(&g[1], 1);
	drain(&g[2], 2);
	drain(&g[3], 3);
	cr_assert_eq(g[1].n_say, 100);
	cr_assert_eq(g[2].n_say, 50);
	cr_assert_eq(g[3].n_say, 0);
	cr_assert_eq(relay_used(r), 0);
}

Test(relay, slots_that_are_owed_the_same_share_a_datagram)
{
	struct got g[4] = { 0 };
	uint64_t same;

	say(7, 1, 9, 0, 10);
	say(3, 1, 9, 0, 10);
	take(&g[1], relay_next(r, 1, &same));
	cr_assert_eq(same, 3);
	relay_given(r, 1);
	take(&g[2], relay_sealed_for(r, 2));
	relay_given(r, 2);
	take(&g[3], relay_next(r, 3, &same));
	cr_assert_eq(same, 4);
	relay_given(r, 3);
	cr_assert_eq(relay_pending(r), 0);
	cr_assert(g[1].n_say == 2 && g[2].n_say == 2 && g[3].n_say == 1);
}

Test(relay, sharing_agrees_with_each_for_itself)
{
	struct got g[4] = { 0 };
	uint64_t sent[4] = { 0 };

	srand(3);
	for (int round = 0; round < 500; round++) {
		for (int i = rand() % 40; i > 0; i--) {
			uint64_t mask = (uint64_t)rand() % 8;

			say(mask, 1, 9, 0, (size_t)rand() % 900);
			for (unsigned s = 1; s <= 3; s++)
				sent[s] += (mask & relay_bit(s)) != 0;
		}
		uint64_t todo = relay_pending(r), same;

		while (todo) {
			unsigned s = (unsigned)__builtin_ctzll(todo) + 1;

			if (relay_next(r, s, &same).len == 0)
				same = relay_bit(s);
			else
				for (uint64_t m = same & todo; m; m &= m - 1) {
					s = (unsigned)__builtin_ctzll(m) + 1;
					take(&g[s], relay_sealed_for(r, s));
					relay_given(r, s);
				}
			todo &= ~same;
		}
	}
	for (unsigned s = 1; s <= 3; s++) {
		drain(&g[s], s);
		cr_assert_eq(g[s].n_say + g[s].gap[1], sent[s], "slot %u", s);
		cr_assert_eq(g[s].n_say, sent[s]);
	}
}

Test(relay, who_has_left_or_was_skipped_is_owed_nothing)
{
	struct got g = { 0 };

	say(7, 1, 9, 0, 10);
	relay_skip(r, 1);
	relay_leave(r, 2);
	say(7, 1, 9, 0, 10);
	cr_assert_eq(relay_pending(r), 5);
	drain(&g, 1);
	cr_assert_eq(g.n_say, 1);
	cr_assert_eq(g.first, 2);
}

Test(relay, a_rested_log_begins_again_at_its_start)
{
	for (int i = 0; i < 10000; i++) {
		struct got g = { .number = (uint64_t)i };

		say(1, 1, 9, 0, 200);
		drain(&g, 1);
	}
	cr_assert_leq(relay_touched(r), 512);
}

Test(relay, a_rush_gives_its_memory_back_later)
{
	struct got g = { 0 };

	relay_free(&r);
	r = relay_new(8 << 20);
	relay_enter(r, 1);
	for (int i = 0; i < 3000; i++)
		say(1, 1, 9, 0, 2000);
	relay_rest(r, 1000);
	drain(&g, 1);
	cr_assert_eq(g.n_say, 3000);
	relay_rest(r, 2000);
	cr_assert_geq(relay_touched(r), 6000000);
	relay_rest(r, 7500);
	cr_assert_leq(relay_touched(r), 32 << 10);
	say(1, 1, 9, 0, 2000);
	drain(&g, 1);
	cr_assert_eq(g.n_say, 3001);
}

/* What is given and what is told as missed is what was said, however often the
 * tail overtakes, with frames of many sizes and a fast slot beside. */
Test(relay, gaps_are_exact)
{
	struct got fast = { 0 }, slow = { 0 };
	uint64_t said[8] = { 0 }, own[8] = { 0 };

	srand(5);
	for (int i = 0; i < 20000; i++) {
		uint32_t room = 1 + (uint32_t)rand() % 7;
		unsigned from = 1 + (unsigned)rand() % 3;
		unsigned flags = rand() % 3 ? 0 : BUS_ECHO;

		say(3, room, session_id(from, 4), flags, (size_t)rand() % 300);
		said[room]++;
		drain(&fast, 1);
		own[room] += from == 2 && !flags;
	}
	cr_assert_eq(fast.n_say, 20000);
	cr_assert_eq(relay_lost(r), 20000 - (relay_behind(r, 2) - 14));
	drain(&slow, 2);
	uint64_t missed = 0;

	for (uint32_t room = 1; room < 8; room++)
		missed += slow.gap[room];
	cr_assert_eq(missed + slow.n_say, 20000);
	cr_assert_eq(relay_lost(r), missed);
	cr_assert_eq(slow.first, missed + 1, "the newest are kept");
	for (uint32_t room = 1; room < 8; room++) {
		cr_assert_leq(slow.gap[room], said[room]);
		cr_assert_gt(slow.own[room], 0);
		cr_assert_lt(slow.own[room], own[room]);
	}
}

Test(relay, own_messages_are_counted_apart)
{
	struct got g = { 0 };

	for (int i = 0; i < 5; i++)
		say(2, 3, session_id(2, 8), 0, 100);
	for (int i = 0; i < 4; i++)
		say(2, 3, session_id(2, 8), BUS_ECHO, 100);
	for (int i = 0; i < 3; i++)
		say(2, 3, session_id(1, 8), 0, 100);
	for (int i = 0; i < 400; i++)
		say(2, 4, session_id(1, 8), 0, 300);
	drain(&g, 2);
	cr_assert_eq(g.gap[3], 12);
	cr_assert_eq(g.own[3], 5);
	cr_assert_eq(g.own[4], 0);
	cr_assert_eq(g.gap[4] + g.n_say, 400);
}

/* gap, answer, gap, answer, then what the log still has */
Test(relay, answers_are_never_lost_and_stay_in_order)
{
	struct got g = { 0 };
	char body[64] = { 0 };

	say(2, 1, session_id(1, 1), 0, 100);
	say(2, 1, session_id(1, 1), 0, 100);
	put(2, BUS_CONNECTED, 0, session_id(2, 1), body, 8);
	say(2, 1, session_id(1, 1), 0, 100);
	put(2, BUS_PARTED, 7, session_id(2, 1), NULL, 0);
	put(2, BUS_NICK_SET, 0, session_id(2, 1), "\2\0ab", 4);
	put(2, BUS_PRIVATE, 0, session_id(2, 1), body, 10);
	for (int i = 0; i < 1000; i++)
		say(2, 2, session_id(1, 1), 0, 200);
	drain(&g, 2);
	cr_assert_eq(g.gap[1], 3);
	cr_assert_eq(g.gap[0], 1, "the private one");
	cr_assert_eq(g.n_answers, 3);
	cr_assert_eq(g.gap[2] + g.n_say, 1000);
	cr_assert_eq(g.n_say, g.last - g.first + 1);
}

Test(relay, order_of_gaps_and_answers)
{
	char body[8] = { 0 };
	struct got g = { 0 };

	say(2, 1, session_id(1, 1), 0, 100);
	put(2, BUS_CONNECTED, 0, session_id(2, 1), body, 8);
	say(2, 1, session_id(1, 1), 0, 100);
	put(2, BUS_PARTED, 7, session_id(2, 1), NULL, 0);
	/* The fourth goes over all before it and over the first. */
	for (int i = 0; i < 4; i++)
		say(2, 2, session_id(1, 1), 0, 16300);
	drain(&g, 2);
	cr_assert_eq(g.order, 12121333, "%llu", (unsigned long long)g.order);
}

Test(relay, events_are_counted_under_their_rooms)
{
	struct got g = { 0 };
	struct {
		uint32_t n, room[2];
		char text[8];
	} gone = { 2, { 3, 4 }, "\1\0a\1\0b" };

	put(2, BUS_JOIN_EVENT, 1, session_id(1, 1), "\1\0a", 3);
	put(2, BUS_JOIN_EVENT, 1, session_id(2, 1), "\1\0a", 3);
	put(2, BUS_PART_EVENT, 1, session_id(2, 1), "\1\0a", 3);
	put(2, BUS_TOPIC_EVENT, 2, session_id(1, 1), "\1\0a", 3);
	put(2, BUS_GONE_EVENT, 0, session_id(2, 1), &gone, 18);
	put(2, BUS_NICK_EVENT, 0, session_id(2, 1), &gone, 18);
	for (int i = 0; i < 300; i++)
		say(2, 5, session_id(1, 1), 0, 500);
	drain(&g, 2);
	cr_assert(g.gap[1] == 3 && g.own[1] == 1);
	cr_assert(g.gap[2] == 1 && g.own[2] == 0);
	cr_assert(g.gap[3] == 2 && g.own[3] == 1);
	cr_assert(g.gap[4] == 2 && g.own[4] == 1);
	cr_assert_eq(g.gap[5] + g.n_say, 300);
}

Test(relay, the_largest_frame_goes_through)
{
	struct got g = { 0 };
	size_t text = BUS_FRAME_MAX - sizeof(struct bus_frame) - 2;

	for (int i = 0; i < 100; i++) {
		say(1, 1, 9, 0, text);
		drain(&g, 1);
	}
	cr_assert_eq(g.n_say, 100);
	for (int i = 0; i < 100; i++)
		say(1, 1, 9, 0, text);
	drain(&g, 1);
	cr_assert_eq(g.n_say + g.gap[1], 200);
}

Test(relay, too_many_answers_are_an_overrun)
{
	static char body[8000];
	struct got g = { 0 };

	cr_assert(!relay_overrun(r, 1));
	for (int i = 0; i < 9000; i++)
		put(1, BUS_ROOM_LIST, 0, session_id(1, 1), body, sizeof body);
	cr_assert(relay_overrun(r, 1));
	cr_assert(!relay_overrun(r, 1));
	drain(&g, 1);
	cr_assert_gt(g.n_answers, 0);
}

Test(relay, batch_numbers)
{
	cr_assert_eq(relay_number(r, 1, 2), RELAY_NUMBER_SKIPS);
	cr_assert_eq(relay_number(r, 1, 1), RELAY_NUMBER_NEW);
	cr_assert_eq(relay_number(r, 1, 1), RELAY_NUMBER_HAD);
	cr_assert_eq(relay_number(r, 2, 1), RELAY_NUMBER_NEW);
	cr_assert_eq(relay_number(r, 1, 2), RELAY_NUMBER_NEW);
	cr_assert_eq(relay_number(r, 1, 3), RELAY_NUMBER_NEW);
	relay_renumber(r, 1);
	cr_assert_eq(relay_number(r, 1, 5), RELAY_NUMBER_SKIPS);
	cr_assert_eq(relay_number(r, 1, 4), RELAY_NUMBER_NEW);
	cr_assert_eq(relay_number(r, 1, 1), RELAY_NUMBER_HAD);
	relay_renumber(r, 1);
	cr_assert_eq(relay_number(r, 1, 1), RELAY_NUMBER_NEW);
	cr_assert_eq(relay_number(r, 1, 1), RELAY_NUMBER_HAD);
	relay_number_dropped(r, 1, 2);
	cr_assert_eq(relay_number(r, 1, 3), RELAY_NUMBER_NEW);
}

Test(relay, sixty_four_slots)
{
	static struct got g[65];

	for (unsigned s = 1; s <= 64; s++)
		relay_enter(r, s);
	for (int i = 0; i < 100; i++)
		say(i % 2 ? ~UINT64_C(0) : UINT64_C(1) << 63, 1, 9, 0, 50);
	for (unsigned s = 1; s <= 64; s++) {
		drain(&g[s], s);
		cr_assert_eq(g[s].n_say, s == 64 ? 100 : 50);
	}
}
