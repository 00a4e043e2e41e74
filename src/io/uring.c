/* Receives through a ring, sends through another, one system call for all of a
 * turn each.
 *
 * A receive takes bytes from the socket before the worker looks at them.  So
 * that a death loses none, they lie in buffers that outlive the process, and a
 * completion stays in the queue until what it brought was handled: see
 * uring_harvest.c.  The queue has a place for each buffer and each client, so
 * that completions are not kept elsewhere, where a successor cannot see them.
 *
 * What is asked of the kernel is in Linux 6.1: buffer rings, DEFER_TASKRUN, one
 * issuer.  No file is registered and no descriptor direct: those die with the
 * ring.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "io/uring_private.h"

#include <errno.h>

#ifdef HAVE_LIBURING
# include "base/must.h"
# include "base/xalloc.h"
# include "io/uring_state.h"

# include <poll.h>
# include <stdlib.h>
# include <sys/mman.h>

static int
uring_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	struct uring_state *st;
	int rc;

	if (io->h.memory == NULL)
		return io_refuse("no memory that outlives it", -EINVAL);
	st = xcalloc(1, sizeof *st);
	st->notes = io->h.memory;
	st->buffers = (char *)io->h.memory + BUFFERS_AT;
	rc = uring_set_up(st, io->fd_limit);
	if (rc < 0) {
		free(st);
		return rc;
	}
	st->fd = xcalloc(io->fd_limit, sizeof *st->fd);
	st->send = xcalloc(IO_SENDS, sizeof *st->send);
	st->pieces = xcalloc(IO_SENDS, sizeof *st->pieces);
	io->state = st;
	fds[0] = st->ring.ring_fd;
	fds[1] = st->sender.ring_fd;
	return 0;
}

static void
uring_close(struct io *io)
{
	struct uring_state *st = io->state;

	if (st->noted)
		uring_note(&st->notes->is_ring, 0);
	uring_tear_down(st);
	free(st->changed.at);
	free(st->hungry.at);
	free(st->send);
	free(st->pieces);
	free(st->fd);
	free(st);
}

/* Not before the ring of the worker before was harvested. */
static void
note_ring(struct uring_state *st)
{
	struct uring_notes *n = st->notes;

	uring_note(&n->is_ring, 0);
	n->ring_fd = (uint64_t)st->ring.ring_fd;
	n->map_bytes = st->map_bytes;
	n->head_at = st->offsets.head;
	n->tail_at = st->offsets.tail;
	n->cqes_at = st->offsets.cqes;
	n->n_cqes = st->n_cqes;
	n->buffer_bytes = BUFFER_BYTES;
	n->n_buffers = N_BUFFERS;
	n->in_hand = 0;
	n->direct = 0;
	/* A fault in the middle of a receive would lose what is received. */
	for (size_t at = 0; at < N_BUFFERS * BUFFER_BYTES; at += 4096)
		*(volatile char *)(st->buffers + at) = 0;
	uring_note(&n->is_ring, 1);
	st->noted = true;
}

static struct registration *
add(struct io *io, int fd, enum uring_role role, uint8_t flags, unsigned token)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	r->role = (uint8_t)role;
	r->flags = (uint8_t)((r->flags & LISTED) | flags);
	r->more = (uint16_t)token;
	uring_list(st, &st->changed, fd);
	return r;
}

static int
uring_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	(void)exclusive;
	(void)add(io, fd, ROLE_LISTENER, WANT_IN, listener);
	return 0;
}

static int
uring_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];
	uint8_t flags = (uint8_t)((in ? WANT_IN : 0) | (out ? WANT_OUT : 0));

	if (!in && !out) {
		uring_forget(io, fd);
		return 0;
	}
	if (r->role == ROLE_NONE) {
		(void)add(io, fd, ROLE_WATCH, flags, token);
		return 0;
	}
	r->flags = (uint8_t)((r->flags & ~(WANT_IN | WANT_OUT)) | flags);
	uring_list(st, &st->changed, fd);
	return 0;
}

static int
uring_client_add(struct io *io, int fd, bool read)
{
	int rc = -FAULT_ERR(uring_add);

	if (rc == 0)
		(void)add(io, fd, ROLE_CLIENT, read ? WANT_IN : 0, 0);
	return rc;
}

static void
uring_client_read(struct io *io, int fd, bool on)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];

	if (r->role != ROLE_CLIENT || !(r->flags & WANT_IN) == !on)
		return;
	r->flags ^= WANT_IN;
	r->flags &= (uint8_t)~OFF_AT_WAIT;
	uring_list(st, &st->changed, fd);
}

/* Bytes that are underway in the ring come before any that would be received
 * now. */
static bool
uring_pull(struct io *io, int fd)
{
	struct uring_state *st = io->state;
	bool any;

	if (st->fd[fd].role == ROLE_CLIENT && st->fd[fd].flags & RECV_ARMED) {
		uring_client_read(io, fd, false);
		return true;
	}
	uring_note(&st->notes->direct, 1);
	any = io_receive(io, fd);
	uring_note(&st->notes->direct, 0);
	return any;
}

static void
client_polled(struct io *io, int fd, unsigned events)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];
	const unsigned broken = POLLERR | POLLHUP;

	if (events & broken && !(r->flags & WANT_IN)) {
		if (r->flags & RECV_ARMED) {
			/* What that one brings comes first. */
			uring_end_poll(st, fd);
			uring_list(st, &st->changed, fd);
			return;
		}
		uring_forget(io, fd);
		io->h.broken(io->h.arg, fd);
		return;
	}
	if (events & (POLLOUT | broken) && r->flags & WANT_OUT) {
		r->flags &= (uint8_t)~WANT_OUT;
		/* The next has to look anew: the send that follows may fail
		 * for want of something that no event announces. */
		if (r->flags & POLL_ARMED)
			uring_end_poll(st, fd);
		uring_list(st, &st->changed, fd);
		io->h.writable(io->h.arg, fd);
	}
}

