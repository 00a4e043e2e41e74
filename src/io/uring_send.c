/* The sends of a group in one submission.  MSG_DONTWAIT lets none of them wait
 * for the socket: each is over, one way or the other, when io_uring_enter()
 * returns, so that the next to the same client cannot overtake it, blocks that
 * were sent may be freed, and after a death nothing goes out any more.
 *
 * SPDX-License-Identifier: MIT */
#ifdef HAVE_LIBURING
# include "base/must.h"
# include "io/uring_state.h"

# include <errno.h>
# include <string.h>

# define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

/* Most sends are of one piece: only the others touch the room for more. */
static void
prepare(struct uring_state *st, struct uring_send *s, const struct iovec *iov,
	unsigned n)
{
	struct uring_pieces *p = &st->pieces[st->n_sends];
	size_t len = io_send_length(iov->iov_len);

	if (n == 1 || len < iov->iov_len) {
		io_uring_prep_send(
			s->sqe, s->fd, iov->iov_base, len, SEND_FLAGS);
		return;
	}
	memcpy(p->iov, iov, n * sizeof *iov);
	p->msg = (struct msghdr){ .msg_iov = p->iov, .msg_iovlen = n };
	io_uring_prep_sendmsg(s->sqe, s->fd, &p->msg, SEND_FLAGS);
}

void
uring_send(struct io *io, int fd, const struct iovec *iov, unsigned n)
{
	struct uring_state *st = io->state;
	struct uring_send *s;

	if (st->n_sends == IO_SENDS)
		uring_flush(io);
	must(n > 0 && n <= IO_IOV_MAX && st->fd[fd].more == 0);
	s = &st->send[st->n_sends];
	*s = (struct uring_send){ .fd = fd, .error = io_send_error() };
	for (unsigned i = 0; i < n; i++)
		s->want += iov[i].iov_len;
	if (s->error == 0) {
		s->sqe = io_uring_get_sqe(&st->sender);
		must(s->sqe != NULL);
		prepare(st, s, iov, n);
		s->sqe->user_data = st->n_sends;
	}
	st->fd[fd].more = (uint16_t)++st->n_sends;
}

void
uring_take_back(struct uring_state *st, int fd)
{
	struct uring_send *s;

	if (st->fd[fd].more == 0)
		return;
	s = &st->send[st->fd[fd].more - 1];
	if (s->sqe != NULL) {
		uint64_t name = s->sqe->user_data;

		io_uring_prep_nop(s->sqe);
		s->sqe->user_data = name;
	}
	s->fd = -1;
	st->fd[fd].more = 0;
}

/* Those that the kernel did not even look at, for want of memory: they are as
 * sends that took nothing, and must not go out later. */
static unsigned
submit(struct io_uring *ring)
{
	unsigned n = 0;

	while (io_uring_sq_ready(ring) > 0) {
		int rc = io_uring_submit(ring);

		if (rc == -EINTR)
			continue;
		if (rc <= 0)
			break;
		n += (unsigned)rc;
	}
	if (io_uring_sq_ready(ring) > 0) {
		ring->sq.sqe_head = ring->sq.sqe_tail = *ring->sq.khead;
		*ring->sq.ktail = *ring->sq.khead;
	}
	return n;
}

static void
collect(struct uring_state *st, int32_t *result, unsigned n)
{
	struct io_uring_cqe *cqe;
	unsigned head, got = 0;

	io_uring_for_each_cqe(&st->sender, head, cqe)
	{
		result[cqe->user_data] = cqe->res;
		got++;
	}
	io_uring_cq_advance(&st->sender, got);
	must(got == n);
}

void
uring_flush(struct io *io)
{
	struct uring_state *st = io->state;
	unsigned n = st->n_sends;
	int32_t result[IO_SENDS];

	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		result[i] = st->send[i].error ? -st->send[i].error : -EAGAIN;
	collect(st, result, submit(&st->sender));
	st->n_sends = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct uring_send *s = &st->send[i];
		struct registration *r;

		if (s->fd < 0)
			continue;
		r = &st->fd[s->fd];
		r->more = 0;
		if (io_sent(io, s->fd, result[i], s->want))
			continue;
		r->flags |= WANT_OUT;
		uring_list(st, &st->changed, s->fd);
	}
}

#endif
