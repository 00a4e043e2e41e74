/* registry_answer.c - the frames that the registry makes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "master/registry_private.h"

/* A list is cut, never split: what it names is for one look of a person. */
#define JOINED_NAMES 50u
#define JOINED_BYTES 2048u
#define WHO_BYTES    4096u
#define ROOMS_BYTES  6144u

void
answer_begin(struct registry *reg, enum bus_type type, uint64_t sender,
	uint32_t room)
{
	reg->frame = (struct bus_frame){ .version = BUS_VERSION,
		.type = (uint8_t)type,
		.room = room,
		.sender = sender };
	reg->body = buf_over(
		reg->body_mem, BUS_FRAME_MAX - sizeof(struct bus_frame));
}

void
answer_send(struct registry *reg, uint64_t mask)
{
	/* Each part was bounded before it went in. */
	must(!reg->body.over);
	reg->frame.length = (uint32_t)(sizeof reg->frame + reg->body.len);
	reg->emit(reg->emit_arg, mask, &reg->frame, buf_slice(&reg->body));
}

void
answer_refused(struct registry *reg, const struct bus_frame *asked,
	enum refusal why, uint64_t number, struct slice target)
{
	struct bus_refused r = { why, asked->type, number };

	answer_begin(reg, BUS_REFUSED, asked->sender, 0);
	buf_add(&reg->body, &r, sizeof r);
	bus_put_str(&reg->body, target);
	answer_send(reg, slot_bit_of(asked->sender));
}

/* Nicks of members, each ended by LF, until a bound is reached. */
static void
add_nicks(struct registry *reg, const struct room *room, uint64_t but,
	uint32_t max_names, size_t max_bytes)
{
	size_t end = reg->body.len + max_bytes;
	uint32_t n = 0;

	for (uint32_t i = 0; i < room->n_members && n < max_names; i++) {
		struct client *c = &reg->client[room->member[i]];
		char mem[NAME_MAX_LEN + 1];
		struct slice nick = client_nick(c, mem);

		if (c->session == but)
			continue;
		if (reg->body.len + nick.len + 1 > end)
			break;
		buf_slice_add(&reg->body, nick);
		buf_chr(&reg->body, '\n');
		n++;
	}
}

void
answer_joined(struct registry *reg, struct room *room, uint64_t session,
	uint16_t flags)
{
	struct bus_joined j = { .n_others = room->n_members - 1 };

	answer_begin(reg, BUS_JOINED, session, room->id);
	reg->frame.flags = flags | (room->echo ? BUS_ECHO : 0);
	buf_add(&reg->body, &j, sizeof j);
	bus_put_str(&reg->body, room_name(reg, room));
	bus_put_str(&reg->body, slice_of(room->topic, room->topic_len));
	add_nicks(reg, room, session, JOINED_NAMES, JOINED_BYTES);
	answer_send(reg, slot_bit_of(session));
}

void
answer_who(struct registry *reg, struct room *room, uint64_t session)
{
	struct bus_list l = { .n_all = room->n_members };

	answer_begin(reg, BUS_WHO_LIST, session, 0);
	buf_add(&reg->body, &l, sizeof l);
	bus_put_str(&reg->body, room_name(reg, room));
	add_nicks(reg, room, 0, UINT32_MAX, WHO_BYTES);
	answer_send(reg, slot_bit_of(session));
}

static bool
begins_so(
	const struct registry *reg, const struct order *o, struct slice prefix)
{
	size_t n = prefix.len < sizeof o->head ? prefix.len : sizeof o->head;
	struct slice name;

	if (!o->room || (n > 0 && memcmp(o->head, prefix.p, n) != 0))
		return false;
	if (prefix.len <= sizeof o->head)
		return prefix.len <= o->room->fold_len;
	name = room_name(reg, o->room);
	return o->room->fold_len >= prefix.len &&
	       !memcmp(name.p + name.len, prefix.p, prefix.len);
}

/* False: it does not fit any more. */
static bool
add_room_line(struct registry *reg, const struct room *room, size_t end)
{
	size_t was = reg->body.len;

	buf_slice_add(&reg->body, room_name(reg, room));
	buf_printf(&reg->body, " %u ", room->n_members);
	buf_add(&reg->body, room->topic, room->topic_len);
	buf_chr(&reg->body, '\n');
	if (reg->body.len <= end)
		return true;
	reg->body.len = was;
	return false;
}

void
answer_rooms(struct registry *reg, struct slice prefix, uint64_t session)
{
	struct bus_list l = { 0 };
	bool fits = true;
	size_t end;

	answer_begin(reg, BUS_ROOM_LIST, session, 0);
	buf_add(&reg->body, &l, sizeof l);
	end = reg->body.len + ROOMS_BYTES;
	for (uint32_t i = 0; i < reg->n_order; i++) {
		if (!begins_so(reg, &reg->order[i], prefix))
			continue;
		l.n_all++;
		if (fits)
			fits = add_room_line(reg, reg->order[i].room, end);
		else if (prefix.len == 0)
			break;
	}
	if (prefix.len == 0)
		l.n_all = reg->n_rooms;
	memcpy(reg->body_mem, &l, sizeof l);
	answer_send(reg, slot_bit_of(session));
}

void
announce(struct registry *reg, enum bus_type type, uint32_t room,
	uint64_t session, struct slice nick, uint64_t mask)
{
	if (mask == 0)
		return;
	answer_begin(reg, type, session, room);
	bus_put_str(&reg->body, nick);
	answer_send(reg, mask);
}
