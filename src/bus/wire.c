/* SPDX-License-Identifier: MIT */
#include "bus/wire.h"
#include "base/must.h"
#include "msg/name.h"

/* Longest string that a client's line can put where a name is asked for: what
 * is too long is the client's fault, not the worker's, and gets a refusal. */
#define ASKED 4096
#define NAME  NAME_MAX_LEN

/* Every string that the master puts before a text may replace a shorter one. */
#define BODY_MAX (BUS_FRAME_MAX - (uint32_t)sizeof(struct bus_frame))
#define MSG_MAX  (BODY_MAX - 2 * NAME_MAX_LEN)

enum direction {
	UP = 1,
	DOWN = 2
};
enum room_use {
	ROOM_NONE,
	ROOM_GIVEN,
	ROOM_ANY
};

/* body = fixed bytes | u32 n and n rooms | strings | tail */
struct layout {
	uint8_t direction; /* 0: no such type */
	uint8_t room;      /* enum room_use */
	bool rooms, tail;
	uint8_t fixed;
	uint8_t n_strings;
	uint16_t string_max[2];
	uint16_t flags;
	uint32_t body_max; /* 0: as much as a frame takes */
};

#define STRINGS(n, ...) .n_strings = (n), .string_max = { __VA_ARGS__ }

static const struct layout layout[BUS_TYPE_MAX + 1] = {
	[BUS_CONNECT] = { .direction = UP,
		.fixed = sizeof(struct bus_connect) },
	[BUS_GONE] = { .direction = UP, STRINGS(1, ASKED) },
	[BUS_NICK] = { .direction = UP, STRINGS(1, ASKED) },
	[BUS_JOIN] = { .direction = UP, STRINGS(1, ASKED), .flags = BUS_QUIET },
	[BUS_PART] = { .direction = UP, .room = ROOM_GIVEN },
	[BUS_WHO] = { .direction = UP, STRINGS(1, ASKED) },
	[BUS_ROOMS] = { .direction = UP, STRINGS(1, ASKED) },
	[BUS_MSG] = { .direction = UP,
		STRINGS(2, ASKED, NAME),
		.tail = true,
		.flags = BUS_ACTION,
		.body_max = MSG_MAX },
	[BUS_TOPIC] = { .direction = UP,
		.room = ROOM_GIVEN,
		STRINGS(1, NAME),
		.tail = true },
	[BUS_SAY] = { .direction = UP | DOWN,
		.room = ROOM_GIVEN,
		STRINGS(1, NAME),
		.tail = true,
		.flags = BUS_ACTION | BUS_RAW | BUS_ECHO },
	[BUS_SYNC] = { .direction = UP,
		.fixed = sizeof(struct bus_sync),
		.tail = true },

	[BUS_CONNECTED] = { .direction = DOWN,
		.fixed = sizeof(struct bus_connected) },
	[BUS_REFUSED] = { .direction = DOWN,
		STRINGS(1, ASKED),
		.fixed = sizeof(struct bus_refused),
		.flags = BUS_AUTO },
	[BUS_NICK_SET] = { .direction = DOWN, STRINGS(1, NAME) },
	[BUS_JOINED] = { .direction = DOWN,
		.room = ROOM_GIVEN,
		STRINGS(2, NAME, ASKED),
		.fixed = sizeof(struct bus_joined),
		.tail = true,
		.flags = BUS_ECHO | BUS_AUTO },
	[BUS_PARTED] = { .direction = DOWN, .room = ROOM_GIVEN },
	[BUS_WHO_LIST] = { .direction = DOWN,
		STRINGS(1, NAME),
		.tail = true,
		.fixed = sizeof(struct bus_list) },
	[BUS_ROOM_LIST] = { .direction = DOWN,
		.tail = true,
		.fixed = sizeof(struct bus_list) },
	[BUS_MSG_SENT] = { .direction = DOWN,
		STRINGS(1, NAME),
		.tail = true,
		.flags = BUS_ACTION },
	[BUS_PRIVATE] = { .direction = DOWN,
		STRINGS(1, NAME),
		.tail = true,
		.flags = BUS_ACTION },

	[BUS_JOIN_EVENT] = { .direction = DOWN,
		.room = ROOM_GIVEN,
		STRINGS(1, NAME) },
	[BUS_PART_EVENT] = { .direction = DOWN,
		.room = ROOM_GIVEN,
		STRINGS(1, NAME) },
	[BUS_NICK_EVENT] = { .direction = DOWN,
		STRINGS(2, NAME, NAME),
		.rooms = true },
	[BUS_GONE_EVENT] = { .direction = DOWN,
		STRINGS(2, NAME, ASKED),
		.rooms = true },
	[BUS_TOPIC_EVENT] = { .direction = DOWN,
		.room = ROOM_GIVEN,
		STRINGS(1, NAME),
		.tail = true },
	[BUS_GAP] = { .direction = DOWN,
		.room = ROOM_ANY,
		.fixed = sizeof(struct bus_gap) },
};

void
bus_put_str(struct buf *b, struct slice s)
{
	uint16_t len = (uint16_t)s.len;

	must(s.len <= UINT16_MAX);
	buf_add(b, &len, sizeof len);
	buf_slice_add(b, s);
}

