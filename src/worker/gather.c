/* A message to a thousand members takes milliseconds to send.  What somebody
 * else says meanwhile has to go out in a pass of its own, which costs the same
 * again, while two lines in one send cost hardly more than one.  So, before
 * such a pass, what has come by now is handled too, and what was handed to the
 * master is waited for: some turns, and no longer than the pass itself will
 * take.
 *
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "worker/private.h"

#define WORTHWHILE 256  /* sessions with output */
#define TURNS_MAX  16   /* in a row */
#define SEND_NS    2000 /* what a send takes at least */
#define ANSWER_MS  1    /* the master is a matter of microseconds */

static uint64_t
heard(const struct worker *w)
{
	return w->page->lines_in + w->arena.head->batch_in;
}

static bool
is_over(const struct worker *w)
{
	const struct gathering *g = &w->gathering;

	return g->turns == TURNS_MAX || heard(w) == g->heard ||
	       clock_mono_ns() - g->since_ns >= (uint64_t)w->dirty.n * SEND_NS;
}

bool
gather_more(struct worker *w)
{
	struct gathering *g = &w->gathering;

	if (w->dirty.n < WORTHWHILE || w->stopping ||
		(g->turns > 0 && is_over(w))) {
		g->turns = 0;
		return false;
	}
	if (g->turns++ == 0)
		g->since_ns = clock_mono_ns();
	g->heard = heard(w);
	return true;
}

int
gather_wait_ms(const struct worker *w)
{
	return w->gathering.turns > 0 && w->arena.head->batch_out != w->answered
		       ? ANSWER_MS
		       : 0;
}
