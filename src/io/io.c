/* SPDX-License-Identifier: MIT */
#include "io/io.h"
#include "base/fault.h"
#include "base/xalloc.h"
#include "io/io_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct io_engine *const engines[] = {
	&io_engine_epoll,
	&io_engine_uring,
	&io_engine_poll,
	&io_engine_select,
	&io_engine_threads,
};
static const char *refusal = "";

const struct io_engine *
io_engine_find(const char *name)
{
	for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
		if (!strcmp(engines[i]->name, name))
			return engines[i];
	return NULL;
}

const char *
io_refusal(void)
{
	return refusal;
}

int
io_refuse(const char *why, int rc)
{
	refusal = why;
	return rc;
}

int
io_open(struct io **ret, const struct io_engine *engine, unsigned fd_limit,
	const struct io_handler *handler, int fds[IO_ENGINE_FDS])
{
	struct io *io = xcalloc(1, sizeof *io);
	int rc;

	*io = (struct io){ .gathers = engine->flush != NULL,
		.fd_limit = fd_limit,
		.engine = engine,
		.h = *handler };
	for (int i = 0; i < IO_ENGINE_FDS; i++)
		fds[i] = -1;
	rc = engine->open(io, fds);
	if (rc < 0) {
		free(io);
		return rc;
	}
	*ret = io;
	return 0;
}

void
io_close(struct io **io)
{
	if (*io == NULL)
		return;
	(*io)->engine->close(*io);
	free(*io);
	*io = NULL;
}

int
io_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	return io->engine->listener_add(io, listener, fd, exclusive);
}

void
io_listener_del(struct io *io, int fd)
{
	io->engine->listener_del(io, fd);
}

void
io_listener_drain(struct io *io, unsigned listener, int fd)
{
	if (io_accept(io, listener, fd))
		io->h.drained(io->h.arg, listener);
}

int
io_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	return io->engine->watch(io, fd, token, in, out);
}

int
io_client_add(struct io *io, int fd, bool read)
{
	return io->engine->client_add(io, fd, read);
}

void
io_client_read(struct io *io, int fd, bool on)
{
	io->engine->client_read(io, fd, on);
}

void
io_client_del(struct io *io, int fd)
{
	io->engine->client_del(io, fd);
}

bool
io_client_pull(struct io *io, int fd)
{
	return io->engine->pull ? io->engine->pull(io, fd) : io_receive(io, fd);
}

bool
io_gathers(const struct io *io)
{
	return io->gathers;
}

void
io_flush(struct io *io)
{
	if (io->gathers)
		io->engine->flush(io);
}

int
io_wait(struct io *io, int timeout_ms)
{
	return io->engine->wait(io, timeout_ms);
}

static bool
is_starved(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

bool
io_accept(struct io *io, unsigned listener, int fd)
{
	for (int i = 0; i < IO_ACCEPT_BATCH; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		int client;

		if (!io->h.may_accept(io->h.arg, listener))
			return false;
		/* Not close-on-exec: an upgrade hands clients down. */
		client = FAULT_CALL(
			io_accept, accept4(fd, (struct sockaddr *)&from, &len,
					   SOCK_NONBLOCK));
		if (client >= 0) {
			FAULT(io_accepted);
			io->h.accepted(io->h.arg, listener, client, &from, len);
			continue;
		}
		if (errno == EAGAIN)
			return true;
		if (is_starved(errno)) {
			io->h.starved(io->h.arg, errno);
			return false;
		}
		/* ECONNABORTED and the network errors that accept(2) passes on
		 * belong to that one connection: the next may be good. */
	}
	return false;
}

void
io_serve(struct io *io, enum io_kind kind, unsigned token, int fd,
	bool readable, bool writable)
{
	if (kind == KIND_LISTENER)
		(void)io_accept(io, token, fd);
	else if (kind == KIND_WATCH)
		io->h.watched(io->h.arg, token, readable, writable);
}

void
io_has_received(void)
{
	FAULT(io_received);
}

size_t
io_recv_length(size_t cap)
{
	return FAULT_SHORT(io_recv_length, cap);
}

bool
io_receive(struct io *io, int fd)
{
	size_t cap;
	void *area = io->h.area(io->h.arg, fd, &cap);
	ssize_t n;

	if (area == NULL)
		return true;
	cap = io_recv_length(cap);
	n = FAULT_CALL(io_recv, recv(fd, area, cap, MSG_DONTWAIT));
	io_has_received();
	if (n > 0)
		io->h.received(io->h.arg, fd, (size_t)n);
	else if (n == 0)
		io->h.ended(io->h.arg, fd, 0);
	else if (errno == EAGAIN || errno == EINTR)
		return false;
	else
		io->h.ended(io->h.arg, fd, errno);
	return true;
}

/* Of any other error the connection is broken: its end is told by reading,
 * where unread input still counts. */
static bool
is_full(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS ||
	       error == ENOMEM;
}

bool
io_sent(struct io *io, int fd, ssize_t done, size_t want)
{
	io_has_sent();
	if (done < 0)
		return !is_full((int)-done);
	io->h.sent(io->h.arg, fd, (size_t)done);
	return (size_t)done == want;
}

ssize_t
io_send_pieces(int fd, const struct iovec *iov, unsigned n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };

	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

size_t
io_fell_short(struct io *io, int fd, ssize_t done)
{
	if (done >= 0 || is_full(errno))
		io->engine->fell_short(io, fd);
	return done > 0 ? (size_t)done : 0;
}
