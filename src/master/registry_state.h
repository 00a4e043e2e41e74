/* registry_state.h - the registry passed on to the next image of the master.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_REGISTRY_STATE_H
#define BANTER_MASTER_REGISTRY_STATE_H

#include "base/pack.h"
#include "master/registry.h"

/* An empty registry without the rooms of any configuration, to be restored:
 * registry_configure() is due after that.  emit as registry_new(). */
struct registry *registry_empty(
	unsigned n_slots, registry_emit_fn *emit, void *arg);

void registry_save(struct registry *reg, struct pack *p);

/* Into registry_empty().  False: the bytes are damaged; the registry may only
 * be freed. */
bool registry_restore(struct registry *reg, struct unpack *u);

#endif
