/* state.h - all that the master knows, for the next image of it.
 *
 * A head with the versions of everything that the two images and the running
 * workers have in common, then sections, each with its tag.  A section whose
 * tag is odd must be understood, an even one may be passed over.  Within one
 * new fields come at the end; what is there more than once is a record, and the
 * same goes for that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_STATE_H
#define BANTER_MASTER_STATE_H

#include "master/core.h"
#include "master/keep.h"

#define STATE_MAGIC   "BNTRSTAT"
#define STATE_VERSION 1
#define STATE_OLDEST  1 /* a reader must be at least this */

struct state_head {
	char magic[8];
	uint32_t version, oldest;
	uint32_t bus, ctl, slot, keeper;
	char product[32];
};

/* Between two callbacks, with m ready, not stopping, and no reload running.
 * last: for the exec itself, so that nobody else is served from here on. */
void state_save(struct master *m, struct keep *k, bool last);

/* Fill *m, which has its options and its worker only, from the bytes.  With
 * rehearse nothing outside this process's memory changes.  0, or -EPROTO and
 * *why. */
int state_restore(
	struct master *m, struct slice bytes, bool rehearse, struct buf *why);

/* state_slots.c */
void state_save_slots(const struct master *m, struct keep *k);
bool state_restore_slots(struct master *m, struct kept *k);

/* A memfd of these bytes, from its start.  The descriptor or -errno. */
int state_to_memory(const struct keep *k);

#endif
