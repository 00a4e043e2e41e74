/* SPDX-License-Identifier: MIT */
#include "bus/wire.h"
#include "conf/conf.h"
#include "master/hub.h"
#include "msg/session_id.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct conf conf;
static struct hub *hub;

/* A worker at the other end of a slot's bus. */
struct fake {
	int fd, master_fd;
	unsigned slot;
	uint64_t number; /* of the last batch sent */
	uint64_t had;    /* of the last one received */
	uint64_t n_say, last_sequence, gap[8], own[8], n_answers, n_other;
	struct bus_writer w;
	_Alignas(8) char mem[BUS_BATCH_MAX];
	_Alignas(8) char rx[BUS_BATCH_MAX];
};

static struct fake fake[65];

static void
start(unsigned n_slots, uint64_t relay_log)
{
	conf = (struct conf){ .max_clients = 100000,
		.create_rooms = true,
		.n_rooms = 1,
		.relay_log = relay_log };
	strcpy(conf.room[0].name, "lobby");
	conf.room[0].autojoin = true;
	conf.limits.rooms = 1000;
	conf.limits.announce_limit = 1;
	hub = hub_new(&conf, n_slots);
	cr_assert_not_null(hub);
	for (unsigned s = 1; s <= n_slots; s++) {
		struct fake *f = &fake[s];
		int p[2];

		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
				     0, p),
			0);
		*f = (struct fake){ .fd = p[1], .master_fd = p[0], .slot = s };
		bus_writer_init(&f->w, f->mem);
		hub_slot_open(hub, s, p[0]);
	}
}

static void
stop(void)
{
	hub_free(&hub);
}

TestSuite(hub, .fini = stop, .timeout = 20);

static void
add(struct fake *f, enum bus_type type, uint64_t n, uint32_t room,
	struct slice body)
{
	struct bus_frame frame = { .version = BUS_VERSION,
		.type = (uint8_t)type,
		.room = room,
		.sender = session_id(f->slot, n),
		.length = (uint32_t)(sizeof frame + body.len) };

	bus_writer_add(&f->w, &frame, body);
}

static void
post_as(struct fake *f, uint64_t number)
{
	struct slice d = bus_writer_seal(&f->w, number);

	cr_assert_eq(send(f->fd, d.p, d.len, 0), (ssize_t)d.len);
	bus_writer_init(&f->w, f->mem);
}

static void
post(struct fake *f)
{
	post_as(f, ++f->number);
}

static void
connect_one(struct fake *f, uint64_t n)
{
	struct bus_connect c = { .local = 1 };

	add(f, BUS_CONNECT, n, 0, slice_of(&c, sizeof c));
}

static void
say(struct fake *f, uint64_t n, size_t text)
{
	static char body[BUS_BATCH_MAX] = "\3\0ann";

	add(f, BUS_SAY, n, 1, slice_of(body, 5 + text));
}

static void
note(struct fake *f, const struct bus_frame *frame)
{
	struct slice body = bus_body(frame);
	struct bus_gap gap;

	switch (frame->type) {
	case BUS_SAY:
		f->n_say++;
		cr_assert_gt(frame->sequence, f->last_sequence);
		cr_assert_neq(frame->time_ms, 0);
		f->last_sequence = frame->sequence;
		return;
	case BUS_GAP:
		cr_assert(bus_get(&body, &gap, sizeof gap));
		*(gap.session && frame->room ? &f->own[frame->room]
					     : &f->gap[frame->room]) +=
			gap.number;
		return;
	default:
		f->n_answers++;
	}
}

/* Read all that is there; batches have the numbers 1, 2, 3 ... */
static void
receive(struct fake *f)
{
	ssize_t n;

	while ((n = recv(f->fd, f->rx, sizeof f->rx, 0)) > 0) {
		struct slice d = slice_of(f->rx, (size_t)n);
		const struct bus_batch *b = (void *)f->rx;
		const struct bus_frame *frame;
		size_t at = 0;
		bool damaged;

		cr_assert_eq(b->number, f->had + 1);
		f->had++;
		while ((frame = bus_next(d, &at, false, &damaged)))
			note(f, frame);
		cr_assert(!damaged);
	}
}

static int
turn(unsigned n_slots)
{
	int rc = 0;

	for (unsigned s = 1; s <= n_slots; s++) {
		int one = hub_slot_read(hub, s);

		cr_assert_geq(one, 0, "%s", hub_violation(hub));
		rc |= one;
	}
	hub_turn_end(hub);
	return rc;
}

static void
enter_all(unsigned n_slots)
{
	for (unsigned s = 1; s <= n_slots; s++) {
		connect_one(&fake[s], 1);
		post(&fake[s]);
	}
	turn(n_slots);
	for (unsigned s = 1; s <= n_slots; s++)
		receive(&fake[s]);
	for (unsigned s = 1; s <= n_slots; s++)
		fake[s].n_answers = 0;
}

