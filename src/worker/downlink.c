/* A batch is looked at with MSG_PEEK, handled, its number stored, and only then
 * taken off the socket by a receive of length zero: a receive that faults half
 * way, or a death, would otherwise lose it.  A number already had is dropped.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "log/event.h"
#include "log/log.h"
#include "worker/private.h"

#include <errno.h>
#include <sys/socket.h>

#define BATCHES_PER_TURN 8

typedef void frame_fn(
	struct worker *w, const struct bus_frame *f, struct slice body);

/* The master is our own program: what it sends is whole (bus_next() has checked
 * it), so a string that is missing reads as empty. */
static struct slice
string(struct slice *body)
{
	struct slice s = slice_of(NULL, 0);

	(void)bus_get_str(body, &s);
	return s;
}

/* An answer lets the session go on; it is for nobody when it ended. */
static const struct session *
answered(struct worker *w, const struct bus_frame *f)
{
	const struct session *s = session_find(w, f->sender);

	if (s == NULL || s->state >= SESSION_FLUSHING)
		return NULL;
	if (s->awaited == 0)
		arena_set(&w->arena, &s->flags, s->flags & ~SESSION_WAITING);
	return s;
}

static void
frame_connected(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = answered(w, f);
	struct bus_connected c = { 0 };

	(void)bus_get(&body, &c, sizeof c);
	if (s != NULL)
		client_connected(w, s, c.n_joins);
}

static void
turn_away(struct worker *w, const struct session *s, const struct event *e)
{
	output_tell(w, s, e);
	if (e->refusal == REFUSAL_SERVER_FULL)
		count(w, refused_full, 1);
	else
		count(w, refused_address, 1);
	client_log(w, LOG_REFUSE, s,
		e->refusal == REFUSAL_SERVER_FULL ? "reason=full"
						  : "reason=address",
		"text", slice_of(NULL, 0));
	/* The registry does not know it. */
	arena_set(&w->arena, &s->flags, s->flags & ~SESSION_KNOWN);
	client_leave(w, s, slice_of(NULL, 0), NULL);
}

static void
frame_refused(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = answered(w, f);
	struct bus_refused r = { 0 };
	struct event e = { .type = EVENT_REFUSED };

	(void)bus_get(&body, &r, sizeof r);
	if (s == NULL)
		return;
	e.refusal = (enum refusal)r.refusal;
	e.number = r.number;
	e.text = string(&body);
	if (r.asked == BUS_CONNECT) {
		turn_away(w, s, &e);
		return;
	}
	output_tell(w, s, &e);
	if (f->flags & BUS_AUTO || s->awaited > 0)
		client_joined_auto(w, s);
}

static void
frame_nick_set(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = answered(w, f);

	if (s != NULL)
		chat_nick_set(w->chat, s, string(&body));
}

static void
frame_joined(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = answered(w, f);
	struct bus_joined b = { 0 };
	struct chat_joined j = { .room = f->room, .echo = f->flags & BUS_ECHO };

	(void)bus_get(&body, &b, sizeof b);
	if (s == NULL)
		return;
	j.n_others = b.n_others;
	j.quiet = s->flags & SESSION_RAW;
	j.name = string(&body);
	j.topic = string(&body);
	j.others = body;
	chat_joined(w->chat, s, &j);
	client_log(w, LOG_JOIN, s, "", "room", j.name);
	client_joined_auto(w, s);
}

static void
frame_parted(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = answered(w, f);

	(void)body;
	if (s != NULL)
		chat_parted(w->chat, s, f->room);
}

static void
tell(struct worker *w, const struct bus_frame *f, struct event e)
{
	const struct session *s = answered(w, f);

	e.time_ms = f->time_ms;
	if (s != NULL)
		output_tell(w, s, &e);
}

static void
frame_who_list(struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct bus_list l = { 0 };
	struct slice room;

	(void)bus_get(&body, &l, sizeof l);
	room = string(&body);
	tell(w, f,
		(struct event){ .type = EVENT_WHO,
			.room = room,
			.list = body,
			.number = l.n_all });
}

static void
frame_room_list(struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct bus_list l = { 0 };

	(void)bus_get(&body, &l, sizeof l);
	tell(w, f,
		(struct event){
			.type = EVENT_ROOMS, .list = body, .number = l.n_all });
}

static void
frame_msg_sent(struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct slice nick = string(&body);

	tell(w, f,
		(struct event){ .type = EVENT_PRIVATE_SENT,
			.nick = nick,
			.text = body });
}

static void
frame_private(struct worker *w, const struct bus_frame *f, struct slice body)
{
	const struct session *s = session_find(w, f->sender);
	struct event e = { .type = EVENT_PRIVATE, .time_ms = f->time_ms };
	uint64_t limit = w->conf->limits.output_bytes;

	e.nick = string(&body);
	e.text = body;
	if (s == NULL || !is_open(s))
		return;
	/* Somebody else's doing: skipped, as a room's messages are. */
	if (s->missed > 0 || queue_is_long(s) ||
		(limit != 0 && s->q_bytes + body.len + 256 > limit))
		output_skip(w, s, 0, 1);
	else
		output_tell(w, s, &e);
}

