/* tx.h - writing to the arena so that a death in the middle does not show.
 *
 * Handling one line, frame or timer is one transaction.  Before a word is first
 * changed its old value goes to the undo log: entry, fence, count + 1, fence,
 * change.  Commit is one aligned store, count = 0.  The next worker rolls back
 * what it finds.  The fences are for the compiler: a process that dies leaves
 * its stores in program order to whoever maps the memory next, but gcc -O2
 * merges and reorders plain ones.
 *
 * Inside a transaction there is no system call with an effect outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_TX_H
#define BANTER_ARENA_TX_H

#include "arena/arena.h"
#include "base/must.h"

#include <string.h>

#define arena_fence() __asm__ volatile("" ::: "memory")

/* Blocks freed since the transaction began go back to the heap at its end:
 * a rolled back record may refer to them.  See heap.h. */
void heap_commit(struct arena *a);

static inline void
tx_begin(struct arena *a)
{
	must(!a->in_transaction);
	a->in_transaction = true;
}

static inline void
tx_commit(struct arena *a)
{
	struct arena_head *h = (struct arena_head *)a->base;

	must(a->in_transaction);
	arena_fence();
	*(volatile uint64_t *)&h->commits = h->commits + 1;
	*(volatile uint64_t *)&h->undo_count = 0;
	arena_fence();
	a->in_transaction = false;
	if (a->has_freed)
		heap_commit(a);
}

/* Remember the aligned word that p lies in. */
static inline void
tx_remember(struct arena *a, const void *p)
{
#ifndef ARENA_NO_UNDO
	struct arena_head *h = (struct arena_head *)a->base;
	uint64_t offset = (uint64_t)((const char *)p - a->base) & ~UINT64_C(7);
	uint64_t n = h->undo_count;

	must(n < ARENA_UNDO_MAX);
	h->undo[n].offset = offset;
	memcpy(&h->undo[n].old, a->base + offset, 8);
	arena_fence();
	*(volatile uint64_t *)&h->undo_count = n + 1;
	arena_fence();
#else
	(void)a;
	(void)p;
#endif
}

static inline void
arena_store_n(const void *field, uint64_t value, size_t size)
{
	arena_fence();
	switch (size) {
	case 1:
		*(volatile uint8_t *)(uintptr_t)field = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)(uintptr_t)field = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)(uintptr_t)field = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)(uintptr_t)field = value;
		break;
	}
	arena_fence();
}

static inline void
arena_set_n(struct arena *a, const void *field, uint64_t value, size_t size)
{
	if (a->in_transaction)
		tx_remember(a, field);
	arena_store_n(field, value, size);
}

/* Set one field of a record, undone when the transaction is cut. */
#define arena_set(a, field, value) \
 arena_set_n((a), (field), (uint64_t)(value), sizeof *(field))

/* Set one field for good, in one store: for what must not be rolled back, or
 * is correct on its own. */
#define arena_store(field, value) \
 arena_store_n((field), (uint64_t)(value), sizeof *(field))

/* Set len bytes of a record, undone when the transaction is cut. */
void arena_copy(struct arena *a, const void *to, const void *from, size_t len);

/* All zero, likewise. */
void arena_clear(struct arena *a, const void *to, size_t len);

#endif
