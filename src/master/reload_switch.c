/* reload_switch.c - from COMMIT until the workers have switched.
 *
 * What they have is read in their pages, again and again for a moment.  A
 * message would have to be known to a master of any other image, as long as an
 * upgrade or its undoing mixes them; the page is the same in all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "log/log.h"
#include "master/health.h"
#include "master/reload_private.h"
#include "master/reload_report.h"

#include <inttypes.h>

static bool
was_told(const struct reload *r, const struct slot *s)
{
	return r->asked >> (s->number - 1) & 1;
}

static bool
is_old(const struct reload *r, const struct slot *s)
{
	return __atomic_load_n(&s->page->conf_generation, __ATOMIC_RELAXED) <
	       r->tag;
}

/* It begins with what its arena has, and is told when it is READY.  A keeper
 * that was forked since has the new one. */
static bool
is_coming(const struct reload *r, const struct slot *s)
{
	return s->keeper != 0 && !s->giving_up && s->resync_tag < r->tag &&
	       (s->phase == SLOT_WAITING || s->phase == SLOT_STARTING ||
		       s->phase == SLOT_READY);
}

static bool
is_awaited(const struct reload *r, struct slot *s)
{
	if (!was_told(r, s) || !is_old(r, s) || r->gone >> (s->number - 1) & 1)
		return false;
	health_look(s);
	return !s->stopped;
}

static bool
somebody_is_awaited(const struct reload *r)
{
	struct master *m = r->m;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (is_awaited(r, &m->slot[i]))
			return true;
	return false;
}

static void
note_behind(struct reload *r)
{
	const struct master *m = r->m;

	for (unsigned i = 0; i < m->n_slots; i++) {
		const struct slot *s = &m->slot[i];

		if (is_old(r, s) && (was_told(r, s) || is_coming(r, s)))
			buf_printf(&r->report,
				"worker %u has not switched yet: it will when "
				"it runs\n",
				s->number);
	}
}

void
reload_switch_end(struct reload *r)
{
	note_behind(r);
	r->asked = 0;
	reload_log(slice_str(r->complaints.text), false);
	reload_log(buf_slice(&r->report), false);
	log_notice("reloaded: configuration %" PRIu64, r->tag);
	buf_slice_add(&r->report, slice_str(r->complaints.text));
	reload_finish(r, 0, buf_slice(&r->report));
}

static void
on_look(void *arg)
{
	reload_switch_look(arg);
}

void
reload_switch_look(struct reload *r)
{
	uint64_t now = clock_mono_ms(), next = now + r->look_ms;

	if (now >= r->late_ms || !somebody_is_awaited(r)) {
		reload_switch_end(r);
		return;
	}
	/* Most take less than 1 ms; others are looked at less and less. */
	r->look_ms *= 2;
	loop_timer_set(r->m->loop, &r->timer,
		next < r->late_ms ? next : r->late_ms, on_look, r);
}

void
reload_switch_wait(struct reload *r)
{
	r->look_ms = 1;
	r->late_ms = clock_mono_ms() + RELOAD_SWITCH_MS;
	reload_switch_look(r);
}
