/* SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "worker/mishap.h"
#include "worker/private.h"

block_ref
output_encode(struct worker *w, const struct kind *k, uint32_t variant,
	const struct event *e)
{
	static char mem[PROTO_EVENT_CAP];
	struct buf b = buf_over(mem, sizeof mem);
	block_ref ref;

	mishap_encode(e->text);
	k->protocol->encode(e, &k->options, variant, &b);
	if (b.len == 0)
		return 0;
	ref = heap_copy(&w->arena, buf_slice(&b));
	if (ref != 0)
		heap_count(&w->arena, ref,
			e->type == EVENT_MISSED ? e->number : 1);
	return ref;
}

void
output_dirty(struct worker *w, int fd)
{
	if (w->fd[fd].dirty)
		return;
	w->fd[fd].dirty = true;
	list_add(&w->dirty, (uint32_t)fd);
}

/* Its own doing: it asks and does not read the answers.  Room messages are
 * skipped at output_bytes; answers may go on to twice of it, then it is closed.
 */
static bool
is_hopeless(const struct worker *w, const struct session *s, uint32_t len)
{
	uint64_t limit = w->conf->limits.output_bytes;

	return limit != 0 && (uint64_t)s->q_bytes + len > 2 * limit;
}

/* Ended at the end of the turn: whoever called still uses it. */
static void
give_up(struct worker *w, const struct session *s)
{
	if (s->flags & SESSION_HOPELESS)
		return;
	arena_set(&w->arena, &s->flags, s->flags | SESSION_HOPELESS);
	count(w, output_closed, 1);
	output_dirty(w, session_fd(&w->arena, s));
}

/* Takes the block. */
static void
enqueue(struct worker *w, const struct session *s, block_ref ref)
{
	uint32_t len = heap_block(&w->arena, ref)->len;

	if (is_hopeless(w, s, len) ||
		queue_push(&w->arena, s, ref, len, queue_frame(s)) < 0) {
		heap_unref(&w->arena, ref);
		give_up(w, s);
		return;
	}
	w->page->pending += len;
	gather_pushed(w, s);
	output_dirty(w, session_fd(&w->arena, s));
}

static bool
takes_output(const struct session *s)
{
	return !(s->flags & (SESSION_BROKEN | SESSION_HOPELESS));
}

void
output_bytes(struct worker *w, const struct session *s, struct slice bytes)
{
	block_ref ref = takes_output(s) ? heap_copy(&w->arena, bytes) : 0;

	if (ref == 0)
		return;
	heap_count(&w->arena, ref, 1);
	enqueue(w, s, ref);
}

void
output_tell(void *arg, const struct session *s, const struct event *e)
{
	struct worker *w = arg;
	const struct kind *k = kind_of(w, s);
	struct event now = *e;
	block_ref ref;

	/* What comes from the master bears its time. */
	if (now.time_ms == 0)
		now.time_ms = clock_wall_ms();
	if (e->type == EVENT_REFUSED)
		count(w, refused_requests, 1);
	if (!takes_output(s))
		return;
	ref = output_encode(w, k, k->protocol->variant(s->proto_state), &now);
	if (ref != 0)
		enqueue(w, s, ref);
}

void
output_skip(
	struct worker *w, const struct session *s, uint32_t room, uint64_t n)
{
	struct arena *a = &w->arena;

	if (s->missed == 0)
		count(w, over_output, 1);
	session_miss(a, s, room, n);
	count(w, missed, n);
	/* Also when nothing is pending: the notice itself has to go out. */
	output_dirty(w, session_fd(a, s));
}

void
output_writable(void *arg, int fd)
{
	struct worker *w = arg;

	output_dirty(w, fd);
}

static uint32_t
largest_queue(const struct worker *w)
{
	uint32_t largest = 0;

	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++)
		if (w->arena.session[fd].id != 0 &&
			w->arena.session[fd].q_bytes > largest)
			largest = w->arena.session[fd].q_bytes;
	return largest;
}

static bool
drop_queue(struct worker *w, const struct session *s)
{
	uint32_t bytes = s->q_bytes;
	uint64_t n;

	tx_begin(&w->arena);
	n = queue_drop(&w->arena, s);
	if (n > 0 && s->state < SESSION_FLUSHING)
		output_skip(w, s, 0, n);
	tx_commit(&w->arena);
	w->page->pending -= bytes - s->q_bytes;
	return s->q_bytes < bytes;
}

/* One budget for all queues: over it, the largest go first, those of at least
 * half the largest in one pass. */
void
output_budget(struct worker *w)
{
	uint64_t budget = w->conf->limits.output_memory;
	bool progress = true;

	if (budget == 0 || heap_counted(&w->arena) <= budget)
		return;
	count(w, over_memory, 1);
	while (progress && heap_counted(&w->arena) > budget) {
		uint32_t least = largest_queue(w) / 2 + 1;

		progress = false;
		for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
			const struct session *s = &w->arena.session[fd];

			if (s->id != 0 && s->q_bytes >= least)
				progress |= drop_queue(w, s);
		}
	}
}
