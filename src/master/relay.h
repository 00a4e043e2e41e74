/* relay.h - the relay log: each sequenced frame once, a cursor per slot.
 *
 * A ring in a memfd, with everything that must survive the master's exec in
 * its first page.  A record says by a mask which slots are to be given it, as
 * the rooms were when it was appended.  A slot that is owed something is
 * "pending" and has a cursor; when the ring is full the oldest records go, and
 * what a slot loses by that goes to its gap.  As soon as nobody is owed
 * anything the ring starts at its first byte again, so that a daemon with
 * little to do touches a few pages and not 32 MiB.
 *
 * It knows neither sockets nor rooms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELAY_H
#define BANTER_MASTER_RELAY_H

#include "base/slice.h"
#include "bus/wire.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_SIZE_MIN 65536

struct relay;

/* Of size bytes, but at least RELAY_SIZE_MIN and whole pages.  NULL with errno
 * set. */
struct relay *relay_new(uint64_t size);
void relay_free(struct relay **r);

static inline uint64_t
relay_bit(unsigned slot)
{
	return UINT64_C(1) << (slot - 1);
}

/* From now on the slot is given what is for it; to leave is to be owed nothing.
 */
void relay_enter(struct relay *r, unsigned slot);
void relay_leave(struct relay *r, unsigned slot);

/* Owe the slot nothing, whatever it has not had. */
void relay_skip(struct relay *r, unsigned slot);

/* Append a frame for the slots of mask that have entered. */
void relay_append(struct relay *r, uint64_t mask, const struct bus_frame *f,
	struct slice body);

/* Slots that are owed something. */
uint64_t relay_pending(const struct relay *r);

/* The next datagram of a pending slot, sealed with its next number; empty when
 * it is owed nothing after all, and then it is pending no more.  *ret_same are
 * the slots, this one too, that are owed exactly the same frames now:
 * relay_sealed_for() makes the datagram theirs, until the next relay_next() or
 * relay_append(). */
struct slice relay_next(struct relay *r, unsigned slot, uint64_t *ret_same);
struct slice relay_sealed_for(struct relay *r, unsigned slot);

/* The datagram was sent to the slot. */
void relay_given(struct relay *r, unsigned slot);

/* The end of a turn: give memory back that a rush has touched.  True: one is
 * over, and it was. */
bool relay_rest(struct relay *r, uint64_t now_ms);

enum relay_number {
	RELAY_NUMBER_NEW, /* and now it is had */
	RELAY_NUMBER_HAD,
	RELAY_NUMBER_SKIPS
};
/* Is a batch from the slot with this number the next one?  After
 * relay_renumber() a fresh start at 1 is right as well as going on. */
enum relay_number relay_number(struct relay *r, unsigned slot, uint64_t number);
void relay_renumber(struct relay *r, unsigned slot);

/* A batch that was dropped unread counts as had. */
void relay_number_dropped(struct relay *r, unsigned slot, uint64_t number);

/* True once after more was kept for the slot than it may ever need. */
bool relay_overrun(struct relay *r, unsigned slot);

uint64_t relay_behind(const struct relay *r, unsigned slot); /* frames */
uint64_t relay_used(const struct relay *r);                  /* bytes */
uint64_t relay_size(const struct relay *r);
uint64_t relay_touched(const struct relay *r); /* bytes of memory */
uint64_t relay_lost(const struct relay *r);    /* messages, over all slots */

#endif
