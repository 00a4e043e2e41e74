/* SPDX-License-Identifier: MIT */
#include "master/listeners.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

void
listeners_init(struct listeners *ls, unsigned n_slots)
{
	must(n_slots > 0 && n_slots <= CONF_WORKERS_MAX);
	memset(ls, 0, sizeof *ls);
	ls->n_slots = n_slots;
	ls->mask = UINT64_MAX >> (64 - n_slots);
}

static void
address_free(struct address *a)
{
	const struct sockaddr_un *un = (const void *)&a->bound.ss;

	if (a->n_fds > 0 && a->bound.ss.ss_family == AF_UNIX && !a->inherited)
		(void)unlink(un->sun_path);
	for (unsigned i = 0; i < a->n_fds; i++)
		fd_close(&a->fd[i]);
	free(a);
}

static void
remove_at(struct listeners *ls, unsigned i)
{
	address_free(ls->at[i]);
	ls->n--;
	memmove(ls->at + i, ls->at + i + 1, (ls->n - i) * sizeof *ls->at);
}

static void
remove_state(struct listeners *ls, enum address_state state)
{
	for (unsigned i = ls->n; i-- > 0;)
		if (ls->at[i]->state == state)
			remove_at(ls, i);
}

void
listeners_fini(struct listeners *ls)
{
	while (ls->n > 0)
		remove_at(ls, ls->n - 1);
	while (ls->n_spare > 0)
		fd_close(&ls->spare[--ls->n_spare].fd);
}

/* The same socket would do.  Two sections may each ask for any free port. */
static bool
is_same(const struct address *a, const struct listen_address *want,
	uint16_t port, const char *name)
{
	return a->asked.len == want->len &&
	       !memcmp(&a->asked.ss, &want->ss, want->len) &&
	       (port != 0 || a->shared || !strcmp(a->name, name));
}

static struct address *
find_living(struct listeners *ls, const struct listen_address *want,
	uint16_t port, const char *name)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->at[i]->state == ADDRESS_LIVE && !ls->at[i]->kept &&
			is_same(ls->at[i], want, port, name))
			return ls->at[i];
	return NULL;
}

static int
steer(const struct address *a, uint64_t mask, unsigned n)
{
	int rc = listen_steer(a->fd[0], mask, n);

	if (rc < 0)
		log_warning("%s: new connections cannot be steered: %s",
			a->bound.text, strerror(-rc));
	return rc;
}

/* The program comes before the sockets that it keeps connections from: nobody
 * may accept on them yet, or ever. */
static int
add_sockets(const struct listeners *ls, struct address *a, unsigned n,
	const struct conf *conf)
{
	struct listen_options o;
	int fd;

	if (a->shared || a->n_fds >= n)
		return 0;
	(void)listeners_options(conf, a->next_listen, &o);
	o.quiet = a->quiet;
	fd = a->quiet ? 0 : steer(a, ls->mask, n);
	/* What the kernel sent there of itself would wait for ever. */
	if (fd < 0 && n > ls->n_slots)
		return fd;
	while (a->n_fds < n) {
		fd = listen_clone(&a->bound, &o);
		if (fd < 0)
			return fd;
		a->fd[a->n_fds++] = fd;
	}
	return 0;
}

/* "*" instead of an address, or the other way round: the kernel lets nobody
 * have one port of both who does not share it with himself. */
static bool
has_port(const struct listeners *ls, const struct listen_address *want)
{
	uint16_t port = addr_of(&want->ss, want->len).port;

	for (unsigned i = 0; i < ls->n && port != 0; i++) {
		const struct listen_address *has = &ls->at[i]->bound;

		if (has->ss.ss_family == want->ss.ss_family &&
			addr_of(&has->ss, has->len).port == port)
			return true;
	}
	return false;
}

