/* registry_room.c - rooms and their members.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "base/xalloc.h"
#include "master/registry_private.h"

#include <stdlib.h>
#include <string.h>

static void
free_room(struct room *room)
{
	free(room->member);
	free(room->topic);
	free(room);
}

void
rooms_fini(struct registry *reg)
{
	for (uint32_t i = 0; i < reg->n_order; i++)
		if (reg->order[i].room)
			free_room(reg->order[i].room);
	free(reg->room);
	free(reg->free_room);
	free(reg->order);
	map_fini(&reg->by_id);
	map_fini(&reg->by_name);
}

static char *
text_of(const struct registry *reg, const struct room *room)
{
	return (char *)(uintptr_t)&room->by_slot[reg->n_slots];
}

struct slice
room_name(const struct registry *reg, const struct room *room)
{
	return slice_of(text_of(reg, room), room->name_len);
}

static struct slice
room_fold(const struct registry *reg, const struct room *room)
{
	return slice_of(text_of(reg, room) + room->name_len, room->fold_len);
}

static size_t
room_size(unsigned n_slots, const struct room *room)
{
	return sizeof *room + n_slots * sizeof room->by_slot[0] +
	       room->name_len + room->fold_len;
}

/* Counters for 64 slots from the start would be 20 MB more with 100,000 rooms,
 * which most daemons never need. */
static struct room *
grow_room(const struct registry *reg, struct room *room, unsigned n_slots)
{
	size_t text = (size_t)room->name_len + room->fold_len;
	size_t more = (n_slots - reg->n_slots) * sizeof room->by_slot[0];
	char *at;

	room = xrealloc(room, 1, room_size(n_slots, room));
	at = text_of(reg, room);
	memmove(at + more, at, text);
	memset(at, 0, more);
	return room;
}

void
rooms_grow(struct registry *reg, unsigned n_slots)
{
	uint32_t join[CONF_ROOMS];
	const uint32_t n_join = reg->n_autojoin;

	for (uint32_t i = 0; i < n_join; i++)
		join[i] = reg->autojoin[i]->index;
	rooms_tidy(reg);
	for (uint32_t i = 0; i < reg->n_order; i++) {
		struct room *room = grow_room(reg, reg->order[i].room, n_slots);

		reg->order[i].room = room;
		reg->room[room->index] = room;
	}
	for (uint32_t i = 0; i < n_join; i++)
		reg->autojoin[i] = reg->room[join[i]];
	reg->n_slots = n_slots;
}

static struct slice
fold_name(struct slice name, char mem[NAME_FOLD_MAX])
{
	int len = name.len > NAME_MAX_LEN ? -1 : name_fold(name, mem);

	return slice_of(mem, len > 0 && len <= UINT8_MAX ? (size_t)len : 0);
}

struct room *
room_find(const struct registry *reg, struct slice name)
{
	char mem[NAME_FOLD_MAX];
	struct slice fold = fold_name(name, mem);
	struct map_at at;
	uint32_t i;

	if (fold.len == 0)
		return NULL;
	at = map_look(&reg->by_name, hash_bytes(&reg->key, fold.p, fold.len));
	while (map_next(&reg->by_name, &at, &i))
		if (slice_eq(room_fold(reg, reg->room[i]), fold))
			return reg->room[i];
	return NULL;
}

struct room *
room_by_id(const struct registry *reg, uint32_t id)
{
	struct map_at at = map_look(&reg->by_id, hash_number(id));
	uint32_t i;

	while (map_next(&reg->by_id, &at, &i))
		if (reg->room[i]->id == id)
			return reg->room[i];
	return NULL;
}

static uint32_t
take_index(struct registry *reg)
{
	if (reg->n_free_room > 0)
		return reg->free_room[--reg->n_free_room];
	if (reg->end_room == reg->cap_room) {
		reg->cap_room = reg->cap_room ? reg->cap_room * 2 : 16;
		reg->room = xrealloc(
			reg->room, reg->cap_room, sizeof(struct room *));
		/* Room for the index of every room, so that a room can always
		 * be forgotten. */
		reg->free_room = xrealloc(
			reg->free_room, reg->cap_room, sizeof *reg->free_room);
	}
	return reg->end_room++;
}

static void
put_in_order(struct registry *reg, struct room *room, struct slice fold)
{
	struct order *o;

	if (reg->n_order == reg->cap_order)
		rooms_tidy(reg);
	if (reg->n_order == reg->cap_order) {
		reg->cap_order = reg->cap_order ? reg->cap_order * 2 : 16;
		reg->order = xrealloc(
			reg->order, reg->cap_order, sizeof *reg->order);
	}
	room->place = reg->n_order++;
	o = &reg->order[room->place];
	*o = (struct order){ .room = room };
	memcpy(o->head, fold.p,
		fold.len < sizeof o->head ? fold.len : sizeof o->head);
}

struct room *
room_restore(
	struct registry *reg, struct slice name, uint32_t index, uint32_t id)
{
	char mem[NAME_FOLD_MAX];
	struct slice fold = fold_name(name, mem);
	struct room *room;

	if (fold.len == 0)
		return NULL;
	room = xcalloc(1, sizeof *room +
				  reg->n_slots * sizeof room->by_slot[0] +
				  name.len + fold.len);
	room->id = id;
	room->index = index;
	room->name_len = (uint8_t)name.len;
	room->fold_len = (uint8_t)fold.len;
	room->hash = hash_bytes(&reg->key, fold.p, fold.len);
	memcpy(text_of(reg, room), name.p, name.len);
	memcpy(text_of(reg, room) + name.len, fold.p, fold.len);
	reg->room[room->index] = room;
	map_add(&reg->by_id, hash_number(room->id), room->index);
	map_add(&reg->by_name, room->hash, room->index);
	put_in_order(reg, room, fold);
	reg->n_rooms++;
	return room;
}

