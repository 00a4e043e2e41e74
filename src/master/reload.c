/* SPDX-License-Identifier: MIT */
#include "master/reload.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "master/conf_helper.h"
#include "master/ctl_link.h"
#include "master/engines.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/reload_report.h"
#include "master/resize.h"
#include "master/supervise.h"
#include "master/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPGRADING "the server is being upgraded: ask again\n"

struct waiting {
	struct waiting *next;
	master_reload_fn *done;
	void *arg;
};

enum phase {
	IDLE,
	PARSING,
	PREPARING
};

struct reload {
	struct master *m;
	enum phase phase;
	bool again; /* somebody asked while one ran */
	struct waiting *now, *next;
	struct conf_helper helper;
	struct loop_timer timer, restart;
	struct conf_report complaints;
	const struct conf *conf; /* the new one */
	int conf_fd;
	uint64_t tag;
	unsigned n_wanted;        /* slots by conf */
	uint64_t asked, answered; /* bit i: slot i + 1 */
};

static void begin(struct reload *r);

struct reload *
reload_new(struct master *m)
{
	struct reload *r = xcalloc(1, sizeof *r);

	r->m = m;
	r->helper.fd = r->conf_fd = -1;
	return r;
}

static void
answer(struct waiting **list, int rc, struct slice report)
{
	struct waiting *w = *list;

	*list = NULL;
	while (w) {
		struct waiting *next = w->next;

		if (w->done)
			w->done(w->arg, rc, report);
		free(w);
		w = next;
	}
}

static void
end_helper(struct reload *r)
{
	if (r->helper.fd >= 0)
		loop_del(r->m->loop, r->helper.fd);
	conf_helper_end(&r->helper);
}

static void
drop(struct reload *r)
{
	end_helper(r);
	loop_timer_clear(&r->timer);
	conf_unmap(&r->conf);
	fd_close(&r->conf_fd);
	r->phase = IDLE;
}

void
reload_free(struct reload **reload)
{
	struct reload *r = *reload;

	if (!r)
		return;
	drop(r);
	loop_timer_clear(&r->restart);
	answer(&r->now, -ESHUTDOWN, SLICE_LIT("the server stops\n"));
	answer(&r->next, -ESHUTDOWN, SLICE_LIT("the server stops\n"));
	free(r);
	*reload = NULL;
}

static void
on_restart(void *arg)
{
	begin(arg);
}

static void
upgrade_if_asked(struct master *m)
{
	if (!m->upgrade_asked)
		return;
	m->upgrade_asked = false;
	master_upgrade(m, NULL, NULL);
}

/* The answers may ask for another one: that is `next`. */
static void
finish(struct reload *r, int rc, struct slice report)
{
	struct master *m = r->m;

	drop(r);
	*(rc == 0 ? &m->reloads : &m->reloads_failed) += 1;
	if (m->stop == STOP_NO && rc == 0)
		status_notify(m, "READY=1", NULL);
	else if (m->stop == STOP_NO)
		status_notify_refused(m, report);
	answer(&r->now, rc, report);
	if (m->stop != STOP_NO)
		return;
	if (!r->again) {
		upgrade_if_asked(m);
		return;
	}
	r->again = false;
	r->now = r->next;
	r->next = NULL;
	/* From the loop, so that a burst of requests is one more run. */
	r->phase = PARSING;
	loop_timer_set(m->loop, &r->restart, clock_mono_ms(), on_restart, r);
}

static void
log_lines(struct slice text, bool bad)
{
	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t len = end ? (size_t)(end - text.p) : text.len;

		if (len > 0 && bad)
			log_error("reload: %.*s", (int)len, text.p);
		else if (len > 0)
			log_notice("reload: %.*s", (int)len, text.p);
		text = slice_skip(text, len + 1);
	}
}

