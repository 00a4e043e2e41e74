/* ban.h - the bans in force: kept in state_dir, told to every worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_BAN_H
#define BANTER_MASTER_BAN_H

#include "master/core.h"

/* Read them from the file; at the start, and in the next image. */
void ban_start(struct master *m);
void ban_stop(struct master *m);

/* A worker is ready: it lets nobody in before it has the bans. */
void ban_ready(struct slot *s);

#endif
