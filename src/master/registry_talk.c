/* registry_talk.c - names, and what is said under them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "conf/conf.h"
#include "master/registry_ask.h"
#include "master/registry_leave.h"
#include "master/registry_private.h"

#include <string.h>

/* What a topic may have when the configuration sets no limit: it must fit into
 * a frame beside the names of a room's members. */
#define TOPIC_MAX 4096u

static void
tell_nick(struct registry *reg, uint32_t c, struct slice old)
{
	struct client *client = &reg->client[c];
	char mem[NAME_MAX_LEN + 1];
	struct rooms_event e = { .type = BUS_NICK_EVENT,
		.session = client->session,
		.nick = old,
		.text = client_nick(client, mem) };

	if (slice_eq(e.nick, e.text))
		return;
	for (uint32_t i = 0; i < client->n_rooms; i++) {
		struct membership *m = client_membership(client, i);
		struct room *room = reg->room[m->room];

		if (!m->quiet && room_is_told(reg, room))
			rooms_event_add(reg, &e, room->id,
				room_others(room, client->session));
	}
	rooms_event_flush(reg, &e);
}

void
on_nick(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice body = bus_body(f), nick, was;
	char mem[NAME_MAX_LEN + 1], old[NAME_MAX_LEN];
	enum refusal no;
	uint32_t holder;

	must(bus_get_str(&body, &nick));
	no = name_check_nick(nick);
	holder = no == REFUSAL_NONE ? client_find_nick(reg, nick) : NOBODY;
	if (holder != NOBODY && holder != c)
		no = REFUSAL_NICK_IN_USE;
	if (no != REFUSAL_NONE) {
		answer_refused(reg, f, no, NAME_MAX_LEN, nick);
		return;
	}
	was = client_nick(&reg->client[c], mem);
	memcpy(old, was.p, was.len);
	client_set_nick(reg, c, nick);
	answer_begin(reg, BUS_NICK_SET, f->sender, 0);
	bus_put_str(&reg->body, nick);
	answer_send(reg, slot_bit_of(f->sender));
	tell_nick(reg, c, slice_of(old, was.len));
}

void
on_msg(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice text = bus_body(f), to, from;
	char mem[NAME_MAX_LEN + 1];
	uint64_t session;
	uint32_t r;

	(void)c;
	must(bus_get_str(&text, &to) && bus_get_str(&text, &from));
	r = client_find_nick(reg, to);
	if (r == NOBODY) {
		answer_refused(reg, f, REFUSAL_NO_SUCH_NICK, 0, to);
		return;
	}
	session = reg->client[r].session;
	answer_begin(reg, BUS_PRIVATE, session, 0);
	reg->frame.flags = f->flags;
	bus_put_str(&reg->body, from);
	buf_slice_add(&reg->body, text);
	answer_send(reg, slot_bit_of(session));
	answer_begin(reg, BUS_MSG_SENT, f->sender, 0);
	reg->frame.flags = f->flags;
	bus_put_str(&reg->body, client_nick(&reg->client[r], mem));
	buf_slice_add(&reg->body, text);
	answer_send(reg, slot_bit_of(f->sender));
}

void
on_topic(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice topic = bus_body(f), nick;
	struct room *room = room_by_id(reg, f->room);
	uint32_t max = reg->conf->limits.topic_bytes;

	must(bus_get_str(&topic, &nick));
	if (max == 0 || max > TOPIC_MAX)
		max = TOPIC_MAX;
	if (!room || client_in(&reg->client[c], room) == NOBODY) {
		answer_refused(reg, f, REFUSAL_NOT_IN_ROOM, 0,
			room ? room_name(reg, room) : SLICE_LIT(""));
		return;
	}
	if (topic.len > max) {
		answer_refused(
			reg, f, REFUSAL_TOPIC_TOO_LONG, max, SLICE_LIT(""));
		return;
	}
	room_set_topic(room, topic);
	room->topic_changed = true;
	answer_begin(reg, BUS_TOPIC_EVENT, f->sender, room->id);
	bus_put_str(&reg->body, nick);
	buf_add(&reg->body, room->topic, room->topic_len);
	answer_send(reg, room->mask);
}

void
on_say(struct registry *reg, unsigned slot, const struct bus_frame *f)
{
	struct room *room = room_by_id(reg, f->room);
	struct bus_frame out = *f;

	/* It has crossed the answer that its sender, or the whole room, is
	 * gone. */
	if (!room || room->by_slot[slot - 1] == 0)
		return;
	out.sequence = ++room->sequence;
	reg->messages++;
	reg->emit(reg->emit_arg, room->mask, &out, bus_body(f));
}