Test(hub, everybody_sees_the_same_order)
{
	enum {
		N = 64
	};

	start(N, 1 << 20);
	enter_all(N);
	cr_assert_eq(hub_clients(hub, 0), N);
	for (int round = 0; round < 10; round++) {
		for (unsigned s = 1; s <= N; s++) {
			say(&fake[s], 1, 20);
			say(&fake[s], 1, 30);
			post(&fake[s]);
		}
		cr_assert_eq(turn(N), 0);
		for (unsigned s = 1; s <= N; s++)
			receive(&fake[s]);
	}
	for (unsigned s = 1; s <= N; s++) {
		cr_assert_eq(fake[s].n_say, 20 * N);
		cr_assert_eq(fake[s].last_sequence, 20 * N);
	}
	struct hub_stats st = hub_stats(hub);

	cr_assert(st.messages == 20 * N && st.gaps == 0 && st.log_bytes == 0);
	cr_assert_lt(st.batches_out, 64 * 25, "gathered datagrams");
}

Test(hub, reads_a_bounded_number_of_batches)
{
	start(1, 1 << 20);
	enter_all(1);
	for (int i = 0; i < 40; i++) {
		say(&fake[1], 1, 10);
		post(&fake[1]);
	}
	cr_assert_eq(hub_slot_read(hub, 1), 1);
	cr_assert_eq(hub_stats(hub).messages, 16);
	cr_assert_eq(hub_slot_read(hub, 1), 1);
	cr_assert_eq(hub_slot_read(hub, 1), 0);
	cr_assert_eq(hub_stats(hub).messages, 40);
}

Test(hub, a_batch_sent_again_is_dropped)
{
	start(1, 1 << 20);
	enter_all(1);
	for (int i = 0; i < 3; i++) {
		say(&fake[1], 1, 10);
		post_as(&fake[1], 2);
	}
	turn(1);
	receive(&fake[1]);
	cr_assert_eq(fake[1].n_say, 1);
	say(&fake[1], 1, 10);
	post_as(&fake[1], 4);
	cr_assert_eq(hub_slot_read(hub, 1), -EPROTO);
	cr_assert_not_null(strstr(hub_violation(hub), "slot 1"));
}

Test(hub, damaged_and_foreign_batches_are_violations)
{
	static _Alignas(8) char big[BUS_BATCH_MAX + 1];

	start(3, 1 << 20);
	enter_all(3);
	send(fake[1].fd, "x", 1, 0);
	cr_assert_eq(hub_slot_read(hub, 1), -EPROTO);
	memcpy(big, fake[1].mem, sizeof(struct bus_batch));
	send(fake[1].fd, big, sizeof big, 0);
	cr_assert_eq(hub_slot_read(hub, 1), -EPROTO);
	/* The frames before a foreign one count, the batch is had. */
	say(&fake[2], 1, 5);
	fake[2].slot = 3;
	say(&fake[2], 1, 5);
	fake[2].slot = 2;
	post(&fake[2]);
	cr_assert_eq(hub_slot_read(hub, 2), -EPROTO);
	cr_assert_eq(hub_stats(hub).messages, 1);
	/* and the others go on */
	say(&fake[3], 1, 5);
	post(&fake[3]);
	cr_assert_eq(hub_slot_read(hub, 3), 0);
	hub_turn_end(hub);
	receive(&fake[3]);
	cr_assert_eq(fake[3].n_say, 2);
}

/* One call takes several batches off the socket: each counts, whatever comes
 * before it, and the end of file behind them is seen. */
Test(hub, a_wrong_batch_does_not_lose_those_behind_it)
{
	start(2, 1 << 20);
	enter_all(2);
	send(fake[1].fd, "x", 1, 0);
	say(&fake[1], 1, 5);
	post(&fake[1]);
	cr_assert_eq(hub_slot_read(hub, 1), -EPROTO);
	cr_assert_eq(hub_stats(hub).messages, 1);
	send(fake[1].fd, "x", 1, 0);
	send(fake[1].fd, "xy", 2, 0);
	cr_assert_eq(hub_slot_read(hub, 1), -EPROTO);
	cr_assert_not_null(strstr(hub_violation(hub), "a batch of 1 bytes"),
		"the first is told: %s", hub_violation(hub));
	cr_assert_eq(hub_slot_read(hub, 1), 0);
	say(&fake[2], 1, 5);
	post(&fake[2]);
	close(fake[2].fd);
	cr_assert_eq(hub_slot_read(hub, 2), -EPIPE);
	cr_assert_eq(hub_stats(hub).messages, 2);
}

Test(hub, the_largest_message_passes)
{
	size_t text = BUS_FRAME_MAX - sizeof(struct bus_frame) - 5;

	start(2, 0);
	enter_all(2);
	for (int i = 0; i < 20; i++) {
		say(&fake[1], 1, text);
		post(&fake[1]);
		turn(2);
		receive(&fake[1]);
		receive(&fake[2]);
	}
	cr_assert(fake[1].n_say == 20 && fake[2].n_say == 20);
}

