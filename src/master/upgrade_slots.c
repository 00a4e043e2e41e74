/* upgrade_slots.c - one slot after the other: its worker parks, its keeper
 * starts a keeper of the new image over a copy of the descriptor table, and
 * that one's worker says READY before it touches anything.  Until it is told to
 * go on, the old keeper can.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/upgrade_slots.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/version.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/engines.h"
#include "master/health.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void next_slot(void *arg);

static void
arm(struct upgrade *u, uint64_t in_ms, loop_timer_fn *fn)
{
	loop_timer_set(u->m->loop, &u->timer, clock_mono_ms() + in_ms, fn, u);
}

static void
on_step_late(void *arg)
{
	struct upgrade *u = arg;

	upgrade_undo(u, "the new worker was not ready within %d ms",
		UPGRADE_STEP_MS);
}

static void
line_ended(struct upgrade *u)
{
	loop_del(u->m->loop, u->line);
	fd_close(&u->line);
	if (u->step == STEP_UNDOING)
		upgrade_check_undone(u);
	else if (u->keeper == 0)
		upgrade_undo(u, "the new keeper has ended");
	/* Else it is dead, and how it died is told when it is reaped. */
}

static void
line_said(struct upgrade *u, const struct keeper_message *k)
{
	char how[64];

	switch ((enum keeper_message_type)k->type) {
	case KEEPER_SPAWNED:
		u->worker = k->pid;
		fd_close(&u->worker_pidfd);
		u->worker_pidfd = pidfd_open(k->pid, 0);
		if (u->step == STEP_UNDOING)
			upgrade_kill_new(u);
		break;
	case KEEPER_DIED:
		fd_close(&u->worker_pidfd);
		supervise_describe(k->status, how, sizeof how);
		upgrade_undo(u, "the new worker %s", how);
		break;
	case KEEPER_FAILED:
		upgrade_undo(u, "the new keeper cannot clone a worker: %s",
			strerror(k->status));
		break;
	default:
		break;
	}
}

static void
line_heard(struct upgrade *u, const struct keeper_message *k, pid_t sender)
{
	const pid_t keeper[KEEPER_KNOWN] = { u->keeper, 0 };

	/* As in supervise_keeper.c: who is known has said all that it has to
	 * say. */
	if (sender != u->worker && keeper_may_say(k, sender, keeper))
		line_said(u, k);
	else
		upgrade_undo(u,
			"pid %d broke the keeper's protocol: message %u",
			(int)sender, k->type);
}

static void
on_line(void *arg, uint32_t events)
{
	struct upgrade *u = arg;
	struct keeper_message k;
	int fd[KEEPER_FDS];

	(void)events;
	while (u->line >= 0) {
		pid_t sender = 0;
		int rc = keeper_recv(u->line, &k, fd, &sender);

		if (rc == -EAGAIN)
			return;
		for (unsigned i = 0; i < KEEPER_FDS; i++)
			fd_close(&fd[i]);
		if (rc == 1)
			line_heard(u, &k, sender);
		else
			line_ended(u);
	}
}

static int
make_arena(struct upgrade *u)
{
	const struct master_options *o = &u->m->options;

	if (u->slot->arena_version == o->arena_version)
		return 0;
	u->arena = fd_memory("banter-arena",
		o->arena_size(u->m->conf, u->m->fd_limit), false);
	return u->arena < 0 ? u->arena : 0;
}

static int
send_exec(struct upgrade *u, int line)
{
	struct keeper_message k = { .type = KEEPER_EXEC };
	int fd[KEEPER_FDS] = { u->image, line };
	unsigned n = 2;

	if (u->arena >= 0) {
		k.flags |= KEEPER_ARENA;
		fd[n++] = u->arena;
	}
	/* One of another layout cannot be read by the new worker. */
	if (u->slot->resync_tag != u->m->conf_generation) {
		k.flags |= KEEPER_CONF;
		k.generation = u->m->conf_generation;
		fd[n++] = u->m->conf_fd;
	}
	return keeper_send(u->slot->keeper_ctl, &k, fd, n);
}

static int
exec_keeper(struct upgrade *u)
{
	int end[2], rc = make_arena(u);

	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0, end) == -1)
		return -errno;
	rc = keeper_know_senders(end[0]);
	if (rc == 0)
		rc = keeper_know_senders(end[1]);
	if (rc == 0)
		rc = loop_add(u->m->loop, end[0], EPOLLIN, on_line, u);
	if (rc == 0)
		rc = send_exec(u, end[1]);
	fd_close(&end[1]);
	if (rc < 0) {
		loop_del(u->m->loop, end[0]);
		fd_close(&end[0]);
		return rc;
	}
	u->line = end[0];
	u->step = STEP_EXECING;
	return 0;
}

