/* The records are walked once.  Every reference marks its block; what is not
 * marked is free.  A block's class follows from its length, and all blocks of a
 * span are of one class, so nothing of the dead process's tables is needed.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap_private.h"
#include "arena/queue.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define INSIDE 254 /* a later span of a large block */
#define WORDS  (SPAN_UNITS / 64)

struct recount {
	struct arena *a;
	uint64_t (*marked)[WORDS]; /* [N_SPANS], a bit per unit of 64 bytes */
	uint64_t *room;            /* a bit per room that was counted */
	bool damaged;
};

static bool
test_and_set(uint64_t *bits, uint32_t at)
{
	uint64_t bit = UINT64_C(1) << (at % 64);
	bool was = bits[at / 64] & bit;

	bits[at / 64] |= bit;
	return was;
}

/* Is there a block, by its place and its length?  *ret_class. */
static bool
is_block(const struct arena *a, block_ref ref, unsigned *ret_class)
{
	uint64_t unit = (uint64_t)ref - 1;
	uint32_t len;

	if (ref == 0 || unit >= (uint64_t)N_SPANS * SPAN_UNITS)
		return false;
	len = heap_block(a, ref)->len;
	if (len > HEAP_DATA_MAX)
		return false;
	*ret_class = class_for((size_t)len + sizeof(struct block));
	if (*ret_class < LARGE)
		return unit % (class_bytes(*ret_class) / 64) == 0;
	return unit % SPAN_UNITS == 0 &&
	       unit / SPAN_UNITS + run_spans(*ret_class) <= N_SPANS;
}

/* The block's span, and those behind it when it is large, are of that class
 * from now on.  False: they were of another. */
static bool
claim_span(struct heap *h, uint32_t at, unsigned class)
{
	uint32_t n = class < LARGE ? 1 : run_spans(class);

	heap_reserve(h, at + n);
	for (; h->n_spans < at + n; h->n_spans++)
		h->span[h->n_spans] = (struct span){ .class = NO_CLASS };
	if (h->span[at].class == class)
		return true;
	for (uint32_t i = 0; i < n; i++) {
		if (h->span[at + i].class != NO_CLASS)
			return false;
		h->span[at + i].class = (uint8_t)(i ? INSIDE : class);
	}
	return true;
}

static void
count_block(struct recount *c, block_ref ref)
{
	struct heap *h = c->a->blocks;
	struct block *b;
	uint32_t unit = ref - 1;
	unsigned class;

	if (!is_block(c->a, ref, &class) ||
		!claim_span(h, unit / SPAN_UNITS, class)) {
		c->damaged = true;
		return;
	}
	b = heap_block(c->a, ref);
	if (test_and_set(c->marked[unit / SPAN_UNITS], unit % SPAN_UNITS)) {
		b->refs++;
		return;
	}
	b->refs = 1;
	h->span[unit / SPAN_UNITS].n_used++;
	h->used += class_bytes(class);
	if (b->lines > 0)
		h->counted += class_bytes(class);
}

static void
count_if(struct recount *c, block_ref ref)
{
	if (ref != 0)
		count_block(c, ref);
}

/* Does the record make sense by itself?  Blocks that it refers to are looked
 * at, those that others may refer to as well are not judged. */
static bool
holds(const struct arena *a, block_ref ref, size_t bytes)
{
	unsigned class;

	return is_block(a, ref, &class) && heap_block(a, ref)->len >= bytes;
}

static bool
rooms_are_whole(const struct arena *a, const struct session *s)
{
	block_ref ref = session_rooms_block(s);
	const uint32_t *rooms;

	if (ref == 0 ? s->n_rooms > SESSION_INLINE_ROOMS
		     : !holds(a, ref, s->n_rooms * sizeof *rooms))
		return false;
	rooms = session_rooms(a, s);
	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (rooms[i] >= a->head->n_rooms || a->room[rooms[i]].id == 0)
			return false;
	return true;
}

static bool
queue_is_whole(const struct arena *a, const struct session *s)
{
	uint64_t cap = queue_capacity(s);

	/* 0 too would pass for a power of two. */
	return cap > 0 && cap <= QUEUE_MAX && (cap & (cap - 1)) == 0 &&
	       queue_count(s) <= cap &&
	       (queue_ring(s) == 0 ||
		       holds(a, queue_ring(s), cap * sizeof(uint32_t)));
}

