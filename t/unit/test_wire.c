/* SPDX-License-Identifier: MIT */
#include "bus/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(wire, .timeout = 20);

static _Alignas(8) char mem[BUS_BATCH_MAX + 64];

/* A frame of a type with the given body at the start of mem. */
static struct bus_frame *
make(enum bus_type type, const void *body, size_t len)
{
	struct bus_frame *f = (void *)mem;

	memset(mem, 0, sizeof mem);
	*f = (struct bus_frame){ .version = BUS_VERSION,
		.type = (uint8_t)type,
		.length = (uint32_t)(sizeof *f + len),
		.sender = 5 };
	if (len > 0)
		memcpy(f + 1, body, len);
	return f;
}

static bool
ok(const struct bus_frame *f, bool from_worker)
{
	return bus_frame_ok(f, sizeof mem, from_worker);
}

/* What the header says of each type; strings as "ab" and lists of one room. */
struct row {
	const char *name;
	enum bus_type type;
	bool up, down, room, tail;
	unsigned fixed, n_strings;
	bool rooms;
	unsigned flags;
};

static const struct row rows[] = {
	{ "CONNECT", BUS_CONNECT, true, false, false, false,
		sizeof(struct bus_connect), 0, false, 0 },
	{ "GONE", BUS_GONE, true, false, false, false, 0, 1, false, 0 },
	{ "NICK", BUS_NICK, true, false, false, false, 0, 1, false, 0 },
	{ "JOIN", BUS_JOIN, true, false, false, false, 0, 1, false, BUS_QUIET },
	{ "PART", BUS_PART, true, false, true, false, 0, 0, false, 0 },
	{ "WHO", BUS_WHO, true, false, false, false, 0, 1, false, 0 },
	{ "ROOMS", BUS_ROOMS, true, false, false, false, 0, 1, false, 0 },
	{ "MSG", BUS_MSG, true, false, false, true, 0, 2, false, BUS_ACTION },
	{ "TOPIC", BUS_TOPIC, true, false, true, true, 0, 1, false, 0 },
	{ "SAY", BUS_SAY, true, true, true, true, 0, 1, false,
		BUS_ACTION | BUS_RAW | BUS_ECHO },
	{ "SYNC", BUS_SYNC, true, false, false, true, sizeof(struct bus_sync),
		0, false, 0 },
	{ "CONNECTED", BUS_CONNECTED, false, true, false, false,
		sizeof(struct bus_connected), 0, false, 0 },
	{ "REFUSED", BUS_REFUSED, false, true, false, false,
		sizeof(struct bus_refused), 1, false, BUS_AUTO },
	{ "NICK_SET", BUS_NICK_SET, false, true, false, false, 0, 1, false, 0 },
	{ "JOINED", BUS_JOINED, false, true, true, true,
		sizeof(struct bus_joined), 2, false, BUS_ECHO | BUS_AUTO },
	{ "PARTED", BUS_PARTED, false, true, true, false, 0, 0, false, 0 },
	{ "WHO_LIST", BUS_WHO_LIST, false, true, false, true,
		sizeof(struct bus_list), 1, false, 0 },
	{ "ROOM_LIST", BUS_ROOM_LIST, false, true, false, true,
		sizeof(struct bus_list), 0, false, 0 },
	{ "MSG_SENT", BUS_MSG_SENT, false, true, false, true, 0, 1, false,
		BUS_ACTION },
	{ "PRIVATE", BUS_PRIVATE, false, true, false, true, 0, 1, false,
		BUS_ACTION },
	{ "JOIN_EVENT", BUS_JOIN_EVENT, false, true, true, false, 0, 1, false,
		0 },
	{ "PART_EVENT", BUS_PART_EVENT, false, true, true, false, 0, 1, false,
		0 },
	{ "NICK_EVENT", BUS_NICK_EVENT, false, true, false, false, 0, 2, true,
		0 },
	{ "GONE_EVENT", BUS_GONE_EVENT, false, true, false, false, 0, 2, true,
		0 },
	{ "TOPIC_EVENT", BUS_TOPIC_EVENT, false, true, true, true, 0, 1, false,
		0 },
};

