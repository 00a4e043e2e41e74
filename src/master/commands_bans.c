/* SPDX-License-Identifier: MIT */
#include "master/commands_bans.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "log/log.h"
#include "master/banlist.h"
#include "master/control.h"
#include "master/waiter.h"
#include "net/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NET_SAMPLES   "192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
#define BANS_PER_TURN 1000
#define LEAST_MS      1000
#define MOST_MS       (UINT64_C(3650) * 86400000)

/* The text of a word, or false: it is too long. */
static bool
text_of(struct slice word, char *ret, size_t cap)
{
	if (word.len >= cap)
		return false;
	memcpy(ret, word.p, word.len);
	ret[word.len] = '\0';
	return true;
}

bool
commands_ban_time(
	struct control_request *r, struct slice word, uint64_t *ret_ms)
{
	char text[32];

	if (text_of(word, text, sizeof text) &&
		conf_duration_parse(text, ret_ms) == 0 &&
		(*ret_ms == 0 || (*ret_ms >= LEAST_MS && *ret_ms <= MOST_MS)))
		return true;
	control_finish(r, CONTROL_USAGE,
		"how long: '%.*s' is no time for a ban; expected 1s to 3650d, "
		"such as 90s, 30min, 1h or 7d, or 0 for ever",
		(int)(word.len > 31 ? 31 : word.len), word.p);
	return false;
}

bool
commands_ban_reason(struct control_request *r, const struct words *words,
	unsigned at, struct ban *ban)
{
	struct buf b = buf_over(ban->reason, sizeof ban->reason - 1);

	for (unsigned i = at; i < words->n; i++) {
		if (i > at)
			buf_chr(&b, ' ');
		buf_slice_add(&b, words->word[i]);
	}
	ban->reason[b.len] = '\0';
	if (!b.over && banlist_reason_ok(buf_slice(&b)))
		return true;
	control_finish(r, CONTROL_USAGE,
		"the reason is too long, or no text; expected text of at most "
		"%d bytes",
		BANS_REASON_MAX);
	return false;
}

static void
net_text(const struct conf_net *net, char out[64])
{
	struct buf b = buf_over(out, 63);

	conf_net_print(net, &b);
	out[b.len] = '\0';
}

/* With the network that was meant, most likely. */
static void
has_bits(struct control_request *r, const char *text, struct conf_net *net)
{
	char meant[64];

	conf_net_mask(net);
	net_text(net, meant);
	control_finish(r, CONTROL_USAGE,
		"%s: has bits set behind its prefix; expected %s, or the "
		"address alone",
		text, meant);
}

/* An address stands for what clients_per_ip counts as one. */
static bool
net_of(struct control_request *r, const struct words *words,
	struct conf_net *ret)
{
	char text[64] = "";
	int rc = -EINVAL;

	if (words->n > 1 && text_of(words->word[1], text, sizeof text))
		rc = conf_net_parse(text, ret);
	if (rc == 0) {
		if (!strchr(text, '/'))
			commands_ban_group(ret->address, ret);
		return true;
	}
	if (*text == '\0')
		control_finish(r, CONTROL_USAGE,
			"an address or a network is missing; expected such as " NET_SAMPLES);
	else if (rc == -EDOM)
		has_bits(r, text, ret);
	else
		control_finish(r, CONTROL_USAGE,
			"%s: this is no address and no network; expected such "
			"as " NET_SAMPLES,
			text);
	return false;
}

void
commands_ban_group(const uint8_t ip[16], struct conf_net *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t group[16];

	addr_group(ip, group);
	ret->bits = memcmp(ip, mapped, sizeof mapped) == 0 ? 128 : 64;
	memcpy(ret->address, group, sizeof group);
}

static void
put_unsaved(struct buf *b, int rc)
{
	if (rc < 0)
		buf_printf(b,
			"; NOT SAVED (%s): in force until the server stops",
			strerror(-rc));
}

int
commands_ban_add(struct commands *c, const struct control_request *r,
	struct ban *ban, uint64_t for_ms, char note[COMMANDS_NOTE_LEN])
{
	char net[64], until[COMMANDS_TIME_LEN], log[COMMANDS_NOTE_LEN];
	struct buf b = buf_over(note, COMMANDS_NOTE_LEN - 1);
	int saved = 0, rc;
	pid_t pid;

	ban->since_ms = clock_wall_ms();
	ban->until_ms = for_ms ? ban->since_ms + for_ms : 0;
	control_peer(r, &pid, &ban->by);
	rc = master_ban(c->master, ban, &saved);
	net_text(&ban->net, net);
	if (rc == -ENOSPC)
		buf_str(&b, "there are as many bans as the key bans allows");
	else if (rc < 0)
		buf_str(&b, strerror(-rc));
	else
		buf_printf(&b, "%s is banned%s%s", net, for_ms ? " until " : "",
			commands_time(ban->until_ms, until));
	put_unsaved(&b, saved);
	note[b.len] = '\0';
	if (rc >= 0) {
		(void)snprintf(log, sizeof log, "ban %s%s%s", net,
			for_ms ? " until " : "",
			commands_time(ban->until_ms, until));
		commands_log(r, log);
	}
	return rc;
}

