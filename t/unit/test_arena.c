/* Transactions, blocks, queues and records of the arena.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/arena.h"
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS 64

TestSuite(arena, .timeout = 20);

static int
memory(void)
{
	int fd = fd_memory("test arena", arena_size(FDS), false);

	cr_assert(ge(int, fd, 0));
	return fd;
}

/* Reachable to the end of the test, so that it is no leak. */
static struct heap *volatile last;

static struct arena
mapped(int fd, bool *used)
{
	struct arena a;

	cr_assert(eq(int, arena_map(&a, fd, arena_size(FDS), FDS, 7, used), 0));
	last = a.blocks;
	return a;
}

static const struct session *
fresh(struct arena *a, int fd)
{
	const struct session *s;

	tx_begin(a);
	s = session_new(a, fd, 3);
	tx_commit(a);
	return s;
}

Test(arena, empty_then_used)
{
	int fd = memory();
	bool used;
	struct arena a = mapped(fd, &used);

	cr_assert(not(used));
	cr_assert(eq(u64, a.head->next_number, 7));
	fresh(&a, 10);
	arena_unmap(&a);
	a = mapped(fd, &used);
	cr_assert(used);
	cr_assert(eq(u64, a.head->next_number, 8));
	cr_assert(eq(u64, a.session[10].id, (uint64_t)3 << 48 | 7));
	cr_assert(session_at(&a, 11) == NULL);
}

Test(arena, refuses_another_layout)
{
	int fd = memory();
	bool used;
	struct arena a = mapped(fd, &used);

	arena_store(&a.head->version, ARENA_VERSION + 1);
	arena_unmap(&a);
	cr_assert(eq(int, arena_map(&a, fd, arena_size(FDS), FDS, 7, &used),
		-EPROTO));
	cr_assert(eq(int,
		arena_map(&a, fd, arena_size(FDS) + 4096, FDS, 7, &used),
		-EPROTO));
}

/* A transaction that is never committed leaves no trace. */
Test(arena, cut_transaction_is_rolled_back)
{
	int fd = memory();
	bool used;
	struct arena a = mapped(fd, &used);
	const struct session *s = fresh(&a, 5);
	struct session before = *s;

	tx_begin(&a);
	arena_set(&a, &s->state, SESSION_OPEN);
	arena_set(&a, &s->state, SESSION_FLUSHING);
	arena_set(&a, &s->rx_total, 12345);
	arena_set(&a, &s->port, 99);
	session_set_address(&a, s, (const uint8_t *)"0123456789abcdef");
	(void)session_add_room(&a, s, 4);
	cr_assert(eq(int, s->state, SESSION_FLUSHING));
	arena_unmap(&a);
	a = mapped(fd, &used);
	cr_assert(eq(int, memcmp(&a.session[5], &before, sizeof before), 0));
	cr_assert(eq(u64, a.head->undo_count, 0));
}

/* The bytes that went out are noted in full or not at all.  How many are
 * pending is no part of that: it is counted anew. */
Test(arena, a_send_that_was_being_noted_was_not)
{
	int fd = memory();
	bool used;
	struct arena a = mapped(fd, &used);
	const struct session *s = fresh(&a, 5);
	block_ref ref = heap_copy(&a, SLICE_LIT("hello\n"));
	struct session before;

	cr_assert(eq(int, queue_push(&a, s, ref, 6, 1), 0));
	arena_store(&s->tx_total, 1000);
	before = *s;
	tx_begin(&a);
	queue_sent(&a, s, 6);
	cr_assert(queue_is_empty(s));
	arena_unmap(&a);
	a = mapped(fd, &used);
	cr_assert(eq(int, arena_recount(&a), 0));
	last = a.blocks;
	cr_assert(eq(int, memcmp(&a.session[5], &before, sizeof before), 0));
	cr_assert(slice_eq_str(heap_slice(&a, ref), "hello\n"));
	cr_assert(eq(u32, heap_block(&a, ref)->refs, 1));
}

/* The child moves one unit from one record to another, for ever, and is killed
 * at a random moment: the sum must hold. */
static void
move_for_ever(struct arena *a, const struct session *x, const struct session *y)
{
	for (unsigned i = 0;; i++) {
		const struct session *from = i % 2 ? x : y;
		const struct session *to = i % 2 ? y : x;

		tx_begin(a);
		arena_set(a, &from->rx_total, from->rx_total - 1);
		arena_set(a, &from->tx_total, from->tx_total + 3);
		arena_set(a, &to->rx_total, to->rx_total + 1);
		arena_set(a, &to->tx_total, to->tx_total - 3);
		tx_commit(a);
	}
}