static bool
is_any(const struct listen_address *at)
{
	const struct sockaddr_in *in = (const void *)&at->ss;
	const struct sockaddr_in6 *in6 = (const void *)&at->ss;

	if (at->ss.ss_family == AF_INET)
		return in->sin_addr.s_addr == htonl(INADDR_ANY);
	return at->ss.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* Would a listener there take clients away from one that lives?  They would be
 * reset if the reload is refused. */
static bool
is_covered(const struct listeners *ls, const struct listen_address *want)
{
	uint16_t port = addr_of(&want->ss, want->len).port;

	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (a->state == ADDRESS_LIVE && !a->shared &&
			a->bound.ss.ss_family == want->ss.ss_family &&
			is_any(&a->bound) &&
			addr_of(&a->bound.ss, a->bound.len).port == port)
			return true;
	}
	return false;
}

/* The claim is the socket of slot 1: listen_steer() counts in this order. */
static int
open_sockets(
	const struct listeners *ls, struct address *a, const struct conf *conf)
{
	struct listen_options o;
	int fd = listeners_options(conf, a->next_listen, &o);

	o.beside = has_port(ls, &a->bound);
	o.quiet = a->quiet = is_covered(ls, &a->bound);
	if (fd == 0)
		fd = listen_claim(&a->bound, &o);
	if (fd < 0)
		return fd;
	a->fd[a->n_fds++] = fd;
	return add_sockets(ls, a, ls->n_slots, conf);
}

unsigned
listeners_missing(const struct listeners *ls, unsigned n)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (a->state == ADDRESS_LIVE && !a->shared && a->n_fds < n)
			missing += n - a->n_fds;
	}
	return missing;
}

int
listeners_grow(struct listeners *ls, const struct conf *conf, unsigned n,
	struct buf *why)
{
	must(n <= CONF_WORKERS_MAX);
	for (unsigned i = 0; i < ls->n; i++) {
		struct address *a = ls->at[i];
		int rc = 0;

		if (a->state == ADDRESS_LIVE)
			rc = add_sockets(ls, a, n, conf);
		if (rc < 0) {
			buf_printf(why, "%s: no sockets for %u workers: %s",
				a->bound.text, n, strerror(-rc));
			return rc;
		}
	}
	if (n > ls->n_slots)
		ls->n_slots = n;
	return 0;
}

/* One socket for all slots: the supervisor's cannot be cloned. */
static int
take_spare(struct listeners *ls, struct address *a, const struct conf *conf)
{
	struct listen_options o;

	(void)listeners_options(conf, a->next_listen, &o);
	for (unsigned i = 0; i < ls->n_spare; i++) {
		struct spare_socket *s = &ls->spare[i];

		if (!inherit_is_same(&s->at, &a->asked))
			continue;
		a->shared = a->inherited = true;
		a->dual = s->dual;
		a->fd[a->n_fds++] = s->fd;
		a->bound = s->at;
		*s = ls->spare[--ls->n_spare];
		return inherit_adopt(a->fd[0], &o);
	}
	return -ENOENT;
}

static int
add_new(struct listeners *ls, const struct conf *conf, unsigned listen,
	const struct listen_address *want, uint64_t generation)
{
	struct address *a = xcalloc(1, sizeof *a);
	int rc;

	a->state = ADDRESS_NEW;
	a->asked = a->bound = *want;
	a->listen = a->next_listen = listen;
	a->since = generation;
	a->shared = want->ss.ss_family == AF_UNIX;
	(void)snprintf(
		a->name, sizeof a->name, "%s", conf->listen[listen].name);
	rc = take_spare(ls, a, conf);
	if (rc == -ENOENT)
		rc = open_sockets(ls, a, conf);
	if (rc < 0) {
		/* A path that was not ours is not ours to remove. */
		address_free(a);
		return rc;
	}
	a->number = ++ls->last_number;
	ls->at[ls->n++] = a;
	return 0;
}

