/* SPDX-License-Identifier: MIT */
#include "master/orphan.h"

#include "base/clock.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/health.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade_slots.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

#define ORPHAN_MS 2000 /* for the worker to end its turn, at least */

static uint64_t
patience(const struct slot *s)
{
	uint64_t hang_ms = s->m->conf->hang_timeout_ms;

	return hang_ms > ORPHAN_MS ? hang_ms : ORPHAN_MS;
}

static void
begin(struct slot *s)
{
	if (s->orphaned)
		return;
	s->orphaned = true;
	s->orphan_ms = clock_mono_ms() + patience(s);
	s->old_keeper = s->keeper_before = s->keeper;
	s->keeper = 0;
	s->alone = false;
	if (s->m->stop == STOP_NO)
		health_steer(s->m);
}

static void
lost(struct slot *s)
{
	bool given_up = s->giving_up;

	loop_timer_clear(&s->respawn);
	supervise_lost(s);
	/* It had no worker, or one that nobody saw end. */
	if (!s->end_known && s->phase != SLOT_REFUSED)
		supervise_schedule(s, given_up);
}

/* Has everybody ended who had to, and is it known who is left? */
static void
settle(struct slot *s)
{
	bool ended = s->end_known;

	if (!s->orphaned || s->old_keeper != 0 || s->worker != 0 ||
		(s->keeper == 0 && !s->line_ended && s->keeper_ctl >= 0))
		return;
	s->orphaned = false;
	if (s->m->stop != STOP_NO) {
		if (s->keeper == 0)
			slot_close_lines(s);
		s->phase = SLOT_DOWN;
		stop_step(s->m);
		return;
	}
	if (s->keeper == 0)
		lost(s);
	s->end_known = false;
	if (s->keeper != 0 &&
		(ended ? supervise_exited_with(s->end_status, SLOT_EXIT_PARKED)
		       : s->phase == SLOT_STARTING))
		supervise_start_worker(s);
	else if (ended)
		supervise_go_on(s, s->end_status, s->end_ready);
}

static void
worker_reaped(struct slot *s, pid_t pid, int status)
{
	bool was_ready;

	/* It became our child because its keeper had died. */
	begin(s);
	was_ready = supervise_worker_ended(s, pid, status);
	s->phase = SLOT_DOWN;
	s->end_known = true;
	s->end_status = status;
	s->end_ready = was_ready;
	supervise_keeper_read(s);
	settle(s);
}

/* Its keeper has reaped it and died before it could say so.  A zombie that is
 * ours to reap can still be sent a signal. */
static bool
has_vanished(struct slot *s)
{
	if (s->worker == 0)
		return false;
	if (s->worker_pidfd >= 0)
		return slot_signal(s, 0) == -ESRCH;
	return kill(s->worker, 0) == -1 && errno == ESRCH;
}

/* Its line was closed when its last client had left. */
static void
drained(struct slot *s)
{
	s->keeper = 0;
	if (s->m->stop != STOP_NO)
		stop_step(s->m);
	else if (s->drain == 0)
		supervise_start_worker(s);
}

static void
keeper_reaped(struct slot *s, int status)
{
	begin(s);
	if (!s->giving_up && s->m->stop == STOP_NO)
		supervise_log_keeper(s, status);
	s->old_keeper = 0;
	supervise_keeper_read(s); /* what it said last, and whether it ended */
	if (has_vanished(s))
		worker_reaped(s, s->worker, SLOT_DIED_UNKNOWN);
	settle(s);
}

bool
orphan_reaped(struct slot *s, pid_t pid, int status)
{
	if (pid == s->keeper && !s->orphaned && upgrade_slot_orphaned(s))
		return true;
	if (pid == s->keeper && s->phase == SLOT_DRAINED) {
		drained(s);
		return true;
	}
	if (pid == s->worker) {
		worker_reaped(s, pid, status);
	} else if (pid == s->old_keeper || (pid == s->keeper && !s->orphaned)) {
		keeper_reaped(s, status);
	} else if (pid == s->keeper) {
		s->keeper = 0; /* the new one, before its first worker */
		settle(s);
	} else {
		return false;
	}
	return true;
}

/* The worker is no child of the new keeper, which could not tell of its death.
 * It ends its turn, and the next one is. */
static void
park(struct slot *s)
{
	if (s->worker == 0 || s->parking || s->m->stop != STOP_NO)
		return;
	s->parking = true;
	ctl_link_send(s, LINK_PARK);
}

void
orphan_here(struct slot *s, pid_t pid)
{
	siginfo_t info;

	/* A line can say anything; only a child of ours is a keeper.  One that
	 * has died already is reaped next. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == -1)
		return;
	if (upgrade_slot_succeeded(s, pid))
		return;
	begin(s);
	s->keeper = pid;
	log_notice("keeper %u: pid %d has taken over the clients", s->number,
		(int)pid);
	park(s);
	settle(s);
}

void
orphan_line_ended(struct slot *s)
{
	s->line_ended = true;
	settle(s);
}

/* It is all that holds the table. */
static void
tell_alone(struct slot *s)
{
	if (s->alone)
		return;
	s->alone = true;
	log_error("slot %u: keeper and reserve are gone: worker pid %d goes on "
		  "alone, and with it its clients would go: to have it "
		  "replaced, drain the slot (banterctl drain %u)",
		s->number, (int)s->worker, s->number);
}

void
orphan_tick(struct slot *s, uint64_t now)
{
	/* Stopped or traced: nothing is lost by waiting. */
	if (s->worker != 0 && health_is_stopped(s))
		s->orphan_ms = now + patience(s);
	if (now < s->orphan_ms)
		return;
	s->orphan_ms = now + patience(s);
	if (s->worker != 0 && s->keeper == 0) {
		tell_alone(s);
	} else if (s->worker != 0) {
		log_error("worker %u (pid %d) did not end after its keeper: "
			  "sending SIGKILL",
			s->number, (int)s->worker);
		supervise_kill(s);
	} else if (s->old_keeper != 0) {
		(void)kill(s->old_keeper, SIGKILL); /* not reaped yet */
	} else {
		log_error("slot %u: no keeper came: its clients are given up",
			s->number);
		s->line_ended = true; /* whoever has it finds it closed */
		settle(s);
	}
}
