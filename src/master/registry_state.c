/* registry_state.c - the registry, exactly as it is, for the next image.
 *
 * Indexes are kept, so that what lies in memory in some order lies there in the
 * same order again; maps and counts are built anew.  A client's may be another
 * one if the image before did not keep the slots apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/registry_state.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "master/registry_private.h"

#include <string.h>

enum room_flag {
	ROOM_CONFIGURED = 1,
	ROOM_ECHO = 2,
	ROOM_TOPIC_CHANGED = 4
};

static void
save_room(const struct registry *reg, const struct room *r, struct pack *p)
{
	struct slice name = room_name(reg, r);
	size_t at = pack_record(p);

	pack_u64(p, r->index);
	pack_u64(p, r->id);
	pack_u64(p, r->sequence);
	pack_u64(p, (r->configured ? ROOM_CONFIGURED : 0u) |
			    (r->echo ? ROOM_ECHO : 0u) |
			    (r->topic_changed ? ROOM_TOPIC_CHANGED : 0u));
	pack_u64(p, r->n_members);
	pack_bytes(p, name.p, name.len);
	pack_bytes(p, r->topic, r->topic_len);
	pack_end(p, at);
}

static void
save_rooms(struct registry *reg, struct pack *p)
{
	rooms_tidy(reg);
	pack_u64(p, reg->last_id);
	pack_u64(p, reg->end_room);
	pack_u64(p, reg->n_order);
	for (uint32_t i = 0; i < reg->n_order; i++)
		save_room(reg, reg->order[i].room, p);
}

static void
save_client(struct registry *reg, uint32_t at, struct pack *p)
{
	struct client *c = &reg->client[at];
	size_t begun = pack_record(p);

	pack_u64(p, at);
	pack_u64(p, c->session);
	pack_bytes(p, c->has_nick ? c->named->nick : "",
		c->has_nick ? c->named->len : 0);
	pack_bytes(p, c->group == NOBODY ? NULL : reg->group[c->group].ip,
		c->group == NOBODY ? 0 : sizeof reg->group[0].ip);
	pack_u64(p, c->n_rooms);
	for (uint32_t i = 0; i < c->n_rooms; i++) {
		const struct membership *m = client_membership(c, i);

		pack_u64(p, m->room);
		pack_u64(p, (uint64_t)m->at << 1 | m->quiet);
	}
	pack_end(p, begun);
}

void
registry_save(struct registry *reg, struct pack *p)
{
	pack_u64(p, reg->messages);
	pack_u64(p, reg->refused_full);
	pack_u64(p, reg->refused_address);
	save_rooms(reg, p);
	pack_u64(p, pages_end(reg));
	pack_u64(p, reg->per_slot[0]);
	for (uint32_t i = 0; i < pages_end(reg); i++)
		if (reg->client[i].session != 0)
			save_client(reg, i, p);
}

static bool
restore_room(struct registry *reg, struct unpack *u, uint32_t end)
{
	struct unpack own = unpack_record(u);
	uint64_t index = unpack_u64(&own), id = unpack_u64(&own);
	uint64_t sequence = unpack_u64(&own), flags = unpack_u64(&own);
	uint64_t n_members = unpack_u64(&own);
	struct slice name = unpack_bytes(&own), topic = unpack_bytes(&own);
	struct room *r;

	/* The members come with the clients. */
	if (own.bad || index >= end || reg->room[index] || id == 0 ||
		id > UINT32_MAX || room_by_id(reg, (uint32_t)id) ||
		name.len > NAME_MAX_LEN || room_find(reg, name) ||
		topic.len > UINT16_MAX || !unpack_has(u, n_members, 16))
		return false;
	r = room_restore(reg, name, (uint32_t)index, (uint32_t)id);
	if (!r)
		return false;
	room_set_topic(r, topic);
	r->sequence = sequence;
	r->configured = flags & ROOM_CONFIGURED;
	r->echo = flags & ROOM_ECHO;
	r->topic_changed = flags & ROOM_TOPIC_CHANGED;
	r->cap_members = r->n_members = (uint32_t)n_members;
	r->member = xcalloc(n_members, sizeof *r->member);
	for (uint32_t i = 0; i < r->n_members; i++)
		r->member[i] = NOBODY;
	return true;
}

static bool
restore_rooms(struct registry *reg, struct unpack *u)
{
	uint64_t last_id = unpack_u64(u), end = unpack_u64(u);
	uint64_t n = unpack_u64(u);

	if (last_id > UINT32_MAX || end > UINT32_MAX / 2 ||
		!unpack_has(u, n, 56))
		return false;
	rooms_reserve(reg, (uint32_t)end);
	for (uint64_t i = 0; i < n; i++)
		if (!restore_room(reg, u, (uint32_t)end))
			return false;
	rooms_reserved(reg);
	reg->last_id = (uint32_t)last_id;
	return true;
}

static bool
restore_membership(struct registry *reg, struct unpack *u, uint32_t c)
{
	uint64_t room = unpack_u64(u), at = unpack_u64(u);
	bool quiet = at & 1;
	struct room *r;

	at >>= 1;
	if (room >= reg->end_room || (r = reg->room[room]) == NULL ||
		at >= r->n_members || r->member[at] != NOBODY)
		return false;
	room_enter_at(reg, r, (uint32_t)at, c, quiet);
	return true;
}

static bool
restore_client(struct registry *reg, struct unpack *u, uint64_t end)
{
	uint64_t at = unpack_u64(u), session = unpack_u64(u);
	struct slice nick = unpack_bytes(u), ip = unpack_bytes(u);
	uint64_t n_rooms = unpack_u64(u);
	unsigned slot = session_id_slot(session);
	uint32_t c;

	if (u->bad || at >= end || slot == 0 || slot > reg->n_slots ||
		!session_id_number(session) ||
		client_find(reg, session) != NOBODY ||
		nick.len > NAME_MAX_LEN || (ip.len != 0 && ip.len != 16) ||
		!unpack_has(u, n_rooms, 16))
		return false;
	c = client_restore(reg, (uint32_t)at, session,
		ip.len ? group_of(reg, (const uint8_t *)ip.p) : NOBODY);
	if (nick.len > 0 && !client_restore_nick(reg, c, nick))
		return false;
	for (uint64_t i = 0; i < n_rooms; i++)
		if (!restore_membership(reg, u, c))
			return false;
	return true;
}

/* Each place in a room has its member. */
static bool
is_whole(const struct registry *reg)
{
	for (uint32_t i = 0; i < reg->n_order; i++) {
		const struct room *r = reg->order[i].room;

		for (uint32_t at = 0; at < r->n_members; at++)
			if (r->member[at] == NOBODY)
				return false;
	}
	return true;
}

bool
registry_restore(struct registry *reg, struct unpack *u)
{
	uint64_t end, n;

	must(reg->n_rooms == 0 && reg->n_pages == 0);
	reg->messages = unpack_u64(u);
	reg->refused_full = unpack_u64(u);
	reg->refused_address = unpack_u64(u);
	if (!restore_rooms(reg, u))
		return false;
	end = unpack_u64(u);
	n = unpack_u64(u);
	if (end > UINT32_MAX / 2 || n > end || !unpack_has(u, n, 40))
		return false;
	pages_reserve(reg, (uint32_t)end);
	for (uint64_t i = 0; i < n; i++) {
		struct unpack record = unpack_record(u);

		if (!restore_client(reg, &record, end))
			return false;
	}
	clients_restored(reg);
	return is_whole(reg);
}
