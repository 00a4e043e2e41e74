/* SPDX-License-Identifier: MIT */
#include "master/keeper_fork.h"

#include "base/fault.h"
#include "keeper/keeper.h"
#include "master/daemonize.h"
#include "master/privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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

static _Noreturn void
child(struct master *m, struct slot_env *env)
{
	fault_role("keeper", env->slot);
	FAULT(keeper_child);
	if (ready_lets_go(m))
		daemonize_silence();
	close_others(env);
	privileges_forget();
	_exit(keeper_run(env, m->worker));
}

pid_t
keeper_fork(struct master *m, struct slot_env *env)
{
	pid_t pid = FAULT_CALL(keeper_fork, fork());

	if (pid == 0)
		child(m, env);
	return pid == -1 ? -errno : pid;
}
