/* uring_private.h - what the files of the io_uring engine share.
 *
 * The memory that outlives the process begins with these notes; behind them,
 * at BUFFERS_AT, are the provided buffers.  What is here is known to every
 * build, also to one without liburing: it may have to harvest the ring of a
 * worker that had it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_IO_URING_PRIVATE_H
#define BANTER_IO_URING_PRIVATE_H

#include "io/io_private.h"

#include <errno.h>
#include <stdint.h>

#define BUFFER_BYTES 2048u
#define N_BUFFERS    1024u /* a power of two */
#define BUFFERS_AT   4096u

/* What a completion is of. */
enum uring_kind {
	URING_NOTHING, /* a request to cancel, or a probe */
	URING_RECV,
	URING_POLL
};

struct uring_notes {
	/* 1: this ring may have completions that nobody has handled.  Stored
	 * after all of the rest. */
	uint64_t is_ring;
	uint64_t ring_fd;
	/* Of the mapping of its completion queue. */
	uint64_t map_bytes, head_at, tail_at, cqes_at, n_cqes;
	uint64_t buffer_bytes, n_buffers;
	/* Index of the completion being handled, + 1.  Whether its bytes were
	 * noted by the handler decides if they are to be had here again. */
	uint64_t in_hand;
	/* 1: bytes are received without the ring. */
	uint64_t direct;
};

_Static_assert(sizeof(struct uring_notes) <= BUFFERS_AT, "notes");
_Static_assert(
	BUFFERS_AT + N_BUFFERS * BUFFER_BYTES == IO_MEMORY_BYTES, "memory");

#define TAG_BITS 40 /* of a number that is not used again */
#define FD_BITS  20

static inline uint64_t
uring_name(enum uring_kind kind, uint64_t tag, int fd)
{
	const uint64_t mask = (UINT64_C(1) << TAG_BITS) - 1;

	return (uint64_t)kind << (TAG_BITS + FD_BITS) |
	       (tag & mask) << FD_BITS | (uint32_t)fd;
}

static inline enum uring_kind
uring_kind_of(uint64_t name)
{
	return (enum uring_kind)(name >> (TAG_BITS + FD_BITS));
}

static inline int
uring_fd_of(uint64_t name)
{
	return (int)(name & ((1u << FD_BITS) - 1));
}

/* An error of a receive that says nothing about the connection. */
static inline bool
uring_is_passing(int error)
{
	return error == ECANCELED || error == ENOBUFS || error == EAGAIN ||
	       error == EINTR || error == ENOMEM;
}

/* A process that dies leaves its stores in program order; the fence is for the
 * compiler. */
static inline void
uring_note(uint64_t *at, uint64_t value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Bytes of fd that a completion has brought: to the handler.  After it returned
 * the completion is to be dropped before anything else is received. */
void uring_take(
	struct io *io, uint32_t index, int fd, const void *bytes, size_t len);

#endif
