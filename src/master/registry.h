/* registry.h - who has which nick, who is in which room, how many there are.
 *
 * The one authority over all slots.  It is given the checked frames of slots
 * and answers with frames; what the answer's way is, it does not know.  It is
 * derived state: the workers' arenas are the truth about their sessions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_REGISTRY_H
#define BANTER_MASTER_REGISTRY_H

#include "base/slice.h"
#include "bus/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct registry;

/* A frame for the slots of mask (bit 0 is slot 1).  Borrowed for the call;
 * must not call back into the registry. */
typedef void registry_emit_fn(
	void *arg, uint64_t mask, const struct bus_frame *f, struct slice body);

/* conf is borrowed until registry_configure().  Never NULL. */
struct registry *registry_new(const struct conf *conf, unsigned n_slots,
	registry_emit_fn *emit, void *arg);
void registry_free(struct registry **reg);

/* There are n_slots now, at least as many as before. */
void registry_grow(struct registry *reg, unsigned n_slots);

/* As hub_reconfigure(). */
void registry_configure(struct registry *reg, const struct conf *conf);

/* Act on a frame that bus_frame_ok() has passed.  NULL, or what was wrong with
 * it that an honest worker does not do. */
const char *registry_request(
	struct registry *reg, unsigned slot, const struct bus_frame *f);

/* All sessions of the slot have ended; the other slots are told. */
void registry_forget_slot(
	struct registry *reg, unsigned slot, struct slice reason);

uint32_t registry_clients(const struct registry *reg, unsigned slot);
uint64_t registry_session_by_nick(
	const struct registry *reg, struct slice nick);

struct registry_room {
	struct slice name, topic; /* borrowed until the next call */
	uint32_t members;
	uint64_t sequence;
	bool configured;
};
uint32_t registry_rooms(const struct registry *reg);
/* By the order of making, from 0; false at the end. */
bool registry_room_at(
	struct registry *reg, uint32_t at, struct registry_room *ret);

struct registry_stats {
	uint64_t messages, refused_full, refused_address;
	size_t memory;      /* of clients, nicks left out */
	uint64_t looked_at; /* clients, to find those of a slot */
};
struct registry_stats registry_stats(const struct registry *reg);

#endif
