/* SPDX-License-Identifier: MIT */
#include "base/map.h"
#include "base/must.h"
#include "base/xalloc.h"

#include <stdlib.h>

#define CAP_MIN     16u
#define CAP_DOUBLED 1024u /* from here on it grows by less */

void
map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void
map_fini(struct map *m)
{
	free(m->place);
	map_init(m);
}

static uint32_t
tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/* The place of a tag is its share of the table: so the table may have any size,
 * and growing it goes through both in order. */
static uint32_t
home(const struct map *m, uint32_t tag)
{
	return (uint32_t)((uint64_t)tag * m->cap >> 32);
}

static uint32_t
following(const struct map *m, uint32_t at)
{
	return at + 1 == m->cap ? 0 : at + 1;
}

/* Places from one to another, going round the end. */
static uint32_t
distance(const struct map *m, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + (m->cap - from);
}

static void
put(struct map *m, struct map_place p)
{
	uint32_t at = home(m, p.tag);

	while (m->place[at].value)
		at = following(m, at);
	m->place[at] = p;
}

static void
resize(struct map *m, uint32_t cap)
{
	struct map old = *m;

	m->place = xcalloc(cap, sizeof *m->place);
	m->cap = cap;
	for (uint32_t i = 0; i < old.cap; i++)
		if (old.place[i].value)
			put(m, old.place[i]);
	free(old.place);
}

/* By a fifth: there are maps with a place for each client, and doubling would
 * leave most of them half empty. */
static uint32_t
next_cap(uint32_t cap)
{
	if (cap < CAP_DOUBLED)
		return cap ? cap * 2 : CAP_MIN;
	return cap + cap / 5;
}

void
map_add(struct map *m, uint64_t hash, uint32_t value)
{
	must(value <= MAP_VALUE_MAX);
	/* Four fifths: a miss looks at 13 neighbours, two cache lines. */
	if ((uint64_t)(m->n + 1) * 5 > (uint64_t)m->cap * 4) {
		must(m->cap < 1u << 31);
		resize(m, next_cap(m->cap));
	}
	put(m, (struct map_place){ tag_of(hash), value + 1 });
	m->n++;
}

/* Close the hole, so that no search ends early: an entry behind it moves up
 * unless its own place lies between the hole and itself. */
static void
close_hole(struct map *m, uint32_t hole)
{
	for (uint32_t at = following(m, hole); m->place[at].value;
		at = following(m, at)) {
		uint32_t own = home(m, m->place[at].tag);

		if (distance(m, own, at) < distance(m, hole, at))
			continue;
		m->place[hole] = m->place[at];
		hole = at;
	}
	m->place[hole] = (struct map_place){ 0 };
}

bool
map_del(struct map *m, uint64_t hash, uint32_t value)
{
	struct map_at at = map_look(m, hash);
	uint32_t found;

	while (map_next(m, &at, &found)) {
		if (found != value)
			continue;
		close_hole(m, at.at == 0 ? m->cap - 1 : at.at - 1);
		m->n--;
		/* Sixteenth full after a rush: give the memory back. */
		if (m->cap > CAP_DOUBLED && m->n < m->cap / 16)
			resize(m, m->cap / 8);
		return true;
	}
	return false;
}

struct map_at
map_look(const struct map *m, uint64_t hash)
{
	uint32_t tag = tag_of(hash);

	return (struct map_at){ tag, home(m, tag) };
}

bool
map_next(const struct map *m, struct map_at *at, uint32_t *ret_value)
{
	if (m->cap == 0)
		return false;
	for (;;) {
		struct map_place p = m->place[at->at];

		if (p.value == 0)
			return false;
		at->at = following(m, at->at);
		if (p.tag == at->tag) {
			*ret_value = p.value - 1;
			return true;
		}
	}
}

size_t
map_memory(const struct map *m)
{
	return m->cap * sizeof *m->place;
}
