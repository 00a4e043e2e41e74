/* Making the rings: as long as they have to be, restricted, tried out.
 *
 * A ring does what it is told on behalf of its process, and seccomp does not
 * see it: an open() or a connect() that is forbidden as a system call would be
 * done as a request.  So each ring is made disabled, told the few requests that
 * its engine makes, and enabled; from then on everything else is refused with
 * EACCES, and nothing can be registered with it any more (Linux 5.10).
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "io/uring_private.h"

#ifdef HAVE_LIBURING
# include "base/must.h"
# include "io/uring_state.h"

# include <errno.h>
# include <sys/mman.h>
# include <sys/syscall.h>
# include <unistd.h>

# define REQUESTS 1024u  /* more are submitted in pieces */
# define CQES_MAX 65536u /* the kernel's limit */
# define CQES_MIN 4096u  /* more than there are buffers */
# define SETUP                                               \
  (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | \
	  IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED)

# define MOST 8

/* liburing 2.3 declares functions for these, and its library has none. */
static int
call(const struct io_uring *ring, unsigned what, const void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, ring->ring_fd, what, arg, n) == -1
		       ? -errno
		       : 0;
}

int
uring_restrict(struct io_uring *ring, const uint8_t *requests, unsigned n)
{
	struct io_uring_restriction r[MOST + 1] = { 0 };
	int rc;

	must(n <= MOST);
	for (unsigned i = 0; i < n; i++)
		r[i] = (struct io_uring_restriction){
			.opcode = IORING_RESTRICTION_SQE_OP,
			.sqe_op = requests[i]
		};
	r[n] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS
	};
	rc = call(ring, IORING_REGISTER_RESTRICTIONS, r, n + 1);
	return rc < 0 ? rc : call(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* One for each buffer, and one for each client that finds none.  More at once,
 * such as a poll and a receive of most clients in the same call, the kernel
 * keeps for the next call, and what was received among them a death between the
 * two would lose.  A queue that is longer still delays each takeover: 65,536
 * take the kernel 1 to 8 ms to make, 16,384 a tenth of that. */
static unsigned
cqes_for(unsigned fd_limit)
{
	unsigned n = CQES_MIN;

	while (n < CQES_MAX && n < N_BUFFERS + fd_limit)
		n *= 2;
	return n;
}

/* A filter may let a ring be made and not used. */
static int
try_out(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int rc;

	io_uring_prep_nop(sqe);
	rc = io_uring_submit_and_wait(ring, 1);
	if (rc < 0)
		return rc;
	rc = io_uring_wait_cqe(ring, &cqe);
	if (rc == 0)
		io_uring_cqe_seen(ring, cqe);
	return rc;
}

/* Some kernels want the queue's memory in one piece and may not have it: a
 * shorter one will do, with a little less certainty. */
static int
set_up(struct uring_state *st, unsigned n_cqes, struct io_uring_params *p)
{
	int rc = -FAULT_ERR(uring_setup);

	if (rc < 0)
		return rc;
	do {
		*p = (struct io_uring_params){ .flags = SETUP |
							IORING_SETUP_CQSIZE,
			.cq_entries = n_cqes };
		rc = io_uring_queue_init_params(REQUESTS, &st->ring, p);
		n_cqes /= 2;
	} while (rc == -ENOMEM && n_cqes >= CQES_MIN);
	return rc;
}

static int
open_ring(struct uring_state *st, unsigned fd_limit)
{
	struct io_uring_params p;
	int rc = set_up(st, cqes_for(fd_limit), &p);

	if (rc < 0)
		return io_refuse("io_uring_setup", rc);
	st->n_cqes = p.cq_entries;
	st->offsets = p.cq_off;
	st->map_bytes = p.cq_off.cqes +
			p.cq_entries * (unsigned)sizeof(struct io_uring_cqe);
	rc = io_uring_ring_dontfork(&st->ring);
	if (rc < 0) {
		io_uring_queue_exit(&st->ring);
		return io_refuse("madvise", rc);
	}
	return 0;
}

static int
open_sender(struct uring_state *st)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_SUBMIT_ALL |
					      IORING_SETUP_R_DISABLED };
	int rc = io_uring_queue_init_params(IO_SENDS, &st->sender, &p);

	if (rc < 0)
		return io_refuse("io_uring_setup of the second ring", rc);
	rc = io_uring_ring_dontfork(&st->sender);
	if (rc < 0) {
		io_uring_queue_exit(&st->sender);
		return io_refuse("madvise", rc);
	}
	return 0;
}

