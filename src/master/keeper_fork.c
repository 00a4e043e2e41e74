/* SPDX-License-Identifier: MIT */
#include "master/keeper_fork.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/title.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KEEPER_OOM_SCORE "-500"

static int
compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void
keeper_fork_close_others(int *keep, unsigned n)
{
	unsigned from = STDERR_FILENO + 1;

	qsort(keep, n, sizeof *keep, compare);
	for (unsigned i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			(void)close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

/* One line of another slot that stays open here, and nobody ever sees its
 * end. */
static void
close_others(const struct slot_env *env)
{
	int keep[7 + SLOT_LISTENERS_MAX];
	unsigned n = 0;

	keep[n++] = env->bus;
	keep[n++] = env->ctl;
	keep[n++] = env->keeper_ctl;
	keep[n++] = env->arena;
	keep[n++] = env->page;
	keep[n++] = env->conf;
	if (env->log >= 0)
		keep[n++] = env->log;
	for (unsigned i = 0; i < env->n_listeners; i++)
		keep[n++] = env->listener[i].fd;
	keeper_fork_close_others(keep, n);
}

/* Who must not be the first to go when memory is short.  Lowering needs a
 * capability that the master seldom has. */
static void
lower_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	(void)!write(fd, KEEPER_OOM_SCORE, sizeof KEEPER_OOM_SCORE - 1);
	fd_close(&fd);
}

static slot_worker_fn *real_worker;

static int
titled_worker(struct slot_env *env, uint64_t generation, int keeper_pidfd)
{
	title_set("banterd: worker %u", env->slot);
	return real_worker(env, generation, keeper_pidfd);
}

static _Noreturn void
child(struct master *m, struct slot_env *env, pid_t parent)
{
	char name[32];

	/* After the change of user, which clears it.  A parent that died
	 * before this line is told by getppid(). */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(MASTER_EXIT_INTERNAL);
	fault_role("keeper", env->slot);
	FAULT(keeper_child);
	close_others(env);
	notify_forget();
	title_set("banterd: keeper %u", env->slot);
	(void)snprintf(name, sizeof name, "keeper %u", env->slot);
	log_set_name(name);
	lower_oom_score();
	privileges_forget();
	real_worker = m->worker;
	_exit(keeper_run(env, titled_worker));
}

pid_t
keeper_fork(struct master *m, struct slot_env *env)
{
	pid_t parent = getpid();
	pid_t pid = FAULT_CALL(keeper_fork, fork());

	if (pid == 0)
		child(m, env, parent);
	return pid == -1 ? -errno : pid;
}
