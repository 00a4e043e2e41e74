/* Bytes become requests one transaction at a time.  They come from the receive
 * area, or from the block of what was held back because the client waits for an
 * answer, has no tokens, or the bus is full; then the socket is not read, so
 * that TCP slows the client.
 *
 * The unfinished line is edited in memory of the process and written to a new
 * block at the end of the chunk: what the record refers to never changes.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "base/must.h"
#include "worker/input_private.h"

#include <string.h>

struct chunk {
	struct worker *w;
	const struct session *s;
	uint64_t id;
	struct slice in;
	bool held; /* in lies in s->held */
	struct proto_client c;
	char line[PROTO_LINE_CAP];
	char reply[128];
};

static struct chunk *
chunk_start(struct worker *w, const struct session *s)
{
	static struct chunk k; /* one at a time; too large for a stack frame */
	struct slice line = heap_slice(&w->arena, s->line);

	k.w = w;
	k.s = s;
	k.id = s->id;
	k.in = slice_of(NULL, 0);
	k.held = false;
	k.c = (struct proto_client){ .state = s->proto_state,
		.len = (uint32_t)line.len,
		.line = k.line };
	if (line.len > 0)
		memcpy(k.line, line.p, line.len);
	return &k;
}

/* Put the protocol's state and unfinished line into the record. */
static void
chunk_save(struct chunk *k)
{
	struct arena *a = &k->w->arena;

	if (k->s->proto_state != k->c.state)
		arena_set(a, &k->s->proto_state, k->c.state);
	if (k->c.len == 0 && k->s->line == 0)
		return;
	if (arena_keep(a, &k->s->line, slice_of(k->line, k->c.len)) < 0)
		arena_set(a, &k->s->flags, k->s->flags | SESSION_BROKEN);
}

static void
consumed(struct chunk *k, size_t n)
{
	struct arena *a = &k->w->arena;

	if (!k->held)
		arena_set(a, &k->s->rx_total, k->s->rx_total + n);
	else if (k->in.len > 0)
		arena_set(a, &k->s->held_at, k->s->held_at + n);
	else
		(void)arena_keep(a, &k->s->held, slice_of(NULL, 0));
}

static void
handle(struct chunk *k, enum proto_status status, const struct request *r,
	const struct buf *reply)
{
	struct worker *w = k->w;

	if (reply != NULL && reply->len > 0)
		output_bytes(w, k->s, buf_slice(reply));
	if (status == PROTO_MORE)
		return;
	if (status == PROTO_TOO_LONG)
		count(w, too_long, 1);
	count(w, lines_in, 1);
	bad_frame_heed(w, r);
	verb_request(w, k->s, r);
}

/* What is shown to the protocol at once: of a chat client not more than one
 * line, so that what it may become on the bus is known beforehand. */
static struct slice
window(const struct chunk *k)
{
	const char *lf;

	if (k->s->flags & SESSION_RAW || k->in.len == 0)
		return k->in;
	lf = memchr(k->in.p, '\n', k->in.len);
	return slice_of(k->in.p, lf ? (size_t)(lf - k->in.p) + 1 : k->in.len);
}

/* Bytes that the next request may take on the bus, at most. */
static size_t
frame_room(const struct chunk *k)
{
	size_t line = window(k).len + k->c.len;

	if (line > PROTO_LINE_CAP)
		line = PROTO_LINE_CAP;
	if (k->s->flags & SESSION_RAW)
		return line + FRAME_OVERHEAD;
	/* UTF-8: each byte may become a U+FFFD.  A byte of some other set
	 * becomes up to four characters; the protocol cuts the line then. */
	line *= kind_of(k->w, k->s)->charset == NULL ? 3 : 12;
	if (line > 3 * PROTO_LINE_CAP)
		line = 3 * PROTO_LINE_CAP;
	return line + FRAME_OVERHEAD;
}

/* The next line has to wait for an answer, or for the bus; and a header, which
 * a predecessor has left, for the bans. */
static bool
must_wait(struct chunk *k)
{
	if (k->s->flags & SESSION_WAITING ||
		(k->s->flags & SESSION_PROXY && !k->w->has_bans))
		return true;
	return !uplink_room(k->w, frame_room(k));
}

