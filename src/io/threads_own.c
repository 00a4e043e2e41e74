/* What is no client has no thread: the main thread waits for all of that at
 * once.  There is so little of it that a search from one to the next will do.
 *
 * SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "base/xalloc.h"
#include "io/threads_private.h"

#include <errno.h>

struct own {
	int fd;
	enum io_kind kind;
	unsigned token;
	uint64_t serial;
	short events;
};

static struct own *
own_of(struct threads_state *st, int fd)
{
	for (unsigned i = 0; i < st->n_own; i++)
		if (st->own[i].fd == fd)
			return &st->own[i];
	return NULL;
}

static int
own_add(struct threads_state *st, int fd, enum io_kind kind, unsigned token,
	short events)
{
	if (own_of(st, fd) != NULL)
		return -EEXIST;
	if (st->n_own == st->cap_own) {
		st->cap_own = st->cap_own ? st->cap_own * 2 : 16;
		st->own = xrealloc(st->own, st->cap_own, sizeof *st->own);
	}
	st->own[st->n_own++] = (struct own){ .fd = fd,
		.kind = kind,
		.token = token,
		.serial = ++st->serial,
		.events = events };
	return 0;
}

static void
own_del(struct threads_state *st, int fd)
{
	struct own *o = own_of(st, fd);

	if (o != NULL)
		*o = st->own[--st->n_own];
}

int
threads_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	(void)exclusive;
	return own_add(io->state, fd, KIND_LISTENER, listener, POLLIN);
}

void
threads_listener_del(struct io *io, int fd)
{
	own_del(io->state, fd);
}

int
threads_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct threads_state *st = io->state;
	struct own *o = own_of(st, fd);
	short events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));

	if (events == 0)
		own_del(st, fd);
	else if (o == NULL)
		return own_add(st, fd, KIND_WATCH, token, events);
	else
		o->events = events;
	return 0;
}

/* Copied: others change it while poll() waits. */
void
threads_ask_own(struct threads_state *st)
{
	if (st->cap_asked < st->n_own || st->p == NULL) {
		st->cap_asked = st->cap_own;
		st->p = xrealloc(st->p, 1 + st->cap_asked, sizeof *st->p);
		st->asked = xrealloc(
			st->asked, 1 + st->cap_asked, sizeof *st->asked);
	}
	st->n_asked = st->n_own;
	st->p[0] = (struct pollfd){ .fd = st->wake, .events = POLLIN };
	for (unsigned i = 0; i < st->n_own; i++) {
		st->asked[i] = st->own[i];
		st->p[i + 1] = (struct pollfd){ .fd = st->own[i].fd,
			.events = st->own[i].events };
	}
}

static void
dispatch(struct io *io, const struct own *asked, short events)
{
	struct threads_state *st = io->state;
	const struct own *o = own_of(st, asked->fd);

	/* A callback has taken it out since, or made it another one. */
	if (o == NULL || o->serial != asked->serial)
		return;
	must(!(events & POLLNVAL));
	io_serve(io, o->kind, asked->token, asked->fd,
		events & (POLLIN | POLLHUP | POLLERR), events & POLLOUT);
}

void
threads_serve_own(struct io *io)
{
	struct threads_state *st = io->state;

	for (unsigned i = 0; i < st->n_asked; i++)
		if (st->p[i + 1].revents != 0)
			dispatch(io, &st->asked[i], st->p[i + 1].revents);
}
