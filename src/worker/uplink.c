/* The batch being filled lies in the arena and grows inside transactions.  At
 * the end of a turn, or when it is full, it is sealed: it gets its number and
 * moves to a place of its own, from where it is sent until the master has it.
 * The successor of a dead worker sends a sealed batch again, and the master
 * drops a number that it has had.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/fault.h"
#include "base/must.h"
#include "worker/private.h"

#include <errno.h>
#include <sys/socket.h>

static struct bus_writer
writer(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	struct bus_writer bw;

	bus_writer_init(&bw, w->arena.bus_out);
	if (h->out_frames > 0) {
		bw.len = (uint32_t)h->out_len;
		bw.n_frames = (uint32_t)h->out_frames;
	}
	return bw;
}

/* True when there is no sealed batch left to send. */
static bool
send_sealed(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	ssize_t n;

	if (h->sealed_len == 0)
		return true;
	if (w->bus_gone)
		return false;
	n = FAULT_CALL(uplink_send,
		send(w->env->bus, w->arena.bus_sealed, h->sealed_len,
			MSG_DONTWAIT | MSG_NOSIGNAL));
	FAULT(uplink_sent);
	if (n >= 0) {
		arena_store(&h->sealed_len, 0);
		count(w, batches_out, 1);
		return true;
	}
	/* Whatever else it is, the batch is there to be sent again. */
	if (errno == EPIPE || errno == ECONNRESET)
		w->bus_gone = true;
	return false;
}

static void
seal(struct worker *w)
{
	struct bus_writer bw = writer(w);
	const struct arena_head *h = w->arena.head;
	struct slice datagram;

	if (bw.n_frames == 0)
		return;
	datagram = bus_writer_seal(&bw, h->batch_out + 1);
	FAULT(seal_numbered);
	memcpy(w->arena.bus_sealed, datagram.p, datagram.len);
	FAULT(seal_copied);
	tx_begin(&w->arena);
	arena_set(&w->arena, &h->batch_out, h->batch_out + 1);
	arena_set(&w->arena, &h->sealed_len, datagram.len);
	arena_set(&w->arena, &h->out_frames, 0);
	arena_set(&w->arena, &h->out_len, 0);
	FAULT(seal_noted);
	tx_commit(&w->arena);
	FAULT(seal_done);
}

static void
set_full(struct worker *w, bool full)
{
	if (w->bus_full == full)
		return;
	w->bus_full = full;
	if (full)
		count(w, bus_full, 1);
	if (!full) {
		w->bus_unheard = false;
		/* Not from here: others are in the middle of something. */
		w->resume = true;
	}
	(void)io_watch(w->io, w->env->bus, WATCH_BUS, !w->bus_unheard, full);
}

void
uplink_send(struct worker *w)
{
	while (send_sealed(w)) {
		if (w->arena.head->out_frames == 0) {
			set_full(w, false);
			return;
		}
		seal(w);
	}
	set_full(w, true);
}

bool
uplink_room(struct worker *w, size_t body_len)
{
	uint32_t length = (uint32_t)(sizeof(struct bus_frame) + body_len);
	struct bus_writer bw = writer(w);

	must(!w->arena.in_transaction);
	if (bus_writer_has_room(&bw, length))
		return true;
	uplink_send(w);
	bw = writer(w);
	return bus_writer_has_room(&bw, length);
}

static void
append(struct worker *w, struct bus_frame *f, struct slice body)
{
	struct bus_writer bw = writer(w);
	const struct arena_head *h = w->arena.head;

	f->version = BUS_VERSION;
	f->length = (uint32_t)(sizeof *f + body.len);
	bus_writer_add(&bw, f, body);
	FAULT(uplink_append);
	arena_set(&w->arena, &h->out_len, bw.len);
	arena_set(&w->arena, &h->out_frames, bw.n_frames);
}

static const uint8_t bus_type_of[] = {
	[CLAIM_NICK] = BUS_NICK,
	[CLAIM_JOIN] = BUS_JOIN,
	[CLAIM_PART] = BUS_PART,
	[CLAIM_WHO] = BUS_WHO,
	[CLAIM_ROOMS] = BUS_ROOMS,
	[CLAIM_MSG] = BUS_MSG,
	[CLAIM_TOPIC] = BUS_TOPIC,
	[CLAIM_SAY] = BUS_SAY,
	[CLAIM_GONE] = BUS_GONE,
};

static void
put_body(struct buf *b, const struct claim *c)
{
	switch (c->type) {
	case CLAIM_NICK:
	case CLAIM_JOIN:
	case CLAIM_WHO:
	case CLAIM_ROOMS:
		bus_put_str(b, c->target);
		break;
	case CLAIM_MSG:
		bus_put_str(b, c->target);
		bus_put_str(b, c->nick);
		buf_slice_add(b, c->text);
		break;
	case CLAIM_TOPIC:
	case CLAIM_SAY:
		bus_put_str(b, c->nick);
		buf_slice_add(b, c->text);
		break;
	case CLAIM_GONE:
		bus_put_str(b, c->text);
		break;
	case CLAIM_PART:
		break;
	}
}

void
uplink_claim(void *arg, const struct session *s, const struct claim *c)
{
	struct worker *w = arg;
	static char mem[BUS_BATCH_MAX];
	struct buf b = buf_over(mem, sizeof mem);
	struct bus_frame f = { .type = bus_type_of[c->type],
		.room = c->room,
		.sender = s->id,
		.flags = (uint16_t)((c->action ? BUS_ACTION : 0) |
				    (c->raw ? BUS_RAW : 0) |
				    (c->quiet ? BUS_QUIET : 0) |
				    (c->echo ? BUS_ECHO : 0)) };

	put_body(&b, c);
	must(!b.over);
	if (c->type == CLAIM_SAY)
		count(w, messages_in, 1);
	append(w, &f, buf_slice(&b));
}

void
uplink_connect(struct worker *w, const struct session *s)
{
	struct bus_connect body = { .local = s->flags & SESSION_LOCAL ? 1 : 0,
		.raw = s->flags & SESSION_RAW ? 1 : 0 };
	struct bus_frame f = { .type = BUS_CONNECT, .sender = s->id };

	session_address(&w->arena, s, body.address);
	append(w, &f, slice_of(&body, sizeof body));
}

void
uplink_sync(struct worker *w, const struct bus_sync *range,
	const uint64_t *session, size_t n)
{
	static char mem[BUS_BATCH_MAX];
	struct buf b = buf_over(mem, sizeof mem);
	struct bus_frame f = { .type = BUS_SYNC, .sender = range->first };

	buf_add(&b, range, sizeof *range);
	buf_add(&b, session, n * sizeof *session);
	must(!b.over);
	tx_begin(&w->arena);
	append(w, &f, buf_slice(&b));
	tx_commit(&w->arena);
}
