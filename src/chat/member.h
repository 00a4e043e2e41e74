/* member.h - which sessions of this slot are in which room: derived arrays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_CHAT_MEMBER_H
#define BANTER_CHAT_MEMBER_H

#include "arena/arena.h"

#include <stdint.h>

struct members;

struct members *members_new(const struct arena *a);
void members_free(struct members **m);

/* Index of a room by the master's id, or ARENA_NONE. */
uint32_t members_room(const struct members *m, uint32_t id);

/* The room id now has the record at index room; or has none any more. */
void members_open(struct members *m, uint32_t id, uint32_t room);
void members_close(struct members *m, uint32_t id, uint32_t room);

void members_add(struct members *m, uint32_t room, uint32_t fd);

/* Take fd out; how many are left. */
uint32_t members_remove(struct members *m, uint32_t room, uint32_t fd);

/* Every room with members has an index below this. */
uint32_t members_rooms(const struct members *m);
bool members_are_in(const struct members *m, uint32_t room);

const uint32_t *members_of(
	const struct members *m, uint32_t room, uint32_t *ret_n);

#endif