Test(hub, end_of_file)
{
	start(2, 1 << 20);
	enter_all(2);
	close(fake[1].fd);
	cr_assert_eq(hub_slot_read(hub, 1), -EPIPE);
	say(&fake[2], 1, 5);
	post(&fake[2]);
	hub_slot_read(hub, 2);
	hub_turn_end(hub);
	cr_assert(!hub_slot_wants_write(hub, 1));
	cr_assert_eq(hub_slot_read(hub, 1), -EPIPE);
	hub_slot_close(hub, 1);
}

/* A peer that dies with unread data: ECONNRESET, not EOF. */
Test(hub, death_with_unread_data_is_end_of_file)
{
	start(1, 1 << 20);
	enter_all(1);
	say(&fake[1], 1, 5);
	post(&fake[1]);
	turn(1);
	close(fake[1].fd);
	cr_assert_eq(hub_slot_read(hub, 1), -EPIPE);
}

/* The one that does not read costs the others nothing and is told exactly. */
Test(hub, a_stuck_slot_gets_exact_gaps)
{
	enum {
		ROUNDS = 400,
		EACH = 20
	};

	start(2, 256 << 10);
	enter_all(2);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < EACH; i++)
			say(&fake[1], 1, 100);
		post(&fake[1]);
		if (round % 10 == 0) {
			say(&fake[2], 1, 100);
			connect_one(&fake[2], 2 + (uint64_t)round);
			post(&fake[2]);
		}
		turn(2);
		receive(&fake[1]);
	}
	cr_assert_eq(fake[1].n_say, ROUNDS * EACH + 40);
	cr_assert(hub_slot_wants_write(hub, 2));
	cr_assert(!hub_slot_wants_write(hub, 1));
	cr_assert_gt(hub_slot_behind(hub, 2), 0);
	cr_assert_gt(hub_stats(hub).gaps, 0);
	while (hub_slot_wants_write(hub, 2)) {
		receive(&fake[2]);
		hub_turn_end(hub);
	}
	receive(&fake[2]);
	cr_assert_eq(fake[2].n_say + fake[2].gap[1], ROUNDS * EACH + 40);
	cr_assert_eq(fake[2].gap[1], hub_stats(hub).gaps);
	cr_assert(fake[2].own[1] > 0 && fake[2].own[1] < 40);
	cr_assert_eq(fake[2].n_answers, 80, "CONNECTED and JOINED of each");
	cr_assert_eq(hub_slot_behind(hub, 2), 0);
}

Test(hub, a_reset_slot_begins_anew)
{
	start(2, 1 << 20);
	enter_all(2);
	/* Unread by the hub when the worker ends. */
	say(&fake[1], 1, 5);
	post(&fake[1]);
	say(&fake[2], 1, 5);
	post(&fake[2]);
	hub_slot_read(hub, 2);
	hub_slot_reset(hub, 1, SLICE_LIT("lost"));
	cr_assert_eq(hub_clients(hub, 1), 0);
	cr_assert_eq(hub_clients(hub, 0), 1);
	hub_turn_end(hub);
	receive(&fake[1]);
	cr_assert_eq(fake[1].n_say, 0);
	receive(&fake[2]);
	cr_assert_eq(fake[2].n_say, 1);
	/* A fresh arena begins at 1. */
	fake[1].number = 0;
	connect_one(&fake[1], 50);
	post(&fake[1]);
	say(&fake[1], 50, 5);
	post(&fake[1]);
	turn(2);
	receive(&fake[1]);
	cr_assert_eq(fake[1].n_say, 1);
	/* Over the same arena the numbers go on, dropped ones included. */
	say(&fake[1], 50, 5);
	post(&fake[1]);
	hub_slot_reset(hub, 1, SLICE_LIT("lost"));
	connect_one(&fake[1], 60);
	post(&fake[1]);
	turn(2);
	cr_assert_eq(hub_clients(hub, 1), 1);
}

Test(hub, what_the_registry_knows)
{
	struct hub_room r;

	start(2, 1 << 20);
	enter_all(2);
	add(&fake[1], BUS_NICK, 1, 0, SLICE_LIT("\3\0Ann"));
	post(&fake[1]);
	say(&fake[2], 1, 5);
	post(&fake[2]);
	turn(2);
	cr_assert_eq(
		hub_session_by_nick(hub, SLICE_LIT("ann")), session_id(1, 1));
	cr_assert_eq(hub_rooms(hub), 1);
	cr_assert(hub_room_at(hub, 0, &r));
	cr_assert(slice_eq_str(r.name, "lobby") && r.members == 2 &&
		  r.sequence == 1 && r.configured);
	cr_assert(!hub_room_at(hub, 1, &r));
	cr_assert_eq(hub_clients(hub, 2), 1);
}