static int
prepare_one(struct listeners *ls, const struct conf *conf, unsigned listen,
	const struct listen_address *want, uint64_t generation, struct buf *why)
{
	const struct conf_listen *l = &conf->listen[listen];
	struct address *a = find_living(ls, want, l->port, l->name);
	int rc;

	if (a) {
		a->kept = true;
		a->next_listen = listen;
		return 0;
	}
	if (ls->n == SLOT_LISTENERS_MAX) {
		buf_printf(why,
			"listen %s: more than %d addresses, with those that "
			"were removed a moment ago",
			l->name, SLOT_LISTENERS_MAX);
		return -E2BIG;
	}
	rc = add_new(ls, conf, listen, want, generation);
	if (rc < 0) {
		buf_printf(why, "listen %s: cannot listen on %s: %s", l->name,
			want->text, strerror(-rc));
		listeners_advice(want, l, rc, why);
	}
	return rc;
}

/* A supervisor's [::] that takes IPv4 as well leaves no port for 0.0.0.0. */
static bool
has_dual(const struct listeners *ls, const struct listen_address *want)
{
	for (unsigned i = 0; i < ls->n_spare; i++)
		if (ls->spare[i].dual &&
			inherit_is_same(&ls->spare[i].at, want))
			return true;
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->at[i]->dual && inherit_is_same(&ls->at[i]->asked, want))
			return true;
	return false;
}

