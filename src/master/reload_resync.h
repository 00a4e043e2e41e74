/* reload_resync.h - the listeners that a slot has not been given yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_RESYNC_H
#define BANTER_MASTER_RELOAD_RESYNC_H

#include "master/core.h"

/* Those in this state that came with a configuration after `newer_than`.  0 or
 * -errno. */
int reload_send_listeners(
	struct slot *s, uint64_t newer_than, enum address_state state);

#endif
