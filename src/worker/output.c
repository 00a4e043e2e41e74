/* SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/must.h"
#include "worker/mishap.h"
#include "worker/private.h"

block_ref
output_encode(struct worker *w, const struct kind *k, uint32_t variant,
	const struct event *e)
{
	static char mem[PROTO_EVENT_CAP];
	struct buf b = buf_over(mem, sizeof mem);
	block_ref ref;

	mishap_encode(e->text);
	k->protocol->encode(e, &k->options, variant, &b);
	if (b.len == 0)
		return 0;
	ref = heap_copy(&w->arena, buf_slice(&b));
	if (ref != 0)
		heap_count(&w->arena, ref,
			e->type == EVENT_MISSED ? e->number : 1);
	return ref;
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

/* Ended at the end of the turn: whoever called still uses it. */
static void
give_up(struct worker *w, const struct session *s)
{
	if (s->flags & SESSION_HOPELESS)
		return;
	arena_set(&w->arena, &s->flags, s->flags | SESSION_HOPELESS);
	count(w, output_closed, 1);
	output_dirty(w, session_fd(&w->arena, s));
}

/* Takes the block. */
static void
enqueue(struct worker *w, const struct session *s, block_ref ref)
{
	uint32_t len = heap_block(&w->arena, ref)->len;

	if (is_hopeless(w, s, len) ||
		queue_push(&w->arena, s, ref, len, queue_frame(s)) < 0) {
		heap_unref(&w->arena, ref);
		give_up(w, s);
		return;
	}
	w->page->pending += len;
	gather_pushed(w, s);
	output_dirty(w, session_fd(&w->arena, s));
}

static bool
takes_output(const struct session *s)
{
	return !(s->flags & (SESSION_BROKEN | SESSION_HOPELESS));
}

void
output_bytes(struct worker *w, const struct session *s, struct slice bytes)
{
	block_ref ref = takes_output(s) ? heap_copy(&w->arena, bytes) : 0;

	if (ref == 0)
		return;
	heap_count(&w->arena, ref, 1);
	enqueue(w, s, ref);
}

void
output_tell(void *arg, const struct session *s, const struct event *e)
{
	struct worker *w = arg;
	const struct kind *k = kind_of(w, s);
	struct event now = *e;
	block_ref ref;

	/* What comes from the master bears its time. */
	if (now.time_ms == 0)
		now.time_ms = clock_wall_ms();
	if (e->type == EVENT_REFUSED)
		count(w, refused_requests, 1);
	if (!takes_output(s))
		return;
	ref = output_encode(w, k, k->protocol->variant(s->proto_state), &now);
	if (ref != 0)
		enqueue(w, s, ref);
}

void
output_skip(
	struct worker *w, const struct session *s, uint32_t room, uint64_t n)
{
	struct arena *a = &w->arena;

	if (s->missed == 0)
		count(w, over_output, 1);
	session_miss(a, s, room, n);
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

void
output_sent(void *arg, int fd, size_t n)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	must(s != NULL);
	in_hand(w, HAND_FLUSH, s->id, s->tx_total);
	tx_begin(&w->arena);
	queue_sent(&w->arena, s, n);
	FAULT(output_noted);
	tx_commit(&w->arena);
	FAULT(output_done);
	in_hand(w, HAND_NONE, 0, 0);
	if (s->state >= SESSION_FLUSHING)
		w->fd[fd].last_ms = (uint32_t)w->now_ms;
	w->page->pending -= n;
	count(w, bytes_out, n);
	count(w, sends, 1);
}

/* Give the engine one gathering send of a session. */
static void
send_some(struct worker *w, const struct session *s)
{
	struct iovec iov[IO_IOV_MAX];
	struct sending *at = &w->sending[w->n_sending];
	unsigned n;
	uint32_t asked = 0;

	in_hand(w, HAND_FLUSH, s->id, s->tx_total);
	FAULT(output_flush);
	/* What tells of it is in the record's other cache line. */
	if (s->missed > 0)
		tell_missed(w, s);
	n = queue_iov(&w->arena, s, iov, IO_IOV_MAX);
	for (unsigned i = 0; i < n; i++)
		asked += (uint32_t)iov[i].iov_len;
	*at = (struct sending){ .id = s->id,
		.fd = session_fd(&w->arena, s),
		.left = s->q_bytes - asked };
	w->n_sending++;
	if (asked > 0)
		io_send(w->io, at->fd, iov, n);
	in_hand(w, HAND_NONE, 0, 0);
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

void
output_flush_all(struct worker *w)
{
	struct list now = w->dirty;
	unsigned group = io_gathers(w->io) ? SEND_GROUP : 1;

	/* What becomes dirty meanwhile has the next turn. */
	w->dirty = (struct list){ w->flushing.at, 0, w->flushing.cap };
	for (uint32_t i = 0; i < now.n; i++) {
		/* The sends before it have driven its record from the cache. */
		if (i + 1 < now.n)
			__builtin_prefetch(&w->arena.session[now.at[i + 1]]);
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

static uint32_t
largest_queue(const struct worker *w)
{
	uint32_t largest = 0;

	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++)
		if (w->arena.session[fd].id != 0 &&
			w->arena.session[fd].q_bytes > largest)
			largest = w->arena.session[fd].q_bytes;
	return largest;
}

static bool
drop_queue(struct worker *w, const struct session *s)
{
	uint32_t bytes = s->q_bytes;
	uint64_t n;

	tx_begin(&w->arena);
	n = queue_drop(&w->arena, s);
	if (n > 0 && s->state < SESSION_FLUSHING)
		output_skip(w, s, 0, n);
	tx_commit(&w->arena);
	w->page->pending -= bytes - s->q_bytes;
	return s->q_bytes < bytes;
}

/* One budget for all queues: over it, the largest go first, those of at least
 * half the largest in one pass. */
void
output_budget(struct worker *w)
{
	uint64_t budget = w->conf->limits.output_memory;
	bool progress = true;

	if (budget == 0 || heap_counted(&w->arena) <= budget)
		return;
	count(w, over_memory, 1);
	while (progress && heap_counted(&w->arena) > budget) {
		uint32_t least = largest_queue(w) / 2 + 1;

		progress = false;
		for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
			const struct session *s = &w->arena.session[fd];

			if (s->id != 0 && s->q_bytes >= least)
				progress |= drop_queue(w, s);
		}
	}
}
