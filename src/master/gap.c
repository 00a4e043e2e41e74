/* SPDX-License-Identifier: MIT */
#include "master/gap.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "msg/session_id.h"

#include <stdlib.h>

void
gap_fini(struct gap *g)
{
	free(g->count);
	free(g->kept);
	map_fini(&g->by_what);
	*g = (struct gap){ 0 };
}

bool
gap_is_empty(const struct gap *g)
{
	return g->n_counts == 0 && g->kept_at == g->kept_len;
}

static uint64_t
hash_what(uint32_t room, uint64_t session)
{
	return hash_number(session ^ hash_number(room));
}

static struct gap_count *
find_count(struct gap *g, uint32_t room, uint64_t session)
{
	struct map_at at = map_look(&g->by_what, hash_what(room, session));
	uint32_t i;

	while (map_next(&g->by_what, &at, &i))
		if (g->count[i].room == room && g->count[i].session == session)
			return &g->count[i];
	return NULL;
}

static void
count_more(struct gap *g, uint32_t room, uint64_t session, uint64_t n)
{
	struct gap_count *c = find_count(g, room, session);

	if (c) {
		c->number += n;
		return;
	}
	if (g->n_counts == g->cap_counts) {
		g->cap_counts = g->cap_counts ? g->cap_counts * 2 : 16;
		g->count = xrealloc(g->count, g->cap_counts, sizeof *g->count);
	}
	map_add(&g->by_what, hash_what(room, session), g->n_counts);
	g->count[g->n_counts++] = (struct gap_count){ session, n, room };
}

static void
count_one(struct gap *g, uint32_t room, uint64_t session)
{
	count_more(g, room, session, 1);
}

static void
forget_counts(struct gap *g)
{
	free(g->count);
	g->count = NULL;
	g->n_counts = g->cap_counts = 0;
	map_fini(&g->by_what);
}

static void
forget_kept(struct gap *g)
{
	free(g->kept);
	g->kept = NULL;
	g->kept_at = g->kept_len = g->kept_cap = g->filled = 0;
}

static void
keep(struct gap *g, const struct bus_frame *f, struct slice body)
{
	size_t padded = bus_padded(f->length);
	char *to;

	must(padded >= sizeof *f);
	if (g->kept_len - g->kept_at + padded > GAP_KEPT_MAX) {
		forget_kept(g);
		g->over = true;
		return;
	}
	while (g->kept_cap - g->kept_len < padded) {
		g->kept_cap = g->kept_cap ? g->kept_cap * 2 : 4096;
		g->kept = xrealloc(g->kept, g->kept_cap, 1);
	}
	to = g->kept + g->kept_len;
	memset(to + padded - 8, 0, 8);
	memcpy(to, f, sizeof *f);
	memcpy(to + sizeof *f, body.p, body.len);
	g->kept_len += padded;
}

static void
keep_counts(struct gap *g)
{
	for (uint32_t i = 0; i < g->n_counts; i++) {
		struct bus_gap body = { g->count[i].session,
			g->count[i].number };
		struct bus_frame f = { .version = BUS_VERSION,
			.type = BUS_GAP,
			.length = sizeof f + sizeof body,
			.room = g->count[i].room };

		keep(g, &f, slice_of(&body, sizeof body));
	}
	forget_counts(g);
}

/* own: its sender would not have been shown it. */
static void
count_room(struct gap *g, uint32_t room, const struct bus_frame *f, bool own)
{
	count_one(g, room, 0);
	if (own)
		count_one(g, room, f->sender);
}

/* An event of several rooms is missed by each of them: which of them have
 * members in this slot is not known here. */
static void
count_rooms(struct gap *g, const struct bus_frame *f, bool own)
{
	struct slice body = bus_body(f);
	uint32_t n = 0, room;

	must(bus_get(&body, &n, sizeof n));
	while (n-- > 0 && bus_get(&body, &room, sizeof room))
		count_room(g, room, f, own);
}

bool
gap_add(struct gap *g, const struct bus_frame *f, unsigned slot)
{
	bool ours = session_id_slot(f->sender) == slot;

	switch (f->type) {
	case BUS_SAY:
		count_room(g, f->room, f, ours && !(f->flags & BUS_ECHO));
		return true;
	case BUS_JOIN_EVENT:
		count_room(g, f->room, f, ours);
		return true;
	case BUS_TOPIC_EVENT:
		/* To who set it, it is the answer. */
		if (ours) {
			keep_counts(g);
			keep(g, f, bus_body(f));
			return false;
		}
		count_room(g, f->room, f, false);
		return true;
	case BUS_PART_EVENT:
		count_room(g, f->room, f, false);
		return true;
	case BUS_NICK_EVENT:
		count_rooms(g, f, ours);
		return true;
	case BUS_GONE_EVENT:
		count_rooms(g, f, false);
		return true;
	case BUS_PRIVATE:
		count_one(g, 0, f->sender);
		return true;
	default:
		keep_counts(g);
		keep(g, f, bus_body(f));
		return false;
	}
}

void
gap_fill(struct gap *g, struct bus_writer *w)
{
	size_t at;

	keep_counts(g);
	for (at = g->kept_at; at < g->kept_len;) {
		const struct bus_frame *f = (const void *)(g->kept + at);

		if (!bus_writer_has_room(w, f->length))
			break;
		bus_writer_add(w, f, bus_body(f));
		at += bus_padded(f->length);
	}
	g->filled = at - g->kept_at;
}

void
gap_filled(struct gap *g)
{
	g->kept_at += g->filled;
	g->filled = 0;
	if (g->kept_at == g->kept_len)
		forget_kept(g);
}

void
gap_save(const struct gap *g, struct pack *p)
{
	pack_u64(p, g->over);
	pack_bytes(p, g->kept + g->kept_at, g->kept_len - g->kept_at);
	pack_u64(p, g->n_counts);
	for (uint32_t i = 0; i < g->n_counts; i++) {
		pack_u64(p, g->count[i].room);
		pack_u64(p, g->count[i].session);
		pack_u64(p, g->count[i].number);
	}
}

/* Whole frames, as keep() has put them there. */
static bool
keep_all(struct gap *g, struct slice kept)
{
	struct bus_frame f;

	while (kept.len >= sizeof f) {
		memcpy(&f, kept.p, sizeof f);
		if (f.length < sizeof f || f.length > BUS_FRAME_MAX ||
			bus_padded(f.length) > kept.len)
			return false;
		keep(g, &f, slice_of(kept.p + sizeof f, f.length - sizeof f));
		kept = slice_skip(kept, bus_padded(f.length));
	}
	return kept.len == 0;
}

bool
gap_restore(struct gap *g, struct unpack *u)
{
	bool over = unpack_u64(u);
	uint64_t n;

	if (!keep_all(g, unpack_bytes(u)))
		return false;
	g->over = over;
	n = unpack_u64(u);
	if (!unpack_has(u, n, 24))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t room = unpack_u64(u), session = unpack_u64(u);

		count_more(g, (uint32_t)room, session, unpack_u64(u));
	}
	return !u->bad;
}
