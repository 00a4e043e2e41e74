/* At the end of a turn each session with output is written to once, with one
 * gathering send.
 *
 * A call to the kernel leaves little of ours in the nearest caches of the CPU,
 * and nothing where that remembers to whom to return.  So what is done for a
 * send that takes everything is in one function, around the call; what others
 * need is behind it.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/must.h"
#include "worker/private.h"

#define INLINE static inline __attribute__((always_inline))

/* A slow reader is told what it missed once half of its queue is free. */
static void
tell_missed(struct worker *w, const struct session *s)
{
	uint64_t limit = w->conf->limits.output_bytes;
	struct event e = { .type = EVENT_MISSED, .number = s->missed };
	uint32_t room = s->missed_room;

	if ((limit != 0 && s->q_bytes > limit / 2) ||
		queue_count(s) > QUEUE_MAX / 2)
		return;
	if (room != 0 && chat_room(w->chat, room) != ARENA_NONE)
		e.room = room_name(&w->arena, chat_room(w->chat, room));
	tx_begin(&w->arena);
	arena_set(&w->arena, &s->missed, 0);
	output_tell(w, s, &e);
	tx_commit(&w->arena);
}

/* While it is in hand: n bytes of its queue went out. */
static void
note_sent(struct worker *w, const struct session *s, size_t n)
{
	tx_begin(&w->arena);
	queue_sent(&w->arena, s, n);
	FAULT(output_noted);
	tx_commit(&w->arena);
	FAULT(output_done);
	if (s->state >= SESSION_FLUSHING)
		w->fd[session_fd(&w->arena, s)].last_ms = (uint32_t)w->now_ms;
	w->page->pending -= n;
	count(w, bytes_out, n);
	count(w, sends, 1);
}

void
flush_sent(void *arg, int fd, size_t n)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	must(s != NULL);
	in_hand(w, HAND_FLUSH, s->id, s->tx_total);
	note_sent(w, s, n);
	in_hand(w, HAND_NONE, 0, 0);
}

/* Give the engine one gathering send of a session. */
INLINE void
send_some(struct worker *w, const struct session *s)
{
	struct iovec iov[IO_IOV_MAX];
	int fd = session_fd(&w->arena, s);
	uint32_t left;
	size_t sent;
	unsigned n;

	in_hand(w, HAND_FLUSH, s->id, s->tx_total);
	FAULT(output_flush);
	/* What tells of it is in the record's other cache line. */
	if (s->missed > 0)
		tell_missed(w, s);
	n = queue_iov(&w->arena, s, iov, IO_IOV_MAX);
	left = s->q_bytes;
	for (unsigned i = 0; i < n; i++)
		left -= (uint32_t)iov[i].iov_len;
	sent = n > 0 ? io_send(w->io, fd, iov, n) : 0;
	if (sent > 0)
		note_sent(w, s, sent);
	in_hand(w, HAND_NONE, 0, 0);
	/* Of most nothing is left, unless the engine gathers. */
	if (s->q_bytes > 0 || s->missed > 0 || s->state != SESSION_OPEN)
		w->sending[w->n_sending++] =
			(struct sending){ .id = s->id, .fd = fd, .left = left };
}

/* What became of it.  When all of it went out there may be more: a queue may
 * have more pieces than one send takes, or a notice that waited for room. */
static void
look_after(struct worker *w, const struct sending *at)
{
	const struct session *s = session_at(&w->arena, at->fd);

	if (s == NULL || s->id != at->id || s->q_bytes != at->left)
		return;
	if (s->q_bytes > 0 || s->missed > 0)
		send_some(w, s);
	else
		client_flushed(w, s);
}

/* In groups, so that an engine can hand a group's sends to the kernel at once,
 * and what is noted of them stays in the cache. */
static void
send_group(struct worker *w)
{
	while (w->n_sending > 0) {
		unsigned n = w->n_sending;

		io_flush(w->io);
		w->n_sending = 0;
		/* Not more than n are added meanwhile, each after its own. */
		for (unsigned i = 0; i < n; i++) {
			const struct sending at = w->sending[i];

			look_after(w, &at);
		}
	}
}

INLINE void
flush_one(struct worker *w, int fd)
{
	const struct session *s = session_at(&w->arena, fd);

	/* Before: what is done here may make it dirty again. */
	w->fd[fd].dirty = false;
	if (s == NULL)
		return;
	if (s->flags & SESSION_HOPELESS)
		client_end(w, s, SLICE_LIT("does not read"));
	else if (s->flags & SESSION_BROKEN && s->state >= SESSION_FLUSHING)
		client_drop(w, s);
	else
		send_some(w, s);
}

/* The sends before it have driven its record from the cache. */
static void
prefetch(const struct worker *w, uint32_t fd)
{
	__builtin_prefetch(&w->arena.session[fd]);
	__builtin_prefetch(&w->fd[fd], 1);
}

void
flush_all(struct worker *w)
{
	struct list now = w->dirty;
	unsigned group = io_gathers(w->io) ? SEND_GROUP : 1;

	/* What becomes dirty meanwhile has the next turn. */
	w->dirty = (struct list){ w->flushing.at, 0, w->flushing.cap };
	for (uint32_t i = 0; i < now.n; i++) {
		if (i + 1 < now.n)
			prefetch(w, now.at[i + 1]);
		flush_one(w, (int)now.at[i]);
		if (w->n_sending >= group)
			send_group(w);
		/* On a busy machine a message to everybody may take longer than
		 * hang_timeout. */
		if ((i + 1) % SEND_GROUP == 0)
			w->page->heartbeat_ms = clock_mono_ms();
	}
	send_group(w);
	w->flushing = now;
}
