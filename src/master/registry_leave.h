/* registry_leave.h - events of several rooms, and sessions that end; for the
 * registry's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_REGISTRY_LEAVE_H
#define BANTER_MASTER_REGISTRY_LEAVE_H

#include "master/registry_private.h"

/* Rooms named by one frame; who is in more brings about several. */
#define ROOMS_EVENT_MAX 1024

/* An event that several rooms are told of by one frame. */
struct rooms_event {
	enum bus_type type;
	uint64_t session;
	struct slice nick, text;
	uint64_t mask;
	uint32_t n;
	uint32_t room[ROOMS_EVENT_MAX];
};

/* Is the room small enough for its members to hear who comes and goes? */
bool room_is_told(const struct registry *reg, const struct room *room);

void rooms_event_add(struct registry *reg, struct rooms_event *e, uint32_t room,
	uint64_t mask);
/* The sessions of a range that are not in the list (u64 each, ascending) have
 * ended. */
void registry_forget_but(
	struct registry *reg, const struct bus_sync *range, struct slice list);

void rooms_event_flush(struct registry *reg, struct rooms_event *e);

/* The session has ended: out of its rooms, which are told, and forgotten.
 * not_to: slots that are not told. */
void client_gone(
	struct registry *reg, uint32_t c, struct slice reason, uint64_t not_to);

#endif
