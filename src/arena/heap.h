/* heap.h - blocks of the arena: encoded events, unfinished lines, nicks.
 *
 * Size classes from 64 bytes to 512 KiB, in spans of 64 KiB.  Contents of a new
 * block are not logged.  Free lists and reference counts are derived: they are
 * built anew by each worker from the records that refer to blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_HEAP_H
#define BANTER_ARENA_HEAP_H

#include "arena/arena.h"
#include "base/must.h"
#include "base/slice.h"

#include <stdint.h>

#define HEAP_BLOCK_MAX 524288u /* bytes of a block with its header */
#define HEAP_DATA_MAX  (HEAP_BLOCK_MAX - (uint32_t)sizeof(struct block))

struct block {
	uint32_t len;   /* bytes of data */
	uint32_t refs;  /* derived */
	uint32_t lines; /* of output: how many are missed when it is dropped;
			 * 0: no output */
	uint32_t spare;
	char data[];
};

void heap_init(struct arena *a);
void heap_fini(struct arena *a);

/* A block for len bytes (at most HEAP_DATA_MAX), with one reference that the
 * caller owns; 0 when the heap is used up.  Write it through heap_block()
 * before any record refers to it. */
block_ref heap_alloc(struct arena *a, size_t len);

/* The same with a copy of s. */
block_ref heap_copy(struct arena *a, struct slice s);

static inline struct block *
heap_block(const struct arena *a, block_ref ref)
{
	return (struct block *)(a->heap + (uint64_t)(ref - 1) * 64);
}

/* Bytes that the block can hold. */
uint32_t heap_capacity(const struct arena *a, block_ref ref);

/* A block that nobody refers to any more. */
void heap_free(struct arena *a, block_ref ref);

/* One reference more, or less; the last one frees.  ref may be 0. */
void heap_ref(struct arena *a, block_ref ref, uint32_t n);

static inline void
heap_unref(struct arena *a, block_ref ref)
{
	struct block *b;

	if (ref == 0)
		return;
	b = heap_block(a, ref);
	must(b->refs > 0);
	if (--b->refs == 0)
		heap_free(a, ref);
}

/* The data of a block; empty for 0. */
struct slice heap_slice(const struct arena *a, block_ref ref);

/* Nothing has happened for a while: pages of free spans go back to the kernel.
 */
void heap_trim(struct arena *a);

/* Bytes of blocks in use. */
uint64_t heap_used(const struct arena *a);

/* This block is output, of so many lines.  heap_counted(): bytes of all that
 * are. */
void heap_count(struct arena *a, block_ref ref, uint64_t lines);
uint64_t heap_counted(const struct arena *a);

#endif
