/* upgrade_undo.c - a slot whose new keeper or worker does not come up goes on
 * as it was: the new ones are killed, and when nobody holds their descriptor
 * table any more the old keeper clones a worker again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/fd.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/health.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade_private.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define END_MS 500 /* for a keeper that is asked to end */

static void
arm(struct upgrade *u, uint64_t in_ms, loop_timer_fn *fn)
{
	loop_timer_set(u->m->loop, &u->timer, clock_mono_ms() + in_ms, fn, u);
}

static void
close_line(struct upgrade *u)
{
	if (u->line >= 0)
		loop_del(u->m->loop, u->line);
	fd_close(&u->line);
	fd_close(&u->worker_pidfd);
	fd_close(&u->arena);
	u->worker = 0;
}

void
upgrade_leave_slot(struct upgrade *u)
{
	loop_timer_clear(&u->timer);
	close_line(u);
	u->slot = NULL;
	u->step = STEP_NONE;
	u->old_keeper_gone = false;
}

/* This slot stays as it was, and those after it too: a fault of the image is
 * not tried on them. */
void
upgrade_give_in(struct upgrade *u)
{
	unsigned number = u->slot->number;
	char why[300];

	if (u->m->stop != STOP_NO) {
		upgrade_leave_slot(u);
		upgrade_end(u, -ESHUTDOWN, "the server stops");
		return;
	}
	buf_printf(&u->report, "%u went back: %s\n", number, u->why);
	for (unsigned i = number; i < u->m->n_slots; i++)
		buf_printf(&u->report, "%u not tried\n", i + 1);
	(void)snprintf(why, sizeof why,
		"worker %u went back to the image before: %s", number, u->why);
	log_error("upgrade: %s", why);
	upgrade_leave_slot(u);
	upgrade_end(u, -ECANCELED, why);
}

void
upgrade_start_again(struct slot *s)
{
	struct master *m = s->m;

	/* READY and the like of the one that is dead. */
	ctl_link_drop(s);
	supervise_start_worker(s);
	if (m->stop != STOP_NO && s->phase == SLOT_WAITING) {
		loop_timer_clear(&s->respawn);
		s->phase = SLOT_DOWN;
		stop_step(m);
		return;
	}
	/* The dead one may have taken a CTL_LOG. */
	if (m->boot->log.target == CONF_LOG_FILE)
		ctl_link_send(s, LINK_LOG);
}

/* The clients are lost with both keepers. */
static void
begin_anew(struct slot *s)
{
	supervise_lost(s);
	if (s->m->stop == STOP_NO) {
		supervise_schedule(s, true);
		return;
	}
	s->phase = SLOT_DOWN;
	stop_step(s->m);
}

/* Nobody holds the new table any more: the old keeper goes on. */
static void
undone(struct upgrade *u)
{
	struct slot *s = u->slot;

	supervise_keeper_read(s); /* a successor may have said that it is */
	if (u->old_keeper_gone)
		begin_anew(s);
	else
		upgrade_start_again(s);
	upgrade_give_in(u);
}

void
upgrade_kill_new(struct upgrade *u)
{
	/* Its reserve is to end too, and not to succeed it. */
	if (u->line >= 0)
		(void)shutdown(u->line, SHUT_WR);
	if (u->worker_pidfd >= 0)
		(void)pidfd_send_signal(u->worker_pidfd, SIGKILL, NULL, 0);
	if (u->keeper != 0)
		(void)kill(u->keeper, SIGKILL); /* not reaped yet */
}

static void
on_stuck(void *arg)
{
	struct upgrade *u = arg;
	struct slot *s = u->slot;

	/* It has not read KEEPER_EXEC yet, and KEEPER_END waits for what comes
	 * of that. */
	if (u->keeper == 0 && !u->old_keeper_gone &&
		health_stands_still(s->keeper)) {
		arm(u, UPGRADE_STEP_MS, on_stuck);
		return;
	}
	log_error("upgrade: what is left of the new worker %u does not end: "
		  "the slot is given up",
		s->number);
	/* Its bus must not have two workers: that end goes. */
	if (u->old_keeper_gone) {
		begin_anew(s);
	} else {
		slot_kill_keeper(s);
		s->giving_up = true;
		s->phase = SLOT_DOWN;
	}
	upgrade_give_in(u);
}

static void
on_end_late(void *arg)
{
	struct upgrade *u = arg;

	upgrade_kill_new(u);
	arm(u, UPGRADE_STEP_MS, on_stuck);
}

/* A worker that has not said its pid yet, or of which there is no pidfd, is
 * known to its keeper alone, and that to nobody when its word was lost. */
static void
end_new(struct upgrade *u)
{
	const struct keeper_message end = { .type = KEEPER_END };

	if (u->worker_pidfd < 0 && u->line >= 0 &&
		keeper_send(u->line, &end, NULL, 0) == 0)
		arm(u, END_MS, on_end_late);
	else
		on_end_late(u);
}

void
upgrade_undo(struct upgrade *u, const char *fmt, ...)
{
	va_list ap;

	if (u->step == STEP_UNDOING)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(u->why, sizeof u->why, fmt, ap);
	va_end(ap);
	u->step = STEP_UNDOING;
	end_new(u);
	if (u->line < 0 && u->keeper == 0)
		undone(u);
}

void
upgrade_check_undone(struct upgrade *u)
{
	if (u->step == STEP_UNDOING && u->line < 0 && u->keeper == 0)
		undone(u);
}
