/* A worker stores the time at the end of each turn, and has one at least every
 * second.
 *
 * SPDX-License-Identifier: MIT */
#include "master/health.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "log/log.h"
#include "master/drain.h"
#include "master/orphan.h"
#include "master/slot.h"
#include "master/supervise.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUIET_MS 250 /* worth a look whether it is stopped */
#define LATE_MS  1800
#define ABORT_MS 2000 /* for the core */

static uint64_t
load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* The state letter of /proc/PID/stat, or '?'. */
static char
state_of(pid_t pid)
{
	char path[32], text[512];
	const char *end;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return '?';
	n = read(fd, text, sizeof text - 1);
	fd_close(&fd);
	if (n <= 0)
		return '?';
	text[n] = '\0';
	end = strrchr(text, ')'); /* the name before it may hold anything */
	if (!end || end[1] != ' ')
		return '?';
	return end[2];
}

bool
health_stands_still(pid_t pid)
{
	char state = state_of(pid);

	return state == 'T' || state == 't';
}

bool
health_is_stopped(const struct slot *s)
{
	return health_stands_still(s->worker);
}

static void
kill_hung(struct slot *s, uint64_t now, uint64_t silent_ms)
{
	if (s->abort_ms == 0) {
		log_error("worker %u (pid %d) has finished no turn for %" PRIu64
			  " ms: sending SIGABRT",
			s->number, (int)s->worker, silent_ms);
		s->abort_ms = now;
		(void)slot_signal(s, SIGABRT);
	} else if (now - s->abort_ms >= ABORT_MS && !s->killed) {
		log_error("worker %u (pid %d) is still there: sending SIGKILL",
			s->number, (int)s->worker);
		supervise_kill(s);
	}
}

static void
note_stopped(struct slot *s, bool stopped)
{
	if (stopped != s->stopped)
		log_notice("worker %u (pid %d) %s", s->number, (int)s->worker,
			stopped ? "is stopped or traced: it is left alone"
				: "runs again");
	s->stopped = stopped;
}

static void
examine(struct slot *s, uint64_t now)
{
	uint64_t hang = s->m->conf->hang_timeout_ms;
	uint64_t beat = load(&s->page->heartbeat_ms);
	uint64_t since;

	since = beat > s->alive_ms ? beat : s->alive_ms;
	s->late = now > since + LATE_MS;
	if (!s->stopped && now <= since + QUIET_MS)
		return;
	note_stopped(s, health_is_stopped(s));
	if (s->stopped) {
		/* The time that it stood still does not count. */
		s->alive_ms = now;
		s->abort_ms = 0;
	} else if (s->late && hang > 0 && now - since >= hang) {
		kill_hung(s, now, now - since);
	}
}

static bool
is_good(const struct slot *s)
{
	return s->drain == 0 && s->phase == SLOT_READY && !s->orphaned &&
	       !s->late && !s->stopped && s->abort_ms == 0 &&
	       load(&s->page->full) == 0;
}

void
health_steer(struct master *m)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < m->n_slots; i++)
		if (is_good(&m->slot[i]))
			mask |= UINT64_C(1) << i;
	/* With nobody good their queues wait: not those of slots that may have
	 * no worker for ever. */
	if (mask == 0)
		mask = drain_live(m);
	if (mask == m->steered)
		return;
	m->steered = mask;
	listeners_steer(&m->listeners, mask);
}

void
health_steer_anew(struct master *m)
{
	listeners_steer(&m->listeners, m->steered);
}

void
health_look(struct slot *s)
{
	if (s->worker == 0 || s->orphaned || s->m->stop != STOP_NO)
		return;
	note_stopped(s, health_is_stopped(s));
	health_steer(s->m);
}

static void
feed_watchdog(struct master *m, uint64_t now)
{
	if (m->watchdog_ms == 0 || now < m->watchdog_at_ms)
		return;
	m->watchdog_at_ms = now + m->watchdog_ms / 2;
	(void)notify_send("WATCHDOG=1\n");
}

static void
on_tick(void *arg)
{
	struct master *m = arg;
	uint64_t now = clock_mono_ms();

	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (m->stop != STOP_NO)
			continue;
		if (s->orphaned)
			orphan_tick(s, now);
		else if (s->worker != 0)
			examine(s, now);
	}
	if (m->stop == STOP_NO) {
		drain_tick(m);
		health_steer(m);
	}
	feed_watchdog(m, now);
	loop_timer_set(m->loop, &m->tick, now + HEALTH_TICK_MS, on_tick, m);
}

void
health_start(struct master *m)
{
	m->steered = m->listeners.mask;
	loop_timer_set(m->loop, &m->tick, clock_mono_ms() + HEALTH_TICK_MS,
		on_tick, m);
}
