/* keeper.h - the process that shares a worker's descriptor table and outlives
 * it.
 *
 * It runs in the child that the master forked, creates the worker with
 * clone(CLONE_FILES), reaps it and reports to the master, which decides when
 * the next one starts.  It never reads a client's byte.
 *
 * Should it die, its worker ends with SLOT_EXIT_HANDOVER after it has cloned
 * the next keeper, whose parent is the master.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_KEEPER_KEEPER_H
#define BANTER_KEEPER_KEEPER_H

#include "bus/slot.h"

#include <stdint.h>
#include <sys/types.h>

/* On keeper_ctl (SOCK_SEQPACKET), both directions. */
enum keeper_message_type {
	KEEPER_SPAWN = 1, /* master: clone a worker, generation given */
	KEEPER_SPAWNED,   /* worker: its pid, generation; its first act */
	KEEPER_DIED,      /* keeper: pid, generation, status as waitpid(2) */
	KEEPER_FAILED,    /* keeper: clone() failed, status is its errno */
	KEEPER_HERE       /* keeper made by a worker: its own pid, generation of
			   * that worker, which ends now and which the master
			   * reaps; KEEPER_SPAWN is waited for */
};

struct keeper_message {
	uint32_t type;
	int32_t pid;
	uint64_t generation;
	int32_t status;
	uint32_t spare;
};

/* Run a keeper in this process, a child of env->master that holds no other
 * descriptors than those of env.  All signals are blocked by the caller.  It
 * returns, with an exit code, only when the master is gone or has closed
 * keeper_ctl and no worker is left.  BANTER_TEST_FORK=1 in the environment
 * makes it fork() instead of clone(): for valgrind, and to compare the cost. */
int keeper_run(struct slot_env *env, slot_worker_fn *worker);

#endif
