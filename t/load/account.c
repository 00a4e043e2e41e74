/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "actor.h"
#include "base/clock.h"

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

void
account_client(const struct load *l, struct client *c)
{
	size_t n = load_sources(l) / load_stride(l) + 1;

	c->last = load_grow(NULL, n * sizeof(*c->last));
	memset(c->last, 0, n * sizeof(*c->last));
}

size_t
account_write(
	const struct load *l, struct account_line what, char *out, size_t cap)
{
	int n = snprintf(out, cap - 12, "@ %u %" PRIu32 " %" PRIu64 " ",
		what.source, what.number, what.sent_ns);
	size_t len = (size_t)n;

	for (; len < l->o.size && len < cap - 12; len++)
		out[len] = "abcdefghijklmnop"[len % 16];
	len += (size_t)snprintf(
		out + len, cap - len, " %08x\n", checksum(out, len));
	return len;
}

bool
account_parse(const char *text, struct account_line *ret)
{
	const char *sum = strrchr(text, ' ');

	return sum && strlen(sum) == 9 &&
	       strtoul(sum + 1, NULL, 16) ==
		       checksum(text, (size_t)(sum - text)) &&
	       sscanf(text, "@ %u %" SCNu32 " %" SCNu64, &ret->source,
		       &ret->number, &ret->sent_ns) == 3;
}

void
account_sent(struct load *l, struct client *source)
{
	source->sent++;
	l->t.sent++;
}

void
account_took(struct load *l, uint64_t sent_ns)
{
	uint64_t took_us;

	l->last_ns = clock_mono_ns();
	if (!sent_ns)
		return;
	took_us = (l->last_ns - sent_ns) / 1000;
	histogram_record(&load_took, took_us);
	marks_delivered(l->last_ns, took_us);
}

static void
count_number(struct load *l, struct client *c, uint32_t *last, uint32_t number)
{
	char text[64];

	if (number == *last + 1) {
		*last = number;
		c->shown++;
		return;
	}
	(void)snprintf(text, sizeof(text), "number %" PRIu32 " after %" PRIu32,
		number, *last);
	load_complain(l, c, "out of its order", text);
	if (number == *last) {
		l->t.duplicated++;
		return;
	}
	/* What lies between may be lost, or said to be missed. */
	if (number < *last)
		l->t.disordered++;
	else
		*last = number;
	c->shown++;
}

void
account_event(
	struct load *l, struct client *c, unsigned source, uint32_t number)
{
	l->t.delivered++;
	if (source == c->id && !c->sees_own) {
		l->t.duplicated++;
		load_complain(l, c, "shown its own", "");
		return;
	}
	count_number(l, c, &c->last[source / load_stride(l)], number);
	if (l->o.until_eof)
		order_shown(l, c, source, number);
	else
		sequence_shown(l, c, source, number);
}

/* The room and the speaker in front of the text. */
static bool
prefix_is_right(const struct load *l, const struct client *c, const char *line)
{
	char room[32];
	int n = load_room_name(l, c->id, room, sizeof(room));

	return line[0] == '[' && !strncmp(line + 1, room, (size_t)n) &&
	       !strncmp(line + 1 + n, "] <", 3);
}

static void
damaged(struct load *l, const struct client *c, const char *line)
{
	l->t.damaged++;
	load_complain(l, c, "damaged", line);
}

static void
numbered(struct load *l, struct client *c, const char *line, const char *text)
{
	struct account_line a;

	if (!account_parse(text, &a) || !prefix_is_right(l, c, line) ||
		a.source >= l->o.publishers || !a.number ||
		a.number > l->client[a.source].sent ||
		load_room(l, a.source) != load_room(l, c->id)) {
		damaged(l, c, line);
		return;
	}
	account_took(l, a.sent_ns);
	account_event(l, c, a.source, a.number);
}

void
account_shown(struct load *l, struct client *c, char *line)
{
	const char *text = strstr(line, "> @ ");
	uint64_t n;

	if (l->o.churn && churn_shown(l, line))
		return;
	if (line[0] == '[' && text && strncmp(line, "[private] ", 10) != 0)
		numbered(l, c, line, text + 2);
	else if (sscanf(line, "* %" SCNu64 " message", &n) == 1 &&
		 strstr(line, " missed")) {
		c->missed += n;
		l->last_ns = clock_mono_ns();
	} else if (!actor_shown(l, c, line) && l->o.strict)
		damaged(l, c, line);
}

/* What a client should have been shown, of what its room's sources handed
 * over. */
static uint64_t
expected(const struct load *l, const struct client *c)
{
	unsigned stride = load_stride(l);
	uint64_t n = 0;

	for (unsigned p = c->id % stride; p < load_sources(l); p += stride)
		if (p != c->id || c->sees_own)
			n += l->client[p].sent;
	return n;
}

bool
account_complete(const struct load *l)
{
	for (unsigned i = 0; i < l->o.clients; i++) {
		const struct client *c = &l->client[i];

		if (c->state == CLIENT_READY &&
			(c->shown + c->missed < expected(l, c) || c->rest_len))
			return false;
	}
	return actor_complete(l);
}

/* What a publisher handed over before it was closed may have died with the
 * other end; but what one has been shown all must have been. */
static void
trim_closed(struct load *l)
{
	unsigned stride = load_stride(l);

	for (unsigned p = 0; p < l->o.publishers; p++) {
		uint32_t most = 0;

		if (l->client[p].state != CLIENT_CLOSED)
			continue;
		for (unsigned i = p % stride; i < l->o.clients; i += stride)
			if (l->client[i].last[p / stride] > most)
				most = l->client[i].last[p / stride];
		l->client[p].sent = most;
	}
}

static void
finish_client(struct load *l, const struct client *c)
{
	uint64_t want = expected(l, c), had = c->shown + c->missed;
	char text[64];

	l->t.missed += c->missed;
	if (c->state == CLIENT_CLOSED && l->o.may_close)
		return;
	l->t.expected += want;
	/* A notice that counts too many is as wrong as one too few. */
	if (had > want)
		l->t.duplicated += had - want;
	if (had >= want)
		return;
	l->t.lost += want - had;
	(void)snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64,
		want - had, want);
	load_complain(l, c, "not shown", text);
}

void
account_finish(struct load *l)
{
	if (!l->o.strict)
		trim_closed(l);
	for (unsigned i = 0; i < l->o.clients; i++)
		finish_client(l, &l->client[i]);
	actor_finish(l);
	if (!l->o.until_eof)
		sequence_finish(l);
}
