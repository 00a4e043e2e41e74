/* engines.h - which engine of io/ the workers of each slot use.
 *
 * All workers that a keeper makes have the same one: that of the daemon's
 * start.  Another one comes into force with an upgrade, which puts a worker
 * into each slot's place anyway, and which goes back when that one refuses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_ENGINES_H
#define BANTER_MASTER_ENGINES_H

#include "master/core.h"

/* Is there a slot whose workers have another one than this configuration says?
 */
bool engines_wait(const struct master *m, const struct conf *conf);

/* Clients that a slot may have by its descriptors. */
uint32_t engines_places(const struct master *m, enum engine engine);

/* From now on. */
void engines_set(struct master *m, enum engine engine);
void engines_set_slot(struct slot *s, enum engine engine);

#endif