bool
upgrade_slot_parked(struct slot *s, bool was_parked)
{
	struct upgrade *u = s->m->upgrade;
	int rc;

	if (!u || u->slot != s || u->step != STEP_PARKING)
		return false;
	if (was_parked && s->keeper != 0 && u->m->stop != STOP_NO) {
		/* Its clients are to be told. */
		upgrade_start_again(s);
		upgrade_give_in(u);
		return true;
	}
	if (!was_parked || s->keeper == 0) {
		(void)snprintf(u->why, sizeof u->why,
			"the worker died instead of parking");
		upgrade_give_in(u);
		return false;
	}
	FAULT(upgrade_parked);
	s->phase = SLOT_STARTING;
	arm(u, UPGRADE_STEP_MS, on_step_late);
	rc = exec_keeper(u);
	if (rc < 0)
		upgrade_undo(
			u, "its keeper cannot be asked: %s", strerror(-rc));
	return true;
}

void
upgrade_slot_drained(struct slot *s)
{
	struct upgrade *u = s->m->upgrade;

	if (!u || u->slot != s)
		return;
	upgrade_leave_slot(u);
	arm(u, 0, next_slot);
}

bool
upgrade_slot_is_parked(const struct slot *s)
{
	const struct upgrade *u = s->m->upgrade;

	return u && u->slot == s && u->step > STEP_PARKING;
}

bool
upgrade_slot_said(struct slot *s, const struct keeper_message *k)
{
	struct upgrade *u = s->m->upgrade;
	struct keeper_message spawn = { .type = KEEPER_SPAWN };
	siginfo_t info;
	int rc;

	if (!u || u->slot != s || u->step < STEP_EXECING)
		return false;
	if (k->type == KEEPER_REFUSED) {
		upgrade_undo(u, "its keeper refuses: %s", strerror(k->status));
		return true;
	}
	if (k->type != KEEPER_EXECED ||
		waitid(P_PID, (id_t)k->pid, &info,
			WEXITED | WNOHANG | WNOWAIT) == -1)
		return false;
	u->keeper = k->pid;
	if (u->step != STEP_EXECING) {
		upgrade_kill_new(u);
		return true;
	}
	FAULT(upgrade_execed);
	u->step = STEP_STARTING;
	spawn.generation = ++s->generation;
	spawn.flags = KEEPER_WAIT | (uint32_t)u->engine << KEEPER_ENGINE_SHIFT;
	rc = keeper_send(u->line, &spawn, NULL, 0);
	/* Dead already: how it died is told when it is reaped. */
	if (rc < 0 && rc != -EPIPE)
		upgrade_undo(
			u, "the new keeper cannot be asked: %s", strerror(-rc));
	return true;
}

/* From here on there is no way back. */
static int
let_go(struct upgrade *u)
{
	struct slot *s = u->slot;
	struct keeper_message adopt = { .type = KEEPER_ADOPT };
	int rc = ctl_link_try(s, CTL_GO, 0, NULL, 0, -1);

	if (rc == 0 && u->arena >= 0)
		(void)keeper_send(u->line, &adopt, NULL, 0);
	return rc;
}

static void
swap(struct upgrade *u)
{
	struct slot *s = u->slot;

	s->leaving_keeper = u->old_keeper_gone ? 0 : s->keeper;
	s->keeper = u->keeper;
	u->keeper = 0;
	loop_del(u->m->loop, u->line);
	slot_swap_line(s, &u->line);
	s->worker = u->worker;
	s->worker_pidfd = u->worker_pidfd;
	u->worker_pidfd = -1;
	s->arena_version = u->m->options.arena_version;
	s->resync_tag = u->m->conf_generation;
	engines_set_slot(s, u->engine);
	s->since_ms = clock_wall_ms();
	s->alive_ms = clock_mono_ms();
	s->killed = s->stopped = s->late = false;
	s->abort_ms = 0;
}

