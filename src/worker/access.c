/* Who may be here: the networks of a listener, and the bans.  Whom they do not
 * let in costs nothing: no record, no place, and no wait for its end; so that
 * one who is banned cannot take the places of others by coming again.
 *
 * A change is for those inside as well.  They are looked at some per turn, and
 * from the first again in a successor.
 *
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/fault.h"
#include "bus/bans.h"
#include "log/event.h"
#include "log/log.h"
#include "net/addr.h"
#include "worker/private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKS_PER_TURN 4096u /* records */
#define CLOSE_ROOM     256u  /* on the bus, for one end */

static bool
is_in(const uint8_t ip[16], const struct conf_nets *nets)
{
	for (uint32_t i = 0; i < nets->n; i++)
		if (addr_in_net(ip, nets->net[i].address, nets->net[i].bits))
			return true;
	return false;
}

bool
access_is_proxy(const struct worker *w, uint16_t kind, const struct addr *from)
{
	const struct conf_listen *l = w->kind[kind].listen;

	return l != NULL && !from->local && is_in(from->ip, &l->proxy_protocol);
}

/* A listener that is gone refuses nobody who is inside. */
static bool
is_denied(const struct conf_listen *l, const uint8_t ip[16])
{
	if (l == NULL)
		return false;
	return is_in(ip, &l->deny) || (l->allow.n > 0 && !is_in(ip, &l->allow));
}

bool
access_refuses(const struct worker *w, uint16_t kind, const uint8_t ip[16],
	struct event *ret)
{
	const struct ban_entry *ban;

	*ret = (struct event){ .type = EVENT_REFUSED };
	if (is_denied(w->kind[kind].listen, ip)) {
		ret->refusal = REFUSAL_DENIED;
		return true;
	}
	ban = bans_find(&w->bans, ip, clock_wall_ms());
	if (ban == NULL)
		return false;
	ret->refusal = REFUSAL_BANNED;
	ret->text = slice_of(ban->reason, ban->reason_len);
	return true;
}

const char *
access_reason(struct worker *w, const struct event *e)
{
	if (e->refusal == REFUSAL_DENIED) {
		count(w, refused_denied, 1);
		return "reason=deny";
	}
	count(w, refused_banned, 1);
	return "reason=ban";
}

/* Unread input would turn the close into a reset, which destroys the line on
 * its way: what has come is read away, once, and no more is waited for. */
static void
say_and_close(int fd, struct slice line)
{
	char away[2048];

	if (line.len > 0)
		(void)!send(fd, line.p, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	(void)!recv(fd, away, sizeof away, MSG_DONTWAIT);
	(void)close(fd);
}

/* Who waited at a listener whose section is gone, and its networks with it:
 * nobody can say any more whom they would have let in. */
static bool
is_unknown(const struct worker *w, unsigned listener, struct event *ret)
{
	const struct arena_listener *l = &w->arena.head->listener[listener];

	*ret = (struct event){ .type = EVENT_REFUSED,
		.refusal = REFUSAL_DENIED };
	return l->flags & LISTENER_GUARDED && w->kind[l->kind].listen == NULL;
}

bool
access_turn_away(
	struct worker *w, unsigned listener, int fd, const struct addr *from)
{
	static char mem[PROTO_EVENT_CAP];
	struct buf line = buf_over(mem, sizeof mem);
	struct log_client c = { .address = from->ip, .port = from->port };
	uint16_t kind = w->arena.head->listener[listener].kind;
	const struct kind *k = &w->kind[kind];
	struct event e;

	if (from->local || (!is_unknown(w, listener, &e) &&
				   !access_refuses(w, kind, from->ip, &e)))
		return false;
	e.time_ms = clock_wall_ms();
	k->protocol->encode(&e, &k->options, k->protocol->variant(0), &line);
	count(w, accepted, 1);
	count(w, closed, 1);
	log_event(LOG_REFUSE, &c, access_reason(w, &e), slice_of(NULL, 0),
		"text", e.text);
	FAULT(access_refused);
	say_and_close(fd, buf_slice(&line));
	return true;
}

void
access_bans(struct worker *w, int fd)
{
	struct bans bans = { 0 };
	int rc = fd < 0 ? -ENODATA : bans_map(&bans, fd);

	/* Without them others are served all the same.  Headers have waited. */
	w->has_bans = true;
	w->resume = true;
	if (rc < 0) {
		log_error("the list of bans cannot be read: %s", strerror(-rc));
		return;
	}
	bans_unmap(&w->bans);
	w->bans = bans;
	access_review_all(w);
}

void
access_review_all(struct worker *w)
{
	w->review_at = 0;
}

bool
access_is_reviewing(const struct worker *w)
{
	return w->review_at < w->arena.head->high_fd && !w->bus_full &&
	       !w->stopping;
}

static void
review_one(struct worker *w, const struct session *s)
{
	uint8_t address[16];
	struct event e;

	if (s->flags & (SESSION_LOCAL | SESSION_PROXY | SESSION_HOPELESS) ||
		s->state >= SESSION_FLUSHING)
		return;
	session_address(&w->arena, s, address);
	if (!access_refuses(w, s->kind, address, &e))
		return;
	client_log(w, LOG_KICK, s, access_reason(w, &e), "text", e.text);
	client_quit(w, s,
		e.refusal == REFUSAL_DENIED ? SLICE_LIT("denied")
					    : SLICE_LIT("banned"),
		&e);
	FAULT(access_closed);
}

void
access_review(struct worker *w)
{
	for (unsigned i = 0; i < LOOKS_PER_TURN; i++) {
		const struct session *s;

		if (w->review_at >= w->arena.head->high_fd || w->stopping ||
			!uplink_room(w, CLOSE_ROOM))
			return;
		s = session_at(&w->arena, (int)w->review_at++);
		if (s != NULL)
			review_one(w, s);
	}
}
