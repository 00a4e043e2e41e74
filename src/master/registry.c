/* SPDX-License-Identifier: MIT */
#include "master/registry.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "master/registry_ask.h"
#include "master/registry_leave.h"
#include "master/registry_private.h"
#include "master/registry_state.h"

#include <stdlib.h>

struct registry *
registry_empty(unsigned n_slots, registry_emit_fn *emit, void *arg)
{
	struct registry *reg = xcalloc(1, sizeof *reg);

	must(n_slots >= 1 && n_slots <= SLOTS_MAX);
	reg->n_slots = n_slots;
	reg->emit = emit;
	reg->emit_arg = arg;
	hash_key_init(&reg->key);
	clients_init(reg);
	return reg;
}

struct registry *
registry_new(const struct conf *conf, unsigned n_slots, registry_emit_fn *emit,
	void *arg)
{
	struct registry *reg = registry_empty(n_slots, emit, arg);

	registry_configure(reg, conf);
	return reg;
}

void
registry_free(struct registry **regp)
{
	struct registry *reg = *regp;

	*regp = NULL;
	if (!reg)
		return;
	clients_fini(reg);
	rooms_fini(reg);
	free(reg);
}

void
registry_grow(struct registry *reg, unsigned n_slots)
{
	must(n_slots >= reg->n_slots && n_slots <= SLOTS_MAX);
	if (n_slots > reg->n_slots)
		rooms_grow(reg, n_slots);
}

/* A topic that nobody has changed follows the file, and the members are told.
 */
static void
follow_file(struct registry *reg, struct room *room, struct slice topic)
{
	if (room->topic_changed ||
		slice_eq(slice_of(room->topic, room->topic_len), topic))
		return;
	room_set_topic(room, topic);
	if (room->mask == 0)
		return;
	answer_begin(reg, BUS_TOPIC_EVENT, 0, room->id);
	bus_put_str(&reg->body, SLICE_LIT(""));
	buf_add(&reg->body, room->topic, room->topic_len);
	answer_send(reg, room->mask);
}

static void
configure_room(struct registry *reg, const struct conf_room *c)
{
	struct slice name = slice_str(c->name);
	struct room *room = room_find(reg, name);

	if (!room)
		room = room_make(reg, name);
	/* Of two names that mean the same room the first counts. */
	if (!room || room->configured)
		return;
	room->configured = true;
	room->echo = c->echo;
	follow_file(reg, room, slice_str(c->topic));
	if (c->autojoin)
		reg->autojoin[reg->n_autojoin++] = room;
}

void
registry_configure(struct registry *reg, const struct conf *conf)
{
	reg->conf = conf;
	reg->n_autojoin = 0;
	rooms_tidy(reg);
	for (uint32_t i = 0; i < reg->n_order; i++)
		reg->order[i].room->configured = false;
	for (uint32_t i = 0; i < conf->n_rooms; i++)
		configure_room(reg, &conf->room[i]);
	/* From the end: to forget one may close up those behind it. */
	for (uint32_t i = reg->n_order; i-- > 0;)
		if (i < reg->n_order && reg->order[i].room)
			room_drop_if_unused(reg, reg->order[i].room);
}

/* REFUSAL_NONE and the group that it will count in, or why not. */
static enum refusal
may_connect(
	struct registry *reg, const struct bus_connect *b, uint32_t *ret_group)
{
	const struct conf *conf = reg->conf;
	uint32_t max = conf->limits.clients_per_ip;

	*ret_group = NOBODY;
	if (conf->max_clients && reg->per_slot[0] >= conf->max_clients)
		return REFUSAL_SERVER_FULL;
	if (!b->local)
		*ret_group = group_find(reg, b->address);
	if (*ret_group == NOBODY || max == 0 || reg->group[*ret_group].n < max)
		return REFUSAL_NONE;
	return REFUSAL_TOO_MANY_FROM_ADDRESS;
}