/* Undo what was prepared. */
static void
refuse(struct reload *r, int rc, struct slice why)
{
	struct master *m = r->m;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (r->asked >> i & 1) {
			m->slot[i].abort_tag = r->tag;
			ctl_link_send(&m->slot[i], LINK_ABORT);
		}
	r->asked = 0;
	listeners_abort(&m->listeners);
	log_lines(why, true);
	log_error("the reload is refused: the old configuration stays");
	finish(r, rc, why);
}

static void __attribute__((format(printf, 3, 4)))
refuse_fmt(struct reload *r, int rc, const char *fmt, ...)
{
	char mem[512];
	struct buf b = buf_over(mem, sizeof mem);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	refuse(r, rc, buf_slice(&b));
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
commit(struct reload *r)
{
	static char mem[32768];
	struct buf report = buf_over(mem, sizeof mem);
	struct master *m = r->m;

	FAULT(reload_commit);
	loop_timer_clear(&r->timer);
	reload_report(m->conf, r->conf, engines_wait(m, r->conf), &report);
	reload_pending(m->boot, r->conf, engines_wait(m, r->conf), m->pending,
		sizeof m->pending);
	/* `workers = 0` stays the same word for another number of CPUs. */
	if (r->n_wanted != m->n_wanted && r->conf->workers == m->conf->workers)
		buf_str(&report, "workers applied\n");
	if (listeners_commit(&m->listeners, m->conf, r->conf, r->asked))
		loop_timer_set(m->loop, &m->leaving,
			clock_mono_ms() + RELOAD_LEAVE_MS, on_leaving, m);
	change_conf(r);
	for (unsigned i = 0; i < m->n_slots; i++)
		if (r->asked >> i & 1) {
			m->slot[i].resync_tag = r->tag;
			ctl_link_send(&m->slot[i], LINK_COMMIT);
			FAULT(reload_told);
		} else if (m->slot[i].phase == SLOT_READY) {
			supervise_resync_soon(&m->slot[i]);
		}
	r->asked = 0;
	resize_commit(m, r->n_wanted);
	health_steer_anew(m);
	share_total(m);
	log_lines(slice_str(r->complaints.text), false);
	log_lines(buf_slice(&report), false);
	log_notice("reloaded: configuration %" PRIu64, m->conf_generation);
	buf_slice_add(&report, slice_str(r->complaints.text));
	finish(r, 0, buf_slice(&report));
	supervise_retry(m);
}

static void
check_answers(struct reload *r)
{
	if (r->phase == PREPARING && (r->asked & ~r->answered) == 0)
		commit(r);
}

static void
on_prepare_late(void *arg)
{
	struct reload *r = arg;
	uint64_t missing = r->asked & ~r->answered;

	refuse_fmt(r, -ETIMEDOUT,
		"worker %d did not answer within %d s; is it stopped?",
		__builtin_ctzll(missing) + 1, RELOAD_PREPARE_MS / 1000);
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

static void
prepare(struct reload *r)
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
		refuse(r, rc, buf_slice(&why));
		return;
	}
	r->phase = PREPARING;
	r->asked = r->answered = 0;
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (s->phase != SLOT_READY || s->worker == 0)
			continue;
		rc = ask(r, s);
		FAULT(reload_asked);
		if (rc < 0 && rc != -EPIPE) {
			refuse_fmt(r, rc, "worker %u %s", s->number,
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

static void
parsed(struct reload *r)
{
	int rc = conf_helper_take(&r->helper, &r->conf_fd, &r->complaints);

	if (rc == -EAGAIN || rc == -EINTR)
		return;
	loop_timer_clear(&r->timer);
	end_helper(r);
	if (rc < 0) {
		if (r->complaints.len > 0)
			refuse(r, rc, slice_str(r->complaints.text));
		else
			refuse_fmt(r, rc, "%s cannot be read: %s",
				r->m->conf_path, strerror(-rc));
		return;
	}
	r->conf = conf_map(r->conf_fd);
	if (!r->conf) {
		refuse_fmt(r, -EPROTO, "the parser's answer is damaged");
		return;
	}
	r->tag = ++r->m->last_tag;
	prepare(r);
}

static void
on_helper(void *arg, uint32_t events)
{
	(void)events;
	parsed(arg);
}

static void
on_parse_late(void *arg)
{
	refuse_fmt(arg, -ETIMEDOUT, "the parser did not end");
}

static void
begin(struct reload *r)
{
	struct master *m = r->m;
	int rc;

	r->phase = PARSING;
	memset(&r->complaints, 0, sizeof r->complaints);
	(void)notify_reloading();
	rc = conf_helper_start(&r->helper, m->conf_path, RELOAD_PARSE_MS);
	if (rc == 0)
		rc = loop_add(m->loop, r->helper.fd, EPOLLIN, on_helper, r);
	if (rc < 0) {
		refuse_fmt(r, rc, "the parser cannot be started: %s",
			strerror(-rc));
		return;
	}
	loop_timer_set(m->loop, &r->timer,
		clock_mono_ms() + RELOAD_PARSE_MS + 1000, on_parse_late, r);
}

static void
wait_for(struct waiting **list, master_reload_fn *done, void *arg)
{
	struct waiting *w = xcalloc(1, sizeof *w);

	w->done = done;
	w->arg = arg;
	w->next = *list;
	*list = w;
}

void
master_reload(struct master *m, master_reload_fn *done, void *arg)
{
	struct reload *r = m->reload;

	if (m->stop != STOP_NO || !m->ready) {
		const char *why = m->ready ? "the server stops\n"
					   : "the server is starting\n";

		if (done)
			done(arg, -EBUSY, slice_str(why));
		return;
	}
	if (upgrade_is_busy(m)) {
		if (done)
			done(arg, -EBUSY, SLICE_LIT(UPGRADING));
		else
			upgrade_reload_later(m);
		return;
	}
	if (r->phase != IDLE) {
		r->again = true;
		if (done)
			wait_for(&r->next, done, arg);
		return;
	}
	if (done)
		wait_for(&r->now, done, arg);
	begin(r);
}

void
reload_cancel(struct master *m)
{
	struct reload *r = m->reload;

	loop_timer_clear(&r->restart);
	r->again = false;
	if (r->phase != IDLE)
		refuse_fmt(r, -ESHUTDOWN, "the server stops");
	answer(&r->next, -ESHUTDOWN, SLICE_LIT("the server stops\n"));
}

bool
reload_prepared(struct slot *s, uint64_t tag, struct slice body)
{
	struct reload *r = s->m->reload;
	uint64_t bit = UINT64_C(1) << (s->number - 1);

	if (tag == 0 || tag > s->m->last_tag)
		return false;
	/* Of one that was given up, or of a resync. */
	if (r->phase != PREPARING || tag != r->tag)
		return true;
	if (!(r->asked & bit) || r->answered & bit)
		return false;
	if (body.len > 0) {
		refuse_fmt(r, -ECANCELED, "worker %u refuses: %.*s", s->number,
			(int)(body.len < 200 ? body.len : 200), body.p);
		return true;
	}
	r->answered |= bit;
	check_answers(r);
	return true;
}

void
reload_slot_gone(struct slot *s)
{
	struct reload *r = s->m->reload;

	if (!r || r->phase != PREPARING)
		return;
	r->answered |= UINT64_C(1) << (s->number - 1);
	check_answers(r);
}

bool
reload_asks(const struct slot *s)
{
	const struct reload *r = s->m->reload;

	return r->phase == PREPARING && r->asked >> (s->number - 1) & 1;
}

bool
reload_reaped(struct master *m, pid_t pid)
{
	struct reload *r = m->reload;

	if (!r || r->helper.pid != pid)
		return false;
	r->helper.pid = 0;
	return true;
}

bool
reload_is_busy(const struct master *m)
{
	return m->reload->phase != IDLE;
}

void
reload_resume(struct master *m)
{
	if (listeners_are_leaving(&m->listeners))
		loop_timer_set(m->loop, &m->leaving,
			clock_mono_ms() + RELOAD_LEAVE_MS, on_leaving, m);
}
