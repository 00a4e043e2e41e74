/* supervise_death.c - the end of a worker: what is left of it, why, what next.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/fault.h"
#include "base/fd.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/hub.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade_slots.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void
supervise_describe(int status, char *text, size_t cap)
{
	const char *name;

	if (WIFSIGNALED(status)) {
		name = sigabbrev_np(WTERMSIG(status));
		(void)snprintf(text, cap, "was killed by SIG%s%s",
			name ? name : "?",
			WCOREDUMP(status) ? " (core dumped)" : "");
	} else {
		(void)snprintf(
			text, cap, "exited with code %d", WEXITSTATUS(status));
	}
}

void
supervise_log_keeper(const struct slot *s, int status)
{
	char how[64];

	supervise_describe(status, how, sizeof how);
	log_error("keeper %u %s", s->number, how);
}

static void
log_death(const struct slot *s, pid_t pid, int status)
{
	const char *when = s->phase == SLOT_READY ? "" : " before it was ready";
	char how[64];

	supervise_describe(status, how, sizeof how);
	if (s->m->stop != STOP_NO)
		log_info("worker %u (pid %d, generation %" PRIu64 ") %s",
			s->number, (int)pid, s->generation, how);
	else
		log_error("worker %u (pid %d, generation %" PRIu64 ") %s%s",
			s->number, (int)pid, s->generation, how, when);
}

static void
forget_worker(struct slot *s)
{
	if (s->worker_pidfd >= 0)
		loop_del(s->m->loop, s->worker_pidfd);
	fd_close(&s->worker_pidfd);
	loop_timer_clear(&s->resync);
	s->worker = 0;
	s->since_ms = 0;
	s->abort_ms = 0;
	s->killed = s->stopped = s->late = s->parking = false;
	s->pending &= ~(unsigned)LINK_PARK;
	if (s->m->commands)
		commands_slot_gone(s->m->commands, s->number);
	reload_slot_gone(s);
}

void
supervise_lost(struct slot *s)
{
	hub_slot_reset(s->m->hub, s->number, SLICE_LIT("server fault"));
	slot_close_lines(s);
	s->giving_up = false;
}

void
supervise_drained(struct slot *s)
{
	/* The last that its last client said. */
	while (s->bus >= 0 && hub_slot_read(s->m->hub, s->number) > 0)
		;
	s->phase = SLOT_DRAINED;
	s->retiring = false;
	loop_timer_clear(&s->respawn);
	/* With its line the keeper ends, and with it the arena. */
	supervise_lost(s);
	share_away(s);
	if (s->worker != 0)
		forget_worker(s);
}

static enum slot_death
death_of(const struct slot *s, int status)
{
	if (s->abort_ms != 0)
		return SLOT_DEATH_HUNG;
	if (s->killed)
		return SLOT_DEATH_BROKE;
	if (!WIFSIGNALED(status))
		return SLOT_DEATH_EXITED;
	return WTERMSIG(status) == SIGKILL ? SLOT_DEATH_KILLED
					   : SLOT_DEATH_CRASHED;
}

/* The arena goes with the keeper. */
static void
give_up(struct slot *s)
{
	log_error("slot %u is given up: its clients are closed and it begins "
		  "anew",
		s->number);
	s->phase = SLOT_DOWN;
	s->giving_up = true;
	if (s->keeper != 0)
		slot_kill_keeper(s);
}

bool
supervise_exited_with(int status, enum slot_exit code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == (int)code;
}

static void
refuse(struct slot *s)
{
	log_error("worker %u refuses the configuration or the system: it is "
		  "not started again before a reload",
		s->number);
	s->phase = SLOT_REFUSED;
	share_away(s);
}

static void
count_death(struct slot *s, pid_t pid, int status)
{
	log_death(s, pid, status);
	if (s->m->stop != STOP_NO)
		return;
	s->deaths++;
	s->deaths_by[death_of(s, status)]++;
	if (s->phase != SLOT_READY)
		s->failed_first = true;
}

bool
supervise_worker_ended(struct slot *s, pid_t pid, int status)
{
	bool was_ready;

	FAULT(worker_gone);
	if (s->retiring && s->m->stop == STOP_NO && s->keeper != 0 &&
		!s->orphaned && status == 0) {
		log_info("worker %u (pid %d) has no client left and ends",
			s->number, (int)pid);
		supervise_drained(s);
		return false;
	}
	/* READY may wait in the line: the death came by another. */
	if (!s->killed)
		ctl_link_read(s);
	ctl_link_drop(s);
	was_ready = s->phase == SLOT_READY;
	if (supervise_exited_with(status, SLOT_EXIT_PARKED))
		log_debug("worker %u (pid %d) is parked", s->number, (int)pid);
	else
		count_death(s, pid, status);
	forget_worker(s);
	s->retiring = false;
	return was_ready;
}

void
supervise_go_on(struct slot *s, int status, bool was_ready)
{
	if (supervise_exited_with(status, SLOT_EXIT_REFUSED))
		refuse(s);
	else if (s->keeper != 0 &&
		 (s->giving_up ||
			 supervise_exited_with(status, SLOT_EXIT_GIVEN_UP)))
		give_up(s);
	else
		supervise_schedule(s, was_ready);
	ready_check(s->m);
}

void
supervise_worker_gone(struct slot *s, pid_t pid, int status)
{
	bool was_ready = supervise_worker_ended(s, pid, status);

	if (s->phase == SLOT_DRAINED) {
		upgrade_slot_drained(s);
		return;
	}
	if (upgrade_slot_parked(
		    s, supervise_exited_with(status, SLOT_EXIT_PARKED)))
		return;
	if (s->m->stop == STOP_NO) {
		supervise_go_on(s, status, was_ready);
		return;
	}
	s->phase = SLOT_DOWN;
	stop_step(s->m);
}
