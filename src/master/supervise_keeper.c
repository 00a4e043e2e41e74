/* supervise_keeper.c - what keepers say, and who was reaped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/orphan.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade.h"
#include "master/upgrade_slots.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

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
		supervise_worker_gone(s, k->pid, k->status);
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
