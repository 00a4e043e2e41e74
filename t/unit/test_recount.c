/* What a successor makes of an arena: counts, free blocks, torn records, and
 * an arena of the previous layout.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/arena.h"
#include "arena/convert.h"
#include "arena/heap.h"
#include "arena/previous.h"
#include "arena/queue.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FDS 64

TestSuite(recount, .timeout = 20);

/* Reachable to the end of the test, so that it is no leak. */
static struct heap *volatile last;
static int memory_fd;

static struct arena
map_again(bool *used)
{
	struct arena a;

	cr_assert(eq(int,
		arena_map(&a, memory_fd, arena_size(FDS), FDS, 7, used), 0));
	last = a.blocks;
	return a;
}

static struct arena
start(void)
{
	bool used;

	memory_fd = fd_memory("test arena", arena_size(FDS), false);
	cr_assert(ge(int, memory_fd, 0));
	return map_again(&used);
}

/* As the next worker does it. */
static int
succeed(struct arena *a)
{
	bool used;
	int rc;

	arena_unmap(a);
	*a = map_again(&used);
	cr_assert(used);
	rc = arena_recount(a);
	last = a->blocks;
	return rc;
}

static const struct session *
client(struct arena *a, int fd, const char *nick)
{
	const struct session *s;

	tx_begin(a);
	s = session_new(a, fd, 3);
	cr_assert(eq(int, arena_keep(a, &s->nick, slice_str(nick)), 0));
	tx_commit(a);
	return s;
}

/* One block for several sessions, as a fan-out makes it. */
static block_ref
fan_out(struct arena *a, const char *text, int first_fd, int n)
{
	block_ref ref = heap_copy(a, slice_str(text));

	heap_count(a, ref, 1);
	for (int i = 0; i < n; i++)
		cr_assert(eq(int,
			queue_push(a, &a->session[first_fd + i], ref,
				(uint32_t)strlen(text), 1),
			0));
	heap_ref(a, ref, (uint32_t)n);
	heap_unref(a, ref);
	return ref;
}

static bool
reads(const struct arena *a, const struct session *s, const char *text)
{
	struct iovec iov[64];
	unsigned n = queue_iov(a, s, iov, 64);
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		if (memcmp(iov[i].iov_base, text + at, iov[i].iov_len) != 0)
			return false;
		at += iov[i].iov_len;
	}
	return at == strlen(text) && s->q_bytes == at;
}

Test(recount, an_empty_arena)
{
	struct arena a = start();

	cr_assert(eq(int, succeed(&a), 0));
	cr_assert(eq(u64, heap_used(&a), 0));
}

Test(recount, what_is_used_and_counted_is_as_before)
{
	struct arena a = start();
	uint64_t used, counted;

	for (int fd = 10; fd < 40; fd++)
		client(&a, fd, "somebody");
	for (int i = 0; i < 20; i++)
		fan_out(&a, "hello, all of you\n", 10, 30);
	used = heap_used(&a);
	counted = heap_counted(&a);
	cr_assert(eq(int, succeed(&a), 0));
	cr_assert(eq(u64, heap_used(&a), used));
	cr_assert(eq(u64, heap_counted(&a), counted));
}

Test(recount, references_are_those_of_the_records)
{
	struct arena a = start();
	block_ref ref;

	for (int fd = 10; fd < 15; fd++)
		client(&a, fd, "somebody");
	ref = fan_out(&a, "hello\n", 10, 5);
	/* A death between an entry and the count of it. */
	heap_block(&a, ref)->refs = 77;
	cr_assert(eq(int, succeed(&a), 0));
	cr_assert(eq(u32, heap_block(&a, ref)->refs, 5));
	for (int fd = 10; fd < 15; fd++)
		cr_assert(reads(&a, &a.session[fd], "hello\n"), "%d", fd);
}