/* Keep the rest until it may go on; the socket is not read meanwhile. */
static void
hold(struct chunk *k)
{
	struct worker *w = k->w;
	struct arena *a = &w->arena;

	io_client_read(w->io, session_fd(a, k->s), false);
	if (k->held || k->in.len == 0)
		return;
	tx_begin(a);
	session_hold(a, k->s, k->in, k->in.len);
	FAULT(input_held);
	tx_commit(a);
}

/* Where in all that the client has sent. */
static uint64_t
place(const struct chunk *k)
{
	return k->s->rx_total - (k->held ? k->in.len : 0);
}

/* One request.  True: go on. */
static bool
step(struct chunk *k)
{
	struct worker *w = k->w;
	const struct session *s = k->s;
	const struct kind *kind = kind_of(w, s);
	struct request r = { .type = REQUEST_NONE };
	struct buf reply = buf_over(k->reply, sizeof k->reply);
	enum proto_status status;
	struct slice in = window(k);
	size_t before = in.len;

	in_hand(w, HAND_INPUT, s->id, place(k));
	FAULT(input_step);
	tx_begin(&w->arena);
	status = kind->protocol->input(&k->c, &kind->options, &in, &r, &reply);
	must(in.len < before || status != PROTO_MORE);
	k->in = slice_skip(k->in, before - in.len);
	consumed(k, before - in.len);
	chunk_save(k);
	FAULT(input_read);
	/* Also what asks for nothing: it is handled, and may be answered. */
	if (status != PROTO_MORE)
		flood_pay(w, s);
	handle(k, status, &r, &reply);
	/* /time changes the state behind the protocol's back. */
	k->c.state = s->proto_state;
	FAULT(input_handled);
	tx_commit(&w->arena);
	FAULT(input_done);
	client_log_all(w);
	in_hand(w, HAND_NONE, 0, 0);
	return verb_finish(w, s, k->id);
}

/* What is behind the header waits for the registry's answer. */
static void
header(struct chunk *k)
{
	struct worker *w = k->w;
	const struct session *s = k->s;
	size_t n;

	in_hand(w, HAND_INPUT, s->id, place(k));
	tx_begin(&w->arena);
	n = proxied_input(w, s, slice_of(k->line, k->c.len), k->in);
	k->in = slice_skip(k->in, n);
	consumed(k, n);
	tx_commit(&w->arena);
	client_log_all(w);
	in_hand(w, HAND_NONE, 0, 0);
	(void)verb_finish(w, s, k->id);
	if (s->flags & SESSION_WAITING)
		hold(k);
}

static void
run(struct chunk *k)
{
	/* One that is to be ended is not heard any more. */
	while (k->in.len > 0 && !(k->s->flags & SESSION_HOPELESS)) {
		if (must_wait(k)) {
			if (!(k->s->flags & SESSION_WAITING))
				input_pause(
					k->w, session_fd(&k->w->arena, k->s));
			hold(k);
			return;
		}
		if (k->s->flags & SESSION_PROXY) {
			header(k);
			return;
		}
		if (!flood_has(k->w, k->s)) {
			if (flood_slow_down(k->w, k->s))
				hold(k);
			return;
		}
		if (!step(k))
			return;
	}
}

void
input_run(struct worker *w, const struct session *s, struct slice in, bool held)
{
	struct chunk *k = chunk_start(w, s);

	k->in = in;
	k->held = held;
	run(k);
}

void
input_flush_line(struct worker *w, const struct session *s)
{
	const struct kind *kind = kind_of(w, s);
	struct request r = { .type = REQUEST_NONE };
	struct chunk *k = chunk_start(w, s);
	enum proto_status status;

	if (must_wait(k)) {
		timers_set(w, s, TIMER_FLUSH, w->now_ms + 50);
		return;
	}
	in_hand(w, HAND_TIMER, s->id, s->rx_total);
	tx_begin(&w->arena);
	status = kind->protocol->flush(
		&k->c, &kind->options, s->flags & SESSION_EOF, &r);
	chunk_save(k);
	handle(k, status, &r, NULL);
	FAULT(input_flushed);
	tx_commit(&w->arena);
	client_log_all(w);
	in_hand(w, HAND_NONE, 0, 0);
	(void)verb_finish(w, s, k->id);
}
