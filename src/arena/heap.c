/* Blocks of one class fill a span of 64 KiB.  A span whose blocks are all free
 * gives its pages back to the kernel and may serve another class, so that a
 * burst does not stay in memory.  A block that is larger than a span has
 * several to itself, and they stay together for the next of that size.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/heap_private.h"
#include "arena/tx.h"
#include "base/xalloc.h"

#include <stdlib.h>
#include <sys/mman.h>

void
heap_init(struct arena *a)
{
	a->blocks = xcalloc(1, sizeof *a->blocks);
}

void
heap_fini(struct arena *a)
{
	if (a->blocks == NULL)
		return;
	free(a->blocks->span);
	free(a->blocks->pending);
	free(a->blocks);
	a->blocks = NULL;
}

void
heap_list_push(struct heap *h, uint32_t *list, uint32_t at)
{
	struct span *s = &h->span[at];

	s->prev = END;
	s->next = *list;
	if (*list != END)
		h->span[*list - 1].prev = at + 1;
	*list = at + 1;
}

static void
list_remove(struct heap *h, uint32_t *list, uint32_t at)
{
	struct span *s = &h->span[at];

	if (s->prev != END)
		h->span[s->prev - 1].next = s->next;
	else
		*list = s->next;
	if (s->next != END)
		h->span[s->next - 1].prev = s->prev;
}

void
heap_reserve(struct heap *h, uint32_t n)
{
	if (n <= h->cap_spans)
		return;
	h->cap_spans = n + n / 2 + 16;
	h->span = xrealloc(h->span, h->cap_spans, sizeof *h->span);
}

/* A span without a class.  Index, or N_SPANS when the heap is used up. */
static uint32_t
span_take(struct heap *h)
{
	uint32_t at;

	if (h->warm != END) {
		at = h->warm - 1;
		list_remove(h, &h->warm, at);
		h->n_warm--;
		return at;
	}
	if (h->cold != END) {
		at = h->cold - 1;
		list_remove(h, &h->cold, at);
		return at;
	}
	if (h->n_spans == N_SPANS)
		return N_SPANS;
	heap_reserve(h, h->n_spans + 1);
	return h->n_spans++;
}

static bool
span_is_full(const struct span *s)
{
	return s->free == 0 && s->n_fresh == 0;
}

static block_ref
span_alloc(struct arena *a, uint32_t at)
{
	struct span *s = &a->blocks->span[at];
	block_ref ref = s->free;

	if (ref != 0) {
		s->free = heap_block(a, ref)->len;
	} else {
		uint32_t index = span_blocks(s->class) - s->n_fresh;

		s->n_fresh--;
		ref = at * SPAN_UNITS + index * (class_bytes(s->class) / 64) +
		      1;
	}
	s->n_used++;
	return ref;
}

/* Consecutive spans for one block. */
static block_ref
large_alloc(struct arena *a, unsigned class, size_t len)
{
	struct heap *h = a->blocks;
	uint32_t at = h->with_room[class];
	block_ref ref;

	if (at != END) {
		at--;
		list_remove(h, &h->with_room[class], at);
	} else {
		if (N_SPANS - h->n_spans < run_spans(class))
			return 0;
		at = h->n_spans;
		heap_reserve(h, at + run_spans(class));
		h->n_spans += run_spans(class);
	}
	h->span[at] = (struct span){ .class = (uint8_t) class, .n_used = 1 };
	h->used += class_bytes(class);
	ref = at * SPAN_UNITS + 1;
	*heap_block(a, ref) = (struct block){ .len = (uint32_t)len, .refs = 1 };
	return ref;
}

static void
large_free(struct arena *a, uint32_t at)
{
	struct heap *h = a->blocks;
	unsigned class = h->span[at].class;

	h->used -= class_bytes(class);
	(void)madvise(a->heap + (uint64_t)at * SPAN_BYTES, class_bytes(class),
		MADV_REMOVE);
	heap_list_push(h, &h->with_room[class], at);
}

block_ref
heap_alloc(struct arena *a, size_t len)
{
	struct heap *h = a->blocks;
	unsigned class = class_for(len + sizeof(struct block));
	uint32_t at;
	block_ref ref;

	must(len <= HEAP_DATA_MAX);
	if (class >= LARGE)
		return large_alloc(a, class, len);
	if (h->with_room[class] == END) {
		at = span_take(h);
		if (at == N_SPANS)
			return 0;
		h->span[at] = (struct span){ .class = (uint8_t) class,
			.n_fresh = (uint16_t)span_blocks(class) };
		heap_list_push(h, &h->with_room[class], at);
	}
	at = h->with_room[class] - 1;
	ref = span_alloc(a, at);
	if (span_is_full(&h->span[at]))
		list_remove(h, &h->with_room[class], at);
	h->used += class_bytes(class);
	*heap_block(a, ref) = (struct block){ .len = (uint32_t)len, .refs = 1 };
	return ref;
}