static int
prepare_section(struct listeners *ls, const struct conf *conf, unsigned listen,
	uint64_t generation, struct buf *why)
{
	const struct conf_listen *l = &conf->listen[listen];
	struct listen_options o;

	ls->wrong = listen;
	if (listeners_options(conf, listen, &o) < 0) {
		buf_printf(why,
			"listen %s: there is no group '%s' (key socket_group); "
			"expected one: `addgroup --system %s`",
			l->name, l->socket_group, l->socket_group);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < l->n_addresses; i++) {
		struct listen_address want[2];
		int n = listen_resolve(l->address[i], l->port, want, 2);
		int rc = n < 0 ? n : 0;

		if (n < 0)
			buf_printf(why, "listen %s: %s is no address", l->name,
				l->address[i]);
		if (n == 1 && !strcmp(l->address[i], "*"))
			log_info("listen %s: no IPv6 on this machine, "
				 "listening on IPv4 only",
				l->name);
		if (listeners_is_spared(l, &want[0])) {
			log_info("listen %s: no IPv6 on this machine, %s is "
				 "left out",
				l->name, want[0].text);
			continue;
		}
		for (int j = n == 2 && has_dual(ls, &want[1]); j < n && rc == 0;
			j++)
			rc = prepare_one(
				ls, conf, listen, &want[j], generation, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Their paths, their supervisor's sockets or their groups may be wanted again.
 * What is hidden is in nobody's way: a new socket has a group of its own. */
static void
remove_leaving_seen(struct listeners *ls)
{
	for (unsigned i = ls->n; i-- > 0;)
		if (ls->at[i]->state == ADDRESS_LEAVING && !ls->at[i]->hidden)
			remove_at(ls, i);
}

int
listeners_prepare(struct listeners *ls, const struct conf *conf,
	uint64_t generation, struct buf *why)
{
	int rc = 0;

	remove_leaving_seen(ls);
	for (unsigned i = 0; i < ls->n; i++)
		ls->at[i]->kept = false;
	for (uint32_t i = 0; i < conf->n_listen && rc == 0; i++)
		rc = prepare_section(ls, conf, i, generation, why);
	if (rc < 0)
		listeners_abort(ls);
	return rc;
}

void
listeners_abort(struct listeners *ls)
{
	remove_state(ls, ADDRESS_NEW);
}

/* As in add_sockets() the program comes in between: a socket that has a group
 * does not get to listen beside others. */
static int
begin_listening(
	const struct listeners *ls, struct address *a, const struct conf *conf)
{
	struct listen_options o;
	int rc = -FAULT_ERR(listeners_begin);

	(void)listeners_options(conf, a->next_listen, &o);
	if (rc == 0)
		rc = listen_begin(a->fd[0], &o);
	if (rc == 0)
		(void)steer(a, ls->mask, a->n_fds);
	for (unsigned i = 1; i < a->n_fds && rc == 0; i++)
		rc = listen_begin(a->fd[i], &o);
	a->quiet = rc < 0;
	return rc;
}

int
listeners_begin(struct listeners *ls, const struct conf *conf, struct buf *why)
{
	for (unsigned i = 0; i < ls->n; i++) {
		struct address *a = ls->at[i];
		int rc = a->quiet ? begin_listening(ls, a, conf) : 0;

		if (rc < 0) {
			buf_printf(why, "listen %s: cannot listen on %s: %s",
				a->name, a->bound.text, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

/* One, whose worker is there, gets all connections until it is hidden as well:
 * the group shares with those that are, and what comes to them is dropped and
 * has to be sent again. */
static int
hide(const struct address *a, uint64_t mask)
{
	unsigned last = mask ? (unsigned)__builtin_ctzll(mask) : 0;
	int rc = 0;

	if (last >= a->n_fds)
		last = 0;
	(void)listen_steer(a->fd[0], UINT64_C(1) << last, a->n_fds);
	for (unsigned i = 0; i < a->n_fds && rc == 0; i++)
		if (i != last)
			rc = listen_hide(a->fd[i]);
	return rc < 0 ? rc : listen_hide(a->fd[last]);
}

/* The slots of busy are there.  One that had ended before has no handshakes but
 * those of its last seconds. */
static void
begin_leaving(const struct listeners *ls, struct address *a, uint64_t busy)
{
	int rc;

	a->state = ADDRESS_LEAVING;
	a->busy = busy;
	if (a->shared)
		return; /* there is no handshake, or no close */
	rc = hide(a, busy);
	a->hidden = rc == 0;
	if (a->hidden)
		return;
	if (a->n_fds >= 2)
		(void)steer(a, ls->mask, a->n_fds);
	log_warning("%s: who connects in its last moment may be reset: %s",
		a->bound.text, strerror(-rc));
}

bool
listeners_commit(struct listeners *ls, const struct conf *was,
	const struct conf *conf, uint64_t mask)
{
	bool leaving = false;

	for (unsigned i = 0; i < ls->n; i++) {
		struct address *a = ls->at[i];

		if (a->state == ADDRESS_LEAVING)
			continue;
		if (a->state == ADDRESS_LIVE && !a->kept) {
			begin_leaving(ls, a, mask);
			leaving = true;
			continue;
		}
		if (a->state == ADDRESS_LIVE)
			listeners_adjust(a, was, conf);
		a->state = ADDRESS_LIVE;
		a->listen = a->next_listen;
		(void)snprintf(a->name, sizeof a->name, "%s",
			conf->listen[a->listen].name);
	}
	return leaving;
}

bool
listeners_done(struct listeners *ls, unsigned slot, uint32_t number)
{
	for (unsigned i = 0; i < ls->n; i++) {
		struct address *a = ls->at[i];

		if (a->number != number || a->state != ADDRESS_LEAVING)
			continue;
		a->busy &= ~(UINT64_C(1) << (slot - 1));
		if (a->busy == 0)
			remove_at(ls, i);
		return true;
	}
	return number > 0 && number <= ls->last_number;
}

void
listeners_close_leaving(struct listeners *ls)
{
	remove_state(ls, ADDRESS_LEAVING);
}

void
listeners_steer(struct listeners *ls, uint64_t mask)
{
	ls->mask = mask;
	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (!a->shared && a->n_fds >= 2 && !a->quiet &&
			a->state != ADDRESS_LEAVING)
			(void)steer(a, mask, a->n_fds);
	}
}
