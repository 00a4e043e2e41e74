/* SPDX-License-Identifier: MIT */
#include "master/supervise.h"

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/drain.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/reload.h"
#include "master/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LONG_WAIT_MS   2000 /* the slot's places are given to others */
#define BROKE_AGAIN_MS 10000

static void schedule(struct slot *s, bool was_ready);

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
supervise_begin(struct slot *s)
{
	int rc = 0;

	s->backoff.unthrottled = is_unthrottled();
	if (s->keeper == 0) {
		rc = slot_open(s);
		if (rc < 0)
			log_error("keeper %u cannot be started: %s", s->number,
				strerror(-rc));
	}
	if (rc == 0) {
		rc = slot_spawn(s);
		if (rc < 0)
			log_error("keeper %u cannot be asked for a worker: %s",
				s->number, strerror(-rc));
	}
	if (rc < 0) {
		s->failed_first = true;
		schedule(s, false);
		ready_check(s->m);
	}
}

static void
on_respawn(void *arg)
{
	struct slot *s = arg;

	supervise_begin(s);
}

static void
schedule(struct slot *s, bool was_ready)
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

static void
describe(int status, char *text, size_t cap)
{
	const char *name;

	if (status == SLOT_DIED_UNKNOWN) {
		(void)snprintf(text, cap, "ended after its keeper");
	} else if (WIFSIGNALED(status)) {
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

	describe(status, how, sizeof how);
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
	s->killed = s->stopped = s->late = false;
	if (s->m->commands)
		commands_slot_gone(s->m->commands, s->number);
	reload_slot_gone(s);
}

/* With its descriptor table the slot's clients are gone. */
static void
slot_lost(struct slot *s)
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
	slot_lost(s);
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
	if (status < 0 || !WIFSIGNALED(status))
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
		(void)kill(s->keeper, SIGKILL); /* not reaped yet */
}

static bool
exited_with(int status, enum slot_exit code)
{
	return status >= 0 && WIFEXITED(status) &&
	       WEXITSTATUS(status) == (int)code;
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
worker_gone(struct slot *s, pid_t pid, int status)
{
	bool was_ready;

	if (s->retiring && s->m->stop == STOP_NO && s->keeper != 0 &&
		status == 0) {
		log_info("worker %u (pid %d) has no client left and ends",
			s->number, (int)pid);
		supervise_drained(s);
		return;
	}
	/* READY may wait in the line: the death came by another. */
	if (!s->killed)
		ctl_link_read(s);
	ctl_link_drop(s);
	was_ready = s->phase == SLOT_READY;
	log_death(s, pid, status);
	if (s->m->stop == STOP_NO) {
		s->deaths++;
		s->deaths_by[death_of(s, status)]++;
	}
	forget_worker(s);
	if (s->m->stop != STOP_NO) {
		s->phase = SLOT_DOWN;
		stop_step(s->m);
		return;
	}
	if (!was_ready)
		s->failed_first = true;
	s->retiring = false;
	if (s->keeper == 0)
		slot_lost(s);
	if (exited_with(status, SLOT_EXIT_REFUSED))
		refuse(s);
	else if (s->keeper != 0 &&
		 (s->giving_up || exited_with(status, SLOT_EXIT_GIVEN_UP)))
		give_up(s);
	else
		schedule(s, was_ready);
	ready_check(s->m);
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
	s->worker_pidfd = pidfd_open(pid, 0);
	log_debug("worker %u: pid %d, generation %" PRIu64, s->number, (int)pid,
		s->generation);
}

static void
keeper_said(struct slot *s, const struct keeper_message *k)
{
	if (k->generation != s->generation)
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
			schedule(s, false);
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

void
supervise_keeper_read(struct slot *s)
{
	while (s->keeper_ctl >= 0) {
		struct keeper_message k;
		ssize_t n = recv(s->keeper_ctl, &k, sizeof k, MSG_DONTWAIT);

		if (n == sizeof k) {
			keeper_said(s, &k);
			continue;
		}
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		/* End of file, or our own mistake; its death comes by
		 * SIGCHLD. */
		loop_del(s->m->loop, s->keeper_ctl);
		return;
	}
}

static void
on_orphan_end(void *arg, uint32_t events)
{
	struct slot *s = arg;

	(void)events;
	worker_gone(s, s->worker, SLOT_DIED_UNKNOWN);
}

/* The worker sees its keeper's end, says goodbye and goes; until then it holds
 * the slot's listeners and its end of the bus. */
static void
keeper_gone(struct slot *s, int status)
{
	struct master *m = s->m;
	char how[64];

	supervise_keeper_read(s); /* what it said last */
	s->keeper = 0;
	if (m->stop != STOP_NO && s->worker == 0) {
		slot_close_lines(s);
		s->phase = SLOT_DOWN;
		stop_step(m);
		return;
	}
	if (s->phase == SLOT_DRAINED) {
		if (s->drain == 0)
			supervise_begin(s);
		return;
	}
	describe(status, how, sizeof how);
	if (!s->giving_up)
		log_error("keeper %u %s", s->number, how);
	if (s->worker == 0) {
		bool given_up = s->giving_up;

		loop_timer_clear(&s->respawn);
		slot_lost(s);
		if (s->phase != SLOT_REFUSED)
			schedule(s, given_up);
	} else if (s->worker_pidfd < 0 ||
		   loop_add(m->loop, s->worker_pidfd, EPOLLIN, on_orphan_end,
			   s) < 0) {
		worker_gone(s, s->worker, SLOT_DIED_UNKNOWN);
	} else {
		health_orphaned(s);
	}
}

void
supervise_reaped(struct master *m, pid_t pid, int status)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].keeper == pid) {
			keeper_gone(&m->slot[i], status);
			return;
		}
	if (!reload_reaped(m, pid))
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

bool
supervise_ready(struct slot *s)
{
	if (s->phase != SLOT_STARTING)
		return false;
	s->phase = SLOT_READY;
	s->served = true;
	backoff_ready(&s->backoff);
	share_ready(s);
	drain_ready(s);
	if (s->m->stop != STOP_NO)
		ctl_link_send(s, LINK_STOP);
	supervise_resync_soon(s);
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
			supervise_begin(&m->slot[i]);
}

void
supervise_start(struct master *m)
{
	srandom((unsigned)clock_mono_ns());
	for (unsigned i = 0; i < m->n_slots; i++)
		supervise_begin(&m->slot[i]);
	health_start(m);
}
