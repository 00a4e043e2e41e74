/* SPDX-License-Identifier: MIT */
#include "keeper/reserve.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/title.h"
#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY_MS 1000 /* when none can be cloned, or each dies */
#define BLIND_MS 200  /* between two looks for its end, without a pidfd */

static const struct reserve none = { .pid = 0, .pidfd = -1 };

/* Returns when the keeper is dead and the master still wants one.  The line is
 * looked at first: a keeper that was to end has closed it, or the master has.
 */
static void
stand_by(unsigned slot, int line, int keeper)
{
	title_set("banterd: reserve %u", slot);
	fault_role("reserve", slot);
	FAULT(reserve_born);
	for (;;) {
		struct pollfd p[] = { { .fd = line, .events = POLLRDHUP },
			{ .fd = keeper, .events = POLLIN } };

		if (poll(p, 2, -1) == -1) {
			if (errno != EINTR)
				_exit(1);
			continue;
		}
		if (p[0].revents != 0)
			_exit(0);
		if (p[1].revents != 0)
			return;
	}
}

bool
reserve_keep(struct reserve *r, unsigned slot, int line, int keeper)
{
	uint64_t now = clock_mono_ms();
	pid_t pid;

	if (r->pid != 0 || now < r->next_ms)
		return false;
	*r = none;
	r->next_ms = now + RETRY_MS;
	/* Its signal is SIGCHLD, which is blocked: waitpid() is enough. */
	pid = FAULT_CALL(reserve_clone,
		(pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0) {
		stand_by(slot, line, keeper);
		*r = none;
		return true;
	}
	if (pid == -1) {
		log_warning("a reserve cannot be cloned, trying again: %s",
			strerror(errno));
		return false;
	}
	r->pid = pid;
	r->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return false;
}

void
reserve_look(struct reserve *r)
{
	uint64_t next_ms = r->next_ms;

	if (r->pid == 0 || waitpid(r->pid, NULL, WNOHANG) != r->pid)
		return;
	fd_close(&r->pidfd);
	*r = none;
	r->next_ms = next_ms;
}

int
reserve_wait_ms(const struct reserve *r)
{
	uint64_t now = clock_mono_ms();

	if (r->pid != 0)
		return r->pidfd < 0 ? BLIND_MS : -1;
	return r->next_ms > now ? (int)(r->next_ms - now) : 0;
}

void
reserve_end(struct reserve *r)
{
	if (r->pid == 0)
		return;
	(void)kill(r->pid, SIGKILL); /* not reaped yet */
	while (waitpid(r->pid, NULL, 0) == -1 && errno == EINTR)
		;
	fd_close(&r->pidfd);
	*r = none;
}
