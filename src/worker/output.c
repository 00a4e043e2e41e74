/* SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/must.h"
#include "worker/private.h"

block_ref
output_encode(struct worker *w, const struct kind *k, uint32_t variant,
	const struct event *e)
{
	static char mem[HEAP_DATA_MAX];
	struct buf b = buf_over(mem, sizeof mem);

	k->protocol->encode(e, &k->options, variant, &b);
	return b.len > 0 ? heap_copy(&w->arena, buf_slice(&b)) : 0;
}

void
output_dirty(struct worker *w, int fd)
{
	if (w->fd[fd].dirty)
		return;
	w->fd[fd].dirty = true;
	list_add(&w->dirty, (uint32_t)fd);
}

/* Its own doing: it asks and does not read the answers.  Room messages are
 * skipped at output_bytes; answers may go on to twice of it, then it is closed.
 */
static bool
is_hopeless(const struct worker *w, const struct session *s, uint32_t len)
{
	uint64_t limit = w->conf->limits.output_bytes;

	return limit != 0 && (uint64_t)s->q_bytes + len > 2 * limit;
}

static void
close_hopeless(struct worker *w, const struct session *s)
{
	if (s->state >= SESSION_FLUSHING)
		return;
	count(w, output_closed, 1);
	client_quit(w, s, SLICE_LIT("does not read"), NULL);
}

/* Takes the block. */
static void
enqueue(struct worker *w, const struct session *s, block_ref ref)
{
	uint32_t len = heap_block(&w->arena, ref)->len;

	if (is_hopeless(w, s, len) ||
		queue_push(&w->arena, s, ref, len, queue_frame(s)) < 0) {
		heap_unref(&w->arena, ref);
		/* Ended at the end of the turn: the caller still uses it. */
		arena_set(&w->arena, &s->flags, s->flags | SESSION_BROKEN);
		count(w, output_closed, 1);
	} else {
		w->page->pending += len;
	}
	output_dirty(w, session_fd(&w->arena, s));
}

void
output_bytes(struct worker *w, const struct session *s, struct slice bytes)
{
	block_ref ref = heap_copy(&w->arena, bytes);

	if (ref != 0)
		enqueue(w, s, ref);
}

void
output_tell(void *arg, const struct session *s, const struct event *e)
{
	struct worker *w = arg;
	const struct kind *k = kind_of(w, s);
	block_ref ref;

	if (s->flags & SESSION_BROKEN)
		return;
	ref = output_encode(w, k, k->protocol->variant(s->proto_state), e);
	if (ref != 0)
		enqueue(w, s, ref);
}

void
output_skip(
	struct worker *w, const struct session *s, uint32_t room, uint64_t n)
{
	struct arena *a = &w->arena;

	if (s->missed == 0) {
		arena_set(a, &s->missed_room, room);
		count(w, over_output, 1);
	} else if (s->missed_room != room) {
		arena_set(a, &s->missed_room, 0);
	}
	arena_set(a, &s->missed, s->missed + n);
	count(w, missed, n);
	/* Also when nothing is pending: the notice itself has to go out. */
	output_dirty(w, session_fd(a, s));
}

/* A slow reader is told what it missed once half of its queue is free. */
static void
tell_missed(struct worker *w, const struct session *s)
{
	uint64_t limit = w->conf->limits.output_bytes;
	struct event e = { .type = EVENT_MISSED, .number = s->missed };
	uint32_t room = s->missed_room;

	if (s->missed == 0 || (limit != 0 && s->q_bytes > limit / 2))
		return;
	if (room != 0 && chat_room(w->chat, room) != ARENA_NONE)
		e.room = room_name(&w->arena, chat_room(w->chat, room));
	tx_begin(&w->arena);
	arena_set(&w->arena, &s->missed, 0);
	output_tell(w, s, &e);
	tx_commit(&w->arena);
}

void
output_sent(void *arg, int fd, size_t n)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	must(s != NULL);
	tx_begin(&w->arena);
	queue_sent(&w->arena, s, n);
	tx_commit(&w->arena);
	if (s->state >= SESSION_FLUSHING)
		w->fd[fd].last_ms = (uint32_t)w->now_ms;
	w->page->pending -= n;
	count(w, bytes_out, n);
	count(w, sends, 1);
}

/* One gathering send.  True: all of it went out and there is more, since a
 * queue may have more pieces than one send takes. */
static bool
send_some(struct worker *w, const struct session *s)
{
	struct iovec iov[IO_IOV_MAX];
	unsigned n = queue_iov(&w->arena, s, iov, IO_IOV_MAX);
	uint32_t before = s->q_bytes, asked = 0;
	uint64_t id = s->id;

	for (unsigned i = 0; i < n; i++)
		asked += (uint32_t)iov[i].iov_len;
	if (asked == 0)
		return false;
	io_send(w->io, session_fd(&w->arena, s), iov, n);
	return s->id == id && s->q_bytes == before - asked && s->q_bytes > 0;
}

void
output_flush(struct worker *w, const struct session *s)
{
	uint64_t id = s->id;

	in_hand(w, HAND_FLUSH, id, s->tx_total);
	do {
		tell_missed(w, s);
	} while (send_some(w, s));
	in_hand(w, HAND_NONE, 0, 0);
	if (s->id == id && s->q_bytes == 0 && s->missed == 0)
		client_flushed(w, s);
}

void
output_writable(void *arg, int fd)
{
	struct worker *w = arg;

	output_dirty(w, fd);
}

static void
flush_one(struct worker *w, int fd)
{
	const struct session *s = session_at(&w->arena, fd);

	if (s != NULL && s->flags & SESSION_BROKEN) {
		client_broken(w, fd);
	} else if (s != NULL) {
		output_flush(w, s);
	}
	w->fd[fd].dirty = false;
}

void
output_flush_all(struct worker *w)
{
	/* Flushing may make others dirty (a session that ends): they are added
	 * behind. */
	for (uint32_t i = 0; i < w->dirty.n; i++)
		flush_one(w, (int)w->dirty.at[i]);
	w->dirty.n = 0;
}

static const struct session *
largest_queue(const struct worker *w)
{
	const struct session *largest = NULL;

	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = &w->arena.session[fd];

		if (s->id != 0 && s->q_bytes > 0 &&
			(largest == NULL || s->q_bytes > largest->q_bytes))
			largest = s;
	}
	return largest;
}

/* One budget for all queues: over it, the largest queue goes first. */
void
output_budget(struct worker *w)
{
	uint64_t budget = w->conf->limits.output_memory;
	const struct session *s;

	if (budget == 0 || heap_used(&w->arena) <= budget)
		return;
	count(w, over_memory, 1);
	while (heap_used(&w->arena) > budget &&
		(s = largest_queue(w)) != NULL) {
		uint32_t bytes = s->q_bytes, n;

		tx_begin(&w->arena);
		n = queue_drop(&w->arena, s);
		tx_commit(&w->arena);
		w->page->pending -= bytes - s->q_bytes;
		if (n == 0)
			close_hopeless(w, s);
		else
			output_skip(w, s, 0, n);
		if (n == 0)
			break;
	}
}
