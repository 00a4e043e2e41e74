/* What a client's thread is told, and its burial.  Whoever has the baton may
 * take a client out.  Its thread cannot be joined there: it may be the one that
 * does it, or wait for that very baton.  So the dead are kept, and the main
 * thread buries those that have come to their end.
 *
 * SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "base/xalloc.h"
#include "io/threads_private.h"

#include <errno.h>
#include <stdlib.h>

/* It is told of more to wait for, or of its end. */
static void
tell(struct client *c, short events, bool dead)
{
	struct threads_state *st = c->io->state;
	bool more = dead || events & ~c->events;

	threads_lock(st);
	c->events = events;
	c->dead = dead;
	more &= c->waits;
	threads_unlock(st);
	if (more)
		threads_kick(c);
}

static struct client *
client_of(const struct io *io, int fd)
{
	return ((const struct threads_state *)io->state)->client[fd];
}

void
threads_client_del(struct io *io, int fd)
{
	struct threads_state *st = io->state;
	struct client *c = client_of(io, fd);

	if (c == NULL)
		return;
	st->client[fd] = NULL;
	c->next = st->dead;
	st->dead = c;
	tell(c, 0, true);
}

void
threads_interest(struct io *io, int fd, short bit, bool on)
{
	struct client *c = client_of(io, fd);

	if (c != NULL && !(c->events & bit) == on)
		tell(c, (short)(c->events ^ bit), false);
}

int
threads_client_add(struct io *io, int fd, bool read)
{
	struct threads_state *st = io->state;
	struct client *c;
	int rc;

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	if (st->client[fd] != NULL)
		return -EEXIST;
	c = xcalloc(1, sizeof *c);
	c->io = io;
	c->fd = fd;
	c->events = read ? POLLIN : 0;
	(void)pthread_cond_init(&c->waiter.go, NULL);
	rc = threads_reader_start(st, c);
	if (rc < 0) {
		(void)pthread_cond_destroy(&c->waiter.go);
		free(c);
		return rc;
	}
	st->client[fd] = c;
	if (st->high <= fd)
		st->high = fd + 1;
	return 0;
}

void
threads_client_read(struct io *io, int fd, bool on)
{
	threads_interest(io, fd, POLLIN, on);
}

void
threads_fell_short(struct io *io, int fd)
{
	threads_interest(io, fd, POLLOUT, true);
}

static void
bury(struct client *c)
{
	(void)pthread_join(c->thread, NULL);
	(void)pthread_cond_destroy(&c->waiter.go);
	free(c);
}

/* Those that are not at their end yet have another turn. */
void
threads_bury_gone(struct threads_state *st)
{
	struct client **at = &st->dead;

	while (*at != NULL) {
		struct client *c = *at;
		bool gone;

		threads_lock(st);
		gone = c->gone;
		threads_unlock(st);
		if (!gone) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		bury(c);
	}
}

void
threads_stop_all(struct io *io)
{
	struct threads_state *st = io->state;

	for (int fd = 0; fd < st->high; fd++)
		threads_client_del(io, fd);
	/* Some may wait for the baton, to do nothing with it. */
	threads_lock(st);
	threads_pass_baton(st);
	threads_unlock(st);
	while (st->dead != NULL) {
		struct client *c = st->dead;

		st->dead = c->next;
		bury(c);
	}
}
