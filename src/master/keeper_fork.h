/* keeper_fork.h - the fork that becomes a slot's keeper.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_KEEPER_FORK_H
#define BANTER_MASTER_KEEPER_FORK_H

#include "master/core.h"

/* Close everything above 2 but the n descriptors in keep, which is sorted. */
void keeper_fork_close_others(int *keep, unsigned n);

/* The keeper's pid, or -errno.  The child runs keeper_run() and ends there. */
pid_t keeper_fork(struct master *m, struct slot_env *env);

#endif
