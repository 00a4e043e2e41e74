/* registry_ask.h - what sessions ask for, one function a frame type; for the
 * registry's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_REGISTRY_ASK_H
#define BANTER_MASTER_REGISTRY_ASK_H

#include "master/registry_private.h"

/* registry_member.c */
/* Into the room, with the answer and the event. */
void member_enter(struct registry *reg, uint32_t c, struct room *room,
	bool quiet, uint16_t flags);
/* The slots with members besides this one. */
uint64_t room_others(const struct room *room, uint64_t session);
void on_join(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_part(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_who(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_rooms(struct registry *reg, uint32_t c, const struct bus_frame *f);

/* registry_talk.c */
void on_nick(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_msg(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_topic(struct registry *reg, uint32_t c, const struct bus_frame *f);
void on_say(struct registry *reg, unsigned slot, const struct bus_frame *f);

#endif