static const char *
on_connect(struct registry *reg, const struct bus_frame *f)
{
	struct slice body = bus_body(f);
	struct bus_connect b;
	struct bus_connected yes = { 0 };
	uint32_t group, c;

	must(bus_get(&body, &b, sizeof b));
	if (client_find(reg, f->sender) != NOBODY)
		return "a session connected twice";
	switch (may_connect(reg, &b, &group)) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_SERVER_FULL:
		reg->refused_full++;
		answer_refused(reg, f, REFUSAL_SERVER_FULL,
			reg->conf->max_clients, SLICE_LIT(""));
		return NULL;
	default:
		reg->refused_address++;
		answer_refused(reg, f, REFUSAL_TOO_MANY_FROM_ADDRESS,
			reg->conf->limits.clients_per_ip, SLICE_LIT(""));
		return NULL;
	}
	c = client_add(reg, f->sender, group);
	yes.n_joins = b.raw ? 0 : reg->n_autojoin;
	answer_begin(reg, BUS_CONNECTED, f->sender, 0);
	buf_add(&reg->body, &yes, sizeof yes);
	answer_send(reg, slot_bit_of(f->sender));
	for (uint32_t i = 0; i < yes.n_joins; i++)
		member_enter(reg, c, reg->autojoin[i], false, BUS_AUTO);
	return NULL;
}

static void
on_gone(struct registry *reg, uint32_t c, const struct bus_frame *f)
{
	struct slice body = bus_body(f), reason;

	must(bus_get_str(&body, &reason));
	client_gone(reg, c, reason, 0);
}

/* Sessions that the slot's arena has lost: their rooms are told. */
static const char *
on_sync(struct registry *reg, unsigned slot, const struct bus_frame *f)
{
	struct slice body = bus_body(f);
	struct bus_sync range;

	must(bus_get(&body, &range, sizeof range));
	if (session_id_slot(range.first) != slot ||
		session_id_slot(range.last) != slot ||
		body.len % sizeof(uint64_t) != 0)
		return "a damaged list of sessions";
	registry_forget_but(reg, &range, body);
	return NULL;
}

typedef void request_fn(
	struct registry *reg, uint32_t c, const struct bus_frame *f);

static request_fn *const request[BUS_TYPE_MAX + 1] = {
	[BUS_GONE] = on_gone,
	[BUS_NICK] = on_nick,
	[BUS_JOIN] = on_join,
	[BUS_PART] = on_part,
	[BUS_WHO] = on_who,
	[BUS_ROOMS] = on_rooms,
	[BUS_MSG] = on_msg,
	[BUS_TOPIC] = on_topic,
};

const char *
registry_request(struct registry *reg, unsigned slot, const struct bus_frame *f)
{
	uint32_t c;

	if (session_id_slot(f->sender) != slot || !session_id_number(f->sender))
		return "a frame for a session of another slot";
	if (f->type == BUS_SAY) {
		on_say(reg, slot, f);
		return NULL;
	}
	if (f->type == BUS_CONNECT)
		return on_connect(reg, f);
	if (f->type == BUS_SYNC)
		return on_sync(reg, slot, f);
	if (!request[f->type])
		return "a frame that no worker sends";
	c = client_find(reg, f->sender);
	/* A session that was refused may have asked for more meanwhile. */
	if (c != NOBODY)
		request[f->type](reg, c, f);
	return NULL;
}

uint32_t
registry_clients(const struct registry *reg, unsigned slot)
{
	return reg->per_slot[slot];
}

uint64_t
registry_session_by_nick(const struct registry *reg, struct slice nick)
{
	uint32_t c = client_find_nick(reg, nick);

	return c == NOBODY ? 0 : reg->client[c].session;
}

uint32_t
registry_rooms(const struct registry *reg)
{
	return reg->n_rooms;
}

bool
registry_room_at(struct registry *reg, uint32_t at, struct registry_room *ret)
{
	const struct room *room;

	rooms_tidy(reg);
	if (at >= reg->n_order)
		return false;
	room = reg->order[at].room;
	*ret = (struct registry_room){ .name = room_name(reg, room),
		.topic = slice_of(room->topic, room->topic_len),
		.members = room->n_members,
		.sequence = room->sequence,
		.configured = room->configured };
	return true;
}

struct registry_stats
registry_stats(const struct registry *reg)
{
	return (struct registry_stats){ reg->messages, reg->refused_full,
		reg->refused_address, clients_memory(reg), reg->looked_at };
}