static void
frame_say(struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct event e = { .type = EVENT_SAY,
		.time_ms = f->time_ms,
		.sequence = f->sequence };
	uint32_t room = chat_room(w->chat, f->room);

	if (room == ARENA_NONE)
		return;
	if (f->flags & BUS_RAW)
		e.type = EVENT_RAW;
	else if (f->flags & BUS_ACTION)
		e.type = EVENT_ACTION;
	e.nick = string(&body);
	e.text = body;
	e.room = room_name(&w->arena, room);
	/* As it was when it was said, whatever /echo says since. */
	fanout_room(w, f->room, &e, f->flags & BUS_ECHO ? 0 : f->sender);
}

static void
frame_room_event(struct worker *w, const struct bus_frame *f, struct slice body)
{
	uint32_t room = chat_room(w->chat, f->room);
	struct event e = { .time_ms = f->time_ms,
		.type = f->type == BUS_JOIN_EVENT ? EVENT_JOIN : EVENT_PART };

	if (room == ARENA_NONE)
		return;
	e.nick = string(&body);
	e.room = room_name(&w->arena, room);
	fanout_room(w, f->room, &e, f->sender);
}

static void
frame_rooms_event(
	struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct event e = { .time_ms = f->time_ms,
		.type = f->type == BUS_NICK_EVENT ? EVENT_NICK : EVENT_QUIT };
	uint32_t n = 0;
	const char *rooms;

	(void)bus_get(&body, &n, sizeof n);
	rooms = body.p;
	body = slice_skip(body, (size_t)n * sizeof n);
	e.nick = string(&body);
	e.text = string(&body);
	fanout_rooms(w, rooms, n, &e, f->sender);
}

static void
frame_topic_event(
	struct worker *w, const struct bus_frame *f, struct slice body)
{
	uint32_t room = chat_room(w->chat, f->room);
	struct event e = { .type = EVENT_TOPIC, .time_ms = f->time_ms };

	e.nick = string(&body);
	e.text = body;
	tx_begin(&w->arena);
	chat_topic(w->chat, f->room, body);
	tx_commit(&w->arena);
	if (room != ARENA_NONE) {
		e.room = room_name(&w->arena, room);
		fanout_room(w, f->room, &e, 0);
	}
	/* Behind the event, in the transaction that ends the frame: whoever set
	 * the topic says nothing more before it is shown. */
	tx_begin(&w->arena);
	(void)answered(w, f);
}

/* Once per member, also when a death cuts this: q_word says who had it. */
static void
miss(struct worker *w, const struct session *s, uint32_t room_id,
	const struct bus_gap *g)
{
	uint32_t frame = fanout_frame(w);

	if (queue_frame(s) == frame)
		return;
	tx_begin(&w->arena);
	if (g->session == 0)
		output_skip(w, s, room_id, g->number);
	else if (s->missed >= g->number)
		arena_set(&w->arena, &s->missed, s->missed - g->number);
	arena_set(&w->arena, &s->q_word, (uint64_t)frame << 32 | queue_tail(s));
	tx_commit(&w->arena);
}

/* The members are told how many messages they missed; who said some of them
 * itself would not have seen those. */
static void
frame_gap(struct worker *w, const struct bus_frame *f, struct slice body)
{
	struct bus_gap g = { 0 };
	uint32_t room, n;
	const uint32_t *fd;

	(void)bus_get(&body, &g, sizeof g);
	if (f->room == 0) {
		const struct session *s = session_find(w, g.session);

		g.session = 0;
		if (s != NULL && is_open(s))
			miss(w, s, 0, &g);
		return;
	}
	room = chat_room(w->chat, f->room);
	if (room == ARENA_NONE)
		return;
	fd = chat_members(w->chat, room, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct session *s = &w->arena.session[fd[i]];

		if (g.session == 0 || s->id == g.session)
			miss(w, s, f->room, &g);
	}
}

static const struct {
	frame_fn *handle;
	bool transaction;
	bool answer; /* the session that asked goes on */
} frame_table[BUS_TYPE_MAX + 1] = {
	[BUS_CONNECTED] = { frame_connected, true, true },
	[BUS_REFUSED] = { frame_refused, true, true },
	[BUS_NICK_SET] = { frame_nick_set, true, true },
	[BUS_JOINED] = { frame_joined, true, true },
	[BUS_PARTED] = { frame_parted, true, true },
	[BUS_WHO_LIST] = { frame_who_list, true, true },
	[BUS_ROOM_LIST] = { frame_room_list, true, true },
	[BUS_MSG_SENT] = { frame_msg_sent, true, true },
	[BUS_PRIVATE] = { frame_private, true, false },
	[BUS_SAY] = { frame_say, false, false },
	[BUS_JOIN_EVENT] = { frame_room_event, false, false },
	[BUS_PART_EVENT] = { frame_room_event, false, false },
	[BUS_NICK_EVENT] = { frame_rooms_event, false, false },
	[BUS_GONE_EVENT] = { frame_rooms_event, false, false },
	[BUS_TOPIC_EVENT] = { frame_topic_event, false, true },
	[BUS_GAP] = { frame_gap, false, false },
};

