/* gap.h - what the relay log could not keep for one slot.
 *
 * Messages are counted, per room and exactly; answers are kept whole, because
 * somebody waits for them.  Both leave in order: the counts as they stood
 * before each answer, the answer, and so on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_GAP_H
#define BANTER_MASTER_GAP_H

#include "base/map.h"
#include "base/pack.h"
#include "bus/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A session waits for one answer at a time, so this is far more than an honest
 * worker can bring about. */
#define GAP_KEPT_MAX (64u << 20)

struct gap_count {
	uint64_t session, number;
	uint32_t room;
};

struct gap {
	struct gap_count *count; /* since the last kept answer */
	uint32_t n_counts, cap_counts;
	struct map by_what; /* {room, session} to an index of count */
	char *kept;         /* frames, padded as on the wire */
	size_t kept_at, kept_len, kept_cap;
	size_t filled; /* of kept, by the last gap_fill() */
	bool over;     /* GAP_KEPT_MAX was passed: what was kept is forgotten */
};

/* All zero is an empty gap too. */
void gap_fini(struct gap *g);
bool gap_is_empty(const struct gap *g);

/* Account for a frame that `slot` is not given.  True: a message was lost;
 * false: an answer was kept. */
bool gap_add(struct gap *g, const struct bus_frame *f, unsigned slot);

/* Put what is due into a datagram, as much as it takes.  The same again until
 * gap_filled() says that it was sent. */
void gap_fill(struct gap *g, struct bus_writer *w);
void gap_filled(struct gap *g);

/* For the next image of the master.  False: the bytes are damaged. */
void gap_save(const struct gap *g, struct pack *p);
bool gap_restore(struct gap *g, struct unpack *u);

#endif
