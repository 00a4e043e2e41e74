/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "hist.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
checksum(const char *p, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	while (len--)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
}

static void *
grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		perror("banter-load");
		exit(2);
	}
	return p;
}

void
account_client(const struct load *l, struct client *c)
{
	size_t size = (l->o.publishers + 1) * sizeof(*c->last);

	c->last = grow(NULL, size);
	memset(c->last, 0, size);
}

size_t
account_line(const struct load *l, unsigned publisher, unsigned number,
	char *out, size_t cap)
{
	int n = snprintf(out, cap - 12, "@ %u %u %" PRIu64 " ", publisher,
		number, load_now_ns());
	size_t len = (size_t)n;

	for (; len < l->o.size && len < cap - 12; len++)
		out[len] = "abcdefghijklmnop"[len % 16];
	len += (size_t)snprintf(
		out + len, cap - len, " %08x\n", checksum(out, len));
	return len;
}

static void
remember(const struct load *l, struct client *c, unsigned p, unsigned number)
{
	if (c->n_sequence == c->cap_sequence) {
		c->cap_sequence = c->cap_sequence ? c->cap_sequence * 2 : 256;
		c->sequence = grow(
			c->sequence, c->cap_sequence * sizeof(*c->sequence));
	}
	c->sequence[c->n_sequence++] = p * l->o.messages + number - 1;
}

static void
numbered(struct load *l, struct client *c, char *line)
{
	unsigned p, number;
	uint64_t sent_ns;
	char *sum = strrchr(line, ' ');

	if (!sum ||
		strtoul(sum + 1, NULL, 16) !=
			checksum(line, (size_t)(sum - line)) ||
		sscanf(line, "@ %u %u %" SCNu64, &p, &number, &sent_ns) != 3 ||
		p >= l->o.publishers || !number || number > l->o.messages ||
		load_room(l, p) != load_room(l, c->id)) {
		l->t.damaged++;
		return;
	}
	l->last_ns = load_now_ns();
	hist_add((l->last_ns - sent_ns) / 1000);
	l->t.delivered++;
	if (p == c->id || number == c->last[p])
		l->t.duplicated++;
	else if (number < c->last[p])
		l->t.disordered++;
	else
		c->last[p] = number;
	remember(l, c, p, number);
}

void
account_shown(struct load *l, struct client *c, char *line)
{
	char *text = strstr(line, "> @ ");
	uint64_t n;

	if (text && line[0] == '[')
		numbered(l, c, text + 2);
	else if (sscanf(line, "* %" SCNu64 " message", &n) == 1 &&
		 strstr(line, " missed")) {
		c->missed += n;
		l->last_ns = load_now_ns();
	}
}

/* What a client should have been shown, of what publishers handed over. */
static uint64_t
expected(const struct load *l, const struct client *c)
{
	uint64_t n = 0;

	for (unsigned p = 0; p < l->o.publishers; p++)
		if (p != c->id && load_room(l, p) == load_room(l, c->id))
			n += l->client[p].sent;
	return n;
}

bool
account_complete(const struct load *l)
{
	for (unsigned i = 0; i < l->o.clients; i++) {
		const struct client *c = &l->client[i];

		if (c->state == CLIENT_READY &&
			c->n_sequence + c->missed < expected(l, c))
			return false;
	}
	return true;
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

/* What a publisher handed over before it was closed may have died with the
 * other end; but what one has been shown all must have been. */
static void
trim_closed(struct load *l)
{
	for (unsigned p = 0; p < l->o.publishers; p++) {
		uint32_t most = 0;

		if (l->client[p].state != CLIENT_CLOSED)
			continue;
		for (unsigned i = 0; i < l->o.clients; i++)
			if (l->client[i].last[p] > most)
				most = l->client[i].last[p];
		l->client[p].sent = most;
	}
}

void
account_finish(struct load *l)
{
	trim_closed(l);
	for (unsigned i = 0; i < l->o.clients; i++) {
		const struct client *c = &l->client[i];
		uint64_t want = expected(l, c);

		l->t.missed += c->missed;
		if (c->state == CLIENT_CLOSED && l->o.may_close)
			continue;
		l->t.expected += want;
		if (c->n_sequence + c->missed < want)
			l->t.lost += want - c->n_sequence - c->missed;
		/* A notice that counts too many is as wrong as one too few. */
		if (c->n_sequence + c->missed > want)
			l->t.duplicated += c->n_sequence + c->missed - want;
	}
	for (unsigned room = l->o.rooms ? 1 : 0; room <= l->o.rooms; room++)
		room_order(l, room);
}