/* New blocks never lie over those in use, and holes are filled again. */
Test(recount, free_blocks_are_those_that_nobody_has)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "keeps");
	block_ref held[200];
	char text[100];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof text, "line %d\n", i);
		held[i] = fan_out(&a, text, 10, 1);
	}
	tx_begin(&a);
	queue_sent(&a, s, 7 * 50); /* "line 0" ... leave */
	tx_commit(&a);
	cr_assert(eq(int, succeed(&a), 0));
	for (int i = 0; i < 300; i++) {
		block_ref new = heap_copy(&a, SLICE_LIT("not yours\n"));

		for (int k = 60; k < 200; k++)
			cr_assert(ne(u32, new, held[k]));
	}
	for (int i = 60; i < 200; i++) {
		(void)snprintf(text, sizeof text, "line %d\n", i);
		cr_assert(slice_eq_str(heap_slice(&a, held[i]), text));
	}
}

Test(recount, large_blocks)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "large");
	char *text = malloc(200000);
	block_ref small;

	memset(text, 'x', 200000);
	tx_begin(&a);
	cr_assert(eq(int, arena_keep(&a, &s->held, slice_of(text, 200000)), 0));
	tx_commit(&a);
	cr_assert(eq(int, succeed(&a), 0));
	for (int i = 0; i < 5000; i++) {
		small = heap_copy(&a, SLICE_LIT("small"));
		cr_assert(ne(u32, small, 0));
	}
	cr_assert(slice_eq(heap_slice(&a, s->held), slice_of(text, 200000)));
	free(text);
}

/* A fan-out stores the bytes before the tail. */
Test(recount, pending_bytes_follow_the_queue)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "slow");

	fan_out(&a, "0123456789\n", 10, 1);
	tx_begin(&a);
	queue_sent(&a, s, 4);
	tx_commit(&a);
	arena_store(&s->q_bytes, 4711);
	cr_assert(eq(int, succeed(&a), 0));
	cr_assert(reads(&a, s, "456789\n"));
}

Test(recount, a_torn_record_is_closed_alone)
{
	struct arena a = start();
	const struct session *bad = client(&a, 10, "bad");
	const struct session *good = client(&a, 11, "good");
	uint64_t id = bad->id;

	arena_store(&bad->n_rooms, 999);
	cr_assert(eq(int, succeed(&a), 0));
	cr_assert(eq(int, bad->state, SESSION_TORN));
	cr_assert(eq(u64, bad->id, id));
	cr_assert(eq(u32, bad->nick, 0));
	cr_assert(slice_eq_str(heap_slice(&a, good->nick), "good"));
	/* And it can be freed. */
	tx_begin(&a);
	session_free(&a, bad);
	tx_commit(&a);
}

Test(recount, each_way_to_be_torn)
{
	struct arena a = start();
	const struct session *s = &a.session[10];
	block_ref ring = heap_alloc(&a, 64 * sizeof(uint32_t));

	client(&a, 10, "a");
	arena_store(&s->state, 99);
	client(&a, 11, "b");
	arena_store(&a.session[11].kind, ARENA_KINDS);
	client(&a, 12, "c");
	arena_store(&a.session[12].nick, UINT32_MAX);
	client(&a, 13, "d");
	arena_store(&a.session[13].q_word, 500);
	client(&a, 14, "e");
	arena_store(&a.session[14].room[0], 3);
	arena_store(&a.session[14].n_rooms, 1);
	client(&a, 15, "f");
	arena_store(&a.session[15].q_ring, queue_ring_word(1 << 8, 1));
	/* Places in a ring are told by the low bits of a count. */
	client(&a, 16, "g");
	arena_store(&a.session[16].q_ring, queue_ring_word(48, ring));
	client(&a, 17, "h");
	arena_store(&a.session[17].q_ring, queue_ring_word(0, ring));
	cr_assert(eq(int, succeed(&a), 0));
	for (int fd = 10; fd < 18; fd++)
		cr_assert(eq(int, a.session[fd].state, SESSION_TORN), "%d", fd);
}

Test(recount, blocks_that_contradict_each_other_are_not_gone_on_with)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "one");
	const struct session *t = client(&a, 11, "two");

	/* Two blocks of one span, and one of them claims to be of another
	 * class: whatever follows from it would be wrong. */
	heap_block(&a, s->nick)->len = 100;
	(void)t;
	cr_assert(eq(int, succeed(&a), -EPROTO));
}

