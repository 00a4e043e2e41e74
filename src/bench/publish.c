/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/loader.h"
#include "bench/payload.h"

/* Messages of one publisher that leave with one send, closed loop. */
#define BATCH_BYTES (64u << 10)

static uint64_t
share_of(const struct loader *l, uint64_t messages)
{
	uint64_t all = l->plan->publishers;

	return messages * (l->first + l->n_publishers) / all -
	       messages * l->first / all;
}

static void
take_next(struct loader *l)
{
	l->has_next = schedule_next(&l->schedule, &l->next);
	if (!l->has_next)
		l->publishing = false;
}

void
publish_enter(struct loader *l)
{
	const struct phase *p = &l->phase;

	l->publishing = p->kind == PHASE_TRAFFIC && l->n_publishers > 0;
	l->has_next = false;
	if (!l->publishing)
		return;
	if (l->o->window) {
		l->left = p->messages ? share_of(l, p->messages) : UINT64_MAX;
		publish_look(l);
		return;
	}
	schedule_init(
		&l->schedule, &(struct schedule_plan){ .poisson = l->o->poisson,
				      .rate = l->o->rate,
				      .publishers = l->plan->publishers,
				      .first = l->first,
				      .own = l->n_publishers,
				      .messages = p->messages,
				      .duration_ns = p->duration_ns,
				      .seed = l->o->seed + p->measured });
	take_next(l);
}

/* The bytes of one message into out. */
static void
put_message(struct loader *l, unsigned i, uint64_t intended_ns, uint64_t now,
	struct buf *out)
{
	struct publisher *pub = &l->publisher[i];
	uint32_t id = l->first + i;
	uint64_t late = now > intended_ns ? now - intended_ns : 0;
	struct payload p = { id, ++pub->number, intended_ns,
		late > UINT32_MAX ? UINT32_MAX : (uint32_t)late };
	struct slot *slot = shared_slot(l->s, id, p.number);
	unsigned receivers = plan_receivers(l->plan, id, !l->phase.measured);
	struct bench_who who = conn_who(l, &l->conn[i]);

	if (atomic_load(&slot->remaining) == 0) {
		atomic_store(&slot->remaining, receivers);
		atomic_store(&slot->number, p.number);
	} else if (l->phase.measured) {
		l->me->times.untracked++;
	}
	atomic_store(&l->s->sent[id], p.number);
	payload_write(l->text, l->text_len, &p);
	l->o->adapter->publish(&who, slice_of(l->text, l->text_len), out);
	l->sent++;
	l->expected += receivers;
}

/* A connection that is broken is told of when it is read. */
static void
send_planned(struct loader *l, unsigned i, uint64_t intended_ns)
{
	struct buf out = buf_over(l->frame, l->frame_cap);
	uint64_t now = clock_mono_ns();

	if (l->phase.measured)
		histogram_record(&l->me->times.lateness, now - intended_ns);
	put_message(l, i, intended_ns, now, &out);
	if (l->conn[i].state == CONN_READY)
		(void)conn_send(l, &l->conn[i], out.p, out.len);
}

uint64_t
publish_due(struct loader *l)
{
	while (l->has_next) {
		uint64_t at = l->phase.start_ns + l->next.offset_ns;

		if (at > clock_mono_ns())
			return at;
		send_planned(l, l->next.publisher - l->first, at);
		take_next(l);
	}
	return UINT64_MAX;
}

/* As much as its window has room for, in one send. */
static void
fill_window(struct loader *l, unsigned i)
{
	struct publisher *pub = &l->publisher[i];
	struct buf out = buf_over(l->frame, l->frame_cap);
	uint64_t now = clock_mono_ns();
	size_t one = l->frame_cap - BATCH_BYTES;

	if (l->conn[i].state != CONN_READY || pub->out_len)
		return;
	while (l->left && buf_room(&out) >= one &&
		atomic_load(&shared_slot(l->s, l->first + i, pub->number + 1)
				     ->remaining) == 0) {
		put_message(l, i, now, now, &out);
		l->left--;
	}
	if (out.len)
		(void)conn_send(l, &l->conn[i], out.p, out.len);
	/* The frame was full before the window was. */
	if (l->left && buf_room(&out) < one)
		publish_opened(l, i);
}

void
publish_windows(struct loader *l)
{
	unsigned n = l->n_dirty;
	const struct phase *p = &l->phase;

	if (!l->o->window || !l->publishing)
		return;
	if (clock_mono_ns() < p->start_ns)
		return;
	if (l->left == 0 ||
		(p->duration_ns &&
			clock_mono_ns() >= p->start_ns + p->duration_ns)) {
		l->publishing = false;
		return;
	}
	/* What is added meanwhile is for the next turn. */
	for (unsigned k = 0; k < n; k++) {
		unsigned i = l->dirty[k];

		l->publisher[i].dirty = false;
		fill_window(l, i);
	}
	l->n_dirty -= n;
	memmove(l->dirty, l->dirty + n, l->n_dirty * sizeof *l->dirty);
}

void
publish_opened(struct loader *l, unsigned i)
{
	if (!l->o->window || l->publisher[i].dirty)
		return;
	l->publisher[i].dirty = true;
	l->dirty[l->n_dirty++] = i;
}

void
publish_look(struct loader *l)
{
	for (unsigned i = 0; i < l->n_publishers; i++)
		publish_opened(l, i);
}

bool
publish_is_done(const struct loader *l)
{
	if (l->publishing)
		return false;
	for (unsigned i = 0; i < l->n_publishers; i++)
		if (l->publisher[i].out_len && l->conn[i].state != CONN_CLOSED)
			return false;
	return true;
}

void
publish_probe(struct loader *l, struct conn *c)
{
	struct buf out = buf_over(l->frame, l->frame_cap);
	struct payload p = { .sender = c->id };
	struct bench_who who = conn_who(l, c);

	payload_write(l->text, l->text_len, &p);
	l->o->adapter->publish(&who, slice_of(l->text, l->text_len), &out);
	(void)conn_send(l, c, out.p, out.len);
}