Test(arena, killed_in_the_middle)
{
	int fd = memory();
	bool used;

	for (int round = 0; round < 200; round++) {
		struct arena a = mapped(fd, &used);
		const struct session *x = &a.session[1], *y = &a.session[2];
		pid_t pid;

		if (!used) {
			x = fresh(&a, 1);
			y = fresh(&a, 2);
			arena_store(&x->rx_total, 1000000);
			arena_store(&y->rx_total, 1000000);
		}
		cr_assert(eq(u64, x->rx_total + y->rx_total, 2000000));
		cr_assert(eq(u64, x->tx_total + y->tx_total, 0));
		pid = fork();
		if (pid == 0)
			move_for_ever(&a, x, y);
		usleep((useconds_t)(rand() % 3000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		arena_unmap(&a);
	}
}

Test(arena, blocks_come_back)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	block_ref first[300], again;

	for (int i = 0; i < 300; i++) {
		first[i] = heap_alloc(&a, 1 + (size_t)i * 100);
		cr_assert(ne(u32, first[i], 0));
		memset(heap_block(&a, first[i])->data, i, 1 + (size_t)i * 100);
	}
	for (int i = 0; i < 300; i++) {
		struct slice s = heap_slice(&a, first[i]);

		cr_assert(eq(sz, s.len, 1 + (size_t)i * 100));
		for (size_t k = 0; k < s.len; k++)
			cr_assert(eq(chr, s.p[k], (char)i));
	}
	for (int i = 0; i < 300; i++)
		heap_unref(&a, first[i]);
	cr_assert(eq(u64, heap_used(&a), 0));
	again = heap_alloc(&a, HEAP_DATA_MAX);
	cr_assert(ne(u32, again, 0));
	cr_assert(ge(u32, heap_capacity(&a, again), HEAP_DATA_MAX));
}

/* A record that is rolled back may refer to it. */
Test(arena, freed_block_is_not_reused_before_commit)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);
	block_ref old;

	tx_begin(&a);
	cr_assert(eq(int, arena_keep(&a, &s->line, SLICE_LIT("half")), 0));
	tx_commit(&a);
	old = s->line;
	tx_begin(&a);
	cr_assert(eq(int, arena_keep(&a, &s->line, SLICE_LIT("other")), 0));
	for (int i = 0; i < 2000; i++)
		cr_assert(ne(u32, heap_alloc(&a, 10), old));
	tx_commit(&a);
	cr_assert(eq(u32, heap_alloc(&a, 10), old));
}

static size_t
drain(struct arena *a, const struct session *s, char *out, size_t step)
{
	size_t n = 0;

	while (!queue_is_empty(s)) {
		struct iovec iov[3];
		unsigned k = queue_iov(a, s, iov, 3);
		size_t sent = 0;

		for (unsigned i = 0; i < k && sent < step; i++) {
			size_t len = iov[i].iov_len;

			if (len > step - sent)
				len = step - sent;
			memcpy(out + n + sent, iov[i].iov_base, len);
			sent += len;
		}
		tx_begin(a);
		queue_sent(a, s, sent);
		tx_commit(a);
		n += sent;
	}
	return n;
}

Test(arena, queue_keeps_order_at_every_step)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);
	char expected[8192], out[8192];

	for (size_t step = 1; step < 40; step++) {
		size_t len = 0;

		for (int i = 0; i < 200; i++) {
			char text[16];
			int n = snprintf(text, sizeof text, "<%d>", i);
			block_ref ref =
				heap_copy(&a, slice_of(text, (size_t)n));

			memcpy(expected + len, text, (size_t)n);
			len += (size_t)n;
			cr_assert(eq(int,
				queue_push(&a, s, ref, (uint32_t)n, 1), 0));
		}
		cr_assert(eq(u32, s->q_bytes, (uint32_t)len));
		cr_assert(eq(sz, drain(&a, s, out, step), len));
		cr_assert(eq(int, memcmp(out, expected, len), 0));
		cr_assert(eq(u32, s->q_bytes, 0));
		cr_assert(eq(u32, queue_ring(s), 0));
	}
	cr_assert(eq(u64, heap_used(&a), 0));
}

/* Room is kept for what a session is told of its own doing. */
Test(arena, queue_takes_all_that_it_promises)
{
	int fd = memory();
	bool used;
	struct arena a = mapped(fd, &used);
	const struct session *s = fresh(&a, 9);
	block_ref ref = heap_copy(&a, SLICE_LIT("x"));

	for (uint32_t n = 0; n < QUEUE_MAX; n++) {
		cr_assert(eq(int, queue_push(&a, s, ref, 1, n), 0), "%u", n);
		heap_ref(&a, ref, 1);
		if (n + 1 == QUEUE_MAX - QUEUE_RESERVE)
			cr_assert(queue_is_long(s));
	}
	cr_assert(eq(int, queue_push(&a, s, ref, 1, 0), -ENOMEM));
	tx_begin(&a);
	queue_clear(&a, s);
	tx_commit(&a);
	heap_unref(&a, ref);
	cr_assert(eq(u64, heap_used(&a), 0));
}

