/* SPDX-License-Identifier: MIT */
#include "actor.h"

#include "account.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_CAP 2048
#define EVERY_NS 5000000 /* between two looks at who is due */

static unsigned
nth(const struct load *l, const struct client *c)
{
	return c->id - l->o.publishers;
}

/* Whom a sender writes to: the reader before it. */
static struct client *
receiver(const struct load *l, const struct client *sender)
{
	return &l->client[sender->id - 1];
}

void
actor_init(const struct load *l, struct client *c)
{
	c->role = ROLE_READER;
	if (c->id < l->o.publishers || c->id >= load_sources(l))
		return;
	c->role = (enum client_role)(nth(l, c) % 4);
	c->act_ns = clock_mono_ns() + load_random(1000) * UINT64_C(1000000);
}

static size_t
write_line(struct load *l, const struct client *c, char *line, size_t cap,
	bool halved)
{
	struct account_line what = { c->id, c->asked + 1,
		halved ? 0 : clock_mono_ns() };
	int n;

	switch (c->role) {
	case ROLE_SENDER:
		n = snprintf(line, cap, "/msg %s ", receiver(l, c)->nick);
		return (size_t)n +
		       account_write(l, what, line + n, cap - (size_t)n);
	case ROLE_CHANGER:
		return (size_t)snprintf(line, cap, "/nick c%ux%" PRIu32 "\n",
			c->id, c->asked + 1);
	default:
		if (c->asked % 2)
			return (size_t)snprintf(line, cap, "/part\n");
		return (size_t)snprintf(
			line, cap, "/join extra%u\n", load_room(l, c->id));
	}
}

static void
act(struct load *l, struct client *c, uint64_t now)
{
	char line[LINE_CAP];
	bool halved = load_random(2), sent;
	size_t n = write_line(l, c, line, sizeof(line), halved);

	sent = halved ? conn_send_halves(l, c, line, n)
		      : conn_send(l, c, line, n);
	if (!sent)
		return;
	c->asked++;
	l->t.asked++;
	if (c->role == ROLE_CHANGER)
		account_sent(l, c);
	c->act_ns = now + (500 + load_random(1000)) * UINT64_C(1000000);
}

void
actor_due(struct load *l)
{
	static uint64_t looked_ns;
	uint64_t now = clock_mono_ns();

	if (now < looked_ns + EVERY_NS)
		return;
	looked_ns = now;
	conn_rests_due(l);
	for (unsigned i = l->o.publishers; !l->ended && i < load_sources(l);
		i++) {
		struct client *c = &l->client[i];

		if (c->role != ROLE_READER && c->state == CLIENT_READY &&
			c->asked == c->answered && !c->rest_len &&
			!c->out_len && c->act_ns <= now)
			act(l, c, now);
	}
}

static void
wrong(struct load *l, const struct client *c, uint64_t *counter,
	const char *what, const char *line)
{
	(*counter)++;
	load_complain(l, c, what, line);
}

static void
answered(struct load *l, struct client *c, const char *line)
{
	if (c->answered == c->asked) {
		wrong(l, c, &l->t.duplicated, "answered twice", line);
		return;
	}
	c->answered++;
	l->t.answered++;
}

/* "[private] <nick> @ ..." */
static bool
private_shown(struct load *l, struct client *c, const char *line)
{
	const char *text = strstr(line, "> @ ");
	struct account_line a;

	if (!text || !account_parse(text + 2, &a) || a.source != c->id + 1 ||
		a.source >= load_sources(l) ||
		l->client[a.source].role != ROLE_SENDER ||
		a.number > l->client[a.source].asked) {
		wrong(l, c, &l->t.damaged, "damaged", line);
		return true;
	}
	account_took(l, a.sent_ns);
	if (a.number <= c->private_last)
		wrong(l, c, &l->t.duplicated, "told twice", line);
	else if (a.number != c->private_last + 1)
		l->t.lost += a.number - c->private_last - 1;
	if (a.number > c->private_last)
		c->private_last = a.number;
	return true;
}

