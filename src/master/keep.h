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
	struct keep *left; /* what was found open is noted here; or NULL */
};

void keep_fini(struct keep *k);

/* -1 stays -1. */
void keep_fd(struct keep *k, int fd);

/* The same for the descriptor alone, with nothing to read. */
void keep_note(struct keep *k, int fd);

/* Let all of them through the exec, or hold them back again. */
void keep_open(const struct keep *k, bool open);

/* Close all of them; it is empty then. */
void keep_close(struct keep *k);

/* The descriptor, close-on-exec again; -1: there was none. */
int kept_fd(struct kept *k);

/* The same for one that can be done without: -1 too when it is not open. */
int kept_fd_if_open(struct kept *k);

#endif
