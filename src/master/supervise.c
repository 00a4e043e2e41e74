/* SPDX-License-Identifier: MIT */
#include "master/supervise.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ban.h"
#include "master/ctl_link.h"
#include "master/drain.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/orphan.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/upgrade.h"
#include "master/upgrade_slots.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define LONG_WAIT_MS   2000 /* the slot's places are given to others */
#define BROKE_AGAIN_MS 10000

static bool
is_unthrottled(void)
{
#ifdef BANTER_TEST_FAULTS
	const char *value = getenv("BANTER_TEST_NO_THROTTLE");

	return value && *value == '1';
#else
	return false;
#endif
}

bool
supervise_is_busy(const struct slot *s)
{
	return s->worker != 0 || s->phase == SLOT_STARTING ||
	       s->phase == SLOT_READY;
}

void
supervise_start_worker(struct slot *s)
{
	int rc = 0;

	s->backoff.unthrottled = is_unthrottled();
	if (s->keeper == 0) {
		rc = slot_open(s);
		if (rc < 0)
			log_error("keeper %u cannot be started: %s%s",
				s->number, strerror(-rc),
				rc == -EMFILE || rc == -ENFILE
					? "; expected more: raise LimitNOFILE= "
					  "(ulimit -n)"
					: "");
	}
	if (rc == 0) {
		rc = slot_spawn(s);
		if (rc < 0)
			log_error("keeper %u cannot be asked for a worker: %s",
				s->number, strerror(-rc));
	}
	if (rc < 0) {
		s->failed_first = true;
		supervise_schedule(s, false);
		ready_check(s->m);
	}
}

static void
on_respawn(void *arg)
{
	struct slot *s = arg;

	supervise_start_worker(s);
}

void
supervise_schedule(struct slot *s, bool was_ready)
{
	uint64_t now = clock_mono_ms();
	uint64_t at =
		backoff_died(&s->backoff, was_ready, now, (uint32_t)random());

	s->phase = SLOT_WAITING;
	if (at >= now + LONG_WAIT_MS)
		share_away(s);
	/* Also when it is now: never deeper in the stack with each failure. */
	loop_timer_set(s->m->loop, &s->respawn, at, on_respawn, s);
}

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

static void
worker_gone(struct slot *s, pid_t pid, int status)
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

static void
worker_spawned(struct slot *s, pid_t pid)
{
	s->worker = pid;
	s->since_ms = clock_wall_ms();
	s->killed = s->stopped = s->late = false;
	s->abort_ms = 0;
	/* It fails when the worker has died and was reaped already: its
	 * keeper tells next. */
	s->worker_pidfd = FAULT_CALL(worker_pidfd, pidfd_open(pid, 0));
	log_debug("worker %u: pid %d, generation %" PRIu64, s->number, (int)pid,
		s->generation);
}

static void
keeper_said(struct slot *s, const struct keeper_message *k)
{
	if (k->type == KEEPER_HERE) {
		orphan_here(s, k->pid);
		return;
	}
	if (upgrade_slot_said(s, k) || k->generation != s->generation)
		return;
	switch ((enum keeper_message_type)k->type) {
	case KEEPER_SPAWNED:
		worker_spawned(s, k->pid);
		break;
	case KEEPER_DIED:
		worker_gone(s, k->pid, k->status);
		break;
	case KEEPER_FAILED:
		log_error("keeper %u cannot clone a worker: %s", s->number,
			strerror(k->status));
		s->failed_first = true;
		if (s->m->stop == STOP_NO) {
			supervise_schedule(s, false);
		} else {
			s->phase = SLOT_DOWN;
			stop_step(s->m);
		}
		ready_check(s->m);
		break;
	default:
		break;
	}
}

/* Once for each worker, and not deeper in the stack with each message. */
static void
broke(struct slot *s, pid_t sender, const char *what)
{
	if (s->killed)
		return;
	s->killed = true;
	log_error("slot %u: pid %d broke the keeper's protocol: %s; killing "
		  "worker pid %d",
		s->number, (int)sender, what, (int)s->worker);
	supervise_violation(s);
}

/* Who has died may have said something before.  A worker that is known has said
 * all that it has to say. */
static void
heard(struct slot *s, const struct keeper_message *k, pid_t sender)
{
	const pid_t keeper[KEEPER_KNOWN] = { s->keeper, s->keeper_before };
	char what[64];

	if (sender != s->worker && keeper_may_say(k, sender, keeper)) {
		keeper_said(s, k);
		return;
	}
	(void)snprintf(what, sizeof what, "message %u of pid %d", k->type,
		(int)k->pid);
	broke(s, sender, what);
}

/* Nobody has the other end any more, or somebody has shut it down.  Mostly they
 * are dead; who is not cannot be told of, nor told anything. */