/* "ban 192.0.2.7 1h" would ban for ever, with "1h" as what is told. */
static bool
is_time_for_reason(
	struct control_request *r, const struct words *words, unsigned at)
{
	char text[32];
	uint64_t ms;

	if (at != 2 || words->n != 3 ||
		!text_of(words->word[2], text, sizeof text) ||
		conf_duration_parse(text, &ms) < 0)
		return false;
	control_finish(r, CONTROL_USAGE,
		"'%s' would be the reason of a ban for ever; expected --for %s",
		text, text);
	return true;
}

void
commands_ban(struct commands *c, struct control_request *r,
	const struct words *words)
{
	char note[COMMANDS_NOTE_LEN];
	struct ban ban = { 0 };
	uint64_t for_ms = 0;
	unsigned at = 2;
	int rc;

	if (!net_of(r, words, &ban.net))
		return;
	if (words->n > at && slice_eq_str(words->word[at], "--for")) {
		if (!commands_ban_time(r,
			    words->n > at + 1 ? words->word[at + 1]
					      : slice_of("", 0),
			    &for_ms))
			return;
		at += 2;
	}
	if (!commands_ban_reason(r, words, at, &ban) ||
		is_time_for_reason(r, words, at))
		return;
	rc = commands_ban_add(c, r, &ban, for_ms, note);
	control_finish(r, rc < 0 ? CONTROL_REFUSED : CONTROL_DONE, "%s", note);
}

/* A wider or narrower one may be what was meant. */
static const struct ban *
overlapping(const struct banlist *l, const struct conf_net *net)
{
	for (uint32_t i = 0; i < banlist_count(l); i++) {
		const struct conf_net *at = &banlist_at(l, i)->net;

		if (at->bits < net->bits ? addr_in_net(net->address,
						   at->address, at->bits)
					 : addr_in_net(at->address,
						   net->address, net->bits))
			return banlist_at(l, i);
	}
	return NULL;
}

void
commands_unban(struct commands *c, struct control_request *r,
	const struct words *words)
{
	char text[64], other[64], log[80];
	const struct ban *near;
	struct conf_net net;
	char mem[200] = "";
	struct buf b = buf_over(mem, sizeof mem - 1);
	int saved = 0;

	if (!net_of(r, words, &net))
		return;
	net_text(&net, text);
	if (master_unban(c->master, &net, &saved) == 0) {
		(void)snprintf(log, sizeof log, "unban %s", text);
		commands_log(r, log);
		buf_printf(&b, "%s is not banned any more", text);
		put_unsaved(&b, saved);
		control_finish(r, CONTROL_DONE, "%s", mem);
		return;
	}
	near = overlapping(master_banlist(c->master), &net);
	if (near != NULL)
		net_text(&near->net, other);
	control_finish(r, CONTROL_REFUSED,
		"there is no ban of %s%s%s; expected one that `banterctl bans` "
		"shows",
		text, near ? ", but one of " : "", near ? other : "");
}

static void
show_ban(struct control_request *r, const struct ban *ban)
{
	char net[64], since[COMMANDS_TIME_LEN], until[COMMANDS_TIME_LEN];

	net_text(&ban->net, net);
	control_row(r);
	control_value(r, slice_str(net));
	control_value(r, slice_str(commands_time(ban->since_ms, since)));
	control_value(r, slice_str(commands_time(ban->until_ms, until)));
	control_value(r, slice_str(ban->reason));
	control_printf(r, "uid %u", (unsigned)ban->by);
	control_row_end(r);
}

/* One that comes or goes meanwhile moves the later ones. */
static void
show_some(void *arg)
{
	struct waiter *w = arg;
	const struct banlist *l = master_banlist(w->commands->master);

	for (unsigned n = 0; n < BANS_PER_TURN &&
			     control_pending(w->request) < CONTROL_OUT_LOW;
		n++) {
		if (w->at >= banlist_count(l)) {
			control_finish(waiter_end(w), CONTROL_DONE, "%s", "");
			return;
		}
		show_ban(w->request, banlist_at(l, w->at++));
	}
	control_on_drain(w->request, show_some, w);
}

void
commands_bans(struct commands *c, struct control_request *r,
	const struct words *words)
{
	(void)words;
	control_table(r, "network\tsince\tuntil\treason\tby");
	show_some(waiter_new(c, r));
}
