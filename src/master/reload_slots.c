/* reload_slots.c - PREPARE to all slots, then COMMIT or ABORT to all of them;
 * reload_switch.c goes on from COMMIT.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/engines.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/reload_private.h"
#include "master/reload_report.h"
#include "master/resize.h"
#include "master/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void
reload_refuse(struct reload *r, int rc, struct slice why)
{
	struct master *m = r->m;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (r->asked >> i & 1) {
			m->slot[i].abort_tag = r->tag;
			ctl_link_send(&m->slot[i], LINK_ABORT);
		}
	r->asked = 0;
	listeners_abort(&m->listeners);
	reload_log(why, true);
	log_error("the reload is refused: the old configuration stays");
	reload_finish(r, rc, why);
}

void
reload_refuse_fmt(struct reload *r, int rc, const char *fmt, ...)
{
	char mem[512];
	struct buf b = buf_over(mem, sizeof mem);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	reload_refuse(r, rc, buf_slice(&b));
}

static void
on_leaving(void *arg)
{
	struct master *m = arg;

	listeners_close_leaving(&m->listeners);
}

static void
change_conf(struct reload *r)
{
	struct master *m = r->m;
	const struct conf *old = m->conf;

	m->conf = r->conf;
	r->conf = NULL;
	if (old == m->boot)
		m->boot_fd = m->conf_fd; /* the next image maps it too */
	else
		fd_close(&m->conf_fd);
	m->conf_fd = r->conf_fd;
	r->conf_fd = -1;
	m->conf_generation = r->tag;
	m->conf_anew = false; /* who is there has read it */
	hub_reconfigure(m->hub, m->conf);
	log_set_level((enum log_level)m->conf->log.level);
	if (old != m->boot)
		conf_unmap(&old);
}

static void
report_changes(struct reload *r)
{
	struct master *m = r->m;
	bool engine_waits = engines_wait(m, r->conf);

	reload_report(m->conf, r->conf, engine_waits, &r->report);
	reload_pending(
		m->boot, r->conf, engine_waits, m->pending, sizeof m->pending);
	/* `workers = 0` stays the same word for another number of CPUs. */
	if (r->n_wanted != m->n_wanted && r->conf->workers == m->conf->workers)
		buf_str(&r->report, "workers applied\n");
}

static void
tell_slots(struct reload *r)
{
	struct master *m = r->m;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (r->asked >> i & 1) {
			m->slot[i].resync_tag = r->tag;
			ctl_link_send(&m->slot[i], LINK_COMMIT);
			FAULT(reload_told);
		} else if (m->slot[i].phase == SLOT_READY) {
			supervise_resync_soon(&m->slot[i]);
		}
}

static void
commit(struct reload *r)
{
	struct master *m = r->m;
	int rc;

	r->report = buf_over(r->report_text, sizeof r->report_text);
	rc = listeners_begin(&m->listeners, r->conf, &r->report);
	if (rc < 0) {
		reload_refuse(r, rc, buf_slice(&r->report));
		return;
	}
	FAULT(reload_commit);
	r->phase = RELOAD_SWITCHING;
	loop_timer_clear(&r->timer);
	report_changes(r);
	if (listeners_commit(&m->listeners, m->conf, r->conf, r->asked))
		loop_timer_set(m->loop, &m->leaving,
			clock_mono_ms() + RELOAD_LEAVE_MS, on_leaving, m);
	change_conf(r);
	tell_slots(r);
	resize_commit(m, r->n_wanted);
	health_steer_anew(m);
	share_total(m);
	supervise_retry(m);
	reload_switch_wait(r);
}

static uint64_t
missing(const struct reload *r)
{
	return r->asked & ~(r->answered | r->gone);
}

static void
check_answers(struct reload *r)
{
	if (r->phase == RELOAD_PREPARING && missing(r) == 0)
		commit(r);
}

static void
on_prepare_late(void *arg)
{
	struct reload *r = arg;

	reload_refuse_fmt(r, -ETIMEDOUT,
		"worker %d did not answer within %d s; is it stopped?",
		__builtin_ctzll(missing(r)) + 1, RELOAD_PREPARE_MS / 1000);
}

/* What it will not do any more does not hold up the others. */
static bool
is_surplus(const struct reload *r, const struct slot *s)
{
	return s->number > r->n_wanted || s->drain != 0;
}

static int
ask(struct reload *r, struct slot *s)
{
	int rc;

	health_look(s);
	if (s->stopped && is_surplus(r, s))
		return 0; /* it gets it when it runs again */
	if (s->stopped)
		return -EAGAIN;
	rc = ctl_link_try(s, CTL_PREPARE, r->tag, NULL, 0, r->conf_fd);
	if (rc < 0)
		return rc;
	r->asked |= UINT64_C(1) << (s->number - 1);
	return reload_listeners(s, 0, ADDRESS_NEW);
}

void
reload_prepare(struct reload *r)
{
	char mem[512];
	struct buf why = buf_over(mem, sizeof mem);
	struct master *m = r->m;
	int rc;

	/* Once: the CPUs may be others at the commit. */
	r->n_wanted = resize_wanted(r->conf);
	rc = resize_prepare(m, r->conf, r->n_wanted, &why);
	if (rc == 0)
		rc = listeners_prepare(&m->listeners, r->conf, r->tag, &why);
	if (rc < 0) {
		reload_refuse(r, rc, buf_slice(&why));
		return;
	}
	r->phase = RELOAD_PREPARING;
	r->asked = r->answered = r->gone = 0;
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (s->phase != SLOT_READY || s->worker == 0)
			continue;
		rc = ask(r, s);
		FAULT(reload_asked);
		if (rc < 0 && rc != -EPIPE) {
			reload_refuse_fmt(r, rc, "worker %u %s", s->number,
				s->stopped || rc == -EAGAIN
					? "is stopped or does not read"
					: strerror(-rc));
			return;
		}
	}
	loop_timer_set(m->loop, &r->timer, clock_mono_ms() + RELOAD_PREPARE_MS,
		on_prepare_late, r);
	check_answers(r);
}

bool
reload_prepared(struct slot *s, uint64_t tag, struct slice body)
{
	struct reload *r = s->m->reload;
	uint64_t bit = UINT64_C(1) << (s->number - 1);

	if (tag == 0 || tag > s->m->last_tag)
		return false;
	/* Of one that was given up, or of a resync. */
	if (r->phase != RELOAD_PREPARING || tag != r->tag)
		return true;
	if (!(r->asked & bit) || r->answered & bit)
		return false;
	if (body.len > 0) {
		reload_refuse_fmt(r, -ECANCELED, "worker %u refuses: %.*s",
			s->number, (int)(body.len < 200 ? body.len : 200),
			body.p);
		return true;
	}
	r->answered |= bit;
	r->gone &= ~bit; /* its successor has read what it was sent */
	check_answers(r);
	return true;
}

void
reload_slot_gone(struct slot *s)
{
	struct reload *r = s->m->reload;

	if (!r)
		return;
	r->gone |= UINT64_C(1) << (s->number - 1);
	if (r->phase == RELOAD_PREPARING)
		check_answers(r);
	else if (r->phase == RELOAD_SWITCHING)
		reload_switch_look(r);
}

bool
reload_asks(const struct slot *s)
{
	const struct reload *r = s->m->reload;

	return r->phase == RELOAD_PREPARING && r->asked >> (s->number - 1) & 1;
}

void
reload_resume(struct master *m)
{
	if (listeners_are_leaving(&m->listeners))
		loop_timer_set(m->loop, &m->leaving,
			clock_mono_ms() + RELOAD_LEAVE_MS, on_leaving, m);
}
