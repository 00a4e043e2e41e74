/* heap_private.h - the spans of the heap, for heap.c and recount.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_HEAP_PRIVATE_H
#define BANTER_ARENA_HEAP_PRIVATE_H

#include "arena/heap.h"

#define SPAN_BYTES 65536u
#define SPAN_UNITS (SPAN_BYTES / 64)
#define N_SPANS    ((uint32_t)(ARENA_HEAP_BYTES / SPAN_BYTES))
#define N_CLASSES  14 /* 64 << 0 .. 64 << 13 */
#define LARGE      11 /* the first class beyond a span */
#define NO_CLASS   255
#define WARM_SPANS 16 /* free spans whose pages stay */
#define END        0

struct span {
	uint8_t class;
	uint16_t n_used;     /* blocks handed out */
	uint16_t n_fresh;    /* blocks that were never handed out */
	uint32_t free;       /* block_ref of the first free block */
	uint32_t prev, next; /* in the class's list of spans with room; or the
			      * list of free spans.  Index + 1 */
};

struct heap {
	struct span *span; /* [N_SPANS], grown as used */
	uint32_t n_spans, cap_spans;
	uint32_t with_room[N_CLASSES]; /* index + 1; from LARGE on: free */
	uint32_t warm, cold;           /* free spans with pages, and without */
	uint32_t n_warm;
	uint64_t used, counted;
	block_ref *pending; /* unreferenced in this transaction */
	uint32_t n_pending, cap_pending;
};

static inline uint32_t
class_bytes(unsigned class)
{
	return 64u << class;
}

/* The class of a block with so many bytes, its header included. */
static inline unsigned
class_for(size_t bytes)
{
	unsigned class = 0;

	while (class_bytes(class) < bytes)
		class ++;
	return class;
}

static inline uint32_t
span_blocks(unsigned class)
{
	return SPAN_BYTES / class_bytes(class);
}

/* Consecutive spans of one block. */
static inline uint32_t
run_spans(unsigned class)
{
	return class_bytes(class) / SPAN_BYTES;
}

/* Room for n spans in the table. */
void heap_reserve(struct heap *h, uint32_t n);

/* Put a span at the front of a list of its heap. */
void heap_list_push(struct heap *h, uint32_t *list, uint32_t at);

#endif