static void
polled(struct io *io, const struct io_uring_cqe *c)
{
	struct uring_state *st = io->state;
	int fd = uring_fd_of(c->user_data);
	struct registration *r = &st->fd[fd];
	unsigned events = c->res < 0 ? POLLERR : (unsigned)c->res;

	if (!(r->flags & POLL_ARMED) ||
		c->user_data != uring_name(URING_POLL, r->serial, fd))
		return;
	if (!(c->flags & IORING_CQE_F_MORE)) {
		r->flags &= (uint8_t)~POLL_ARMED;
		uring_list(st, &st->changed, fd);
	}
	if (r->role == ROLE_CLIENT)
		client_polled(io, fd, events);
	else if (r->role == ROLE_LISTENER)
		(void)io_accept(io, r->more, fd);
	else if (r->role == ROLE_WATCH)
		io->h.watched(io->h.arg, r->more,
			events & (POLLIN | POLLHUP | POLLERR | POLLRDHUP),
			events & POLLOUT);
}

static bool
is_for_client(const struct io *io, const struct io_uring_cqe *c)
{
	const struct uring_state *st = io->state;
	int fd = uring_fd_of(c->user_data);

	return st->fd[fd].role == ROLE_CLIENT &&
	       st->fd[fd].flags & RECV_ARMED &&
	       c->user_data ==
		       uring_name(URING_RECV, io->h.tag(io->h.arg, fd), fd);
}

static void
received(struct io *io, uint32_t index, const struct io_uring_cqe *c)
{
	struct uring_state *st = io->state;
	int fd = uring_fd_of(c->user_data);
	struct registration *r = &st->fd[fd];
	unsigned at = c->flags >> IORING_CQE_BUFFER_SHIFT;

	if (!is_for_client(io, c))
		return;
	r->flags &= (uint8_t) ~(RECV_ARMED | RECV_ENDING | HAS_MORE);
	if (c->flags & IORING_CQE_F_SOCK_NONEMPTY)
		r->flags |= HAS_MORE;
	uring_list(st, c->res == -ENOBUFS ? &st->hungry : &st->changed, fd);
	io_has_received();
	if (c->res > 0) {
		must(c->flags & IORING_CQE_F_BUFFER && at < N_BUFFERS);
		uring_take(io, index, fd,
			st->buffers + (size_t)at * BUFFER_BYTES,
			(size_t)c->res);
	} else if (r->flags & WANT_IN && !uring_is_passing(-c->res)) {
		io->h.ended(io->h.arg, fd, -c->res);
	}
}

static void
complete(struct io *io, const struct io_uring_cqe *cqe)
{
	struct uring_state *st = io->state;
	struct io_uring_cqe c = *cqe;

	switch (uring_kind_of(c.user_data)) {
	case URING_RECV:
		received(io, *st->ring.cq.khead, &c);
		break;
	case URING_POLL:
		polled(io, &c);
		break;
	case URING_NOTHING:
		break;
	}
	io_uring_cq_advance(&st->ring, 1);
	if (c.flags & IORING_CQE_F_BUFFER) {
		uring_give_buffer(st, c.flags >> IORING_CQE_BUFFER_SHIFT, 0);
		io_uring_buf_ring_advance(st->free_buffers, 1);
	}
}

/* The kernel runs what has come for us only when it is asked for events. */
static int
enter(struct uring_state *st, int timeout_ms)
{
	struct __kernel_timespec t = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L };
	struct io_uring_cqe *cqe;

	if (timeout_ms == 0)
		return io_uring_submit_and_get_events(&st->ring);
	if (timeout_ms < 0)
		return io_uring_submit_and_wait(&st->ring, 1);
	return io_uring_submit_and_wait_timeout(&st->ring, &cqe, 1, &t, NULL);
}

static int
uring_wait_turn(struct io *io, int timeout_ms)
{
	struct uring_state *st = io->state;
	int rc = -FAULT_ERR(uring_wait);
	uint32_t n;

	if (!st->noted)
		note_ring(st);
	uring_arm_all(io);
	if (rc == 0)
		rc = enter(st, timeout_ms);
	st->has_unsent = io_uring_sq_ready(&st->ring) > 0;
	io->h.woke(io->h.arg);
	n = io_uring_cq_ready(&st->ring);
	for (; n > 0; n--) {
		uint32_t at = *st->ring.cq.khead & *st->ring.cq.kring_mask;

		complete(io, &st->ring.cq.cqes[at]);
	}
	/* ETIME: nothing came; the others pass. */
	return rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN ||
			       rc == -EBUSY
		       ? 0
		       : rc;
}

const struct io_engine io_engine_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.listener_add = uring_listener_add,
	.listener_del = uring_forget,
	.watch = uring_watch,
	.client_add = uring_client_add,
	.client_read = uring_client_read,
	.client_del = uring_forget,
	.send = uring_send,
	.flush = uring_flush,
	.pull = uring_pull,
	.wait = uring_wait_turn,
};

#else

static int
uring_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	(void)io;
	(void)fds;
	return io_refuse("this build is without liburing", -ENOSYS);
}

/* It does not open, so nothing else is called. */
const struct io_engine io_engine_uring = {
	.name = "io_uring",
	.open = uring_open,
};
#endif
