/* become.h - what makes a process a keeper; for the keeper's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_KEEPER_BECOME_H
#define BANTER_KEEPER_BECOME_H

#include "bus/slot.h"

/* It dies with the master, is named, and is spared when memory is short.  Its
 * own pidfd, for its workers to watch, or -errno; -EPIPE: the master is gone
 * already. */
int become_keeper(const struct slot_env *env);

/* In a table that keepers before this one have used: close what they left, all
 * but these two pidfds of our own. */
void become_heir(const struct slot_env *env, int self, int reserve);

/* Let every descriptor of the table through an exec but the pidfds.  What
 * workers have opened is known to their arena only, and there by number: the
 * next image's worker has to find it, if only to close it.  0 or -1 with errno
 * set. */
int become_heritable(void);

#endif