/* A right frame of that type, as its sender makes it. */
static struct bus_frame *
right(const struct row *r, bool from_worker)
{
	char body[256] = { 0 };
	struct buf b = buf_over(body, sizeof body);
	uint32_t list[2] = { 1, 77 };
	struct bus_frame *f;

	b.len = r->fixed;
	if (r->rooms)
		buf_add(&b, list, sizeof list);
	for (unsigned i = 0; i < r->n_strings; i++)
		bus_put_str(&b, SLICE_LIT("ab"));
	if (r->tail)
		buf_str(&b, "tail");
	f = make(r->type, body, b.len);
	f->room = r->room ? 9 : 0;
	f->sequence = r->type == BUS_SAY && !from_worker;
	return f;
}

Test(wire, every_type_is_right_in_its_direction_only)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];

		cr_assert_eq(ok(right(r, true), true), r->up, "%s", r->name);
		cr_assert_eq(
			ok(right(r, false), false), r->down, "%s", r->name);
	}
}

Test(wire, every_cut_is_refused)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct bus_frame *f = right(r, r->up);
		uint32_t whole = f->length, keep = r->tail ? 4 : 0;

		for (uint32_t l = 0; l < whole - keep; l++) {
			f->length = l;
			cr_assert(!ok(f, r->up), "%s cut to %u", r->name, l);
		}
		f->length = whole + 1;
		cr_assert_eq(ok(f, r->up), r->tail, "%s and a byte", r->name);
		f->length = whole;
		cr_assert(!bus_frame_ok(f, bus_padded(whole) - 1, r->up));
	}
}

Test(wire, wrong_header_fields_are_refused)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct bus_frame *f;

		f = right(r, r->up);
		f->version++;
		cr_assert(!ok(f, r->up), "%s version", r->name);
		f = right(r, r->up);
		f->spare = 1;
		cr_assert(!ok(f, r->up), "%s spare", r->name);
		f = right(r, r->up);
		f->sender = 0;
		cr_assert_eq(ok(f, r->up), r->type == BUS_TOPIC_EVENT,
			"%s sender", r->name);
		f = right(r, r->up);
		f->room = !f->room;
		cr_assert(!ok(f, r->up), "%s room", r->name);
		f = right(r, r->up);
		f->sequence = !f->sequence;
		cr_assert(!ok(f, r->up), "%s sequence", r->name);
		for (unsigned bit = 1; bit <= 0x8000; bit <<= 1) {
			f = right(r, r->up);
			f->flags = (uint16_t)bit;
			cr_assert_eq(ok(f, r->up), (bit & r->flags) != 0,
				"%s flag %x", r->name, bit);
		}
	}
}

Test(wire, unknown_types_are_refused)
{
	for (unsigned type = 0; type < 256; type++) {
		bool known = type == BUS_GAP;

		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			known |= type == rows[i].type;
		if (known)
			continue;
		for (int n = 0; n < 32; n++) {
			struct bus_frame *f =
				make((enum bus_type)type, mem, (size_t)n);

			cr_assert(!ok(f, true) && !ok(f, false), "%u", type);
		}
	}
}

Test(wire, gap_needs_no_sender)
{
	struct bus_gap g = { 3, 4 };
	struct bus_frame *f = make(BUS_GAP, &g, sizeof g);

	cr_assert(!ok(f, false));
	f->sender = 0;
	cr_assert(ok(f, false));
	f->room = 8;
	cr_assert(ok(f, false));
	cr_assert(!ok(f, true));
}

Test(wire, long_names_of_the_worker_are_refused_long_requests_are_not)
{
	char body[8192] = { 0 };
	struct buf b = buf_over(body, sizeof body);
	char name[4097];
	struct bus_frame *f;

	memset(name, 'n', sizeof name);
	bus_put_str(&b, slice_of(name, 33));
	f = make(BUS_SAY, body, b.len);
	f->room = 1;
	cr_assert(!ok(f, true));
	f = make(BUS_JOIN, body, b.len);
	cr_assert(ok(f, true));
	b.len = 0;
	bus_put_str(&b, slice_of(name, 4096));
	cr_assert(ok(make(BUS_NICK, body, b.len), true));
	b.len = 0;
	bus_put_str(&b, slice_of(name, 4097));
	cr_assert(!ok(make(BUS_NICK, body, b.len), true));
}

Test(wire, room_lists_are_bounded_by_their_frame)
{
	char body[64] = { 0 };
	uint32_t n[] = { 0, 2, 1u << 30, UINT32_MAX };

	for (unsigned i = 0; i < 4; i++) {
		memcpy(body, &n[i], 4);
		/* n rooms that are not there, then what may pass for strings */
		cr_assert(
			!ok(make(BUS_GONE_EVENT, body, 8), false), "%u", n[i]);
	}
}