bool
upgrade_slot_ready(struct slot *s)
{
	struct upgrade *u = s->m->upgrade;
	int rc;

	if (!u || u->slot != s || u->step < STEP_EXECING)
		return false;
	if (u->step != STEP_STARTING)
		return true; /* it is being killed */
	if (u->line >= 0)
		on_line(u, 0); /* its pid may wait there */
	if (u->step != STEP_STARTING)
		return true;
	rc = u->worker == 0 ? -ESRCH : let_go(u);
	if (rc < 0) {
		upgrade_undo(
			u, "the new worker cannot be told: %s", strerror(-rc));
		return true;
	}
	FAULT(upgrade_gone);
	swap(u);
	buf_printf(&u->report, "%u upgraded\n", s->number);
	upgrade_leave_slot(u);
	arm(u, 0, next_slot);
	return false; /* it is ready like any other */
}

bool
upgrade_slot_broke(struct slot *s)
{
	struct upgrade *u = s->m->upgrade;

	if (!u || u->slot != s || u->step < STEP_EXECING)
		return false;
	upgrade_undo(u, "the new worker broke the ctl protocol");
	return true;
}

bool
upgrade_slot_orphaned(struct slot *s)
{
	struct upgrade *u = s->m->upgrade;

	if (!u || u->slot != s || u->step == STEP_NONE)
		return false;
	if (u->step == STEP_PARKING) {
		(void)snprintf(u->why, sizeof u->why, "its keeper has died");
		upgrade_give_in(u);
		return false;
	}
	/* The new pair has a table of its own: it can still go on, but there
	 * is nothing to go back to unless the reserve comes. */
	u->old_keeper_gone = true;
	s->keeper_before = s->keeper;
	s->keeper = 0;
	return true;
}

bool
upgrade_slot_succeeded(struct slot *s, pid_t pid)
{
	struct upgrade *u = s->m->upgrade;

	if (!u || u->slot != s || u->step < STEP_EXECING)
		return false;
	u->old_keeper_gone = false;
	if (s->keeper != 0)
		s->keeper_before = s->keeper;
	s->keeper = pid;
	return true;
}

bool
upgrade_slots_reaped(struct upgrade *u, pid_t pid, int status)
{
	char how[64];

	for (unsigned i = 0; i < u->m->n_slots; i++)
		if (u->m->slot[i].leaving_keeper == pid) {
			u->m->slot[i].leaving_keeper = 0;
			return true;
		}
	if (u->keeper == 0 || pid != u->keeper)
		return false;
	u->keeper = 0;
	supervise_describe(status, how, sizeof how);
	if (u->step == STEP_UNDOING)
		upgrade_check_undone(u);
	else
		upgrade_undo(u, "the new keeper %s", how);
	return true;
}

static void
on_not_parked(void *arg)
{
	struct upgrade *u = arg;

	/* Should it park later, it is simply started again. */
	(void)snprintf(u->why, sizeof u->why,
		"the worker did not park within %d ms", UPGRADE_STEP_MS);
	upgrade_give_in(u);
}

static void
next_slot(void *arg)
{
	struct upgrade *u = arg;
	struct master *m = u->m;
	struct slot *s;
	int rc;

	while (u->next < m->n_slots && m->slot[u->next].phase == SLOT_DRAINED)
		u->next++;
	if (u->next == m->n_slots) {
		log_notice("upgraded: all workers are %s", BANTER_VERSION);
		m->conf_anew = false;
		engines_set(m, u->engine);
		upgrade_end(u, 0, NULL);
		return;
	}
	s = u->slot = &m->slot[u->next++];
	health_look(s);
	if (s->phase != SLOT_READY || s->orphaned || s->stopped || s->killed) {
		(void)snprintf(u->why, sizeof u->why, "%s",
			s->stopped ? "the worker is stopped or traced"
				   : "the worker is not ready");
		upgrade_give_in(u);
		return;
	}
	u->step = STEP_PARKING;
	arm(u, UPGRADE_STEP_MS, on_not_parked);
	rc = ctl_link_try(s, CTL_PARK, 0, NULL, 0, -1);
	if (rc < 0) {
		(void)snprintf(u->why, sizeof u->why,
			"the worker cannot be told: %s", strerror(-rc));
		upgrade_give_in(u);
		return;
	}
	s->parking = true;
}

void
upgrade_slots_begin(struct upgrade *u)
{
	u->next = 0;
	u->engine = engine_number(u->m->conf->engine);
	u->report = buf_over(u->text, sizeof u->text);
	arm(u, 0, next_slot);
}

void
upgrade_slots_cancel(struct upgrade *u)
{
	struct slot *s = u->slot;

	if (!s)
		return;
	upgrade_kill_new(u);
	/* Parked: nobody serves it any more. */
	if (u->step > STEP_PARKING)
		s->phase = SLOT_DOWN;
	upgrade_leave_slot(u);
}
