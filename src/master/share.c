/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "master/core.h"
#include "master/ctl_link.h"

#define ROUND_MS 250

static void on_round(void *arg);

static void
refresh(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct slot *s = &m->slot[i];
		struct quota_slot *q = &m->quota.slot[i];
		uint64_t clients =
			__atomic_load_n(&s->page->clients, __ATOMIC_RELAXED);

		q->clients =
			clients > UINT32_MAX ? UINT32_MAX : (uint32_t)clients;
		q->mute = s->phase != SLOT_READY || s->late || s->stopped;
		if (q->clients < q->quota)
			q->wants = false; /* a client has left meanwhile */
	}
}

static void
round_now(struct master *m)
{
	uint64_t given, asked;

	refresh(m);
	quota_round(&m->quota, &given, &asked);
	for (unsigned i = 0; i < m->n_slots; i++) {
		if (given >> i & 1)
			ctl_link_send(&m->slot[i], LINK_QUOTA);
		if (asked >> i & 1)
			ctl_link_send(&m->slot[i], LINK_RECALL);
	}
	if (!quota_is_pressed(&m->quota))
		loop_timer_clear(&m->quota_timer);
	else if (!loop_timer_is_set(&m->quota_timer))
		loop_timer_set(m->loop, &m->quota_timer,
			clock_mono_ms() + ROUND_MS, on_round, m);
}

static void
on_round(void *arg)
{
	round_now(arg);
}

void
share_start(struct master *m)
{
	quota_init(&m->quota, m->n_slots, m->conf->max_clients, m->slot_cap);
}

void
share_total(struct master *m)
{
	m->quota.total = m->conf->max_clients;
	round_now(m);
}

void
share_grow(struct master *m, unsigned n_slots)
{
	quota_grow(&m->quota, n_slots, m->slot_cap);
}

void
share_drain(struct slot *s, bool drains)
{
	if (drains)
		quota_leave(&s->m->quota, s->number - 1);
	else
		quota_stay(&s->m->quota, s->number - 1);
	round_now(s->m);
}

void
share_want(struct slot *s)
{
	s->m->quota.slot[s->number - 1].wants = true;
	round_now(s->m);
}

bool
share_kept(struct slot *s, uint64_t kept)
{
	if (!quota_kept(&s->m->quota, s->number - 1, kept))
		return false;
	round_now(s->m);
	return true;
}

void
share_ready(struct slot *s)
{
	quota_back(&s->m->quota, s->number - 1);
	ctl_link_send(s, LINK_QUOTA);
	round_now(s->m);
}

void
share_away(struct slot *s)
{
	quota_away(&s->m->quota, s->number - 1);
	/* The arena remembers the old one: its next worker reads this first or
	 * soon, and the registry holds the total meanwhile. */
	ctl_link_send(s, LINK_QUOTA);
	round_now(s->m);
}
