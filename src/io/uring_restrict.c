/* A ring does what it is told on behalf of its process, and seccomp does not
 * see it: an open() or a connect() that is forbidden as a system call would be
 * done as a request.  So each ring is made disabled, told the few requests that
 * its engine makes, and enabled; from then on everything else is refused with
 * EACCES, and nothing can be registered with it any more (Linux 5.10).
 *
 * SPDX-License-Identifier: MIT */
#ifdef HAVE_LIBURING
# include "base/must.h"
# include "io/uring_state.h"

# include <errno.h>
# include <sys/syscall.h>
# include <unistd.h>

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

#endif