bool
bus_get_str(struct slice *body, struct slice *ret)
{
	uint16_t len;

	if (!bus_get(body, &len, sizeof len) || body->len < len)
		return false;
	*ret = slice_of(body->p, len);
	*body = slice_skip(*body, len);
	return true;
}

bool
bus_get(struct slice *body, void *ret, size_t n)
{
	if (body->len < n)
		return false;
	memcpy(ret, body->p, n);
	*body = slice_skip(*body, n);
	return true;
}

struct slice
bus_body(const struct bus_frame *f)
{
	return slice_of(f + 1, f->length - sizeof *f);
}

static bool
body_ok(const struct layout *l, struct slice body)
{
	struct slice s;
	uint32_t n;

	if (body.len < l->fixed || (l->body_max && body.len > l->body_max))
		return false;
	body = slice_skip(body, l->fixed);
	if (l->rooms) {
		if (!bus_get(&body, &n, sizeof n) || n == 0 ||
			n > body.len / sizeof n)
			return false;
		body = slice_skip(body, n * sizeof n);
	}
	for (unsigned i = 0; i < l->n_strings; i++)
		if (!bus_get_str(&body, &s) || s.len > l->string_max[i])
			return false;
	return l->tail || body.len == 0;
}

static bool
room_ok(const struct layout *l, uint32_t room)
{
	return l->room == ROOM_ANY || (room != 0) == (l->room == ROOM_GIVEN);
}

/* Only SAY is numbered, and only by the master. */
static bool
sequence_ok(const struct bus_frame *f, bool from_worker)
{
	bool numbered = f->type == BUS_SAY && !from_worker;

	return (f->sequence != 0) == numbered;
}

bool
bus_frame_ok(const struct bus_frame *f, size_t available, bool from_worker)
{
	const struct layout *l;

	if (available < sizeof *f || f->version != BUS_VERSION ||
		f->type > BUS_TYPE_MAX)
		return false;
	if (f->length < sizeof *f || f->length > BUS_FRAME_MAX ||
		bus_padded(f->length) > available)
		return false;
	l = &layout[f->type];
	if (!(l->direction & (from_worker ? UP : DOWN)))
		return false;
	if ((f->flags & ~l->flags) || f->spare || !room_ok(l, f->room))
		return false;
	/* A gap has no sender, and a topic may come from the configuration. */
	if (f->sender == 0 ? f->type != BUS_GAP && f->type != BUS_TOPIC_EVENT
			   : f->type == BUS_GAP)
		return false;
	return sequence_ok(f, from_worker) && body_ok(l, bus_body(f));
}

static const struct bus_frame *
frame_at(struct slice datagram, size_t at)
{
	return (const struct bus_frame *)(const void *)(datagram.p + at);
}

static bool
batch_ok(struct slice datagram, bool from_worker)
{
	const struct bus_batch *b = (const void *)datagram.p;
	size_t at = sizeof *b;
	uint32_t n = 0;

	if (datagram.len < sizeof *b || datagram.len > BUS_BATCH_MAX ||
		b->version != BUS_VERSION || b->number == 0)
		return false;
	for (; at < datagram.len; n++) {
		const struct bus_frame *f = frame_at(datagram, at);

		if (!bus_frame_ok(f, datagram.len - at, from_worker))
			return false;
		at += bus_padded(f->length);
	}
	return n > 0 && n == b->n_frames;
}

const struct bus_frame *
bus_next(struct slice datagram, size_t *at, bool from_worker, bool *ret_damaged)
{
	const struct bus_frame *f;

	*ret_damaged = false;
	if (*at == 0) {
		/* The whole before the first frame is handed out, so that
		 * nobody acts on half of a damaged batch. */
		if (!batch_ok(datagram, from_worker)) {
			*ret_damaged = true;
			return NULL;
		}
		*at = sizeof(struct bus_batch);
	}
	if (*at >= datagram.len)
		return NULL;
	f = frame_at(datagram, *at);
	*at += bus_padded(f->length);
	return f;
}

void
bus_writer_init(struct bus_writer *w, void *mem)
{
	must(((uintptr_t)mem & 7) == 0);
	*w = (struct bus_writer){ mem, sizeof(struct bus_batch), 0 };
}

bool
bus_writer_has_room(const struct bus_writer *w, uint32_t length)
{
	return length <= BUS_FRAME_MAX &&
	       bus_padded(length) <= BUS_BATCH_MAX - w->len;
}

void
bus_writer_add(
	struct bus_writer *w, const struct bus_frame *f, struct slice body)
{
	uint32_t padded = bus_padded(f->length);
	char *to = w->mem + w->len;

	must(f->length == sizeof *f + body.len);
	must(bus_writer_has_room(w, f->length));
	memcpy(to, f, sizeof *f);
	if (body.len > 0)
		memcpy(to + sizeof *f, body.p, body.len);
	memset(to + f->length, 0, padded - f->length);
	w->len += padded;
	w->n_frames++;
}

struct slice
bus_writer_seal(struct bus_writer *w, uint64_t number)
{
	struct bus_batch b = { BUS_VERSION, w->n_frames, number };

	if (w->n_frames == 0)
		return slice_of(NULL, 0);
	memcpy(w->mem, &b, sizeof b);
	return slice_of(w->mem, w->len);
}
