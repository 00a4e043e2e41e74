/* Level-triggered: after a turn has read one area full, the rest is told again
 * in the next turn, which is fair to the others; edge-triggered would need a
 * recv() more per message until EAGAIN.  Writability is asked for only after a
 * send that did not take everything: EPOLL_CTL_MOD costs a fifth of a send.
 *
 * The data of an event is {kind, serial of the registration, descriptor}: an
 * event that was fetched for a client that has since been closed does not reach
 * the next client on that number.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "io/io_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define EVENTS 512

struct registration {
	uint8_t kind;
	uint8_t interest; /* bits of EPOLLIN, EPOLLOUT */
	uint16_t serial;
};

struct state {
	int epoll;
	struct registration *fd; /* [fd_limit] */
	struct epoll_event event[EVENTS];
};

static uint64_t
data_of(enum io_kind kind, uint16_t serial, unsigned token, int fd)
{
	return (uint64_t)kind << 60 | (uint64_t)(token & 0xfff) << 48 |
	       (uint64_t)serial << 32 | (uint32_t)fd;
}

static int
epoll_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	struct state *st = xcalloc(1, sizeof *st);

	st->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (st->epoll == -1) {
		int e = errno;

		free(st);
		return -e;
	}
	st->fd = xcalloc(io->fd_limit, sizeof *st->fd);
	io->state = st;
	fds[0] = st->epoll;
	return 0;
}

static void
epoll_close(struct io *io)
{
	struct state *st = io->state;

	fd_close(&st->epoll);
	free(st->fd);
	free(st);
}

static int
control(struct io *io, int op, int fd, unsigned token, uint32_t events)
{
	struct state *st = io->state;
	struct registration *r = &st->fd[fd];
	struct epoll_event e = { .events = events,
		.data.u64 = data_of(r->kind, r->serial, token, fd) };

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	return epoll_ctl(st->epoll, op, fd, &e) == -1 ? -errno : 0;
}

static int
add(struct io *io, int fd, enum io_kind kind, unsigned token, uint32_t events)
{
	struct registration *r = &((struct state *)io->state)->fd[fd];
	int rc;

	r->serial++;
	r->kind = (uint8_t)kind;
	r->interest = (uint8_t)events;
	rc = -FAULT_ERR(epoll_add);
	if (rc == 0)
		rc = control(io, EPOLL_CTL_ADD, fd, token, events);
	if (rc < 0)
		r->kind = KIND_NONE;
	return rc;
}

static void
del(struct io *io, int fd)
{
	struct registration *r = &((struct state *)io->state)->fd[fd];

	if (r->kind == KIND_NONE)
		return;
	(void)control(io, EPOLL_CTL_DEL, fd, 0, 0);
	r->kind = KIND_NONE;
	r->serial++;
}

static int
epoll_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	return add(io, fd, KIND_LISTENER, listener,
		EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0));
}

static int
epoll_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct registration *r = &((struct state *)io->state)->fd[fd];
	uint32_t events = (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0);

	if (!in && !out) {
		del(io, fd);
		return 0;
	}
	if (r->kind == KIND_NONE)
		return add(io, fd, KIND_WATCH, token, events);
	if (r->interest == events)
		return 0;
	r->interest = (uint8_t)events;
	return control(io, EPOLL_CTL_MOD, fd, token, events);
}

static int
epoll_client_add(struct io *io, int fd, bool read)
{
	return add(io, fd, KIND_CLIENT, 0, read ? EPOLLIN : 0);
}

static void
interest(struct io *io, int fd, uint32_t bit, bool on)
{
	struct registration *r = &((struct state *)io->state)->fd[fd];
	uint8_t events = (uint8_t)(on ? r->interest | bit : r->interest & ~bit);

	if (r->kind != KIND_CLIENT || events == r->interest)
		return;
	r->interest = events;
	(void)control(io, EPOLL_CTL_MOD, fd, 0, events);
}

static void
epoll_client_read(struct io *io, int fd, bool on)
{
	interest(io, fd, EPOLLIN, on);
}

static void
epoll_fell_short(struct io *io, int fd)
{
	interest(io, fd, EPOLLOUT, true);
}

static void
client_event(struct io *io, int fd, const struct epoll_event *e)
{
	struct state *st = io->state;
	uint16_t serial = st->fd[fd].serial;
	uint32_t events = e->events;

	if (events & (EPOLLERR | EPOLLHUP) &&
		!(st->fd[fd].interest & EPOLLIN)) {
		/* These two cannot be masked: waiting on would spin. */
		del(io, fd);
		io->h.broken(io->h.arg, fd);
		return;
	}
	if (events & (EPOLLERR | EPOLLHUP))
		events |= EPOLLIN;
	if (events & EPOLLOUT) {
		interest(io, fd, EPOLLOUT, false);
		io->h.writable(io->h.arg, fd);
	}
	if (events & EPOLLIN && st->fd[fd].serial == serial &&
		st->fd[fd].interest & EPOLLIN)
		(void)io_receive(io, fd);
}

static void
dispatch(struct io *io, const struct epoll_event *e)
{
	struct state *st = io->state;
	int fd = (int)(uint32_t)e->data.u64;
	struct registration *r = &st->fd[fd];
	unsigned token = (unsigned)(e->data.u64 >> 48) & 0xfff;

	if (r->kind == KIND_NONE || r->serial != (uint16_t)(e->data.u64 >> 32))
		return;
	if (r->kind == KIND_CLIENT)
		client_event(io, fd, e);
	else
		io_serve(io, r->kind, token, fd,
			e->events & (EPOLLIN | EPOLLHUP | EPOLLERR),
			e->events & EPOLLOUT);
}

static int
epoll_wait_turn(struct io *io, int timeout_ms)
{
	struct state *st = io->state;
	int n = FAULT_CALL(epoll_wait,
		epoll_wait(st->epoll, st->event, EVENTS, timeout_ms));
	int error = errno;

	io->h.woke(io->h.arg);
	if (n == -1)
		return error == EINTR ? 0 : -error;
	for (int i = 0; i < n; i++)
		dispatch(io, &st->event[i]);
	return 0;
}

const struct io_engine io_engine_epoll = {
	.name = "epoll",
	.open = epoll_open,
	.close = epoll_close,
	.listener_add = epoll_listener_add,
	.listener_del = del,
	.watch = epoll_watch,
	.client_add = epoll_client_add,
	.client_read = epoll_client_read,
	.client_del = del,
	.fell_short = epoll_fell_short,
	.wait = epoll_wait_turn,
};
