/* image.h - a keeper that goes on as another image; for the keeper's own files.
 *
 * No process that alone holds a table ever execs: an exec that fails after its
 * point of no return ends the process.  So a clone does it, in whose table the
 * exec leaves the same open files under the same numbers, while this keeper
 * keeps its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_KEEPER_IMAGE_H
#define BANTER_KEEPER_IMAGE_H

#include "keeper/keeper.h"

/* Returns when the clone has done its exec or is dead; which of them, the
 * master is told.  Only without a worker.  0 or -errno of clone(). */
int image_start(const struct slot_env *env, const struct keeper_message *m,
	const int *fd);

/* What image_start() has handed down.  0 or -errno with *why. */
int image_read(int memory, struct slot_env *env, const char **why);

#endif