static void
line_ended(struct slot *s)
{
	log_info("keeper %u: its line has ended, and so does it", s->number);
	loop_del(s->m->loop, s->keeper_ctl);
	(void)slot_signal(s, SIGKILL);
	if (s->keeper != 0)
		(void)kill(s->keeper, SIGKILL); /* not reaped yet */
	orphan_line_ended(s);
}

void
supervise_keeper_read(struct slot *s)
{
	while (s->keeper_ctl >= 0) {
		struct keeper_message k;
		pid_t sender = 0;
		int fd[KEEPER_FDS] = { -1, -1, -1, -1 };
		int rc = -FAULT_ERR(keeper_read);

		if (rc == 0)
			rc = keeper_recv(s->keeper_ctl, &k, fd, &sender);

		for (unsigned i = 0; i < KEEPER_FDS; i++)
			fd_close(&fd[i]); /* nobody sends us any */
		if (rc == 1)
			heard(s, &k, sender);
		else if (rc == -EPROTO)
			broke(s, sender, "a message that is none");
		else if (rc == 0)
			line_ended(s);
		if (rc != 1 && rc != -EPROTO) /* no memory: it is still there */
			return;
	}
}

void
supervise_log_keeper(const struct slot *s, int status)
{
	char how[64];

	supervise_describe(status, how, sizeof how);
	log_error("keeper %u %s", s->number, how);
}

static bool
find_dead(struct master *m, pid_t pid, int status)
{
	if (upgrade_reaped(m, pid, status))
		return true;
	for (unsigned i = 0; i < m->n_slots; i++)
		if (orphan_reaped(&m->slot[i], pid, status))
			return true;
	return false;
}

void
supervise_reaped(struct master *m, pid_t pid, int status)
{
	if (find_dead(m, pid, status) || reload_reaped(m, pid))
		return;
	/* A worker or a keeper of whom a line tells that was not read yet. */
	for (unsigned i = 0; i < m->n_slots; i++)
		supervise_keeper_read(&m->slot[i]);
	if (!find_dead(m, pid, status))
		log_debug("reaped pid %d, which is none of ours", (int)pid);
}

/* Did the successor of a death take part in the latest reload?  Its line may
 * still hold the messages: it is given a moment. */
static void
on_resync(void *arg)
{
	struct slot *s = arg;

	if (s->phase == SLOT_READY)
		reload_resync(s);
}

void
supervise_resync_soon(struct slot *s)
{
	loop_timer_set(s->m->loop, &s->resync,
		clock_mono_ms() + RELOAD_RESYNC_MS, on_resync, s);
}

/* Once, and when it changes. */
static void
tell_sandbox(const struct slot *s)
{
	char text[SANDBOX_TEXT_LEN];

	if (s->m->sandbox_told == s->sandbox)
		return;
	s->m->sandbox_told = s->sandbox;
	sandbox_text(s->sandbox, text);
	if (s->sandbox & SANDBOX_NO_NEW_PRIVS &&
		!(s->sandbox & SANDBOX_SECCOMP))
		log_warning("sandbox: this kernel has no seccomp: workers can "
			    "make any system call (%s)",
			text);
	else
		log_info("sandbox of the workers: %s", text);
}

bool
supervise_ready(struct slot *s)
{
	if (s->phase != SLOT_STARTING)
		return false;
	if (upgrade_slot_ready(s))
		return true;
	FAULT(worker_ready);
	s->phase = SLOT_READY;
	s->served = true;
	backoff_ready(&s->backoff);
	ban_ready(s);
	share_ready(s);
	drain_ready(s);
	if (s->m->stop != STOP_NO)
		ctl_link_send(s, LINK_STOP);
	supervise_resync_soon(s);
	tell_sandbox(s);
	log_info("worker %u is ready (generation %" PRIu64 ")", s->number,
		s->generation);
	health_steer(s->m);
	ready_check(s->m);
	return true;
}

void
supervise_kill(struct slot *s)
{
	supervise_keeper_read(s); /* its pid may wait there */
	s->killed = true;
	(void)slot_signal(s, SIGKILL);
}

void
supervise_violation(struct slot *s)
{
	uint64_t now = clock_mono_ms();

	if (upgrade_slot_broke(s))
		return;
	if (s->violation_ms != 0 && now - s->violation_ms < BROKE_AGAIN_MS)
		s->giving_up = true;
	s->violation_ms = now;
	supervise_kill(s);
}

void
supervise_retry(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].phase == SLOT_REFUSED)
			supervise_start_worker(&m->slot[i]);
}

void
supervise_start(struct master *m)
{
	srandom((unsigned)clock_mono_ns());
	for (unsigned i = 0; i < m->n_slots; i++)
		supervise_start_worker(&m->slot[i]);
	health_start(m);
}

void
supervise_resume(struct master *m)
{
	srandom((unsigned)clock_mono_ns());
	for (unsigned i = 0; i < m->n_slots; i++)
		supervise_resync_soon(&m->slot[i]);
	health_start(m);
	health_steer_anew(m);
}
