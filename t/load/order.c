/* Whoever sees everything in a room and is furthest appends to the room's
 * order; the others have to be shown the same, each from where it stands.  A
 * publisher without echo is not shown its own lines, so it never makes the
 * order: what it is shown before the order has it is kept until then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define SEARCHES 2000 /* each walks an order: enough to tell what is wrong */

struct entry {
	uint32_t source, number;
};

struct room {
	struct entry *entry;
	uint32_t n, cap;
	uint32_t *highest; /* number of each of its sources in the order */
};

static struct room *rooms;
static unsigned searches;

static void *
zeroed(size_t size)
{
	return memset(load_grow(NULL, size), 0, size);
}

static struct room *
room_of(const struct load *l, const struct client *c)
{
	struct room *r;

	if (!rooms)
		rooms = zeroed((l->o.rooms + 1) * sizeof(*rooms));
	r = &rooms[load_room(l, c->id)];
	if (!r->highest)
		r->highest = zeroed((load_sources(l) / load_stride(l) + 1) *
				    sizeof(*r->highest));
	return r;
}

static bool
same(struct entry a, struct entry b)
{
	return a.source == b.source && a.number == b.number;
}

static void
insert(struct room *r, uint32_t at, struct entry e)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 1024;
		r->entry = load_grow(r->entry, r->cap * sizeof(*r->entry));
	}
	memmove(r->entry + at + 1, r->entry + at,
		(r->n - at) * sizeof(*r->entry));
	r->entry[at] = e;
	r->n++;
}

/* r->n when it is not in the order. */
static uint32_t
find(const struct room *r, struct entry e)
{
	uint32_t i = 0;

	while (i < r->n && !same(r->entry[i], e))
		i++;
	return i;
}

/* It was not shown to whoever went ahead: the others are not blamed for it. */
static void
put_between(struct load *l, struct client *c, struct room *r, struct entry e)
{
	unsigned stride = load_stride(l);

	insert(r, c->at, e);
	for (unsigned i = c->id % stride; i < l->o.clients; i += stride)
		if (l->client[i].at > c->at)
			l->client[i].at++;
	c->at++;
}

static void
unexpected(struct load *l, struct client *c, struct room *r, struct entry e)
{
	uint32_t found;

	if (searches >= SEARCHES) {
		l->t.disordered++;
		return;
	}
	searches++;
	found = find(r, e);
	if (found == r->n && c->sees_own) {
		put_between(l, c, r, e);
	} else if (found != r->n && found >= c->at) {
		/* It was not shown what lies between: that counts as lost. */
		c->at = found + 1;
	} else {
		l->t.disordered++;
		load_complain(l, c, "in another order than others", "");
	}
}

static void
sees_all(struct load *l, struct client *c, struct room *r, struct entry e)
{
	uint32_t *highest = &r->highest[e.source / load_stride(l)];

	if (c->at == r->n && e.number > *highest) {
		insert(r, r->n, e);
		*highest = e.number;
	}
	if (c->at < r->n && same(r->entry[c->at], e))
		c->at++;
	else
		unexpected(l, c, r, e);
}

static void
keep(struct client *c, struct entry e)
{
	if (c->n_sequence + 2 > c->cap_sequence) {
		c->cap_sequence = c->cap_sequence ? c->cap_sequence * 2 : 64;
		c->sequence = load_grow(
			c->sequence, c->cap_sequence * sizeof(*c->sequence));
	}
	c->sequence[c->n_sequence++] = e.source;
	c->sequence[c->n_sequence++] = e.number;
}

/* Compare what was kept as far as the order goes. */
static void
catch_up(struct load *l, struct client *c, struct room *r)
{
	uint32_t done = 0;

	while (done < c->n_sequence) {
		struct entry e = { c->sequence[done], c->sequence[done + 1] };

		while (c->at < r->n && r->entry[c->at].source == c->id)
			c->at++;
		if (c->at == r->n)
			break;
		done += 2;
		if (same(r->entry[c->at], e))
			c->at++;
		else
			unexpected(l, c, r, e);
	}
	c->n_sequence -= done;
	memmove(c->sequence, c->sequence + done,
		c->n_sequence * sizeof(*c->sequence));
}

void
order_shown(struct load *l, struct client *c, unsigned source, uint32_t number)
{
	struct room *r = room_of(l, c);
	struct entry e = { source, number };

	if (c->sees_own) {
		sees_all(l, c, r, e);
		return;
	}
	keep(c, e);
	catch_up(l, c, r);
}

void
order_free(struct load *l)
{
	for (unsigned i = 0; rooms && i <= l->o.rooms; i++) {
		free(rooms[i].entry);
		free(rooms[i].highest);
	}
	free(rooms);
	rooms = NULL;
}
