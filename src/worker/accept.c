/* New connections come in only while there is a place, a descriptor and room on
 * the bus for them; else the listeners leave the engine and the connections
 * wait in the kernel's queue.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "log/log.h"
#include "net/addr.h"
#include "worker/private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define RESERVE      CONF_FD_RESERVE
#define STARVED_MS   500u  /* until the next try after EMFILE */
#define CALM_MS      2000u /* without a new pause: it is over */
#define WANT_MS      100u
#define CONNECT_BODY 256u /* and the end, if it cannot be served */

static bool
has_descriptors(const struct worker *w)
{
	return w->page->clients + RESERVE + w->env->n_listeners < w->fd_usable;
}

static bool
has_quota(const struct worker *w)
{
	return w->conf->when_full == CONF_FULL_REFUSE ||
	       w->page->clients < w->arena.head->quota;
}

static bool
may_accept(struct worker *w)
{
	return !w->stopping && !w->bus_gone && w->has_bans &&
	       w->now_ms >= w->accept_at_ms && has_descriptors(w) &&
	       has_quota(w) && uplink_room(w, CONNECT_BODY);
}

bool
accept_may(void *arg, unsigned listener)
{
	struct worker *w = arg;

	(void)listener;
	if (!may_accept(w))
		return false;
	/* From accept4() to the record nothing else names the descriptor. */
	arena_store(&w->arena.head->fd_in_flight, 1);
	return true;
}

static uint64_t
cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;

	(void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static uint16_t
first_flags(const struct worker *w, const struct addr *from, uint16_t kind,
	bool proxy)
{
	const struct arena_kind *k = &w->arena.head->kind[kind];

	return (uint16_t)((proxy ? SESSION_PROXY
				 : SESSION_KNOWN | SESSION_WAITING) |
			  (from->local ? SESSION_LOCAL : 0) |
			  (k->raw ? SESSION_RAW : 0) |
			  (k->echo ? SESSION_ECHO : 0));
}

static void
pause_for(struct worker *w)
{
	count(w, accept_pauses, 1);
	w->starving_logged = true;
	w->starved_at_ms = w->now_ms;
}

/* The engine has no memory or no thread for it.  That is this connection's end,
 * and for a while there is no other. */
static void
not_taken(struct worker *w, const struct session *s, int error)
{
	const char *hint = "";

	if (w->engine == ENGINE_THREADS)
		hint = "; each needs a thread: raise TasksMax=, LimitNPROC=, "
		       "kernel.threads-max or vm.max_map_count, lower "
		       "max_clients, or use engine \"epoll\"";
	if (!w->starving_logged)
		log_warning("a connection is refused with %llu clients, and "
			    "accepting pauses: the engine \"%s\" cannot wait "
			    "for it: %s%s",
			(unsigned long long)w->page->clients - 1,
			engine_name(w->engine), strerror(error), hint);
	pause_for(w);
	w->accept_at_ms = w->now_ms + STARVED_MS;
	client_end(w, s, SLICE_LIT("no room to wait for it"));
}

void
accept_client(void *arg, unsigned listener, int fd,
	const struct sockaddr_storage *from, socklen_t len)
{
	struct worker *w = arg;
	struct arena *a = &w->arena;
	struct addr addr = addr_of(from, len);
	uint16_t kind = a->head->listener[listener].kind;
	bool proxy = access_is_proxy(w, kind, &addr);
	const struct session *s;
	int rc;

	in_hand(w, HAND_ACCEPT, a->head->next_number, (uint64_t)fd);
	if (!proxy && access_turn_away(w, listener, fd, &addr)) {
		in_hand(w, HAND_NONE, 0, 0);
		return;
	}
	tx_begin(a);
	s = session_new(a, fd, w->env->slot);
	FAULT(accept_record);
	arena_set(a, &s->cookie, cookie_of(fd));
	arena_set(a, &s->kind, kind);
	arena_set(a, &s->flags, first_flags(w, &addr, kind, proxy));
	session_set_address(a, s, addr.ip);
	arena_set(a, &s->port, addr.port);
	arena_set(a, &s->since_s, clock_wall_ms() / 1000);
	arena_set(a, &s->active_s, w->now_ms / 1000);
	if (!proxy)
		uplink_connect(w, s);
	FAULT(accept_asked);
	tx_commit(a);
	FAULT(accept_done);
	in_hand(w, HAND_NONE, 0, 0);
	session_map_add(w, s);
	w->page->clients++;
	w->page->next_number = a->head->next_number;
	count(w, accepted, 1);
	/* Most await their greeting: to turn reading on behind it would be one
	 * call more for each.  What comes before it is held. */
	rc = io_client_add(w->io, fd, true);
	if (rc < 0)
		not_taken(w, s, -rc);
	else if (proxy)
		proxied_await(w, s);
	FAULT(accept_added);
}

static void
pause_starved(struct worker *w, const char *why)
{
	if (!w->starving_logged)
		log_warning("accepting pauses with %llu clients: %s; raise "
			    "LimitNOFILE= (now %u) or workers, or lower "
			    "max_clients",
			(unsigned long long)w->page->clients, why,
			w->fd_usable);
	pause_for(w);
}

void
accept_starved(void *arg, int error)
{
	struct worker *w = arg;

	w->accept_at_ms = w->now_ms + STARVED_MS;
	pause_starved(w, strerror(error));
}

/* Its connections need no time to be made, and others wait on it as well. */
static bool
leaves_at_once(const struct arena_listener *l)
{
	return l->flags & LISTENER_LEAVING && l->flags & LISTENER_SHARED;
}

static void
each_listener(struct worker *w, bool on)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];

		if (l->fd < 0 || l->flags & LISTENER_PREPARED)
			continue;
		if (on && !leaves_at_once(l))
			(void)io_listener_add(
				w->io, i, l->fd, l->flags & LISTENER_SHARED);
		else
			io_listener_del(w->io, l->fd);
	}
}