static size_t
ring_bytes(void)
{
	return N_BUFFERS * sizeof(struct io_uring_buf);
}

void
uring_give_buffer(struct uring_state *st, unsigned at, int offset)
{
	io_uring_buf_ring_add(st->free_buffers,
		st->buffers + (size_t)at * BUFFER_BYTES, BUFFER_BYTES,
		(unsigned short)at, io_uring_buf_ring_mask(N_BUFFERS), offset);
}

static int
open_buffers(struct uring_state *st)
{
	struct io_uring_buf_reg reg = { .ring_entries = N_BUFFERS };
	int rc;

	st->free_buffers = mmap(NULL, ring_bytes(), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (st->free_buffers == MAP_FAILED)
		return io_refuse("mmap", -errno);
	(void)madvise(st->free_buffers, ring_bytes(), MADV_DONTFORK);
	reg.ring_addr = (uint64_t)(uintptr_t)st->free_buffers;
	rc = io_uring_register_buf_ring(&st->ring, &reg, 0);
	if (rc < 0) {
		(void)munmap(st->free_buffers, ring_bytes());
		return io_refuse("io_uring_register of a buffer ring", rc);
	}
	io_uring_buf_ring_init(st->free_buffers);
	for (unsigned i = 0; i < N_BUFFERS; i++)
		uring_give_buffer(st, i, (int)i);
	io_uring_buf_ring_advance(st->free_buffers, (int)N_BUFFERS);
	return 0;
}

/* Behind all that has to be registered. */
static int
enable(struct uring_state *st)
{
	static const uint8_t waits[] = { IORING_OP_NOP, IORING_OP_RECV,
		IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL };
	static const uint8_t sends[] = { IORING_OP_NOP, IORING_OP_SEND,
		IORING_OP_SENDMSG };
	int rc;

	/* Saves the look into a shared table at each call; or not. */
	(void)io_uring_register_ring_fd(&st->ring);
	(void)io_uring_register_ring_fd(&st->sender);
	rc = uring_restrict(&st->ring, waits, sizeof waits);
	if (rc == 0)
		rc = uring_restrict(&st->sender, sends, sizeof sends);
	if (rc < 0)
		return io_refuse("io_uring_register of restrictions", rc);
	rc = try_out(&st->ring);
	return rc < 0 ? io_refuse("io_uring_enter", rc) : 0;
}

static int
open_rest(struct uring_state *st)
{
	int rc = open_sender(st);

	if (rc < 0)
		return rc;
	rc = open_buffers(st);
	if (rc == 0) {
		rc = enable(st);
		if (rc == 0)
			return 0;
		(void)munmap(st->free_buffers, ring_bytes());
	}
	io_uring_queue_exit(&st->sender);
	return rc;
}

int
uring_set_up(struct uring_state *st, unsigned fd_limit)
{
	int rc = open_ring(st, fd_limit);

	if (rc < 0)
		return rc;
	rc = open_rest(st);
	if (rc < 0)
		io_uring_queue_exit(&st->ring);
	return rc;
}

void
uring_tear_down(struct uring_state *st)
{
	io_uring_queue_exit(&st->sender);
	io_uring_queue_exit(&st->ring);
	(void)munmap(st->free_buffers, ring_bytes());
}

#endif
