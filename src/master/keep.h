/* keep.h - state that the next image of the master reads, and descriptors that
 * it finds open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_KEEP_H
#define BANTER_MASTER_KEEP_H

#include "base/pack.h"

#include <stdbool.h>

/* Being written. */
struct keep {
	struct pack pack;
	int *fd; /* that must stay open over the exec */
	unsigned n_fds, cap_fds;
};

/* Being read. */
struct kept {
	struct unpack u;
	bool rehearse; /* the descriptors are not there: make none, close none,
			* tell nobody */
};

void keep_fini(struct keep *k);

/* -1 stays -1. */
void keep_fd(struct keep *k, int fd);

/* Let all of them through the exec, or hold them back again. */
void keep_open(const struct keep *k, bool open);

/* The descriptor, close-on-exec again; -1: there was none. */
int kept_fd(struct kept *k);

#endif