bool
downlink_is_answer(uint8_t type)
{
	return frame_table[type].answer;
}

/* The frame is done: in one transaction with what it did, or behind a fan-out
 * that may be run again. */
static void
commit_frame(struct worker *w, size_t at)
{
	const struct arena_head *h = w->arena.head;

	if (!w->arena.in_transaction)
		tx_begin(&w->arena);
	arena_set(&w->arena, &h->frame_in, h->frame_in + 1);
	arena_set(&w->arena, &h->batch_in_at, at);
	tx_commit(&w->arena);
}

static void
act(struct worker *w, const struct bus_frame *f)
{
	if (poison_is_skipped(w, f)) {
		poison_skip(w, f);
		return;
	}
	if (frame_table[f->type].transaction)
		tx_begin(&w->arena);
	frame_table[f->type].handle(w, f, bus_body(f));
}

/* at: where the next one begins. */
static void
frame(struct worker *w, const struct bus_frame *f, size_t at)
{
	const struct session *s;

	if (frame_table[f->type].handle == NULL)
		return;
	in_hand(w, HAND_FRAME, f->sender, w->arena.head->frame_in + 1);
	FAULT(frame_begun);
	act(w, f);
	FAULT(frame_handled);
	commit_frame(w, at);
	FAULT(frame_done);
	in_hand(w, HAND_NONE, 0, 0);
	client_log_all(w);
	if (!frame_table[f->type].answer)
		return;
	s = session_find(w, f->sender);
	if (s == NULL)
		return;
	/* What was held back while the answer was out. */
	if (verb_finish(w, s, s->id) && !(s->flags & SESSION_WAITING))
		input_resume(w, s);
}

/* May the next frame make us ask for something in turn? */
static bool
has_room_for(struct worker *w, const struct bus_frame *f)
{
	if (f->type != BUS_CONNECTED && f->type != BUS_REFUSED &&
		!poison_is_skipped(w, f))
		return true;
	return w->bus_gone || uplink_room(w, 256);
}

enum outcome {
	HANDLED,
	DAMAGED,
	LATER
};

static enum outcome
batch(struct worker *w, struct slice datagram)
{
	const struct arena_head *h = w->arena.head;
	const struct bus_batch *b = (const void *)datagram.p;
	const struct bus_frame *f;
	size_t at = 0;
	bool damaged = false;

	if (datagram.len < sizeof *b || b->version != BUS_VERSION)
		return DAMAGED;
	if (b->number <= h->batch_in)
		return HANDLED;
	while ((f = bus_next(datagram, &at, false, &damaged)) != NULL) {
		if (at <= h->batch_in_at)
			continue;
		if (!has_room_for(w, f))
			return LATER;
		frame(w, f, at);
	}
	FAULT(batch_handled);
	tx_begin(&w->arena);
	arena_set(&w->arena, &h->batch_in, b->number);
	arena_set(&w->arena, &h->batch_in_at, 0);
	tx_commit(&w->arena);
	FAULT(batch_done);
	count(w, batches_in, 1);
	w->answered = h->batch_out;
	return damaged ? DAMAGED : HANDLED;
}

/* Has the bus been readable in the turn before too?  Only then is it likely
 * that there is more than one batch, and that it pays to look: if there is, the
 * next turn is told so at once. */
static bool
is_busy(struct worker *w)
{
	uint64_t turn = w->page->turns, before = w->heard_turn;

	w->heard_turn = turn;
	return turn <= before + 1;
}

void
downlink_receive(struct worker *w)
{
	int most = is_busy(w) ? BATCHES_PER_TURN : 1;

	for (int i = 0; i < most; i++) {
		enum outcome outcome;
		ssize_t n = FAULT_CALL(downlink_peek,
			recv(w->env->bus, w->arena.bus_in, ARENA_BUS_BYTES,
				MSG_PEEK | MSG_DONTWAIT));

		/* Want of memory too: it is still there in the next turn. */
		if (n == -1 && errno != ECONNRESET)
			return;
		if (n <= 0) {
			w->bus_gone = true;
			return;
		}
		FAULT(downlink_peeked);
		outcome = batch(w, slice_of(w->arena.bus_in, (size_t)n));
		if (outcome == LATER) {
			/* Readable all the while: waiting for it would spin.
			 */
			w->bus_unheard = true;
			(void)io_watch(
				w->io, w->env->bus, WATCH_BUS, false, true);
			return;
		}
		if (outcome == DAMAGED) {
			log_error("the master sent a damaged batch: leaving");
			w->exit_code = 70;
		}
		(void)!FAULT_CALL(downlink_drop,
			recv(w->env->bus, w->arena.bus_in, 0, MSG_DONTWAIT));
		FAULT(downlink_dropped);
	}
}
