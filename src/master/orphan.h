/* orphan.h - a slot whose keeper has died.
 *
 * Its worker makes another keeper and ends; as a subreaper the master is its
 * parent by then.  Four things are told, in any order: the old keeper's end
 * (SIGCHLD), the new keeper's word (KEEPER_HERE), the worker's end (SIGCHLD)
 * and the end of the keeper's line, which says that nobody holds the slot's
 * descriptor table any more.  The slot goes on when the old two are gone and
 * either there is a new keeper or the line has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_ORPHAN_H
#define BANTER_MASTER_ORPHAN_H

#include "master/core.h"

/* A child was reaped.  True: it was this slot's. */
bool orphan_reaped(struct slot *s, pid_t pid, int status);

/* KEEPER_HERE. */
void orphan_here(struct slot *s, pid_t pid);

/* The keeper's line has ended. */
void orphan_line_ended(struct slot *s);

/* What is late is killed or given up. */
void orphan_tick(struct slot *s, uint64_t now);

#endif