static struct slice
batch_of(struct bus_writer *w, unsigned n, size_t text)
{
	char body[BUS_BATCH_MAX];
	struct buf b = buf_over(body, sizeof body);

	bus_writer_init(w, mem);
	bus_put_str(&b, SLICE_LIT("ann"));
	memset(body + b.len, 't', text);
	b.len += text;
	for (unsigned i = 0; i < n; i++) {
		struct bus_frame f = { .version = BUS_VERSION,
			.type = BUS_SAY,
			.length = (uint32_t)(sizeof f + b.len),
			.room = i + 1,
			.sender = 5 };

		cr_assert(bus_writer_has_room(w, f.length));
		bus_writer_add(w, &f, buf_slice(&b));
	}
	return bus_writer_seal(w, 42);
}

Test(wire, a_batch_is_read_as_it_was_written)
{
	for (size_t text = 0; text < 20; text++) {
		struct bus_writer w;
		struct slice d = batch_of(&w, 3, text), body, nick;
		const struct bus_frame *f;
		size_t at = 0;
		bool damaged;
		uint32_t n = 0;

		cr_assert_eq(
			((const struct bus_batch *)(void *)mem)->number, 42);
		while ((f = bus_next(d, &at, true, &damaged))) {
			cr_assert_eq(f->room, ++n);
			body = bus_body(f);
			cr_assert(bus_get_str(&body, &nick));
			cr_assert(slice_eq_str(nick, "ann"));
			cr_assert_eq(body.len, text);
		}
		cr_assert(!damaged && n == 3);
	}
}

Test(wire, the_largest_frame_fits_and_one_byte_more_does_not)
{
	size_t text = BUS_FRAME_MAX - sizeof(struct bus_frame) - 5;
	struct bus_writer w;
	struct slice d = batch_of(&w, 1, text);
	struct bus_frame *f = (void *)(mem + sizeof(struct bus_batch));
	size_t at = 0;
	bool damaged;

	cr_assert_eq(d.len, BUS_BATCH_MAX);
	cr_assert_not_null(bus_next(d, &at, true, &damaged));
	bus_writer_init(&w, mem);
	cr_assert(bus_writer_has_room(&w, BUS_FRAME_MAX));
	cr_assert(!bus_writer_has_room(&w, BUS_FRAME_MAX + 1));
	cr_assert(!bus_writer_has_room(&w, UINT32_MAX));
	f->length = BUS_FRAME_MAX + 1;
	at = 0;
	cr_assert_null(bus_next(slice_of(mem, d.len + 8), &at, true, &damaged));
	cr_assert(damaged);
}

static bool
is_damaged(struct slice d)
{
	size_t at = 0;
	bool damaged;

	return !bus_next(d, &at, true, &damaged) && damaged;
}

Test(wire, a_damaged_batch_yields_no_frame_at_all)
{
	struct bus_writer w;
	struct slice d = batch_of(&w, 3, 10);
	struct bus_batch *b = (void *)mem;

	cr_assert(!is_damaged(d));
	for (size_t len = 0; len < d.len; len++)
		cr_assert(is_damaged(slice_of(mem, len)), "cut to %zu", len);
	b->n_frames = 2;
	cr_assert(is_damaged(d));
	b->n_frames = 3;
	b->version = 2;
	cr_assert(is_damaged(d));
	b->version = BUS_VERSION;
	b->number = 0;
	cr_assert(is_damaged(d));
	b->number = 1;
	mem[d.len - bus_padded(sizeof(struct bus_frame) + 15)] = 9;
	cr_assert(is_damaged(d), "the last frame's version");
}

Test(wire, an_empty_writer_seals_nothing)
{
	struct bus_writer w;

	bus_writer_init(&w, mem);
	cr_assert_eq(bus_writer_seal(&w, 1).len, 0);
}

/* Whatever the bytes: no read outside (ASan tells), no endless walk. */
Test(wire, random_bytes_do_no_harm)
{
	srand(7);
	for (int round = 0; round < 20000; round++) {
		struct bus_writer w;
		struct slice d = batch_of(&w, 2, (size_t)rand() % 40);
		char *copy = aligned_alloc(8, (d.len + 7) & ~(size_t)7);
		size_t at = 0;
		bool damaged;

		memcpy(copy, mem, d.len);
		for (int i = 0; i < 3; i++)
			copy[(size_t)rand() % d.len] = (char)rand();
		for (int n = 0;
			bus_next(slice_of(copy, d.len), &at, true, &damaged);
			n++)
			cr_assert_lt(n, 3);
		free(copy);
	}
}
