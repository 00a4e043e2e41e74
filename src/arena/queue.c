/* SPDX-License-Identifier: MIT */
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/fault.h"

#include <errno.h>

static const uint32_t *
ring_entries(const struct arena *a, const struct session *s)
{
	if (queue_ring(s) == 0)
		return s->q_inline;
	return (const uint32_t *)(const void *)heap_block(a, queue_ring(s))
		->data;
}

/* The new ring has the same entries at the same places modulo its size, so
 * that one store of q_ring switches over, with nothing to undo. */
static int
ring_grow(struct arena *a, const struct session *s)
{
	uint32_t cap = queue_capacity(s), wider = cap * 4;
	const uint32_t *from = ring_entries(a, s);
	block_ref ref, old = queue_ring(s);
	uint32_t *to;

	if (cap == QUEUE_MAX)
		return -ENOMEM;
	if (wider > QUEUE_MAX)
		wider = QUEUE_MAX;
	ref = heap_alloc(a, wider * sizeof *to);
	if (ref == 0)
		return -ENOMEM;
	to = (uint32_t *)(void *)heap_block(a, ref)->data;
	for (uint32_t at = s->q_head; at != queue_tail(s); at++)
		to[at & (wider - 1)] = from[at & (cap - 1)];
	FAULT(queue_copied);
	arena_set(a, &s->q_ring, queue_ring_word(wider, ref));
	FAULT(queue_grown);
	heap_unref(a, old);
	return 0;
}

int
queue_push(struct arena *a, const struct session *s, block_ref ref,
	uint32_t len, uint32_t frame)
{
	uint32_t tail = queue_tail(s);

	if (queue_count(s) == queue_capacity(s) && ring_grow(a, s) < 0)
		return -ENOMEM;
	/* Beyond the tail nothing is valid: no undo. */
	arena_store(&ring_entries(a, s)[tail & (queue_capacity(s) - 1)], ref);
	arena_store(&s->q_bytes, s->q_bytes + len);
	FAULT(queue_push);
	arena_set(a, &s->q_word, (uint64_t)frame << 32 | (uint32_t)(tail + 1));
	return 0;
}

block_ref
queue_at(const struct arena *a, const struct session *s, uint32_t at)
{
	return ring_entries(a, s)[at & (queue_capacity(s) - 1)];
}

unsigned
queue_pieces(const struct arena *a, const struct session *s, struct iovec *iov,
	unsigned cap)
{
	const uint32_t *ring = ring_entries(a, s);
	uint32_t mask = queue_capacity(s) - 1, skip = s->q_head_sent;
	unsigned n = 0;

	for (uint32_t at = s->q_head; at != queue_tail(s) && n < cap; at++) {
		struct block *b = heap_block(a, ring[at & mask]);

		iov[n].iov_base = b->data + skip;
		iov[n++].iov_len = b->len - skip;
		skip = 0;
	}
	return n;
}

/* An empty queue goes back inline: an idle client costs its record only. */
static void
ring_drop(struct arena *a, const struct session *s)
{
	if (queue_ring(s) == 0)
		return;
	heap_unref(a, queue_ring(s));
	arena_set(a, &s->q_ring, 0);
}

void
queue_advance(struct arena *a, const struct session *s, size_t n)
{
	const uint32_t *ring = ring_entries(a, s);
	uint32_t mask = queue_capacity(s) - 1, at = s->q_head;
	uint64_t left = s->q_head_sent + n;

	while (at != queue_tail(s)) {
		block_ref ref = ring[at & mask];
		uint32_t len = heap_block(a, ref)->len;

		if (left < len)
			break;
		left -= len;
		heap_unref(a, ref);
		at++;
	}
	must(at != queue_tail(s) || left == 0);
	arena_set(a, &s->q_head, at);
	if (left != s->q_head_sent)
		arena_set(a, &s->q_head_sent, left);
	arena_store(&s->q_bytes, s->q_bytes - n);
	arena_set(a, &s->tx_total, s->tx_total + n);
	if (queue_is_empty(s))
		ring_drop(a, s);
}

void
queue_clear(struct arena *a, const struct session *s)
{
	const uint32_t *ring = ring_entries(a, s);
	uint32_t mask = queue_capacity(s) - 1;

	for (uint32_t at = s->q_head; at != queue_tail(s); at++)
		heap_unref(a, ring[at & mask]);
	arena_set(a, &s->q_head, queue_tail(s));
	arena_set(a, &s->q_head_sent, 0);
	arena_store(&s->q_bytes, 0);
	ring_drop(a, s);
}

uint64_t
queue_drop(struct arena *a, const struct session *s)
{
	const uint32_t *ring = ring_entries(a, s);
	uint32_t mask = queue_capacity(s) - 1, first = s->q_head;
	uint32_t bytes = s->q_bytes;
	uint64_t n = 0;

	if (s->q_head_sent > 0)
		first++;
	for (uint32_t at = first; at != queue_tail(s); at++) {
		bytes -= heap_block(a, ring[at & mask])->len;
		n += heap_block(a, ring[at & mask])->lines;
		heap_unref(a, ring[at & mask]);
	}
	arena_set(a, &s->q_word, (uint64_t)queue_frame(s) << 32 | first);
	arena_store(&s->q_bytes, bytes);
	if (queue_is_empty(s))
		ring_drop(a, s);
	return n;
}
