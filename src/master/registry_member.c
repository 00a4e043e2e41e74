/* registry_member.c - who asks to be in a room, or what is in one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "conf/conf.h"
#include "master/registry_ask.h"
#include "master/registry_leave.h"
#include "master/registry_private.h"

uint64_t
room_others(const struct room *room, uint64_t session)
{
	unsigned slot = session_id_slot(session);

	if (room->by_slot[slot - 1] == 1)
		return room->mask & ~slot_bit(slot);
	return room->mask;
}

void
member_enter(struct registry *reg, uint32_t c, struct room *room, bool quiet,
	uint16_t flags)
{
	uint64_t session = reg->client[c].session;
	char mem[NAME_MAX_LEN + 1];

	room_enter(reg, room, c, quiet);
	answer_joined(reg, room, session, flags);
	if (!quiet && room_is_told(reg, room))
		announce(reg, BUS_JOIN_EVENT, room->id, session,
			client_nick(&reg->client[c], mem),
			room_others(room, session));
}

/* The room that is asked for, made if need be; or why not. */
static enum refusal
room_wanted(struct registry *reg, struct client *c, struct slice name,
	struct room **ret)
{
	const struct conf *conf = reg->conf;
	const struct conf_limits *l = &conf->limits;
	enum refusal no;

	*ret = room_find(reg, name);
	if (!*ret) {
		no = name_check_room(name);
		if (no != REFUSAL_NONE)
			return no;
		if (!conf->create_rooms)
			return REFUSAL_CREATE_ROOMS_OFF;
	} else if (client_in(c, *ret) != NOBODY) {
		return REFUSAL_ALREADY_IN_ROOM;
	}
	if (l->rooms_per_client && c->n_rooms >= l->rooms_per_client)
		return REFUSAL_TOO_MANY_ROOMS;
	if (*ret)
		return REFUSAL_NONE;
	if (l->rooms && reg->n_rooms >= l->rooms)
		return REFUSAL_ROOMS_FULL;
	*ret = room_make(reg, name);
	return *ret ? REFUSAL_NONE : REFUSAL_ROOM_INVALID;
}

static uint64_t
limit_of(const struct registry *reg, enum refusal r)
{
	switch (r) {
	case REFUSAL_ROOM_TOO_LONG:
		return NAME_MAX_LEN;
	case REFUSAL_TOO_MANY_ROOMS:
		return reg->conf->limits.rooms_per_client;
	case REFUSAL_ROOMS_FULL:
		return reg->conf->limits.rooms;
	default:
		return 0;
	}
}

void
on_join(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice body = bus_body(f), name;
	struct room *room;
	enum refusal no;

	must(bus_get_str(&body, &name));
	name = name_room(name);
	no = room_wanted(reg, &reg->client[c], name, &room);
	if (no != REFUSAL_NONE)
		answer_refused(reg, f, no, limit_of(reg, no), name);
	else
		member_enter(reg, c, room, f->flags & BUS_QUIET, 0);
}

void
on_part(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct client *client = &reg->client[c];
	struct room *room = room_by_id(reg, f->room);
	uint32_t which = room ? client_in(client, room) : NOBODY;
	char mem[NAME_MAX_LEN + 1];
	bool told;

	if (which == NOBODY) {
		answer_refused(reg, f, REFUSAL_NOT_IN_ROOM, 0,
			room ? room_name(reg, room) : SLICE_LIT(""));
		return;
	}
	told = !client_membership(client, which)->quiet &&
	       room_is_told(reg, room);
	room_leave(reg, room, c, which);
	answer_begin(reg, BUS_PARTED, f->sender, room->id);
	answer_send(reg, slot_bit_of(f->sender));
	if (told)
		announce(reg, BUS_PART_EVENT, room->id, f->sender,
			client_nick(client, mem), room->mask);
	room_drop_if_unused(reg, room);
}

void
on_who(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice body = bus_body(f), name;
	struct room *room;

	(void)c;
	must(bus_get_str(&body, &name));
	name = name_room(name);
	room = room_find(reg, name);
	if (room)
		answer_who(reg, room, f->sender);
	else
		answer_refused(reg, f, REFUSAL_NO_SUCH_ROOM, 0, name);
}

void
on_rooms(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice body = bus_body(f), prefix;
	char fold[NAME_FOLD_MAX];
	int len = 0;

	(void)c;
	must(bus_get_str(&body, &prefix));
	prefix = name_room(prefix);
	if (prefix.len > 0)
		len = prefix.len > NAME_MAX_LEN ? -1 : name_fold(prefix, fold);
	/* No room begins with what is no name; LF is in none. */
	if (len < 0)
		answer_rooms(reg, SLICE_LIT("\n"), f->sender);
	else
		answer_rooms(reg, slice_of(fold, (size_t)len), f->sender);
}
