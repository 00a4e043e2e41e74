/* What the ring waits for: for a client that is read one receive, which takes
 * one buffer, and for others that they may be written to, or break.
 *
 * Not multishot: that takes whatever comes, up to all buffers for one client
 * that floods, while banter reads nobody faster than it handles him: what a
 * client can have us keep is one buffer more than with another engine.  The
 * request for the next costs no system call, it goes along with the next wait.
 * Nor are connections accepted by the ring: it would not ask whether there is a
 * place for one.
 *
 * Polls of clients are multishot, which makes them edge-triggered: a poll is
 * told of the client's half-close too, asked for or not, and would be told for
 * ever.
 *
 * SPDX-License-Identifier: MIT */
#ifdef HAVE_LIBURING
# include "base/must.h"
# include "base/xalloc.h"
# include "io/uring_state.h"

# include <poll.h>
# include <string.h>

void
uring_list(struct uring_state *st, struct fd_list *l, int fd)
{
	if (st->fd[fd].flags & LISTED)
		return;
	st->fd[fd].flags |= LISTED;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->at = xrealloc(l->at, l->cap, sizeof *l->at);
	}
	l->at[l->n++] = (uint32_t)fd;
}

struct io_uring_sqe *
uring_request(struct uring_state *st)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&st->ring);

	/* Submitting alone makes no completion of what was armed before. */
	while (sqe == NULL) {
		(void)io_uring_submit(&st->ring);
		sqe = io_uring_get_sqe(&st->ring);
	}
	return sqe;
}

static uint64_t
recv_name(const struct io *io, int fd)
{
	return uring_name(URING_RECV, io->h.tag(io->h.arg, fd), fd);
}

static void
cancel(struct uring_state *st, uint64_t name)
{
	struct io_uring_sqe *sqe = uring_request(st);

	io_uring_prep_cancel64(sqe, name, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = uring_name(URING_NOTHING, 0, 0);
}

static void
arm_recv(struct io *io, int fd)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];
	struct io_uring_sqe *sqe = uring_request(st);

	io_uring_prep_recv(sqe, fd, NULL, io_recv_length(BUFFER_BYTES), 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	if (!(r->flags & HAS_MORE))
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	sqe->user_data = recv_name(io, fd);
	r->flags |= RECV_ARMED;
}

static void
end_recv(struct io *io, int fd)
{
	struct uring_state *st = io->state;

	st->fd[fd].flags |= RECV_ENDING;
	cancel(st, recv_name(io, fd));
}

/* A receive that the kernel has not even seen, for want of memory.  It names a
 * descriptor, which may be another client's when it does: its bytes would come
 * under this one's name, for nobody. */
static void
withdraw(struct uring_state *st, uint64_t name)
{
	const struct io_uring_sq *sq = &st->ring.sq;

	for (unsigned at = *sq->khead; at != sq->sqe_tail; at++) {
		struct io_uring_sqe *sqe = &sq->sqes[at & *sq->kring_mask];

		if (sqe->user_data != name)
			continue;
		io_uring_prep_nop(sqe);
		sqe->user_data = uring_name(URING_NOTHING, 0, 0);
	}
}

static void
arm_poll(struct uring_state *st, int fd, unsigned events, bool multishot)
{
	struct registration *r = &st->fd[fd];
	struct io_uring_sqe *sqe = uring_request(st);

	if (multishot)
		io_uring_prep_poll_multishot(sqe, fd, events);
	else
		io_uring_prep_poll_add(sqe, fd, events);
	sqe->user_data = uring_name(URING_POLL, ++r->serial, fd);
	r->events = (uint16_t)events;
	r->flags |= POLL_ARMED;
}

void
uring_end_poll(struct uring_state *st, int fd)
{
	struct registration *r = &st->fd[fd];

	cancel(st, uring_name(URING_POLL, r->serial++, fd));
	r->flags &= (uint8_t)~POLL_ARMED;
}

/* Most are read again soon, when their answer came. */
static bool
is_off_for_long(struct uring_state *st, int fd)
{
	struct registration *r = &st->fd[fd];

	if (r->flags & (WANT_IN | RECV_ARMED))
		return false;
	if (!(r->flags & OFF_AT_WAIT))
		uring_list(st, &st->changed, fd);
	r->flags |= OFF_AT_WAIT;
	return !(r->flags & LISTED);
}

static void
arm_client(struct io *io, int fd)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];
	unsigned events = r->flags & WANT_OUT ? POLLOUT : 0;
	bool wanted;

	if (r->flags & WANT_IN && !(r->flags & RECV_ARMED))
		arm_recv(io, fd);
	else if (!(r->flags & WANT_IN) && r->flags & RECV_ARMED &&
		 !(r->flags & RECV_ENDING))
		end_recv(io, fd);
	wanted = is_off_for_long(st, fd) || events != 0;
	if (r->flags & POLL_ARMED && (!wanted || r->events != events))
		uring_end_poll(st, fd);
	if (wanted && !(r->flags & POLL_ARMED))
		arm_poll(st, fd, events, true);
}

/* Not exclusive where other processes wait on the same listener, too: a ring
 * takes the wake-up even of a process that is stopped, and nobody else would
 * be woken.
 *
 * Told again in the next turn while there is something: one poll after the
 * other. */
static void
arm_other(struct uring_state *st, int fd)
{
	struct registration *r = &st->fd[fd];
	unsigned events = 0;

	if (r->flags & WANT_IN)
		events |= POLLIN;
	if (r->flags & WANT_OUT)
		events |= POLLOUT;
	if (r->flags & POLL_ARMED && r->events != (uint16_t)events)
		uring_end_poll(st, fd);
	if (!(r->flags & POLL_ARMED))
		arm_poll(st, fd, events, false);
}

static void
arm(struct io *io, int fd)
{
	struct uring_state *st = io->state;

	st->fd[fd].flags &= (uint8_t)~LISTED;
	switch ((enum uring_role)st->fd[fd].role) {
	case ROLE_CLIENT:
		arm_client(io, fd);
		break;
	case ROLE_LISTENER:
	case ROLE_WATCH:
		arm_other(st, fd);
		break;
	case ROLE_NONE:
		break;
	}
}

static void
arm_list(struct io *io, struct fd_list *l)
{
	uint32_t n = l->n;

	for (uint32_t i = 0; i < n; i++)
		arm(io, (int)l->at[i]);
	/* Those who are to be looked at again. */
	l->n -= n;
	memmove(l->at, l->at + n, l->n * sizeof *l->at);
}

void
uring_arm_all(struct io *io)
{
	struct uring_state *st = io->state;

	/* First, or those who had buffers would have all again. */
	if (st->hungry.n > 0)
		arm_list(io, &st->hungry);
	if (st->changed.n > 0)
		arm_list(io, &st->changed);
}

void
uring_forget(struct io *io, int fd)
{
	struct uring_state *st = io->state;
	struct registration *r = &st->fd[fd];

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	if (r->role == ROLE_NONE)
		return;
	if (r->role == ROLE_CLIENT) {
		uring_take_back(st, fd);
		if (r->flags & RECV_ARMED && st->has_unsent)
			withdraw(st, recv_name(io, fd));
		if (r->flags & RECV_ARMED && !(r->flags & RECV_ENDING))
			end_recv(io, fd);
	}
	if (r->flags & POLL_ARMED)
		uring_end_poll(st, fd);
	r->role = ROLE_NONE;
	r->flags &= LISTED;
	r->more = 0;
}

#endif
