/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <stdlib.h>

void
sequence_shown(const struct load *l, struct client *c, unsigned source,
	uint32_t number)
{
	if (c->n_sequence == c->cap_sequence) {
		c->cap_sequence = c->cap_sequence ? c->cap_sequence * 2 : 256;
		c->sequence = load_grow(
			c->sequence, c->cap_sequence * sizeof(*c->sequence));
	}
	c->sequence[c->n_sequence++] = source * l->o.messages + number - 1;
}

/* Count what stands in c's sequence against the order of its room.  Position 0:
 * not in it (the reference's own messages, or what it missed). */
static void
compare(struct load *l, const struct client *c, const uint32_t *position)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < c->n_sequence; i++) {
		uint32_t here = position[c->sequence[i]];

		if (here && here <= at)
			l->t.disordered++;
		if (here)
			at = here;
	}
}

static void
room_order(struct load *l, unsigned room)
{
	const struct client *reference = NULL;
	uint32_t *position = calloc(
		(size_t)l->o.publishers * l->o.messages + 1, sizeof(*position));

	for (unsigned i = 0; i < l->o.clients; i++)
		if (load_room(l, i) == room &&
			(!reference || l->client[i].n_sequence >
					       reference->n_sequence))
			reference = &l->client[i];
	if (!position || !reference) {
		free(position);
		return;
	}
	for (uint32_t i = 0; i < reference->n_sequence; i++)
		position[reference->sequence[i]] = i + 1;
	for (unsigned i = 0; i < l->o.clients; i++)
		if (load_room(l, i) == room)
			compare(l, &l->client[i], position);
	free(position);
}

void
sequence_finish(struct load *l)
{
	for (unsigned room = l->o.rooms ? 1 : 0; room <= l->o.rooms; room++)
		room_order(l, room);
}
