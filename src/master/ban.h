/* ban.h - the bans in force: kept in state_dir, told to every worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_BAN_H
#define BANTER_MASTER_BAN_H

#include "master/core.h"

/* Read them from the file, unless they are restored, and tell who is ready. */
void ban_start(struct master *m);
void ban_stop(struct master *m);

/* For the next image, and in it; m->boot is there.  False: damaged. */
void ban_save(const struct master *m, struct pack *p);
bool ban_restore(struct master *m, struct unpack *u);

/* A worker is ready: it lets nobody in before it has the bans. */
void ban_ready(struct slot *s);

#endif
