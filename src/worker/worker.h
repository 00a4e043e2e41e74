/* worker.h - the process that serves the clients of one slot.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_WORKER_H
#define BANTER_WORKER_WORKER_H

#include "bus/slot.h"

struct conf;

/* A slot_worker_fn: serve until told to stop or the master is gone.  Exit code
 * as in the manual. */
int worker_run(struct slot_env *env, uint64_t generation, int keeper_pidfd);

/* Bytes of a slot's arena. */
uint64_t worker_arena_size(const struct conf *conf, unsigned fd_limit);

#endif
