/* SPDX-License-Identifier: MIT */
#include "master/drain.h"

#include "log/log.h"
#include "master/ctl_link.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/reload.h"
#include "master/supervise.h"

#include <errno.h>
#include <inttypes.h>

uint64_t
drain_live(const struct master *m)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].drain == 0)
			mask |= UINT64_C(1) << i;
	return mask;
}

bool
drain_is_gone(const struct slot *s)
{
	return s->phase == SLOT_DRAINED && s->drain & DRAIN_SURPLUS;
}

static void
tell(struct slot *s)
{
	s->unshared = true;
	ctl_link_send(s, LINK_DRAIN);
}

void
drain_begin(struct slot *s, enum slot_drain why)
{
	unsigned was = s->drain;

	s->drain |= why;
	if (was == 0)
		share_drain(s, true);
	if (was != 0 || s->phase == SLOT_DRAINED)
		return;
	log_notice("worker %u drains: its %" PRIu32
		   " clients stay until they leave",
		s->number, hub_clients(s->m->hub, s->number));
	health_steer(s->m);
	if (s->phase == SLOT_READY)
		tell(s);
}

void
drain_end(struct slot *s, enum slot_drain why)
{
	if (!(s->drain & why))
		return;
	s->drain &= ~(unsigned)why;
	if (s->drain != 0)
		return;
	s->pending &= ~(unsigned)LINK_DRAIN;
	share_drain(s, false);
	/* The keeper of one that has just been drained may be there yet: its
	 * end begins the next. */
	if (s->phase == SLOT_DRAINED && s->keeper == 0) {
		supervise_start_worker(s);
	} else if (s->phase == SLOT_READY) {
		log_notice("worker %u drains no more", s->number);
		reload_resync(s);
	}
	health_steer(s->m);
}

void
drain_ready(struct slot *s)
{
	s->retiring = false;
	if (s->drain != 0)
		tell(s);
}

void
drain_again(struct slot *s)
{
	if (s->drain != 0 && s->phase == SLOT_READY)
		tell(s);
}

/* The page is the worker's word of a moment ago: the worker decides. */
static void
look_at_worker(struct slot *s)
{
	uint64_t clients = __atomic_load_n(&s->page->clients, __ATOMIC_RELAXED);

	if (s->stopped || s->late || clients > 0 ||
		listeners_wait(&s->m->listeners, s->number))
		return;
	s->retiring = true;
	tell(s);
}

static void
look_at(struct slot *s)
{
	switch (s->phase) {
	case SLOT_READY:
		look_at_worker(s);
		break;
	case SLOT_DRAINED:
		if (s->keeper != 0 ||
			!listeners_wait(&s->m->listeners, s->number))
			break;
		log_info("a connection has reached drained worker %u: "
			 "starting it once more",
			s->number);
		supervise_start_worker(s);
		break;
	default:
		/* It does not start, and nobody has ever been in. */
		if (s->worker == 0 && s->phase != SLOT_STARTING && !s->served)
			supervise_drained(s);
		break;
	}
}

void
drain_tick(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].drain != 0)
			look_at(&m->slot[i]);
}

int
master_drain(struct master *m, unsigned slot)
{
	struct slot *s =
		slot == 0 || slot > m->n_slots ? NULL : &m->slot[slot - 1];

	/* A reload may be about to drain all others. */
	if (m->stop != STOP_NO || !m->ready || reload_is_busy(m))
		return -EBUSY;
	if (!s || slot > m->n_wanted)
		return -ENOENT;
	if (s->drain & DRAIN_BY_HAND)
		return -EALREADY;
	if (drain_live(m) == UINT64_C(1) << (slot - 1))
		return -EPERM;
	drain_begin(s, DRAIN_BY_HAND);
	return 0;
}

int
master_undrain(struct master *m, unsigned slot)
{
	struct slot *s =
		slot == 0 || slot > m->n_slots ? NULL : &m->slot[slot - 1];

	if (m->stop != STOP_NO || !m->ready)
		return -EBUSY;
	if (!s || slot > m->n_wanted)
		return -ENOENT;
	if (!(s->drain & DRAIN_BY_HAND))
		return -EALREADY;
	drain_end(s, DRAIN_BY_HAND);
	return 0;
}
