/* resume.h - this image in the place of the one before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RESUME_H
#define BANTER_MASTER_RESUME_H

#include "master/core.h"

/* The configuration in force is of another layout: read the file instead, as a
 * new generation.  rehearse: into this process alone.  False with *why. */
bool resume_conf_anew(struct master *m, bool rehearse, struct buf *why);

/* What a master needs before anything is watched.  0 or -errno. */
int resume_open_loop(struct master *m);

#endif