static struct session_previous
previous_session(const struct arena *a, const struct session *s)
{
	struct session_previous p = { .id = s->id,
		.cookie = s->cookie,
		.proto_state = s->proto_state,
		.rx_total = s->rx_total,
		.tx_total = s->tx_total,
		.q_word = s->q_word,
		.q_head = s->q_head,
		.q_head_sent = s->q_head_sent,
		.q_bytes = s->q_bytes,
		.missed = s->missed,
		.state = s->state,
		.flags = s->flags & (uint16_t)~SESSION_ADDRESS,
		.kind = s->kind,
		.port = s->port,
		.line = s->line,
		.held = s->held,
		.held_at = s->held_at,
		.nick = s->nick,
		.tokens = s->tokens,
		.tokens_ms = s->tokens_ms,
		.active_s = s->active_s,
		.since_s = s->since_s,
		.n_rooms = s->n_rooms,
		.awaited = s->awaited,
		.current = session_current(a, s),
		.rooms = session_rooms_block(s),
		.missed_room = s->missed_room };

	if (queue_ring(s) != 0)
		p.q_ring = (uint64_t)queue_capacity(s) << 32 | queue_ring(s);
	else
		memcpy(p.q_inline, s->q_inline, sizeof p.q_inline);
	if (p.rooms == 0)
		memcpy(p.room, s->room, sizeof p.room);
	session_address(a, s, p.address);
	return p;
}

/* As an image of the previous layout has it: other records, other places. */
static int
previous(struct arena *now)
{
	uint64_t at[5], size;
	int fd;
	char *base;
	struct arena_head *h;
	struct session_previous *to;

	at[0] = 0;
	at[1] = (sizeof(struct arena_head) + 4095) & ~UINT64_C(4095);
	at[2] = at[1] + (uint64_t)((const char *)now->session - now->rx);
	at[3] = at[2] + ((FDS * sizeof *to + 4095) & ~UINT64_C(4095));
	at[4] = at[3] +
		((ARENA_ROOMS * sizeof(struct room) + 4095) & ~UINT64_C(4095));
	size = at[4] + ARENA_HEAP_BYTES;
	fd = fd_memory("previous", size, false);
	base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, fd, 0);
	memcpy(base, now->base, offsetof(struct arena_head, undo));
	memcpy(base + at[1], now->rx, at[2] - at[1]);
	to = (struct session_previous *)(void *)(base + at[2]);
	for (int i = 0; i < FDS; i++)
		to[i] = previous_session(now, &now->session[i]);
	memcpy(base + at[3], now->room, ARENA_ROOMS * sizeof(struct room));
	memcpy(base + at[4], now->heap, 1 << 20);
	h = (struct arena_head *)(void *)base;
	h->version = ARENA_PREVIOUS_VERSION;
	h->size = size;
	(void)munmap(base, size);
	return fd;
}

