/* How long a pass of sends to many is put off, turn by turn.
 *
 * SPDX-License-Identifier: MIT */
#include "worker/private.h"

#include <criterion/criterion.h>

TestSuite(gather, .timeout = 20);

/* So many that the clock does not end it meanwhile. */
#define MANY 100000000u

static struct slot_page page;
static struct arena_head head;
static struct session session;
static struct conf conf;
static struct worker w;

static void
prepare(void)
{
	page = (struct slot_page){ 0 };
	head = (struct arena_head){ 0 };
	session = (struct session){ 0 };
	conf = (struct conf){ .limits.output_bytes = 1000 };
	w = (struct worker){ .page = &page,
		.arena.head = &head,
		.conf = &conf,
		.exit_code = -1,
		.dirty.n = MANY };
}

/* How many turns in a row, when in each of them a line comes. */
static unsigned
turns(void)
{
	unsigned n = 0;

	while (n < 1000 && gather_more(&w)) {
		n++;
		page.lines_in++;
	}
	return n;
}

Test(gather, many_are_put_off_for_some_turns_again_and_again, .init = prepare)
{
	unsigned n = turns();

	cr_assert(n > 1 && n < 100, "%u turns", n);
	cr_assert_eq(turns(), n);
}

Test(gather, few_are_sent_to_at_once, .init = prepare)
{
	w.dirty.n = 10;
	cr_assert_eq(turns(), 0);
}

Test(gather, it_ends_when_nothing_comes, .init = prepare)
{
	cr_assert(gather_more(&w));
	cr_assert_not(gather_more(&w));
}

Test(gather, who_leaves_sends_what_there_is, .init = prepare)
{
	w.stopping = true;
	cr_assert_eq(turns(), 0);
	w.stopping = false;
	cr_assert(gather_more(&w));
	page.lines_in++;
	w.exit_code = SLOT_EXIT_PARKED;
	cr_assert_not(gather_more(&w));
}

/* What is gathered would else make a client that reads miss messages. */
Test(gather, a_long_queue_is_sent, .init = prepare)
{
	session.q_bytes = 400;
	gather_pushed(&w, &session);
	cr_assert(gather_more(&w));
	page.lines_in++;
	session.q_bytes = 600;
	gather_pushed(&w, &session);
	cr_assert_not(gather_more(&w));
	cr_assert(gather_more(&w), "once");
}

Test(gather, without_a_limit_no_queue_is_long, .init = prepare)
{
	conf.limits.output_bytes = 0;
	session.q_bytes = UINT32_MAX;
	gather_pushed(&w, &session);
	cr_assert(gather_more(&w));
}

Test(gather, only_an_answer_that_is_due_is_waited_for, .init = prepare)
{
	head.batch_out = 7;
	w.answered = 7;
	cr_assert(gather_more(&w));
	cr_assert_eq(gather_wait_ms(&w), 0);
	head.batch_out = 8;
	cr_assert(gather_wait_ms(&w) > 0);
	cr_assert_not(gather_more(&w));
	cr_assert_eq(gather_wait_ms(&w), 0);
}
