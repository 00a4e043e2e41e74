/* select() is here for what it is known for, and its price is a fixed one: two
 * bitmaps are copied in and out each turn and looked through up to the highest
 * descriptor, whoever is ready.  A descriptor of FD_SETSIZE (1024) or above
 * cannot be waited for at all: FD_SET() would write behind the set.  So the
 * configuration refuses what could need one, the worker lowers its own limit of
 * descriptors, and add() refuses what comes nevertheless.
 *
 * Level-triggered, as select() cannot be otherwise.
 *
 * The end of a connection is told as readable, never alone: a client that is
 * not read cannot be waited for, or its input would make every wait return at
 * once.  Whether such a one was reset is asked from time to time by a poll()
 * without events, for which select() has no word.
 *
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/fault.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "io/io_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/select.h>

#define LOOK_MS 100 /* between two looks at the clients that are not read */

struct registration {
	uint16_t serial;
	uint16_t kind : 4, token : 12;
};

struct state {
	struct registration fd[FD_SETSIZE];
	fd_set in, out;
	int high;          /* no registration at or above it */
	unsigned n_unread; /* clients */
	uint64_t look_ms;  /* when to look at them next */
	struct pollfd look[FD_SETSIZE];
	uint16_t serial[FD_SETSIZE]; /* when the wait was over */
};

static int
select_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	(void)fds;
	io->state = xcalloc(1, sizeof(struct state));
	return 0;
}

static void
select_close(struct io *io)
{
	free(io->state);
}

static void
put(fd_set *bits, int fd, bool on)
{
	if (on)
		FD_SET(fd, bits);
	else
		FD_CLR(fd, bits);
}

static bool
is_unread(const struct state *st, int fd)
{
	return st->fd[fd].kind == KIND_CLIENT && !FD_ISSET(fd, &st->in);
}

static int
add(struct io *io, int fd, enum io_kind kind, unsigned token, bool in, bool out)
{
	struct state *st = io->state;
	struct registration *r;

	must(fd >= 0);
	if (fd >= FD_SETSIZE)
		return -EMFILE;
	r = &st->fd[fd];
	if (r->kind != KIND_NONE)
		return -EEXIST;
	r->serial++;
	r->kind = kind;
	r->token = token & 0xfff;
	put(&st->in, fd, in);
	put(&st->out, fd, out);
	st->n_unread += is_unread(st, fd);
	if (st->high <= fd)
		st->high = fd + 1;
	return 0;
}

static void
del(struct io *io, int fd)
{
	struct state *st = io->state;

	if (fd >= FD_SETSIZE || st->fd[fd].kind == KIND_NONE)
		return;
	st->n_unread -= is_unread(st, fd);
	st->fd[fd].kind = KIND_NONE;
	st->fd[fd].serial++;
	put(&st->in, fd, false);
	put(&st->out, fd, false);
	while (st->high > 0 && st->fd[st->high - 1].kind == KIND_NONE)
		st->high--;
}

static int
select_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	(void)exclusive;
	return add(io, fd, KIND_LISTENER, listener, true, false);
}

static int
select_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct state *st = io->state;

	if (!in && !out) {
		del(io, fd);
		return 0;
	}
	if (fd >= FD_SETSIZE || st->fd[fd].kind == KIND_NONE)
		return add(io, fd, KIND_WATCH, token, in, out);
	put(&st->in, fd, in);
	put(&st->out, fd, out);
	return 0;
}

static int
select_client_add(struct io *io, int fd, bool read)
{
	return add(io, fd, KIND_CLIENT, 0, read, false);
}

static bool
is_client(const struct state *st, int fd)
{
	return fd < FD_SETSIZE && st->fd[fd].kind == KIND_CLIENT;
}

static void
select_client_read(struct io *io, int fd, bool on)
{
	struct state *st = io->state;

	if (!is_client(st, fd))
		return;
	st->n_unread -= is_unread(st, fd);
	put(&st->in, fd, on);
	st->n_unread += is_unread(st, fd);
}