block_ref
heap_copy(struct arena *a, struct slice s)
{
	block_ref ref = heap_alloc(a, s.len);

	if (ref != 0 && s.len > 0)
		memcpy(heap_block(a, ref)->data, s.p, s.len);
	return ref;
}

static struct span *
span_of(const struct arena *a, block_ref ref)
{
	uint32_t at = (ref - 1) / SPAN_UNITS;

	must(ref != 0 && at < a->blocks->n_spans);
	return &a->blocks->span[at];
}

uint32_t
heap_capacity(const struct arena *a, block_ref ref)
{
	return class_bytes(span_of(a, ref)->class) -
	       (uint32_t)sizeof(struct block);
}

/* MADV_REMOVE punches a hole: the memfd's pages go back. */
static void
span_chill(struct arena *a, uint32_t at)
{
	(void)madvise(
		a->heap + (uint64_t)at * SPAN_BYTES, SPAN_BYTES, MADV_REMOVE);
	heap_list_push(a->blocks, &a->blocks->cold, at);
}

static void
span_release(struct arena *a, uint32_t at)
{
	struct heap *h = a->blocks;

	list_remove(h, &h->with_room[h->span[at].class], at);
	h->span[at].class = NO_CLASS;
	if (h->n_warm < WARM_SPANS) {
		h->n_warm++;
		heap_list_push(h, &h->warm, at);
		return;
	}
	span_chill(a, at);
}

static void
block_free(struct arena *a, block_ref ref)
{
	struct heap *h = a->blocks;
	struct span *s = span_of(a, ref);
	uint32_t at = (uint32_t)(s - h->span);
	bool was_full = span_is_full(s);

	if (s->class >= LARGE) {
		large_free(a, at);
		return;
	}
	if (heap_block(a, ref)->lines > 0)
		h->counted -= class_bytes(s->class);
	heap_block(a, ref)->len = s->free;
	s->free = ref;
	h->used -= class_bytes(s->class);
	if (was_full)
		heap_list_push(h, &h->with_room[s->class], at);
	if (--s->n_used == 0)
		span_release(a, at);
}

static void
pending_add(struct heap *h, block_ref ref)
{
	if (h->n_pending == h->cap_pending) {
		h->cap_pending = h->cap_pending ? h->cap_pending * 2 : 64;
		h->pending = xrealloc(
			h->pending, h->cap_pending, sizeof *h->pending);
	}
	h->pending[h->n_pending++] = ref;
}

void
heap_commit(struct arena *a)
{
	struct heap *h = a->blocks;

	for (uint32_t i = 0; i < h->n_pending; i++)
		block_free(a, h->pending[i]);
	h->n_pending = 0;
	a->has_freed = false;
}

void
heap_ref(struct arena *a, block_ref ref, uint32_t n)
{
	if (ref != 0)
		heap_block(a, ref)->refs += n;
}

void
heap_free(struct arena *a, block_ref ref)
{
	if (!a->in_transaction) {
		block_free(a, ref);
		return;
	}
	pending_add(a->blocks, ref);
	a->has_freed = true;
}

struct slice
heap_slice(const struct arena *a, block_ref ref)
{
	if (ref == 0)
		return slice_of(NULL, 0);
	return slice_of(heap_block(a, ref)->data, heap_block(a, ref)->len);
}

uint64_t
heap_used(const struct arena *a)
{
	return a->blocks->used;
}

void
heap_count(struct arena *a, block_ref ref, uint64_t lines)
{
	must(lines > 0 && heap_block(a, ref)->lines == 0);
	heap_block(a, ref)->lines =
		lines < UINT32_MAX ? (uint32_t)lines : UINT32_MAX;
	a->blocks->counted += class_bytes(span_of(a, ref)->class);
}

uint64_t
heap_counted(const struct arena *a)
{
	return a->blocks->counted;
}

void
heap_trim(struct arena *a)
{
	struct heap *h = a->blocks;

	while (h->warm != END) {
		uint32_t at = h->warm - 1;

		list_remove(h, &h->warm, at);
		h->n_warm--;
		span_chill(a, at);
	}
}