struct room *
room_make(struct registry *reg, struct slice name)
{
	char mem[NAME_FOLD_MAX];

	/* Four thousand million rooms later: no id may ever come again. */
	if (fold_name(name, mem).len == 0 || reg->last_id == UINT32_MAX)
		return NULL;
	return room_restore(reg, name, take_index(reg), ++reg->last_id);
}

void
rooms_reserve(struct registry *reg, uint32_t end)
{
	while (reg->end_room < end) {
		uint32_t i = take_index(reg); /* may move the table */

		reg->room[i] = NULL;
	}
}

void
rooms_reserved(struct registry *reg)
{
	for (uint32_t i = reg->end_room; i-- > 0;)
		if (!reg->room[i])
			reg->free_room[reg->n_free_room++] = i;
}

void
room_drop_if_unused(struct registry *reg, struct room *room)
{
	if (room->n_members > 0 || room->configured)
		return;
	must(map_del(&reg->by_id, hash_number(room->id), room->index));
	must(map_del(&reg->by_name, room->hash, room->index));
	reg->order[room->place].room = NULL;
	reg->n_dead++;
	reg->room[room->index] = NULL;
	reg->free_room[reg->n_free_room++] = room->index;
	reg->n_rooms--;
	free_room(room);
	/* Half of the places are empty: each room pays for one move. */
	if (reg->n_dead > 64 && reg->n_dead > reg->n_order / 2)
		rooms_tidy(reg);
}

/* Close up the order of making. */
void
rooms_tidy(struct registry *reg)
{
	uint32_t n = 0;

	if (reg->n_dead == 0)
		return;
	for (uint32_t i = 0; i < reg->n_order; i++) {
		if (!reg->order[i].room)
			continue;
		reg->order[n] = reg->order[i];
		reg->order[n].room->place = n;
		n++;
	}
	reg->n_order = n;
	reg->n_dead = 0;
}

void
room_set_topic(struct room *room, struct slice topic)
{
	free(room->topic);
	room->topic = topic.len ? xmemdup0(topic.p, topic.len) : NULL;
	room->topic_len = (uint16_t)topic.len;
	/* It is one line wherever it is listed. */
	for (uint16_t i = 0; i < room->topic_len; i++)
		if (room->topic[i] == '\n' || room->topic[i] == '\r')
			room->topic[i] = ' ';
}

static void
add_membership(struct client *c, struct membership m)
{
	union memberships *in = client_in_rooms(c);
	uint32_t n = c->n_rooms;

	if (n == 0) {
		in->one = m;
	} else if (n == 1) {
		struct membership first = in->one;

		in->many = xcalloc(2, sizeof *in->many);
		in->many[0] = first;
		in->many[1] = m;
	} else {
		if ((n & (n - 1)) == 0)
			in->many = xrealloc(
				in->many, (size_t)n * 2, sizeof *in->many);
		in->many[n] = m;
	}
	c->n_rooms++;
}

static void
del_membership(struct client *c, uint32_t which)
{
	union memberships *in = client_in_rooms(c);
	uint32_t n = c->n_rooms - 1;

	if (which != n)
		*client_membership(c, which) = *client_membership(c, n);
	c->n_rooms--;
	if (n == 1) {
		struct membership last = in->many[0];

		free(in->many);
		in->one = last;
	} else if (n > 1 && (n & (n - 1)) == 0) {
		in->many = xrealloc(in->many, n, sizeof *in->many);
	}
}

static void
resize_members(struct room *room, uint32_t cap)
{
	room->member = xrealloc(room->member, cap, sizeof *room->member);
	room->cap_members = cap;
}

void
room_enter_at(struct registry *reg, struct room *room, uint32_t at, uint32_t c,
	bool quiet)
{
	struct client *client = &reg->client[c];
	unsigned slot = session_id_slot(client->session);

	add_membership(client,
		(struct membership){ room->index, at & INT32_MAX, quiet });
	room->member[at] = c;
	if (room->by_slot[slot - 1]++ == 0)
		room->mask |= slot_bit(slot);
}

void
room_enter(struct registry *reg, struct room *room, uint32_t c, bool quiet)
{
	if (room->n_members == room->cap_members)
		resize_members(room, room->n_members ? room->n_members * 2 : 2);
	room_enter_at(reg, room, room->n_members++, c, quiet);
}

void
room_leave(struct registry *reg, struct room *room, uint32_t c, uint32_t which)
{
	struct client *client = &reg->client[c];
	unsigned slot = session_id_slot(client->session);
	uint32_t at = client_membership(client, which)->at;
	uint32_t last = room->n_members - 1;

	if (at != last) {
		struct client *moved = &reg->client[room->member[last]];

		room->member[at] = room->member[last];
		client_membership(moved, client_in(moved, room))->at =
			at & INT32_MAX;
	}
	room->n_members = last;
	if (--room->by_slot[slot - 1] == 0)
		room->mask &= ~slot_bit(slot);
	del_membership(client, which);
	if (room->cap_members > 16 && last < room->cap_members / 4)
		resize_members(room, room->cap_members / 2);
}
