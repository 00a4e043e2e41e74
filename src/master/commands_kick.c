/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/clock.h"
#include "bus/ctl.h"
#include "log/log.h"
#include "master/commands_bans.h"
#include "master/control.h"
#include "master/hub.h"
#include "master/waiter.h"
#include "msg/session_id.h"

#include <errno.h>
#include <string.h>

/* How long a kick waits for the client to be gone, and how often it looks. */
#define KICK_WAIT_MS 2000
#define KICK_LOOK_MS 20

static void
closed(struct waiter *w)
{
	char note[COMMANDS_NOTE_LEN];

	memcpy(note, w->note, sizeof note);
	control_finish(waiter_end(w), CONTROL_DONE, "closed%s%s",
		*note ? "; " : "", note);
}

/* A ban is in force all the same. */
static void
not_closed(struct waiter *w)
{
	unsigned slot = session_id_slot(w->session);
	char note[COMMANDS_NOTE_LEN];

	memcpy(note, w->note, sizeof note);
	control_finish(waiter_end(w), CONTROL_TIMEOUT,
		"worker %u was told but has not closed it yet (stopped?)%s%s",
		slot, *note ? "; " : "", note);
}

static void
kick_look(void *arg)
{
	struct waiter *w = arg;
	struct commands *c = w->commands;
	struct slice nick = slice_of(w->nick, w->nick_len);
	uint64_t now = clock_mono_ms();

	if (hub_session_by_nick(master_hub(c->master), nick) != w->session)
		closed(w);
	else if (now >= w->until_ms)
		not_closed(w);
	else
		loop_timer_set(master_loop(c->master), &w->timer,
			now + KICK_LOOK_MS, kick_look, w);
}

/* The reason is the rest of the words. */
static int
send_kick(struct commands *c, uint64_t session, const struct words *words)
{
	char mem[sizeof(struct ctl_number) + sizeof(words->mem)];
	struct buf b = buf_over(mem, sizeof(mem));
	struct ctl_number number = { session };
	unsigned i;

	buf_add(&b, &number, sizeof(number));
	for (i = 2; i < words->n; i++) {
		if (i > 2)
			buf_chr(&b, ' ');
		buf_slice_add(&b, words->word[i]);
	}
	return master_slot_ctl(c->master, session_id_slot(session), CTL_KICK,
		++c->last_tag, mem, b.len);
}

static void
log_kick(const struct control_request *r, struct slice nick)
{
	char mem[256];
	struct buf b = buf_over(mem, sizeof(mem) - 1);

	buf_str(&b, "kick ");
	log_quote(&b, nick);
	mem[b.len] = '\0';
	commands_log(r, mem);
}

static struct waiter *
wait_for(struct commands *c, struct control_request *r, uint64_t session,
	struct slice nick)
{
	struct waiter *w = waiter_new(c, r);

	w->session = session;
	w->until_ms = clock_mono_ms() + KICK_WAIT_MS;
	memcpy(w->nick, nick.p, nick.len);
	w->nick_len = nick.len;
	return w;
}

static void
kick_plain(struct commands *c, struct control_request *r, uint64_t session,
	const struct words *words)
{
	int rc = send_kick(c, session, words);

	if (rc < 0) {
		control_finish(r, CONTROL_REFUSED, "worker %u: %s",
			session_id_slot(session), strerror(-rc));
		return;
	}
	log_kick(r, words->word[1]);
	kick_look(wait_for(c, r, session, words->word[1]));
}

static void
no_address(void *arg)
{
	struct waiter *w = arg;
	unsigned slot = session_id_slot(w->session);

	control_finish(waiter_end(w), CONTROL_TIMEOUT,
		"worker %u does not say where it is from (stopped?)", slot);
}

/* Only its worker knows the address.  The ban closes it, with everybody else
 * who is there from that address. */
static void
kick_ban(struct commands *c, struct control_request *r, uint64_t session,
	const struct words *words)
{
	struct ctl_number number = { session };
	struct ban ban = { 0 };
	uint64_t ban_ms;
	struct waiter *w;
	int rc;

	if (!commands_ban_time(r,
		    words->n > 3 ? words->word[3] : slice_of("", 0), &ban_ms) ||
		!commands_ban_reason(r, words, 4, &ban))
		return;
	rc = master_slot_ctl(c->master, session_id_slot(session),
		CTL_ADDRESS_OF, ++c->last_tag, &number, sizeof number);
	if (rc < 0) {
		control_finish(r, CONTROL_REFUSED, "worker %u: %s",
			session_id_slot(session), strerror(-rc));
		return;
	}
	w = wait_for(c, r, session, words->word[1]);
	w->tag = c->last_tag;
	w->ban_ms = ban_ms;
	memcpy(w->reason, ban.reason, sizeof w->reason);
	loop_timer_set(
		master_loop(c->master), &w->timer, w->until_ms, no_address, w);
}

static void
ban_it(struct waiter *w, const struct ctl_address *a)
{
	struct commands *c = w->commands;
	struct ban ban = { 0 };

	memcpy(ban.reason, w->reason, sizeof ban.reason);
	commands_ban_group(a->address, &ban.net);
	log_kick(w->request, slice_of(w->nick, w->nick_len));
	if (commands_ban_add(c, w->request, &ban, w->ban_ms, w->note) < 0) {
		char note[COMMANDS_NOTE_LEN];

		memcpy(note, w->note, sizeof note);
		control_finish(waiter_end(w), CONTROL_REFUSED, "%s", note);
		return;
	}
	kick_look(w);
}

int
commands_address(struct commands *c, uint64_t tag, struct slice body)
{
	struct ctl_address a;
	struct waiter *w = c->waiters;

	if (body.len != sizeof a)
		return -EPROTO;
	memcpy(&a, body.p, sizeof a);
	while (w != NULL && (w->tag != tag || tag == 0))
		w = w->next;
	if (w == NULL) /* nobody waits for it any more */
		return 0;
	w->tag = 0;
	if (a.session != w->session)
		control_finish(waiter_end(w), CONTROL_REFUSED,
			"nobody has that nick any more");
	else if (a.local)
		control_finish(waiter_end(w), CONTROL_REFUSED,
			"it came by a UNIX socket and has no address to be "
			"banned; kick it without --ban");
	else
		ban_it(w, &a);
	return 0;
}

static void
no_such_nick(struct control_request *r, struct slice nick)
{
	char mem[256];
	struct buf b = buf_over(mem, sizeof mem);

	log_quote(&b, nick);
	control_finish(r, CONTROL_REFUSED,
		"nobody has the nick %.*s; expected one that `banterctl "
		"clients` shows",
		(int)b.len, b.p);
}

void
commands_kick(struct commands *c, struct control_request *r,
	const struct words *words)
{
	struct slice nick = words->n > 1 ? words->word[1] : slice_of("", 0);
	uint64_t session;

	if (nick.len == 0 || nick.len > NAME_MAX_LEN) {
		control_finish(r, CONTROL_USAGE,
			"kick: a nick is missing; expected kick NICK [--ban "
			"DURATION] [REASON]");
		return;
	}
	session = hub_session_by_nick(master_hub(c->master), nick);
	if (session == 0)
		no_such_nick(r, nick);
	else if (words->n > 2 && slice_eq_str(words->word[2], "--ban"))
		kick_ban(c, r, session, words);
	else
		kick_plain(c, r, session, words);
}
