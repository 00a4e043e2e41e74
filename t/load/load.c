/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#define COMPLAINTS 20

static uint64_t seed = 1;

struct histogram load_took;

void
load_seed(uint64_t from)
{
	seed = from;
}

unsigned
load_random(unsigned n)
{
	/* xorshift64*: a seed gives the same bytes on every machine. */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * 2685821657736338717u >> 33) % n);
}

int
load_room_name(const struct load *l, unsigned id, char *out, size_t cap)
{
	unsigned room = load_room(l, id);

	if (!room)
		return snprintf(out, cap, "lobby");
	return snprintf(out, cap, "%s%u", l->o.churn ? "churn" : "load", room);
}

void *
load_grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		perror("banter-load");
		exit(2);
	}
	return p;
}

void
load_complain(const struct load *l, const struct client *c, const char *what,
	const char *line)
{
	static unsigned n;

	if (!l->o.strict || n++ >= COMPLAINTS)
		return;
	fprintf(stderr, "# banter-load: client %u: %s%s%.300s\n", c->id, what,
		*line ? ": " : "", line);
}
