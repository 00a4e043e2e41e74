/* A message to a thousand members takes milliseconds to send.  What somebody
 * else says meanwhile has to go out in a pass of its own, which costs the same
 * again, while two lines in one send cost hardly more than one.  So, before
 * such a pass, what has come by now is handled too, and what was handed to the
 * master is waited for: some turns, about as long as the pass itself will take,
 * and only while no queue gets so long that its client would be taken for one
 * that does not read.
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

/* Who leaves sends what there is: its successor may be a while. */
static bool
is_leaving(const struct worker *w)
{
	return w->stopping || w->exit_code >= 0;
}

void
gather_pushed(struct worker *w, const struct session *s)
{
	uint64_t limit = w->conf->limits.output_bytes;

	if (limit != 0 && s->q_bytes > limit / 2)
		w->gathering.enough = true;
}

bool
gather_more(struct worker *w)
{
	struct gathering *g = &w->gathering;

	if (w->dirty.n < WORTHWHILE || is_leaving(w) || g->enough ||
		(g->turns > 0 && is_over(w))) {
		g->turns = 0;
		g->enough = false;
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
