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
#include "log/event.h"
#include "worker/private.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_OVERHEAD 512u
#define PULLS_PER_TURN 8

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

static void
tell_flood(struct worker *w, const struct session *s)
{
	struct event e = { .type = EVENT_FLOOD,
		.number = w->conf->limits.rate };

	if (s->flags & SESSION_FLOODING)
		return;
	count(w, flooded, 1);
	client_log(w, LOG_FLOOD, s, "action=delay", "text", slice_of(NULL, 0));
	tx_begin(&w->arena);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_FLOODING);
	output_tell(w, s, &e);
	tx_commit(&w->arena);
}

/* True when the session goes on, slower. */
static bool
slow_down(struct worker *w, const struct session *s)
{
	struct event e = { .type = EVENT_REFUSED,
		.refusal = REFUSAL_FLOOD,
		.number = w->conf->limits.rate };

	if (w->conf->limits.on_flood == CONF_FLOOD_CLOSE) {
		count(w, flood_closed, 1);
		client_log(w, LOG_FLOOD, s, "action=close", "text",
			slice_of(NULL, 0));
		client_quit(w, s, SLICE_LIT("flood"), &e);
		return false;
	}
	tell_flood(w, s);
	timers_set(w, s, TIMER_FLOOD, w->now_ms + flood_wait_ms(w, s));
	return true;
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
			if (slow_down(k->w, k->s))
				hold(k);
			return;
		}
		if (!step(k))
			return;
	}
}

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

/* Make a request of the unfinished line. */
static void
flush_line(struct worker *w, const struct session *s)
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

static bool
is_idle(const struct session *s, uint64_t id)
{
	return s->id == id && is_open(s) && s->held == 0 &&
	       !(s->flags & (SESSION_WAITING | SESSION_HOPELESS));
}

void
input_await_flush(struct worker *w, const struct session *s)
{
	uint32_t flush_ms = w->arena.head->kind[s->kind].flush_after_ms;

	if (s->line != 0 && flush_ms > 0)
		timers_set(w, s, TIMER_FLUSH, w->now_ms + flush_ms);
}

/* All that has come is handled: is there an unfinished line, or an end? */
static void
after(struct worker *w, const struct session *s, uint64_t id)
{
	if (!is_idle(s, id))
		return;
	if (s->flags & SESSION_EOF) {
		if (s->line != 0)
			flush_line(w, s);
		if (is_idle(s, id) && s->line == 0)
			finish(w, s);
		return;
	}
	input_await_flush(w, s);
}

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
	struct chunk *k;
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
	k = chunk_start(w, s);
	k->in = slice_of(w->arena.rx, len);
	run(k);
	FAULT(input_over);
	arena_store(&w->arena.head->rx_session, 0);
	after(w, s, id);
}

void
input_take_over(
	struct worker *w, const struct session *s, size_t at, size_t len)
{
	struct slice in = slice_of(w->arena.rx + at, len);
	uint64_t id = s->id;
	struct chunk *k;

	if (s->held != 0) {
		input_keep(w, s, in);
	} else {
		k = chunk_start(w, s);
		k->in = in;
		run(k);
	}
	arena_store(&w->arena.head->rx_session, 0);
	after(w, s, id);
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

/* A reset client is not waited for: what it had sent before is fetched. */
static void
pull(struct worker *w, const struct session *s, uint64_t id)
{
	int fd = session_fd(&w->arena, s);

	for (int i = 0; i < PULLS_PER_TURN; i++) {
		if (!is_idle(s, id) || s->flags & SESSION_EOF)
			return;
		if (input_is_paused(w) || !uplink_room(w, FRAME_OVERHEAD))
			break;
		if (!io_client_pull(w->io, fd)) {
			client_end(w, s, SLICE_LIT("connection lost"));
			return;
		}
	}
	if (is_idle(s, id) && !(s->flags & SESSION_EOF)) {
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
	if (s->held != 0) {
		struct chunk *k = chunk_start(w, s);

		k->held = true;
		k->in = slice_skip(heap_slice(&w->arena, s->held), s->held_at);
		run(k);
	}
	if (s->id == id && s->flags & SESSION_PROXY)
		proxied_resume(w, s);
	else if (is_idle(s, id) && s->flags & SESSION_BROKEN)
		pull(w, s, id);
	else if (is_idle(s, id) && !(s->flags & SESSION_EOF))
		io_client_read(w->io, session_fd(&w->arena, s), true);
	after(w, s, id);
}

void
input_flush(struct worker *w, const struct session *s)
{
	uint64_t id = s->id;

	if (is_idle(s, id) && s->line != 0)
		flush_line(w, s);
	after(w, s, id);
}