/* "* to nick: @ ..." */
static bool
sent_shown(struct load *l, struct client *c, const char *line)
{
	const char *text = strstr(line, ": @ ");
	struct account_line a;

	if (!text || !account_parse(text + 2, &a) || a.source != c->id ||
		a.number > c->asked || a.number < c->answered) {
		wrong(l, c, &l->t.damaged, "damaged", line);
	} else {
		account_took(l, a.sent_ns);
		answered(l, c, line);
	}
	return true;
}

/* The client and the number of a changer's nick, as "c17x3" has them. */
static bool
parse_nick(const struct load *l, const char *nick, unsigned *ret_id,
	uint32_t *ret_number)
{
	return sscanf(nick, "c%ux%" SCNu32, ret_id, ret_number) == 2 &&
	       *ret_id < load_sources(l) &&
	       l->client[*ret_id].role == ROLE_CHANGER;
}

/* "* You are c17x3." */
static bool
own_nick(struct load *l, struct client *c, const char *line)
{
	unsigned id;
	uint32_t number;

	if (!parse_nick(l, line + 10, &id, &number) || id != c->id)
		return false;
	answered(l, c, line);
	account_event(l, c, id, number);
	return true;
}

/* "* c17x2 is now c17x3.": all that the old name must be is the one before. */
static bool
nick_changed(
	struct load *l, struct client *c, const char *line, const char *now)
{
	unsigned id, old_id;
	uint32_t number, old;

	if (!parse_nick(l, now + 8, &id, &number) ||
		load_room(l, id) != load_room(l, c->id))
		return false;
	if (number > 1 && (!parse_nick(l, line + 2, &old_id, &old) ||
				  old_id != id || old + 1 != number))
		return false;
	account_event(l, c, id, number);
	return true;
}

static bool
starts(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

bool
actor_shown(struct load *l, struct client *c, char *line)
{
	const char *now = strstr(line, " is now ");

	if (starts(line, "[private] <") && l->o.mixed)
		return private_shown(l, c, line);
	if (starts(line, "* to ") && c->role == ROLE_SENDER)
		return sent_shown(l, c, line);
	if (starts(line, "* You are ") && c->role == ROLE_CHANGER)
		return own_nick(l, c, line);
	if (starts(line, "* ") && now)
		return nick_changed(l, c, line, now);
	if (c->role == ROLE_HOPPER &&
		(starts(line, "* In extra") || starts(line, "* You have left "
							    "extra"))) {
		answered(l, c, line);
		return true;
	}
	if (starts(line, "* error: ")) {
		wrong(l, c, &l->t.refused, "refused", line);
		return true;
	}
	/* Comings and goings, and what a greeting ends with. */
	return starts(line, "* ") &&
	       (strstr(line, " has joined ") || strstr(line, " has left") ||
		       starts(line, "* Topic of ") ||
		       starts(line, "* Echo is "));
}

bool
actor_complete(const struct load *l)
{
	for (unsigned i = l->o.publishers; i < load_sources(l); i++) {
		const struct client *c = &l->client[i];

		if (c->state != CLIENT_READY)
			continue;
		if (c->answered != c->asked || c->rest_len)
			return false;
		if (c->role == ROLE_SENDER &&
			receiver(l, c)->state == CLIENT_READY &&
			receiver(l, c)->private_last != c->asked)
			return false;
	}
	return true;
}

void
actor_finish(struct load *l)
{
	for (unsigned i = l->o.publishers; i < load_sources(l); i++) {
		const struct client *c = &l->client[i];
		uint32_t told = c->role == ROLE_SENDER
					? receiver(l, c)->private_last
					: c->asked;

		if (c->answered < c->asked) {
			l->t.lost += c->asked - c->answered;
			load_complain(l, c, "not answered", "");
		}
		if (told < c->asked) {
			l->t.lost += c->asked - told;
			load_complain(
				l, c, "a private message is not there", "");
		}
	}
}
