/* A binary heap of deadlines.  Setting never moves an entry: a session has at
 * most one per kind, and when it comes too early, its handler sets it again.
 * So input costs no heap operation.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/xalloc.h"
#include "worker/private.h"

#include <stdlib.h>

struct entry {
	uint64_t at_ms, session;
	uint32_t fd;
	uint32_t kind;
};

struct timers {
	struct entry *heap;
	uint32_t n, cap;
};

struct timers *
timers_new(void)
{
	return xcalloc(1, sizeof(struct timers));
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry t = *a;

	*a = *b;
	*b = t;
}

static void
push(struct timers *t, struct entry e)
{
	uint32_t i = t->n;

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->heap = xrealloc(t->heap, t->cap, sizeof *t->heap);
	}
	t->heap[t->n++] = e;
	while (i > 0 && t->heap[(i - 1) / 2].at_ms > t->heap[i].at_ms) {
		swap(&t->heap[i], &t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static struct entry
pop(struct timers *t)
{
	struct entry first = t->heap[0];
	uint32_t i = 0;

	t->heap[0] = t->heap[--t->n];
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= t->n)
			return first;
		if (child + 1 < t->n &&
			t->heap[child + 1].at_ms < t->heap[child].at_ms)
			child++;
		if (t->heap[i].at_ms <= t->heap[child].at_ms)
			return first;
		swap(&t->heap[i], &t->heap[child]);
		i = child;
	}
}

void
timers_set(struct worker *w, const struct session *s, enum timer_kind kind,
	uint64_t at_ms)
{
	int fd = session_fd(&w->arena, s);
	struct derived *d = &w->fd[fd];

	if (d->armed & 1u << kind)
		return;
	d->armed |= (uint8_t)(1u << kind);
	push(w->timers, (struct entry){ at_ms, s->id, (uint32_t)fd, kind });
}

int
timers_wait_ms(const struct worker *w, int max)
{
	const struct timers *t = w->timers;

	if (t->n == 0 || t->heap[0].at_ms >= w->now_ms + (uint64_t)max)
		return max;
	if (t->heap[0].at_ms <= w->now_ms)
		return 0;
	return (int)(t->heap[0].at_ms - w->now_ms);
}

static void
idle_warn(struct worker *w, const struct session *s, uint64_t left_s)
{
	struct event e = { .type = EVENT_IDLE, .number = left_s };

	tx_begin(&w->arena);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_IDLE_WARNED);
	output_tell(w, s, &e);
	tx_commit(&w->arena);
}

/* The warning comes 60 s ahead, or at half of a shorter time. */
static void
fire_idle(struct worker *w, const struct session *s)
{
	uint32_t limit = w->conf->limits.idle_timeout_s;
	uint64_t idle = w->now_ms / 1000 - s->active_s;
	uint32_t ahead = limit > 120 ? 60 : (limit + 1) / 2;
	uint64_t next;

	if (limit == 0 || !is_open(s))
		return;
	if (w->bus_full) {
		timers_set(w, s, TIMER_IDLE, w->now_ms + 100);
		return;
	}
	if (idle >= limit && uplink_room(w, 128)) {
		struct event e = { .type = EVENT_CLOSING,
			.text = SLICE_LIT("you were idle for too long") };

		count(w, idle_closed, 1);
		client_quit(w, s, SLICE_LIT("idle"), &e);
		return;
	}
	if (idle >= limit - ahead && !(s->flags & SESSION_IDLE_WARNED))
		idle_warn(w, s, limit - idle);
	next = idle >= limit - ahead ? limit - idle : limit - ahead - idle;
	/* Not far ahead: the entry stays when the session has gone. */
	if (next > 60)
		next = 60;
	timers_set(w, s, TIMER_IDLE, w->now_ms + next * 1000 + 1);
}

static void
fire_flush(struct worker *w, const struct session *s)
{
	uint32_t after = w->arena.head->kind[s->kind].flush_after_ms;
	uint32_t passed =
		(uint32_t)w->now_ms - w->fd[session_fd(&w->arena, s)].last_ms;

	if (passed < after)
		timers_set(w, s, TIMER_FLUSH, w->now_ms + after - passed);
	else
		input_flush(w, s);
}

static void
fire(struct worker *w, const struct session *s, enum timer_kind kind)
{
	in_hand(w, HAND_TIMER, s->id, kind);
	switch (kind) {
	case TIMER_FLUSH:
		fire_flush(w, s);
		break;
	case TIMER_FLOOD:
		input_resume(w, s);
		break;
	case TIMER_IDLE:
		fire_idle(w, s);
		break;
	case TIMER_CLOSE:
		client_overdue(w, s);
		break;
	case TIMER_PROXY:
		proxied_overdue(w, s);
		break;
	}
	in_hand(w, HAND_NONE, 0, 0);
}

void
timers_run(struct worker *w)
{
	struct timers *t = w->timers;

	while (t->n > 0 && t->heap[0].at_ms <= w->now_ms) {
		struct entry e = pop(t);
		const struct session *s = session_at(&w->arena, (int)e.fd);

		if (s == NULL || s->id != e.session)
			continue;
		w->fd[e.fd].armed &= (uint8_t) ~(1u << e.kind);
		fire(w, s, (enum timer_kind)e.kind);
	}
}

void
timers_idle_all(struct worker *w)
{
	if (w->conf->limits.idle_timeout_s == 0)
		return;
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++)
		if (w->arena.session[fd].id != 0)
			timers_set(w, &w->arena.session[fd], TIMER_IDLE,
				w->now_ms + 500);
}
