/* relay_state.h - the relay log passed on to the next image of the master.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELAY_STATE_H
#define BANTER_MASTER_RELAY_STATE_H

#include "base/pack.h"
#include "master/relay.h"

/* Its memfd; stays the relay's. */
int relay_fd(const struct relay *r);

/* At the end of a turn. */
void relay_save(const struct relay *r, struct pack *p);

/* Takes *fd.  rehearse: nothing that is done to it reaches the memfd.  NULL: it
 * is of another version, or damaged. */
struct relay *relay_restore(int *fd, struct unpack *u, bool rehearse);

#endif
