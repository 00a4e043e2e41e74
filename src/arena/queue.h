/* queue.h - a session's pending output: references to blocks, in order.
 *
 * A ring of block references, inline in the record while it is short: a block's
 * number leaves the highest bit free, which tells that a ring is meant.  An
 * entry is written first and then made valid by one store of q_word = {low bits
 * of the frame, tail}; so a cut fan-out is run again from its first member and
 * skips those whose word has the frame.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_QUEUE_H
#define BANTER_ARENA_QUEUE_H

#include "arena/arena.h"
#include "arena/heap.h"
#include "arena/tx.h"

#include <sys/uio.h>

static inline uint32_t
queue_tail(const struct session *s)
{
	return (uint32_t)s->q_word;
}

static inline uint32_t
queue_frame(const struct session *s)
{
	return (uint32_t)(s->q_word >> 32);
}

static inline uint32_t
queue_count(const struct session *s)
{
	return queue_tail(s) - s->q_head;
}

#ifndef BANTER_TEST_PREVIOUS
# define QUEUE_RING (UINT64_C(1) << 63)
#else
# define QUEUE_RING 0
#endif

/* What q_ring is set to. */
static inline uint64_t
queue_ring_word(uint32_t capacity, block_ref ref)
{
	return QUEUE_RING | (uint64_t)capacity << 32 | ref;
}

/* The block of the ring; 0: inline. */
static inline block_ref
queue_ring(const struct session *s)
{
	if (QUEUE_RING != 0 && !(s->q_ring & QUEUE_RING))
		return 0;
	return (block_ref)s->q_ring;
}

static inline uint32_t
queue_capacity(const struct session *s)
{
	if (queue_ring(s) == 0)
		return SESSION_INLINE_QUEUE;
	return (uint32_t)((s->q_ring & ~QUEUE_RING) >> 32);
}

/* Entries of a ring; a little of it is kept for what a session is told of its
 * own doing. */
#define QUEUE_MAX     65536u
#define QUEUE_RESERVE 256u

static inline bool
queue_is_long(const struct session *s)
{
	return queue_count(s) >= QUEUE_MAX - QUEUE_RESERVE;
}

static inline bool
queue_is_empty(const struct session *s)
{
	return queue_tail(s) == s->q_head;
}

/* Append a block of len bytes for a frame; the queue takes one reference that
 * the caller counted.  0, or -ENOMEM when the ring cannot grow. */
int queue_push(struct arena *a, const struct session *s, block_ref ref,
	uint32_t len, uint32_t frame);

/* The block of an entry, from q_head on. */
block_ref queue_at(const struct arena *a, const struct session *s, uint32_t at);

/* The block, if there is one only and nothing of it is out; else 0.  That is
 * what nearly every send finds, and it is done with where it is found: between
 * two calls to the kernel code is costly, because each drives it from the
 * nearest cache. */
static inline block_ref
queue_single(const struct session *s)
{
	if (queue_count(s) != 1 || queue_ring(s) != 0 || s->q_head_sent != 0)
		return 0;
	return s->q_inline[s->q_head & (SESSION_INLINE_QUEUE - 1)];
}

/* What to send next, at most cap pieces.  The count. */
unsigned queue_pieces(const struct arena *a, const struct session *s,
	struct iovec *iov, unsigned cap);

static inline unsigned
queue_iov(const struct arena *a, const struct session *s, struct iovec *iov,
	unsigned cap)
{
	block_ref ref = queue_single(s);

	if (ref == 0)
		return queue_pieces(a, s, iov, cap);
	iov->iov_base = heap_block(a, ref)->data;
	iov->iov_len = heap_block(a, ref)->len;
	return 1;
}

/* n bytes are out: drop whole blocks, keep the place in the next one.  Inside a
 * transaction. */
void queue_advance(struct arena *a, const struct session *s, size_t n);

static inline void
queue_sent(struct arena *a, const struct session *s, size_t n)
{
	block_ref ref = queue_single(s);

	if (ref == 0 || heap_block(a, ref)->len != n) {
		queue_advance(a, s, n);
		return;
	}
	heap_unref(a, ref);
	arena_set(a, &s->q_head, s->q_head + 1);
	arena_store(&s->q_bytes, 0);
	arena_set(a, &s->tx_total, s->tx_total + n);
}

/* Drop all but a block that is partly out.  How many lines that were.  Inside a
 * transaction. */
uint64_t queue_drop(struct arena *a, const struct session *s);

/* Drop everything.  Inside a transaction. */
void queue_clear(struct arena *a, const struct session *s);

#endif
