/* SPDX-License-Identifier: MIT */
#include "arena/arena.h"
#include "arena/heap.h"
#include "arena/tx.h"
#include "base/fault.h"

#include <errno.h>
#include <sys/mman.h>

/* Whole cache lines; and the first of them is all that a fan-out touches. */
#ifndef BANTER_TEST_PREVIOUS
_Static_assert(sizeof(struct session) == 128, "session record");
_Static_assert(offsetof(struct session, cookie) == 64, "its first line");
_Static_assert(ARENA_RX_BYTES <= UINT16_MAX, "held_at");
_Static_assert(ARENA_KINDS <= UINT8_MAX, "kind");
# define ADDRESS_BYTES 16u
#else
_Static_assert(sizeof(struct session) == 160, "session record");
# define ADDRESS_BYTES 0u
#endif
_Static_assert(sizeof(struct room) == 48, "room record");

static uint64_t
aligned(uint64_t n)
{
	return (n + 4095) & ~UINT64_C(4095);
}

static uint64_t
heap_offset(unsigned fd_limit)
{
	uint64_t at = aligned(sizeof(struct arena_head));

	at += aligned(ARENA_RX_BYTES) + 3 * aligned(ARENA_BUS_BYTES);
	at += aligned((uint64_t)fd_limit * sizeof(struct session));
	at += aligned((uint64_t)fd_limit * ADDRESS_BYTES);
	at += aligned((uint64_t)ARENA_ROOMS * sizeof(struct room));
	return at;
}

uint64_t
arena_size(unsigned fd_limit)
{
	return heap_offset(fd_limit) + ARENA_HEAP_BYTES + ARENA_ENGINE_BYTES;
}

static void
lay_out(struct arena *a, unsigned fd_limit)
{
	char *at = a->base;

	a->head = (const struct arena_head *)at;
	at += aligned(sizeof(struct arena_head));
	a->rx = at;
	at += aligned(ARENA_RX_BYTES);
	a->bus_in = at;
	at += aligned(ARENA_BUS_BYTES);
	a->bus_out = at;
	at += aligned(ARENA_BUS_BYTES);
	a->bus_sealed = at;
	at += aligned(ARENA_BUS_BYTES);
	a->session = (const struct session *)at;
	at += aligned((uint64_t)fd_limit * sizeof(struct session));
	a->address = (const uint8_t(*)[16])at;
	at += aligned((uint64_t)fd_limit * ADDRESS_BYTES);
	a->room = (const struct room *)at;
	a->heap = a->base + heap_offset(fd_limit);
	a->engine = a->heap + ARENA_HEAP_BYTES;
}

static void
write_head(struct arena *a, unsigned fd_limit, uint64_t first_number)
{
	struct arena_head *h = (struct arena_head *)a->base;

	h->version = ARENA_VERSION;
	h->n_sessions = fd_limit;
	h->n_rooms = ARENA_ROOMS;
	h->size = a->size;
	h->next_number = first_number;
	h->conf_fd = h->prepared_fd = -1;
	for (int i = 0; i < ARENA_ENGINE_FDS; i++)
		h->engine_fd[i] = h->dead_engine_fd[i] = -1;
	for (int i = 0; i < ARENA_LISTENERS; i++)
		h->listener[i].fd = -1;
	/* Last: an arena without the magic number was never in use. */
	arena_store(&h->magic, ARENA_MAGIC);
}

static bool
head_is_right(const struct arena *a, unsigned fd_limit)
{
	const struct arena_head *h = a->head;

	return h->magic == ARENA_MAGIC && h->version == ARENA_VERSION &&
	       h->size == a->size && h->n_sessions == fd_limit &&
	       h->n_rooms == ARENA_ROOMS && h->undo_count <= ARENA_UNDO_MAX;
}

static int
roll_back(struct arena *a)
{
	const struct arena_head *h = a->head;

	for (uint64_t n = h->undo_count; n > 0; n--) {
		const struct arena_undo *u = &h->undo[n - 1];

		if (u->offset > a->size - 8 || u->offset % 8 != 0)
			return -EPROTO;
		memcpy(a->base + u->offset, &u->old, 8);
		arena_fence();
		FAULT(rollback_word);
	}
	arena_store(&h->undo_count, 0);
	return 0;
}

/* A fault in the middle of a receive loses what was to be received, so these
 * pages exist before the first one. */
static void
touch_hot(struct arena *a)
{
	size_t len = (size_t)((const char *)a->session - a->rx);

	for (size_t at = 0; at < len; at += 4096)
		arena_store(a->rx + at, a->rx[at]);
}

int
arena_map(struct arena *a, int fd, uint64_t size, unsigned fd_limit,
	uint64_t first_number, bool *ret_used)
{
	*a = (struct arena){ .size = size };
	if (size != arena_size(fd_limit))
		return -EPROTO;
	a->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (a->base == MAP_FAILED)
		return -errno;
	/* A core dump of the mapping would delay the next worker by its size.
	 */
	(void)madvise(a->base, size, MADV_DONTDUMP);
	lay_out(a, fd_limit);
	*ret_used = a->head->magic != 0;
	if (!*ret_used)
		write_head(a, fd_limit, first_number);
	else if (!head_is_right(a, fd_limit) || roll_back(a) < 0) {
		(void)munmap(a->base, size);
		return -EPROTO;
	}
	touch_hot(a);
	heap_init(a);
	return 0;
}

void
arena_unmap(struct arena *a)
{
	heap_fini(a);
	(void)munmap(a->base, a->size);
	a->base = NULL;
}

void
arena_copy(struct arena *a, const void *to, const void *from, size_t len)
{
	uintptr_t first = (uintptr_t)to & ~(uintptr_t)7;

	if (a->in_transaction)
		for (uintptr_t p = first; p < (uintptr_t)to + len; p += 8)
			tx_remember(a, (const void *)p);
	arena_fence();
	memcpy((void *)(uintptr_t)to, from, len);
	arena_fence();
}

void
arena_clear(struct arena *a, const void *to, size_t len)
{
	static const char zeros[256];

	must(len <= sizeof zeros);
	arena_copy(a, to, zeros, len);
}
