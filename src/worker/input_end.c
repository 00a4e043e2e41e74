/* What has come is handled, and more may never come: an unfinished line is
 * taken for whole, at once when the client has ended, else after a while if its
 * kind says so; and who has ended leaves when nothing of it is left.
 *
 * SPDX-License-Identifier: MIT */
#include "worker/input_private.h"

/* The client has ended and everything it sent is handled. */
static void
finish(struct worker *w, const struct session *s)
{
	struct slice why = s->flags & SESSION_BROKEN
				   ? SLICE_LIT("connection lost")
				   : SLICE_LIT("closed by client");

	if (uplink_room(w, FRAME_OVERHEAD))
		client_quit(w, s, why, NULL);
	else
		list_add(&w->ended, (uint32_t)session_fd(&w->arena, s));
}

void
input_await_flush(struct worker *w, const struct session *s)
{
	uint32_t flush_ms = w->arena.head->kind[s->kind].flush_after_ms;

	if (s->line != 0 && flush_ms > 0)
		timers_set(w, s, TIMER_FLUSH, w->now_ms + flush_ms);
}

void
input_all_handled(struct worker *w, const struct session *s, uint64_t id)
{
	if (!input_is_idle(s, id))
		return;
	if (s->flags & SESSION_EOF) {
		if (s->line != 0)
			input_flush_line(w, s);
		if (input_is_idle(s, id) && s->line == 0)
			finish(w, s);
		return;
	}
	input_await_flush(w, s);
}

void
input_flush(struct worker *w, const struct session *s)
{
	uint64_t id = s->id;

	if (input_is_idle(s, id) && s->line != 0)
		input_flush_line(w, s);
	input_all_handled(w, s, id);
}
