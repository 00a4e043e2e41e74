/* registry_leave.c - sessions that end, one or a slot's all at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/registry_leave.h"
#include "conf/conf.h"
#include "msg/name.h"

#include <stdlib.h>
#include <string.h>

bool
room_is_told(const struct registry *reg, const struct room *room)
{
	uint32_t limit = reg->conf->limits.announce_limit;

	return !room->hushed && (limit == 0 || room->n_members <= limit);
}

void
rooms_event_flush(struct registry *reg, struct rooms_event *e)
{
	if (e->n > 0) {
		answer_begin(reg, e->type, e->session, 0);
		buf_add(&reg->body, &e->n, sizeof e->n);
		buf_add(&reg->body, e->room, e->n * sizeof e->room[0]);
		bus_put_str(&reg->body, e->nick);
		bus_put_str(&reg->body, e->text);
		answer_send(reg, e->mask);
	}
	e->mask = 0;
	e->n = 0;
}

void
rooms_event_add(struct registry *reg, struct rooms_event *e, uint32_t room,
	uint64_t mask)
{
	if (mask == 0)
		return;
	e->room[e->n++] = room;
	e->mask |= mask;
	if (e->n == ROOMS_EVENT_MAX)
		rooms_event_flush(reg, e);
}

void
client_gone(
	struct registry *reg, uint32_t c, struct slice reason, uint64_t not_to)
{
	struct client *client = &reg->client[c];
	char mem[NAME_MAX_LEN + 1];
	struct rooms_event e = { .type = BUS_GONE_EVENT,
		.session = client->session,
		.nick = client_nick(client, mem),
		.text = reason };

	while (client->n_rooms > 0) {
		uint32_t which = client->n_rooms - 1;
		struct membership m = *client_membership(client, which);
		struct room *room = reg->room[m.room];
		bool told = !m.quiet && room_is_told(reg, room);

		room_leave(reg, room, c, which);
		if (told)
			rooms_event_add(
				reg, &e, room->id, room->mask & ~not_to);
		room_drop_if_unused(reg, room);
	}
	rooms_event_flush(reg, &e);
	client_del(reg, c);
}

/* A room too big to be told of each who leaves shrinks below the limit while a
 * slot is emptied: it is too big until the end. */
static void
hush(struct registry *reg, bool start)
{
	for (uint32_t i = 0; i < reg->n_order; i++) {
		struct room *room = reg->order[i].room;

		if (room)
			room->hushed = start && !room_is_told(reg, room);
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

void
registry_forget_but(
	struct registry *reg, const struct bus_sync *range, struct slice list)
{
	size_t n = list.len / sizeof(uint64_t);
	struct walk w = walk_sessions(reg, range->first, range->last);
	uint32_t c;

	while ((c = walk_next(reg, &w)) != NOBODY) {
		uint64_t session = reg->client[c].session;

		if (n == 0 ||
			!bsearch(&session, list.p, n, sizeof session, compare))
			client_gone(reg, c, SLICE_LIT("server fault"), 0);
	}
}

void
registry_forget_slot(struct registry *reg, unsigned slot, struct slice reason)
{
	struct walk w = walk_sessions(
		reg, session_id(slot, 1), session_id(slot + 1, 0) - 1);
	uint32_t c;

	if (reg->per_slot[slot] == 0)
		return;
	hush(reg, true);
	while ((c = walk_next(reg, &w)) != NOBODY)
		client_gone(reg, c, reason, slot_bit(slot));
	hush(reg, false);
}
