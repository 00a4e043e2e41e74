/* SPDX-License-Identifier: MIT */
#include "master/ctl_link.h"

#include "base/fault.h"
#include "bus/wire.h"
#include "log/log.h"
#include "master/reload.h"
#include "master/slot.h"
#include "master/supervise.h"
#include "msg/session_id.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#define MESSAGES_PER_TURN 64

int
ctl_link_try(struct slot *s, enum ctl_type type, uint64_t tag, const void *body,
	size_t len, int fd)
{
	int error = FAULT_ERR(link_send);

	if (error != 0)
		return -error;
	return s->ctl < 0 ? -EPIPE : ctl_send(s->ctl, type, tag, body, len, fd);
}

static int
send_commit(struct slot *s)
{
	struct ctl_listener map[SLOT_LISTENERS_MAX];
	unsigned n = listeners_map(&s->m->listeners, map);

	return ctl_link_try(
		s, CTL_COMMIT, s->m->conf_generation, map, n * sizeof *map, -1);
}

static int
send_number(struct slot *s, enum ctl_type type, uint64_t n)
{
	struct ctl_number number = { n };

	return ctl_link_try(s, type, 0, &number, sizeof number, -1);
}

static int
send_one(struct slot *s, enum link_pending what)
{
	const struct quota_slot *q = &s->m->quota.slot[s->number - 1];

	switch (what) {
	case LINK_ABORT:
		return ctl_link_try(s, CTL_ABORT, s->abort_tag, NULL, 0, -1);
	case LINK_COMMIT:
		return send_commit(s);
	case LINK_LOG:
		return ctl_link_try(s, CTL_LOG, 0, NULL, 0, log_fd());
	case LINK_QUOTA:
		return send_number(s, CTL_QUOTA, q->quota);
	case LINK_RECALL:
		return send_number(s, CTL_RECALL, q->ask);
	case LINK_STOP:
		return send_number(s, CTL_STOP, s->stop_ms);
	case LINK_DRAIN:
		return send_number(s, CTL_DRAIN, s->retiring);
	case LINK_BANS:
		return ctl_link_try(s, CTL_BANS, 0, NULL, 0, s->m->bans_fd);
	case LINK_PARK:
		return ctl_link_try(s, CTL_PARK, 0, NULL, 0, -1);
	}
	return 0;
}

static void
want_write(struct slot *s, bool on)
{
	if (s->ctl_out == on || s->ctl < 0)
		return;
	s->ctl_out = on;
	(void)loop_mod(s->m->loop, s->ctl, EPOLLIN | (on ? EPOLLOUT : 0u));
}

/* An ABORT goes before a COMMIT that came later, a quota before a recall. */
static void
send_pending(struct slot *s)
{
	for (unsigned bit = LINK_ABORT; bit <= LINK_PARK; bit <<= 1) {
		int rc;

		/* A list that nobody reads is memory: one of them is enough. */
		if (!(s->pending & bit) || (bit == LINK_BANS && s->bans_unread))
			continue;
		rc = send_one(s, bit);
		if (rc == -EAGAIN || rc == -ETOOMANYREFS) {
			want_write(s, true);
			return;
		}
		s->pending &= ~bit;
		s->bans_unread |= bit == LINK_BANS && rc == 0;
		if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
			log_error("worker %u: sending command %u: %s",
				s->number, bit, strerror(-rc));
	}
	want_write(s, false);
}

void
ctl_link_send(struct slot *s, enum link_pending what)
{
	s->pending |= what;
	send_pending(s);
}

static void
violation(struct slot *s, unsigned type, const char *what)
{
	log_error("worker %u (pid %d) broke the ctl protocol: message %u: %s; "
		  "killing it",
		s->number, (int)s->worker, type, what);
	supervise_violation(s);
}

static bool
number_of(struct slice body, uint64_t *ret)
{
	struct ctl_number n;

	if (body.len != sizeof n)
		return false;
	memcpy(&n, body.p, sizeof n);
	*ret = n.n;
	return true;
}

static bool
listener_done(struct slot *s, struct slice body)
{
	struct ctl_listener l;

	if (body.len != sizeof l)
		return false;
	memcpy(&l, body.p, sizeof l);
	return listeners_done(&s->m->listeners, s->number, l.address);
}

