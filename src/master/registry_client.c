/* registry_client.c - sessions and their nicks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "base/xalloc.h"
#include "master/registry_private.h"

#include <stdlib.h>
#include <string.h>

static void
reset(struct registry *reg)
{
	pages_fini(reg);
	map_fini(&reg->by_session);
	map_fini(&reg->by_nick);
}

void
clients_init(struct registry *reg)
{
	reg->free_group = NOBODY;
	pages_init(reg);
}

void
clients_fini(struct registry *reg)
{
	for (uint32_t i = 0; i < pages_end(reg); i++) {
		if (reg->client[i].session == 0)
			continue;
		if (reg->client[i].n_rooms > 1)
			free(client_in_rooms(&reg->client[i])->many);
		if (reg->client[i].has_nick)
			free(reg->client[i].named);
	}
	reset(reg);
	groups_fini(reg);
}

uint32_t
client_find(const struct registry *reg, uint64_t session)
{
	struct map_at at = map_look(&reg->by_session, hash_number(session));
	uint32_t c;

	while (map_next(&reg->by_session, &at, &c))
		if (reg->client[c].session == session)
			return c;
	return NOBODY;
}

static bool
has_nick(const struct named *n, const char *fold, int len)
{
	char mine[NAME_FOLD_MAX];

	return name_fold(slice_of(n->nick, n->len), mine) == len &&
	       !memcmp(mine, fold, (size_t)len);
}

static uint32_t
find_guest(const struct registry *reg, struct slice nick)
{
	uint64_t session = name_guest_session(nick);
	uint32_t c = session ? client_find(reg, session) : NOBODY;

	/* Who has taken a nick is no guest any more. */
	return c != NOBODY && reg->client[c].has_nick ? NOBODY : c;
}

uint32_t
client_find_nick(const struct registry *reg, struct slice nick)
{
	char fold[NAME_FOLD_MAX];
	int len = nick.len > NAME_MAX_LEN ? -1 : name_fold(nick, fold);
	struct map_at at;
	uint64_t hash;
	uint32_t c;

	if (len <= 0)
		return NOBODY;
	hash = hash_bytes(&reg->key, fold, (size_t)len);
	at = map_look(&reg->by_nick, hash);
	while (map_next(&reg->by_nick, &at, &c))
		if (has_nick(reg->client[c].named, fold, len))
			return c;
	return find_guest(reg, nick);
}

static void
settle(struct registry *reg, uint32_t c, uint64_t session, uint32_t group)
{
	reg->client[c] = (struct client){ .session = session, .group = group };
	group_enter(reg, group);
	map_add(&reg->by_session, hash_number(session), c);
	reg->per_slot[0]++;
	reg->per_slot[session_id_slot(session)]++;
}

uint32_t
client_add(struct registry *reg, uint64_t session, uint32_t group)
{
	uint32_t c = page_take(reg, session);

	settle(reg, c, session, group);
	return c;
}

uint32_t
client_restore(
	struct registry *reg, uint32_t c, uint64_t session, uint32_t group)
{
	c = page_take_at(reg, c, session);
	settle(reg, c, session, group);
	return c;
}

void
clients_restored(struct registry *reg)
{
	if (reg->per_slot[0] == 0)
		reset(reg);
}

static uint64_t
hash_nick(const struct registry *reg, struct slice nick)
{
	char fold[NAME_FOLD_MAX];
	int len = name_fold(nick, fold);

	must(len > 0);
	return hash_bytes(&reg->key, fold, (size_t)len);
}

static void
drop_nick(struct registry *reg, uint32_t c)
{
	struct client *client = &reg->client[c];
	struct named *n = client->named;

	if (!client->has_nick)
		return;
	must(map_del(
		&reg->by_nick, hash_nick(reg, slice_of(n->nick, n->len)), c));
	client->has_nick = 0;
	client->in = n->in;
	free(n);
}

void
client_del(struct registry *reg, uint32_t c)
{
	struct client *client = &reg->client[c];

	must(client->n_rooms == 0);
	drop_nick(reg, c);
	group_leave(reg, client->group);
	must(map_del(&reg->by_session, hash_number(client->session), c));
	reg->per_slot[session_id_slot(client->session)]--;
	page_give(reg, c);
	/* Nobody is there: what the rush took goes back. */
	if (--reg->per_slot[0] == 0)
		reset(reg);
}

struct slice
client_nick(const struct client *c, char mem[NAME_MAX_LEN + 1])
{
	if (c->has_nick)
		return slice_of(c->named->nick, c->named->len);
	return slice_of(mem, (size_t)name_guest(c->session, mem));
}

void
client_set_nick(struct registry *reg, uint32_t c, struct slice nick)
{
	struct client *client = &reg->client[c];
	struct named *n = xcalloc(1, sizeof *n + nick.len);

	must(nick.len <= NAME_MAX_LEN);
	n->len = (uint8_t)nick.len;
	memcpy(n->nick, nick.p, nick.len);
	/* It may be a part of the one before. */
	drop_nick(reg, c);
	n->in = client->in;
	client->named = n;
	client->has_nick = 1;
	map_add(&reg->by_nick, hash_nick(reg, slice_of(n->nick, n->len)), c);
}

bool
client_restore_nick(struct registry *reg, uint32_t c, struct slice nick)
{
	char fold[NAME_FOLD_MAX];

	if (name_fold(nick, fold) <= 0 || client_find_nick(reg, nick) != NOBODY)
		return false;
	client_set_nick(reg, c, nick);
	return true;
}

union memberships *
client_in_rooms(struct client *c)
{
	return c->has_nick ? &c->named->in : &c->in;
}

struct membership *
client_membership(struct client *c, uint32_t which)
{
	must(which < c->n_rooms);
	return c->n_rooms == 1 ? &client_in_rooms(c)->one
			       : &client_in_rooms(c)->many[which];
}

uint32_t
client_in(struct client *c, const struct room *room)
{
	for (uint32_t i = 0; i < c->n_rooms; i++)
		if (client_membership(c, i)->room == room->index)
			return i;
	return NOBODY;
}

size_t
clients_memory(const struct registry *reg)
{
	return pages_end(reg) * sizeof *reg->client +
	       reg->n_pages * sizeof *reg->page +
	       reg->end_group * sizeof *reg->group +
	       map_memory(&reg->by_session) + map_memory(&reg->by_nick) +
	       map_memory(&reg->by_ip);
}