static const uint8_t v4[16] = {
	[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1
};
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static void
has_address(
	const struct arena *a, const struct session *s, const uint8_t want[16])
{
	uint8_t got[16];

	session_address(a, s, got);
	cr_assert(eq(int, memcmp(got, want, sizeof got), 0));
}

Test(recount, the_previous_layout_is_converted)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "ann");
	uint32_t room;
	int from;

	fan_out(&a, "hello\n", 10, 1);
	tx_begin(&a);
	room = room_take(&a, 5, SLICE_LIT("lobby"), 0);
	room_topic(&a, room, SLICE_LIT("all sorts"));
	(void)session_add_room(&a, s, room);
	session_set_address(&a, s, v6);
	tx_commit(&a);
	s = client(&a, 11, "bob");
	tx_begin(&a);
	session_set_address(&a, s, v4);
	for (uint32_t id = 6; id < 9; id++)
		(void)session_add_room(
			&a, s, room_take(&a, id, SLICE_LIT("other"), 0));
	arena_set(&a, &s->held_at, 3);
	tx_commit(&a);
	for (uint32_t i = 2; i < 7; i++)
		fan_out(&a, "to bob\n", 11, i);
	from = previous(&a);
	arena_unmap(&a);
	memory_fd = fd_memory("new", arena_size(FDS), false);
	cr_assert(arena_is_empty(memory_fd));
	cr_assert(eq(int, arena_convert(from, memory_fd, FDS), 0));
	cr_assert(not(arena_is_empty(memory_fd)));
	a = map_again(&(bool){ false });
	cr_assert(eq(int, arena_recount(&a), 0));
	last = a.blocks;
	s = session_at(&a, 10);
	cr_assert(s != NULL && reads(&a, s, "hello\n"));
	cr_assert(slice_eq_str(heap_slice(&a, s->nick), "ann"));
	cr_assert(
		slice_eq_str(room_name(&a, session_rooms(&a, s)[0]), "lobby"));
	cr_assert(slice_eq_str(
		heap_slice(&a, a.room[session_rooms(&a, s)[0]].topic),
		"all sorts"));
	has_address(&a, s, v6);
	s = session_at(&a, 11);
	cr_assert(s != NULL);
	has_address(&a, s, v4);
	cr_assert(eq(int, s->n_rooms, 3));
	cr_assert(eq(u32, a.room[session_current(&a, s)].id, 8));
	cr_assert(eq(int, s->held_at, 3));
	cr_assert(reads(&a, s, "to bob\nto bob\nto bob\nto bob\nto bob\n"));
}

/* Where it talked was nearly always the last room of its list. */
Test(recount, a_room_in_use_that_was_not_the_last_is_so_after_converting)
{
	struct arena a = start();
	const struct session *s = client(&a, 10, "ann");
	struct session_previous *p;
	uint64_t at = (uint64_t)((const char *)a.session - a.base);
	char *base;
	int from;

	tx_begin(&a);
	for (uint32_t id = 6; id < 9; id++)
		(void)session_add_room(
			&a, s, room_take(&a, id, SLICE_LIT("other"), 0));
	tx_commit(&a);
	from = previous(&a);
	base = mmap(NULL, at + 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED,
		from, 0);
	p = (struct session_previous *)(void *)(base + at);
	p[10].current = session_rooms(&a, s)[0];
	(void)munmap(base, at + 4096 * 4);
	arena_unmap(&a);
	memory_fd = fd_memory("new", arena_size(FDS), false);
	cr_assert(eq(int, arena_convert(from, memory_fd, FDS), 0));
	a = map_again(&(bool){ false });
	cr_assert(eq(int, arena_recount(&a), 0));
	last = a.blocks;
	s = session_at(&a, 10);
	cr_assert(eq(int, s->n_rooms, 3));
	cr_assert(eq(u32, a.room[session_current(&a, s)].id, 6));
	cr_assert(eq(u32, a.room[session_rooms(&a, s)[1]].id, 8));
}

Test(recount, other_layouts_are_refused)
{
	struct arena a = start();
	int to = fd_memory("new", arena_size(FDS), false);

	cr_assert(eq(int, arena_convert(memory_fd, to, FDS), -EPROTO));
	cr_assert(arena_is_empty(to));
	cr_assert(arena_can_use(ARENA_VERSION));
	cr_assert(arena_can_use(ARENA_PREVIOUS_VERSION));
	cr_assert(not(arena_can_use(ARENA_VERSION + 1)));
	cr_assert(not(arena_can_use(0)));
	arena_unmap(&a);
}

/* A worker that was killed and not parked: its image goes on, not another. */
Test(recount, a_cut_transaction_is_not_converted)
{
	struct arena a = start();
	int from, to = fd_memory("new", arena_size(FDS), false);

	client(&a, 10, "ann");
	tx_begin(&a);
	arena_set(&a, &a.session[10].port, 5);
	from = previous(&a);
	cr_assert(eq(int, arena_convert(from, to, FDS), -EPROTO));
	cr_assert(arena_is_empty(to));
}