/* The frame is told to the other slots, and who brought it about is closed. */
static bool
poisoned(struct slot *s, struct slice body)
{
	static const char why[] = "your message could not be shown";
	char kick[sizeof(struct ctl_number) + sizeof why];
	struct ctl_number origin;
	struct ctl_frame f;

	/* A worker skips the frame that has ended two before it, and no other.
	 */
	if (body.len != sizeof f || s->poisoned == s->generation ||
		s->deaths_by[SLOT_DEATH_CRASHED] +
				s->deaths_by[SLOT_DEATH_HUNG] <
			2)
		return false;
	s->poisoned = s->generation;
	memcpy(&f, body.p, sizeof f);
	log_error("worker %u: a frame of type %u, sequence %" PRIu64
		  " of room %u, from session %" PRIx64
		  ", has ended it twice and is skipped",
		s->number, f.type, f.sequence, f.room, f.sender);
	for (unsigned i = 0; i < s->m->n_slots; i++)
		if (&s->m->slot[i] != s)
			(void)ctl_link_try(
				&s->m->slot[i], CTL_SKIP, 0, &f, sizeof f, -1);
	/* Of an answer or a private message it is the receiver. */
	if (f.type < BUS_JOIN_EVENT && f.type != BUS_SAY)
		return true;
	origin.n = f.sender;
	memcpy(kick, &origin, sizeof origin);
	memcpy(kick + sizeof origin, why, sizeof why - 1);
	(void)master_slot_ctl(s->m, session_id_slot(f.sender), CTL_KICK, 0,
		kick, sizeof kick - 1);
	return true;
}

static bool
bans_had(struct slot *s)
{
	s->bans_unread = false;
	send_pending(s);
	return true;
}

/* False: the message is wrong, or wrong now. */
static bool
dispatch(struct slot *s, const struct ctl_head *h, struct slice body)
{
	uint64_t n;

	if (h->type == CTL_READY)
		return number_of(body, &s->sandbox) && supervise_ready(s);
	if (h->type == CTL_LOG_LOST) {
		log_heal();
		return body.len == 0;
	}
	/* Also of a list that was for its predecessor. */
	if (h->type == CTL_BANS_HAD)
		return body.len == 0 && bans_had(s);
	if (s->phase != SLOT_READY)
		return false;
	switch ((enum ctl_type)h->type) {
	case CTL_PREPARED:
		return reload_prepared(s, h->tag, body);
	case CTL_WANT:
		if (body.len != 0)
			return false;
		share_want(s);
		return true;
	case CTL_KEPT:
		return number_of(body, &n) && share_kept(s, n);
	case CTL_CLIENT_PAGE:
		return s->m->commands == NULL ||
		       commands_client_page(
			       s->m->commands, s->number, h->tag, body) == 0;
	case CTL_ADDRESS:
		return s->m->commands == NULL ||
		       commands_address(s->m->commands, h->tag, body) == 0;
	case CTL_LISTENER_DONE:
		return listener_done(s, body);
	case CTL_POISONED:
		return poisoned(s, body);
	default:
		return false;
	}
}

void
ctl_link_read(struct slot *s)
{
	static _Alignas(8) char mem[CTL_MAX];
	struct ctl_head h = { 0 };
	struct slice body;
	int fd = -1;

	for (unsigned i = 0; i < MESSAGES_PER_TURN && s->ctl >= 0; i++) {
		int rc = -FAULT_ERR(link_recv);

		if (rc == 0)
			rc = ctl_recv(s->ctl, mem, false, &h, &body, &fd);
		if (rc == -EAGAIN || rc == -EINTR || s->killed)
			return;
		if (rc == 0) {
			/* Keeper and worker are gone; their ends are told by
			 * other means. */
			loop_del(s->m->loop, s->ctl);
			return;
		}
		if (rc < 0) {
			violation(s, 0, strerror(-rc));
			return;
		}
		if (!dispatch(s, &h, body)) {
			violation(s, h.type, "not as agreed");
			return;
		}
	}
}

void
ctl_link_drop(struct slot *s)
{
	static _Alignas(8) char mem[CTL_MAX];
	struct ctl_head h;
	struct slice body;
	int fd = -1, rc;

	do
		rc = s->ctl < 0 ? 0
				: ctl_recv(s->ctl, mem, false, &h, &body, &fd);
	while (rc == 1 || rc == -EPROTO);
}

static void
on_ctl(void *arg, uint32_t events)
{
	struct slot *s = arg;

	if (events & EPOLLOUT)
		send_pending(s);
	if (events & ~(uint32_t)EPOLLOUT)
		ctl_link_read(s);
}

int
ctl_link_open(struct slot *s)
{
	s->pending = 0;
	s->bans_unread = false;
	s->ctl_out = false;
	return loop_add(s->m->loop, s->ctl, EPOLLIN, on_ctl, s);
}

void
ctl_link_close(struct slot *s)
{
	loop_del(s->m->loop, s->ctl);
	s->pending = 0;
	s->ctl_out = false;
}
