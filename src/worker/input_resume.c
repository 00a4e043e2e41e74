/* A client is heard again that was not: what was held back comes first, and
 * only then the socket.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "worker/input_private.h"

#define PULLS_PER_TURN 8

/* A reset client is not waited for: what it had sent before is fetched. */
static void
pull(struct worker *w, const struct session *s, uint64_t id)
{
	int fd = session_fd(&w->arena, s);

	for (int i = 0; i < PULLS_PER_TURN; i++) {
		if (!input_is_idle(s, id) || s->flags & SESSION_EOF)
			return;
		if (input_is_paused(w) || !uplink_room(w, FRAME_OVERHEAD))
			break;
		if (!io_client_pull(w->io, fd)) {
			client_end(w, s, SLICE_LIT("connection lost"));
			return;
		}
	}
	if (input_is_idle(s, id) && !(s->flags & SESSION_EOF)) {
		list_add(&w->ended, (uint32_t)fd);
		w->resume = true;
	}
}

void
input_resume(struct worker *w, const struct session *s)
{
	uint64_t id = s->id;

	if ((!is_open(s) && !(s->flags & SESSION_PROXY)) ||
		s->flags & SESSION_WAITING)
		return;
	if (s->held != 0)
		input_run(w, s,
			slice_skip(heap_slice(&w->arena, s->held), s->held_at),
			true);
	if (s->id == id && s->flags & SESSION_PROXY)
		proxied_resume(w, s);
	else if (input_is_idle(s, id) && s->flags & SESSION_BROKEN)
		pull(w, s, id);
	else if (input_is_idle(s, id) && !(s->flags & SESSION_EOF))
		io_client_read(w->io, session_fd(&w->arena, s), true);
	input_all_handled(w, s, id);
}
