/* What an engine has to do that takes bytes from the kernel before it is asked
 * for them; all of it holds of one that does not, too.
 *
 * SPDX-License-Identifier: MIT */
#include "io_fixture.h"

#include "base/clock.h"
#include "base/fault.h"
#ifdef HAVE_LIBURING
# include "io/uring_state.h"
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(uring, .timeout = 20);

#define ENGINES(test) TEST_WITH(uring, test, SOME_ENGINES)

/* What cannot be refused any more is not much. */
ENGINES(little_is_taken_of_who_is_not_read)
{
	static char much[100000];
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	f.area_open = false;
	io_client_read(f.io, ours, true);
	cr_assert(send(theirs, much, sizeof much, MSG_DONTWAIT) > 50000);
	turns(5);
	cr_assert(eq(sz, f.n_got, 0));
	cr_assert(le(sz, f.n_kept, IO_TAKEN_MAX));
}

/* More at once than an engine may have buffers for, and more than fits in one:
 * nobody starves. */
ENGINES(many_at_once)
{
	enum {
		MANY = 1300,
		BYTES = 5000
	};
	static int ours[MANY], theirs[MANY];
	static char much[BYTES];
	struct rlimit l;
	int p[2];

	cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &l), 0));
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_max < 2 * MANY + 64)
		cr_skip_test("%d descriptors are not to be had", 2 * MANY);
	open_engine(name);
	for (int i = 0; i < MANY; i++) {
		cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0));
		ours[i] = p[0];
		theirs[i] = p[1];
		client_add(ours[i], true);
	}
	turns(1);
	for (int i = 0; i < MANY; i++)
		cr_assert(send(theirs[i], much, BYTES, 0) == BYTES);
	for (int i = 0; i < 40 && f.n_got < MANY * BYTES; i++)
		turns(1);
	cr_assert(eq(sz, f.n_got, MANY * BYTES));
}

ENGINES(sends_of_a_group)
{
	struct iovec iov[2] = { { "hello ", 6 }, { "world", 5 } };
	int ours[3], theirs[3];
	char buf[32];

	open_engine(name);
	for (int i = 0; i < 3; i++)
		pair(&ours[i], &theirs[i]);
	send_to(ours[0], iov, 2);
	send_to(ours[1], iov, 1);
	send_to(ours[2], iov, 2);
	io_flush(f.io);
	cr_assert(eq(sz, f.n_sent, 28));
	cr_assert(recv(theirs[0], buf, sizeof buf, MSG_DONTWAIT) == 11);
	cr_assert(eq(int, memcmp(buf, "hello world", 11), 0));
	cr_assert(recv(theirs[1], buf, sizeof buf, MSG_DONTWAIT) == 6);
	cr_assert(recv(theirs[2], buf, sizeof buf, MSG_DONTWAIT) == 11);
	/* To nobody whose end has come. */
	send_to(ours[0], iov, 1);
	close(theirs[0]);
	send_to(ours[1], iov, 1);
	io_client_del(f.io, ours[0]);
	close(ours[0]);
	io_flush(f.io);
	cr_assert(recv(theirs[1], buf, sizeof buf, MSG_DONTWAIT) == 6);
	turns(2);
	cr_assert(eq(int, f.n_ended, 0));
}

/* Without shutdown() the other side learns of the end when nobody has the file
 * any more. */
ENGINES(keeps_no_file)
{
	int p[2];
	char c;

	open_engine(name);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0));
	client_add(p[0], true);
	turns(1);
	io_client_del(f.io, p[0]);
	close(p[0]);
	turns(1);
	cr_assert(recv(p[1], &c, 1, MSG_DONTWAIT) == 0);
}

/* A number may be another client's in the same turn. */
ENGINES(next_client_of_a_number)
{
	int ours, theirs, other[2];

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	turns(1);
	say(theirs, "old");
	io_client_del(f.io, ours);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0));
	cr_assert(eq(int, dup2(other[0], ours), ours));
	client_add(ours, true);
	turns(1);
	cr_assert(eq(sz, f.n_got, 0));
	say(other[1], "new");
	turns(1);
	cr_assert(eq(sz, f.n_got, 3));
	cr_assert(eq(int, memcmp(f.got, "new", 3), 0));
	cr_assert(eq(int, f.n_ended, 0));
}

#ifdef BANTER_TEST_FAULTS
/* Nor may a request that the kernel did not take be for the next one. */
ENGINES(next_client_after_a_wait_that_failed)
{
	int ours, theirs, other[2];

	setenv("BANTER_FAULT", "uring_wait:EAGAIN:2", 1);
	cr_assert(fault_init() == NULL);
	open_engine(name);
	pair(&ours, &theirs);
	turns(1);
	io_client_read(f.io, ours, true);
	turns(1);
	io_client_del(f.io, ours);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0));
	cr_assert(eq(int, dup2(other[0], ours), ours));
	say(other[1], "new");
	client_add(ours, true);
	turns(3);
	cr_assert(eq(sz, f.n_got, 3));
	cr_assert(eq(int, memcmp(f.got, "new", 3), 0));
}
#endif

ENGINES(half_closed_then_reset)
{
	uint64_t began;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	cr_assert(eq(int, shutdown(theirs, SHUT_WR), 0));
	turns(3);
	cr_assert(eq(int, f.broken, 0), "it may still read");
	began = clock_mono_ms();
	turns(3);
	cr_assert(ge(u64, clock_mono_ms() - began, 80),
		"nobody is told of it again and again");
	reset(theirs);
	turns(2);
	cr_assert(eq(int, f.broken, ours));
}

/* What is not taken is told again. */
ENGINES(watches_until_it_is_read)
{
	int p[2], told = 0;
	char c;

	open_engine(name);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0));
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, false), 0));
	cr_assert(send(p[1], "x", 1, 0) == 1 && send(p[1], "y", 1, 0) == 1);
	for (int i = 0; i < 3; i++) {
		f.readable = false;
		turns(1);
		told += f.readable;
		if (f.readable)
			cr_assert(recv(p[0], &c, 1, 0) == 1);
	}
	cr_assert(eq(int, told, 2));
}

#ifdef HAVE_LIBURING
/* What an open file, or a connection, would be by way of the ring. */
Test(uring, a_restricted_ring_does_nothing_else)
{
	static const uint8_t only[] = { IORING_OP_NOP };
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };
	struct io_uring ring;
	struct io_uring_cqe *cqe;

	if (io_uring_queue_init_params(4, &ring, &p) < 0)
		cr_skip_test("io_uring is refused here");
	cr_assert(eq(int, uring_restrict(&ring, only, sizeof only), 0));
	io_uring_prep_openat(io_uring_get_sqe(&ring), -1, "/", 0, 0);
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	for (int want = -EACCES, i = 0; i < 2; i++, want = 0) {
		cr_assert(ge(int, io_uring_submit_and_wait(&ring, 1), 0));
		cr_assert(eq(int, io_uring_wait_cqe(&ring, &cqe), 0));
		cr_assert(eq(int, cqe->res, want));
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
}

Test(uring, both_rings_are_restricted)
{
	/* Nothing can be registered with a ring that is. */
	open_engine(&(const struct engine_name){ "io_uring" });
	for (int i = 0; i < 2; i++) {
		cr_assert(eq(int,
			(int)syscall(SYS_io_uring_register, f.fds[i],
				IORING_UNREGISTER_FILES, NULL, 0),
			-1));
		cr_assert(eq(int, errno, EACCES));
	}
}
#endif
