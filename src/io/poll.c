/* The array that poll() takes is dense: its cost is by entries, ready or not,
 * so there must be no holes.  By descriptor there is the place in it, so that
 * to add, change and take out is O(1): the last entry moves into the gap.
 *
 * Level-triggered, as poll() cannot be otherwise: what is not handled is told
 * again in the next turn.  An entry without events stays in: POLLERR and
 * POLLHUP are told nonetheless, which is how a client that is reset while it is
 * not read is noticed.
 *
 * What is ready is copied out before the first callback, since callbacks move
 * entries; the serial of the registration then tells whether it is still meant.
 *
 * The kernel refuses (EINVAL) more entries than RLIMIT_NOFILE: there are never
 * more of them than descriptors, unless somebody lowers that with prlimit(1).
 * Edge triggering, exclusive waiting: poll() has neither, so all slots wake for
 * a connection to a shared listener, and all but one find nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "io/io_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct registration {
	uint32_t at; /* in the array */
	uint16_t serial;
	uint16_t kind : 4, token : 12;
};

struct ready {
	int fd;
	uint16_t serial;
	short events;
};

struct state {
	struct registration *fd; /* [fd_limit] */
	struct pollfd *p;        /* [cap] */
	struct ready *ready;     /* [cap] */
	unsigned n, cap;
};

static int
poll_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	struct state *st = xcalloc(1, sizeof *st);

	(void)fds;
	st->fd = xcalloc(io->fd_limit, sizeof *st->fd);
	io->state = st;
	return 0;
}

static void
poll_close(struct io *io)
{
	struct state *st = io->state;

	free(st->fd);
	free(st->p);
	free(st->ready);
	free(st);
}

static void
grow(struct state *st)
{
	if (st->n < st->cap)
		return;
	st->cap = st->cap ? st->cap * 2 : 64;
	st->p = xrealloc(st->p, st->cap, sizeof *st->p);
	st->ready = xrealloc(st->ready, st->cap, sizeof *st->ready);
}

static int
add(struct io *io, int fd, enum io_kind kind, unsigned token, short events)
{
	struct state *st = io->state;
	struct registration *r;

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	r = &st->fd[fd];
	if (r->kind != KIND_NONE)
		return -EEXIST;
	grow(st);
	*r = (struct registration){ .at = st->n++,
		.serial = (uint16_t)(r->serial + 1),
		.kind = kind,
		.token = token & 0xfff };
	st->p[r->at] = (struct pollfd){ .fd = fd, .events = events };
	return 0;
}

static void
del(struct io *io, int fd)
{
	struct state *st = io->state;
	struct registration *r = &st->fd[fd];

	if (r->kind == KIND_NONE)
		return;
	st->p[r->at] = st->p[--st->n];
	st->fd[st->p[r->at].fd].at = r->at;
	r->kind = KIND_NONE;
	r->serial++;
}

static int
poll_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	(void)exclusive;
	return add(io, fd, KIND_LISTENER, listener, POLLIN);
}

static int
poll_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct state *st = io->state;
	struct registration *r = &st->fd[fd];
	short events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));

	if (events == 0)
		del(io, fd);
	else if (r->kind == KIND_NONE)
		return add(io, fd, KIND_WATCH, token, events);
	else
		st->p[r->at].events = events;
	return 0;
}

static int
poll_client_add(struct io *io, int fd, bool read)
{
	return add(io, fd, KIND_CLIENT, 0, read ? POLLIN : 0);
}

static void
interest(struct io *io, int fd, short bit, bool on)
{
	struct state *st = io->state;
	const struct registration *r = &st->fd[fd];
	short *events;

	if (r->kind != KIND_CLIENT)
		return;
	events = &st->p[r->at].events;
	*events = (short)(on ? *events | bit : *events & ~bit);
}

static void
poll_client_read(struct io *io, int fd, bool on)
{
	interest(io, fd, POLLIN, on);
}

static void
poll_fell_short(struct io *io, int fd)
{
	interest(io, fd, POLLOUT, true);
}

static bool
is_read(const struct state *st, int fd)
{
	return st->p[st->fd[fd].at].events & POLLIN;
}

static void
client_event(struct io *io, const struct ready *e)
{
	const struct state *st = io->state;
	bool over = e->events & (POLLERR | POLLHUP);

	if (over && !is_read(st, e->fd)) {
		/* These two cannot be masked: waiting on would spin. */
		del(io, e->fd);
		io->h.broken(io->h.arg, e->fd);
		return;
	}
	if (e->events & POLLOUT) {
		interest(io, e->fd, POLLOUT, false);
		io->h.writable(io->h.arg, e->fd);
	}
	if ((e->events & POLLIN || over) && st->fd[e->fd].serial == e->serial &&
		is_read(st, e->fd))
		(void)io_receive(io, e->fd);
}

static void
dispatch(struct io *io, const struct ready *e)
{
	const struct registration *r = &((struct state *)io->state)->fd[e->fd];

	if (r->kind == KIND_NONE || r->serial != e->serial)
		return;
	/* Closed behind our back. */
	must(!(e->events & POLLNVAL));
	if (r->kind == KIND_CLIENT)
		client_event(io, e);
	else
		io_serve(io, r->kind, r->token, e->fd,
			e->events & (POLLIN | POLLHUP | POLLERR),
			e->events & POLLOUT);
}

/* left: how many poll() says are ready. */
static unsigned
collect(struct state *st, int left)
{
	unsigned n = 0;

	for (unsigned i = 0; i < st->n && left > 0; i++) {
		const struct pollfd *p = &st->p[i];

		if (p->revents == 0)
			continue;
		st->ready[n++] = (struct ready){ p->fd, st->fd[p->fd].serial,
			p->revents };
		left--;
	}
	return n;
}

static int
poll_wait_turn(struct io *io, int timeout_ms)
{
	struct state *st = io->state;
	int left = FAULT_CALL(poll_wait, poll(st->p, st->n, timeout_ms));
	int error = errno;
	unsigned n;

	io->h.woke(io->h.arg);
	if (left == -1)
		return error == EINTR ? 0 : -error;
	n = collect(st, left);
	for (unsigned i = 0; i < n; i++) {
		/* A callback may make the array longer, elsewhere. */
		const struct ready e = st->ready[i];

		dispatch(io, &e);
	}
	return 0;
}

const struct io_engine io_engine_poll = {
	.name = "poll",
	.open = poll_open,
	.close = poll_close,
	.listener_add = poll_listener_add,
	.listener_del = del,
	.watch = poll_watch,
	.client_add = poll_client_add,
	.client_read = poll_client_read,
	.client_del = del,
	.fell_short = poll_fell_short,
	.wait = poll_wait_turn,
};
