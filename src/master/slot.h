/* slot.h - a slot's sockets and its keeper.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_SLOT_H
#define BANTER_MASTER_SLOT_H

#include "master/core.h"

/* The page and an unset state; nothing if the slot has them.  0 or -errno. */
int slot_init(struct slot *s, struct master *m, unsigned number);
void slot_fini(struct slot *s);

/* The same without the page, for one whose descriptors are there already, and
 * then: watch these.  0 or -errno. */
void slot_unset(struct slot *s, struct master *m, unsigned number);
int slot_adopt(struct slot *s);

/* The keeper's line is this one from now on; takes *line. */
void slot_swap_line(struct slot *s, int *line);

/* Make the lines and the arena, fork the keeper.  0 or -errno: then the slot is
 * as before. */
int slot_open(struct slot *s);

/* The keeper is gone and so is its worker: close the lines. */
void slot_close_lines(struct slot *s);

/* Ask the keeper for a worker of the next generation.  0 or -errno. */
int slot_spawn(struct slot *s);

/* To the slot's worker, if it has one.  0 or -errno. */
int slot_signal(struct slot *s, int signal);

/* End the keeper and whoever would succeed it, and with them the table. */
void slot_kill_keeper(struct slot *s);

#endif
