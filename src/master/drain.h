/* drain.h - slots that get no new clients and end with their last one.
 *
 * A slot drains because `workers` is less than its number, or because an
 * administrator said so.  Its worker goes on accepting what waits in the slot's
 * own queues, which nobody else can, and keeps its clients.  When it has none
 * it is told to end if that is still so; the slot is drained.  Its listening
 * sockets stay in their groups: a connection that arrives late in one (its
 * handshake had begun before) starts the slot again, still draining.
 *
 *	live -> draining -> drained -> live
 *	  ^--------'  ^--------'
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_DRAIN_H
#define BANTER_MASTER_DRAIN_H

#include "master/core.h"

/* One more reason, or one less.  The slot is live while it has none. */
void drain_begin(struct slot *s, enum slot_drain why);
void drain_end(struct slot *s, enum slot_drain why);

/* Its worker is READY: it learns that it drains. */
void drain_ready(struct slot *s);
/* It may have got new listeners. */
void drain_again(struct slot *s);

/* Several times a second: who is empty, where does a connection wait? */
void drain_tick(struct master *m);

/* The slots that are live, a bit each; never 0. */
uint64_t drain_live(const struct master *m);

/* The slot was drained because there are fewer now: nobody sees it. */
bool drain_is_gone(const struct slot *s);

#endif