Test(arena, queue_drop_keeps_what_is_partly_out)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	for (int i = 0; i < 10; i++) {
		block_ref ref = heap_copy(&a, SLICE_LIT("12345"));

		heap_count(&a, ref, 1);
		(void)queue_push(&a, s, ref, 5, 1);
	}
	tx_begin(&a);
	queue_sent(&a, s, 7);
	cr_assert(eq(u64, queue_drop(&a, s), 8));
	tx_commit(&a);
	cr_assert(eq(u32, s->q_bytes, 3));
	cr_assert(eq(u32, queue_count(s), 1));
}

Test(arena, rooms_of_a_session)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	tx_begin(&a);
	for (uint32_t r = 1; r <= 100; r++)
		cr_assert(eq(int, session_add_room(&a, s, r), 0));
	for (uint32_t r = 1; r <= 98; r++)
		session_remove_room(&a, s, r);
	tx_commit(&a);
	cr_assert(eq(u32, s->n_rooms, 2));
	cr_assert(eq(u32, session_rooms_block(s), 0));
	cr_assert(session_in_room(&a, s, 99) && session_in_room(&a, s, 100));
	tx_begin(&a);
	session_free(&a, s);
	tx_commit(&a);
	cr_assert(eq(u64, heap_used(&a), 0));
}

/* What is said goes to the last one, and one used earlier may be used again. */
Test(arena, the_room_in_use_is_the_last_one)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	cr_assert(eq(u32, session_current(&a, s), ARENA_NONE));
	for (uint32_t n = 1; n <= 5; n++) {
		tx_begin(&a);
		cr_assert(eq(int, session_add_room(&a, s, n), 0));
		cr_assert(eq(u32, session_current(&a, s), n));
		session_use_room(&a, s, 1);
		cr_assert(eq(u32, session_current(&a, s), 1));
		session_use_room(&a, s, 77); /* is none of its rooms */
		cr_assert(eq(u32, session_current(&a, s), 1));
		cr_assert(eq(int, s->n_rooms, (int)n));
		tx_commit(&a);
	}
	tx_begin(&a);
	session_remove_room(&a, s, 1);
	cr_assert(eq(u32, session_current(&a, s), 5));
	session_leave_rooms(&a, s);
	cr_assert(eq(u32, session_current(&a, s), ARENA_NONE));
	tx_commit(&a);
	cr_assert(eq(u64, heap_used(&a), 0));
}

Test(arena, addresses)
{
	static const uint8_t address[][16] = {
		{ 0 },
		{ [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 },
		{ [10] = 0xff, [11] = 0xff },
		{ 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
		{ [15] = 1 },
		{ [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
	};
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	for (size_t i = 0; i < sizeof address / sizeof *address; i++) {
		uint8_t got[16];

		tx_begin(&a);
		session_set_address(&a, s, address[i]);
		tx_commit(&a);
		session_address(&a, s, got);
		cr_assert(eq(int, memcmp(got, address[i], 16), 0), "%zu", i);
	}
	cr_assert(eq(u32, s->flags & SESSION_ADDRESS, 0));
}

/* All of the heap that a block of so many bytes could still be had of. */
static void
use_up(struct arena *a, size_t bytes)
{
	while (heap_alloc(a, bytes) != 0)
		;
}

/* What was handled of what waits is not handled again. */
Test(arena, without_memory_the_bytes_before_stay)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	tx_begin(&a);
	session_hold(&a, s, SLICE_LIT("one\ntwo\n"), 8);
	arena_set(&a, &s->held_at, 4);
	tx_commit(&a);
	use_up(&a, HEAP_DATA_MAX);
	use_up(&a, 20000);
	use_up(&a, 10);
	tx_begin(&a);
	session_hold(&a, s, SLICE_LIT("two\nthree\n"), 6);
	tx_commit(&a);
	cr_assert(eq(u32, s->flags & SESSION_BROKEN, SESSION_BROKEN));
	cr_assert(eq(u64, s->rx_total, 14));
	cr_assert(eq(int, s->held_at, 4));
	cr_assert(slice_eq_str(heap_slice(&a, s->held), "one\ntwo\n"));
}

Test(arena, count_of_what_was_missed_does_not_wrap)
{
	bool used;
	struct arena a = mapped(memory(), &used);
	const struct session *s = fresh(&a, 5);

	tx_begin(&a);
	session_miss(&a, s, 3, UINT32_MAX - 1);
	cr_assert(eq(u32, s->missed_room, 3));
	session_miss(&a, s, 3, 1);
	session_miss(&a, s, 3, 1);
	cr_assert(eq(u32, s->missed, UINT32_MAX));
	cr_assert(eq(u32, s->missed_room, 3));
	session_miss(&a, s, 4, 1);
	cr_assert(eq(u32, s->missed_room, 0));
	tx_commit(&a);
}