void
accept_start(struct worker *w)
{
	if (w->listening)
		return;
	each_listener(w, true);
	w->listening = true;
}

void
accept_stop(struct worker *w)
{
	if (!w->listening)
		return;
	each_listener(w, false);
	w->listening = false;
}

/* Is there a connection that we may not accept for want of a place? */
static bool
somebody_waits(const struct worker *w)
{
	struct pollfd p[ARENA_LISTENERS];
	nfds_t n = 0;

	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];

		if (l->fd >= 0 && !(l->flags & LISTENER_PREPARED))
			p[n++] = (struct pollfd){ .events = POLLIN,
				.fd = l->fd };
	}
	return poll(p, n, 0) > 0;
}

static void
review_want(struct worker *w)
{
	if (has_quota(w) || w->now_ms < w->want_at_ms)
		return;
	w->want_at_ms = w->now_ms + WANT_MS;
	if (somebody_waits(w))
		control_want(w);
}

void
accept_drained(void *arg, unsigned listener)
{
	struct worker *w = arg;
	const struct arena_listener *l = &w->arena.head->listener[listener];
	int fd = l->fd;

	io_listener_del(w->io, fd);
	arena_store(&w->arena.head->fd_in_flight, 1);
	arena_store(&l->fd, -1);
	fd_close(&fd);
	control_listener_done(w, l->address);
}

void
accept_leave_later(struct worker *w)
{
	w->leave_at_ms = w->now_ms + CTL_LEAVE_MS;
}

bool
accept_is_leaving(const struct worker *w)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++)
		if (w->arena.head->listener[i].fd >= 0 &&
			w->arena.head->listener[i].flags & LISTENER_LEAVING)
			return true;
	return false;
}

static bool
is_waited_at(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Without a place for a client one goes if nobody waits at it: a worker that
 * drains gets no more places, and ends when the last one has gone. */
static void
drain_leaving(struct worker *w, bool may)
{
	bool due = w->now_ms >= w->leave_at_ms;

	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];

		if (l->fd < 0 || !(l->flags & LISTENER_LEAVING) ||
			!(due || leaves_at_once(l)))
			continue;
		if (may)
			io_listener_drain(w->io, i, l->fd);
		else if (!is_waited_at(l->fd))
			accept_drained(w, i);
	}
}

static void
review_descriptors(struct worker *w)
{
	bool full = !has_descriptors(w);

	if (full && !w->page->full)
		pause_starved(w, "its descriptors are used up");
	/* Full until a few are free again, or each client that goes would have
	 * new connections steered here and away. */
	if (full || w->page->clients + RESERVE + w->env->n_listeners +
				    w->fd_usable / 64 <
			    w->fd_usable)
		w->page->full = full;
}

void
accept_review(struct worker *w)
{
	bool may = may_accept(w);

	review_descriptors(w);
	if (may && w->starving_logged &&
		w->now_ms >= w->starved_at_ms + CALM_MS) {
		log_notice("accepting goes on");
		w->starving_logged = false;
	}
	if (may)
		accept_start(w);
	else
		accept_stop(w);
	drain_leaving(w, may);
	review_want(w);
}
