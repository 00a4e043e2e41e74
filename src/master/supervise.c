/* SPDX-License-Identifier: MIT */
#include "master/supervise.h"

#include "base/clock.h"
#include "base/fault.h"
#include "log/log.h"
#include "master/ban.h"
#include "master/ctl_link.h"
#include "master/drain.h"
#include "master/health.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/upgrade_slots.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

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
