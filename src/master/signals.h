/* signals.h - what signals ask of the master.
 *
 * They are blocked before the first fork and read from a descriptor: no work is
 * done in handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_SIGNALS_H
#define BANTER_MASTER_SIGNALS_H

#include "master/core.h"

/* Block them.  First thing. */
void signals_block(void);

/* Watch them.  0 or -errno. */
int signals_open(struct master *m);
/* Reap all that have ended. */
void signals_reap(struct master *m);

void signals_close(struct master *m);

#endif
