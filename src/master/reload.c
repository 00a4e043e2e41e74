/* SPDX-License-Identifier: MIT */
#include "master/reload.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/xalloc.h"
#include "master/reload_private.h"
#include "master/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UPGRADING "the server is being upgraded: ask again\n"

struct waiting {
	struct waiting *next;
	master_reload_fn *done;
	void *arg;
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
	r->phase = RELOAD_IDLE;
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
void
reload_finish(struct reload *r, int rc, struct slice report)
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
	r->phase = RELOAD_PARSING;
	loop_timer_set(m->loop, &r->restart, clock_mono_ms(), on_restart, r);
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
			reload_refuse(r, rc, slice_str(r->complaints.text));
		else
			reload_refuse_fmt(r, rc, "%s cannot be read: %s",
				r->m->conf_path, strerror(-rc));
		return;
	}
	r->conf = conf_map(r->conf_fd);
	if (!r->conf) {
		reload_refuse_fmt(r, -EPROTO, "the parser's answer is damaged");
		return;
	}
	r->tag = ++r->m->last_tag;
	reload_prepare(r);
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
	reload_refuse_fmt(arg, -ETIMEDOUT, "the parser did not end");
}

static void
begin(struct reload *r)
{
	struct master *m = r->m;
	int rc;

	r->phase = RELOAD_PARSING;
	memset(&r->complaints, 0, sizeof r->complaints);
	(void)notify_reloading();
	rc = conf_helper_start(&r->helper, m->conf_path, RELOAD_PARSE_MS);
	if (rc == 0)
		rc = loop_add(m->loop, r->helper.fd, EPOLLIN, on_helper, r);
	if (rc < 0) {
		reload_refuse_fmt(r, rc, "the parser cannot be started: %s",
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
	if (r->phase != RELOAD_IDLE) {
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
	if (r->phase == RELOAD_SWITCHING)
		reload_switch_end(r);
	else if (r->phase != RELOAD_IDLE)
		reload_refuse_fmt(r, -ESHUTDOWN, "the server stops");
	answer(&r->next, -ESHUTDOWN, SLICE_LIT("the server stops\n"));
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
	return m->reload->phase != RELOAD_IDLE;
}