static bool
is_whole(const struct arena *a, const struct session *s)
{
	unsigned class;

	return s->state > SESSION_FREE && s->state <= SESSION_CLOSING &&
	       s->kind < ARENA_KINDS &&
	       (s->line == 0 || is_block(a, s->line, &class)) &&
	       (s->held == 0 || holds(a, s->held, s->held_at)) &&
	       (s->nick == 0 || is_block(a, s->nick, &class)) &&
	       rooms_are_whole(a, s) && queue_is_whole(a, s);
}

/* Its socket is still to be closed: that is all that is left of it. */
static void
tear(struct arena *a, const struct session *s)
{
	uint64_t id = s->id, cookie = s->cookie;

	tx_begin(a);
	arena_clear(a, s, sizeof *s);
	arena_set(a, &s->cookie, cookie);
	arena_set(a, &s->state, SESSION_TORN);
	arena_set(a, &s->id, id);
	tx_commit(a);
}

static void
count_queue(struct recount *c, const struct session *s)
{
	uint32_t bytes = 0;
	block_ref ref;

	count_if(c, queue_ring(s));
	for (uint32_t at = s->q_head; at != queue_tail(s) && !c->damaged;
		at++) {
		ref = queue_at(c->a, s, at);
		count_block(c, ref);
		if (!c->damaged)
			bytes += heap_block(c->a, ref)->len;
	}
	if (bytes < s->q_head_sent)
		c->damaged = true;
	/* It is stored without undo. */
	arena_store(&s->q_bytes, bytes - s->q_head_sent);
}

static void
count_session(struct recount *c, const struct session *s)
{
	const uint32_t *rooms = session_rooms(c->a, s);

	count_if(c, s->line);
	count_if(c, s->held);
	count_if(c, s->nick);
	count_if(c, session_rooms_block(s));
	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (!test_and_set(c->room, rooms[i]))
			count_if(c, c->a->room[rooms[i]].topic);
	count_queue(c, s);
}

static void
count_all(struct recount *c)
{
	for (uint64_t fd = 0; fd < c->a->head->high_fd && !c->damaged; fd++) {
		const struct session *s = session_at(c->a, (int)fd);

		if (s == NULL)
			continue;
		if (is_whole(c->a, s))
			count_session(c, s);
		else
			tear(c->a, s);
	}
}

/* Free blocks below the highest one in use; what is above was never handed out,
 * as far as anybody needs to know, and stays untouched. */
static void
free_rest(struct recount *c, uint32_t at)
{
	struct heap *h = c->a->blocks;
	struct span *s = &h->span[at];
	uint32_t units = class_bytes(s->class) / 64, n = span_blocks(s->class);
	uint32_t top = n;

	while (!(c->marked[at][(top - 1) * units / 64] >>
			 ((top - 1) * units % 64) &
		 1))
		top--;
	s->n_fresh = (uint16_t)(n - top);
	for (uint32_t i = top; i-- > 0;) {
		block_ref ref = at * SPAN_UNITS + i * units + 1;

		if (test_and_set(c->marked[at], i * units))
			continue;
		heap_block(c->a, ref)->len = s->free;
		s->free = ref;
	}
	if (s->free != 0 || s->n_fresh > 0)
		heap_list_push(h, &h->with_room[s->class], at);
}

static void
free_spans(struct recount *c)
{
	struct heap *h = c->a->blocks;
	uint64_t end = (uint64_t)h->n_spans * SPAN_BYTES;

	for (uint32_t at = h->n_spans; at-- > 0;) {
		if (h->span[at].class < LARGE) {
			free_rest(c, at);
		} else if (h->span[at].class == NO_CLASS) {
			heap_list_push(h, &h->warm, at);
			h->n_warm++;
		}
	}
	/* Pages of what was in use above it go back in one call. */
	(void)madvise(c->a->heap + end, ARENA_HEAP_BYTES - end, MADV_REMOVE);
}

int
arena_recount(struct arena *a)
{
	struct recount c = { .a = a };

	heap_fini(a);
	heap_init(a);
	c.marked = xcalloc(N_SPANS, sizeof *c.marked);
	c.room = xcalloc((ARENA_ROOMS + 63) / 64, sizeof *c.room);
	count_all(&c);
	FAULT(recount_counted);
	if (!c.damaged)
		free_spans(&c);
	free(c.marked);
	free(c.room);
	return c.damaged ? -EPROTO : 0;
}
