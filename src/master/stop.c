/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "log/log.h"
#include "master/core.h"
#include "master/ctl_link.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "master/upgrade.h"
#include "master/upgrade_slots.h"

#include <signal.h>

#define GOODBYE_MS 5000 /* for the workers to flush */
#define GRACE_MS   1000 /* what ends late is killed */

static void on_late_keepers(void *arg);

static void
arm(struct master *m, uint64_t in_ms, loop_timer_fn *fn)
{
	loop_timer_set(m->loop, &m->stop_timer, clock_mono_ms() + in_ms, fn, m);
}

static void
done(struct master *m)
{
	loop_timer_clear(&m->stop_timer);
	m->stop = STOP_DONE;
}

static bool
has_keepers(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].keeper != 0)
			return true;
	return false;
}

static bool
has_workers(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (supervise_is_busy(&m->slot[i]))
			return true;
	return false;
}

/* A keeper without a worker ends when its line does. */
static void
end_keepers(struct master *m)
{
	m->stop = STOP_KEEPERS;
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (s->keeper_ctl >= 0)
			loop_del(m->loop, s->keeper_ctl);
		fd_close(&s->keeper_ctl);
	}
	arm(m, GRACE_MS, on_late_keepers);
}

void
stop_step(struct master *m)
{
	if (m->stop == STOP_WORKERS && !has_workers(m))
		end_keepers(m);
	if (m->stop == STOP_KEEPERS && !has_keepers(m))
		done(m);
}

static void
on_late_keepers(void *arg)
{
	struct master *m = arg;

	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (s->worker != 0)
			(void)slot_signal(s, SIGKILL);
		if (s->keeper != 0)
			(void)kill(s->keeper, SIGKILL); /* not reaped yet */
	}
	done(m);
}

static void
kill_workers(struct master *m)
{
	upgrade_cancel(m);
	for (unsigned i = 0; i < m->n_slots; i++)
		if (supervise_is_busy(&m->slot[i]))
			supervise_kill(&m->slot[i]);
	arm(m, GRACE_MS, on_late_keepers);
}

static void
on_late_workers(void *arg)
{
	struct master *m = arg;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].worker != 0)
			log_notice("worker %u (pid %d) did not end in time: "
				   "sending SIGKILL",
				m->slot[i].number, (int)m->slot[i].worker);
	kill_workers(m);
}

static void
begin(struct master *m)
{
	m->stop = STOP_WORKERS;
	reload_cancel(m);
	(void)notify_send("STOPPING=1\nSTATUS=stopping\n");
	for (unsigned i = 0; i < m->n_slots; i++) {
		loop_timer_clear(&m->slot[i].respawn);
		loop_timer_clear(&m->slot[i].resync);
	}
}

void
stop_graceful(struct master *m)
{
	if (m->stop != STOP_NO)
		return;
	begin(m);
	upgrade_undo_stopping(m);
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		s->stop_ms = GOODBYE_MS;
		/* A parked one gets it when it is READY again. */
		if (supervise_is_busy(s) && !upgrade_slot_is_parked(s))
			ctl_link_send(s, LINK_STOP);
	}
	arm(m, GOODBYE_MS + GRACE_MS, on_late_workers);
	stop_step(m);
}

void
stop_now(struct master *m, int exit_code)
{
	if (m->stop == STOP_NO)
		begin(m);
	if (exit_code != MASTER_EXIT_OK)
		m->exit_code = exit_code;
	if (m->stop == STOP_WORKERS)
		kill_workers(m);
	stop_step(m);
}