static void
select_fell_short(struct io *io, int fd)
{
	struct state *st = io->state;

	if (is_client(st, fd))
		put(&st->out, fd, true);
}

static void
client_ready(struct io *io, int fd, bool in, bool out)
{
	struct state *st = io->state;
	uint16_t serial = st->fd[fd].serial;

	if (out) {
		put(&st->out, fd, false);
		io->h.writable(io->h.arg, fd);
	}
	if (in && st->fd[fd].serial == serial && FD_ISSET(fd, &st->in))
		(void)io_receive(io, fd);
}

static void
dispatch(struct io *io, int fd, bool in, bool out)
{
	const struct registration *r = &((struct state *)io->state)->fd[fd];

	if (r->kind == KIND_CLIENT)
		client_ready(io, fd, in, out);
	else
		io_serve(io, r->kind, r->token, fd, in, out);
}

/* Before the first callback: a number may be used anew in any. */
static void
note_serials(struct state *st, int high)
{
	for (int fd = 0; fd < high; fd++)
		st->serial[fd] = st->fd[fd].serial;
}

static bool
is_still(const struct state *st, int fd)
{
	return st->fd[fd].serial == st->serial[fd];
}

static void
dispatch_all(struct io *io, const fd_set *in, const fd_set *out, int high)
{
	struct state *st = io->state;

	note_serials(st, high);
	for (int fd = 0; fd < high; fd++) {
		bool readable = FD_ISSET(fd, in), writable = FD_ISSET(fd, out);

		if ((readable || writable) && is_still(st, fd))
			dispatch(io, fd, readable, writable);
	}
}

static void
look_at_unread(struct io *io)
{
	struct state *st = io->state;
	nfds_t n = 0;

	note_serials(st, st->high);
	for (int fd = 0; fd < st->high; fd++)
		if (is_unread(st, fd))
			st->look[n++] = (struct pollfd){ .fd = fd };
	if (poll(st->look, n, 0) <= 0)
		return;
	for (nfds_t i = 0; i < n; i++) {
		int fd = st->look[i].fd;

		if (st->look[i].revents == 0 || !is_still(st, fd) ||
			!is_unread(st, fd))
			continue;
		del(io, fd);
		io->h.broken(io->h.arg, fd);
	}
}

/* NULL: without end. */
static struct timeval *
limit(const struct state *st, int timeout_ms, struct timeval *ret)
{
	int ms = timeout_ms;

	if (st->n_unread > 0 && (ms < 0 || ms > LOOK_MS))
		ms = LOOK_MS;
	*ret = (struct timeval){ ms / 1000, ms % 1000 * 1000L };
	return ms < 0 ? NULL : ret;
}

static int
select_wait_turn(struct io *io, int timeout_ms)
{
	struct state *st = io->state;
	fd_set in = st->in, out = st->out;
	int high = st->high, n, error;
	struct timeval time;

	n = FAULT_CALL(select_wait,
		select(high, &in, &out, NULL, limit(st, timeout_ms, &time)));
	error = errno;
	io->h.woke(io->h.arg);
	if (n == -1)
		return error == EINTR ? 0 : -error;
	if (n > 0)
		dispatch_all(io, &in, &out, high);
	if (st->n_unread > 0 && clock_mono_ms() >= st->look_ms) {
		look_at_unread(io);
		st->look_ms = clock_mono_ms() + LOOK_MS;
	}
	return 0;
}

const struct io_engine io_engine_select = {
	.name = "select",
	.open = select_open,
	.close = select_close,
	.listener_add = select_listener_add,
	.listener_del = del,
	.watch = select_watch,
	.client_add = select_client_add,
	.client_read = select_client_read,
	.client_del = del,
	.fell_short = select_fell_short,
	.wait = select_wait_turn,
};
