/* From the engine to the receive area.  It lies in the arena and says whose it
 * is before anything comes, so that a death at any byte leaves a successor what
 * was received.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/fault.h"
#include "worker/input_private.h"

/* Before the receive: should a death come right after it, the kernel's count of
 * what it handed out, less rx_base, is what lies in the area. */
static void
own_area(struct worker *w, const struct session *s)
{
	const struct arena_head *h = w->arena.head;

	arena_store(&h->rx_session, 0);
	arena_store(&h->rx_len, 0);
	if (s == NULL)
		return;
	arena_store(&h->rx_base, s->rx_total);
	arena_store(&h->rx_session, s->id);
	FAULT(input_owned);
}

void *
input_area(void *arg, int fd, size_t *ret_len)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	if (s != NULL && s->state < SESSION_FLUSHING && input_is_paused(w)) {
		io_client_read(w->io, fd, false);
		input_pause(w, fd);
		return NULL;
	}
	own_area(w, s);
	*ret_len = ARENA_RX_BYTES;
	return w->arena.rx;
}

void
input_received(void *arg, int fd, size_t len)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);
	uint64_t id;

	if (s == NULL || s->state >= SESSION_FLUSHING)
		return; /* it was said goodbye to: read away */
	arena_store(&w->arena.head->rx_len, len);
	FAULT(input_noted);
	id = s->id;
	count(w, bytes_in, len);
	w->fd[fd].last_ms = (uint32_t)w->now_ms;
	arena_store(&s->active_s, w->now_ms / 1000);
	if (s->flags & SESSION_IDLE_WARNED)
		arena_store(&s->flags, s->flags & ~SESSION_IDLE_WARNED);
	input_run(w, s, slice_of(w->arena.rx, len), false);
	FAULT(input_over);
	arena_store(&w->arena.head->rx_session, 0);
	input_all_handled(w, s, id);
}

void
input_take_over(
	struct worker *w, const struct session *s, size_t at, size_t len)
{
	struct slice in = slice_of(w->arena.rx + at, len);
	uint64_t id = s->id;

	if (s->held != 0)
		input_keep(w, s, in);
	else
		input_run(w, s, in, false);
	arena_store(&w->arena.head->rx_session, 0);
	input_all_handled(w, s, id);
}

void *
input_taken_area(void *arg, int fd)
{
	struct worker *w = arg;

	own_area(w, session_at(&w->arena, fd));
	return w->arena.rx;
}

void
input_taken(void *arg, int fd, size_t len)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	if (s == NULL || s->state >= SESSION_FLUSHING ||
		(s->held == 0 && !input_is_paused(w))) {
		input_received(w, fd, len);
		return;
	}
	arena_store(&w->arena.head->rx_len, len);
	count(w, bytes_in, len);
	io_client_read(w->io, fd, false);
	if (s->held == 0)
		input_pause(w, fd);
	input_keep(w, s, slice_of(w->arena.rx, len));
	arena_store(&w->arena.head->rx_session, 0);
}
