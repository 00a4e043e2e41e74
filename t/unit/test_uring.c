/* What an engine has to do that takes bytes from the kernel before it is asked
 * for them; all of it holds of one that does not, too.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/fd.h"
#include "io/io.h"
#ifdef HAVE_LIBURING
# include "io/uring_state.h"
#endif

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096

static char *memory;

TestSuite(uring, .timeout = 20);

struct name {
	char text[16];
};

/* What a process that has died leaves to the next. */
struct told {
	bool noted;
	int n;
	char byte[8]; /* that it was told of; in any order */
};

static struct fixture {
	struct io *io;
	int fds[IO_ENGINE_FDS];
	bool accepting, area_open;
	int accepted[8], n_accepted, n_woke;
	char area[65536];
	char got[65536];
	size_t n_got, n_sent, n_kept;
	uint64_t tag[FDS];
	int ended, ended_error, n_ended, broken, writable;
	unsigned token;
	bool readable, token_writable;
	int delete_in_received;
	int die_in_taken; /* at the how manyth; noted, or not */
	int die_in_received;
	bool count_only, pull_broken;
	struct told *told;
} f;

static void
woke(void *arg)
{
	(void)arg;
	f.n_woke++;
}

static bool
may_accept(void *arg, unsigned listener)
{
	(void)arg;
	(void)listener;
	return f.accepting;
}

static void
accepted(void *arg, unsigned listener, int fd,
	const struct sockaddr_storage *from, socklen_t len)
{
	(void)arg;
	(void)from;
	(void)len;
	cr_assert(eq(u32, listener, 3));
	f.accepted[f.n_accepted++] = fd;
}

static void
starved(void *arg, int error)
{
	(void)arg;
	(void)error;
}

static void
drained(void *arg, unsigned listener)
{
	(void)arg;
	f.token = listener;
}

static void *
area(void *arg, int fd, size_t *ret_len)
{
	(void)arg;
	if (!f.area_open) {
		io_client_read(f.io, fd, false);
		return NULL;
	}
	*ret_len = sizeof f.area;
	return f.area;
}

static void
received(void *arg, int fd, size_t len)
{
	(void)arg;
	(void)fd;
	if (f.told != NULL)
		f.told->byte[f.told->n++] = f.area[0];
	if (f.die_in_received > 0 && --f.die_in_received == 0)
		raise(SIGKILL);
	if (!f.count_only)
		memcpy(f.got + f.n_got, f.area, len);
	f.n_got += len;
	if (f.delete_in_received > 0) {
		io_client_del(f.io, f.delete_in_received);
		f.delete_in_received = 0;
	}
}

static void *
taken_area(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	if (f.told != NULL)
		f.told->noted = false;
	return f.area;
}

static void
taken(void *arg, int fd, size_t len)
{
	if (f.die_in_taken > 0 && --f.die_in_taken == 0)
		raise(SIGKILL);
	if (f.told != NULL)
		f.told->noted = true;
	if (f.area_open && f.n_kept == 0) {
		received(arg, fd, len);
		return;
	}
	io_client_read(f.io, fd, false);
	f.n_kept += len;
}

static uint64_t
tag(void *arg, int fd)
{
	(void)arg;
	return f.tag[fd];
}

static void
ended(void *arg, int fd, int error)
{
	(void)arg;
	f.ended = fd;
	f.ended_error = error;
	f.n_ended++;
	io_client_read(f.io, fd, false);
}

static void
broken(void *arg, int fd)
{
	(void)arg;
	f.broken = fd;
	if (f.pull_broken)
		(void)io_client_pull(f.io, fd);
}

static void
sent(void *arg, int fd, size_t n)
{
	(void)arg;
	(void)fd;
	f.n_sent += n;
}

static void
writable(void *arg, int fd)
{
	(void)arg;
	f.writable = fd;
}

static void
watched(void *arg, unsigned token, bool in, bool out)
{
	(void)arg;
	f.token = token;
	f.readable = in;
	f.token_writable = out;
}

static void
begin(void)
{
	f = (struct fixture){ .accepting = true, .area_open = true };
	memory = mmap(NULL, IO_MEMORY_BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(memory != MAP_FAILED);
}

/* By a process, or the next one. */
static void
open_again(const struct name *name)
{
	const struct io_handler h = { .woke = woke,
		.may_accept = may_accept,
		.accepted = accepted,
		.starved = starved,
		.drained = drained,
		.area = area,
		.received = received,
		.taken_area = taken_area,
		.taken = taken,
		.tag = tag,
		.memory = memory,
		.ended = ended,
		.broken = broken,
		.sent = sent,
		.writable = writable,
		.watched = watched };
	const struct io_engine *e = io_engine_find(name->text);
	int rc;

	cr_assert(e != NULL, "%s", name->text);
	rc = io_open(&f.io, e, FDS, &h, f.fds);
	if (rc < 0 && e == io_engine_find("io_uring"))
		cr_skip_test("io_uring is refused here: %s: %s", io_refusal(),
			strerror(-rc));
	cr_assert(eq(int, rc, 0));
}

static void
open_engine(const struct name *name)
{
	begin();
	open_again(name);
}

static void
join(int fd, bool read)
{
	f.tag[fd]++;
	cr_assert(eq(int, io_client_add(f.io, fd, read), 0));
}

static void
connected(int *ours, int *theirs)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(l, (struct sockaddr *)&a, len) == 0 &&
		  listen(l, 8) == 0 &&
		  getsockname(l, (struct sockaddr *)&a, &len) == 0);
	*theirs = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(connect(*theirs, (struct sockaddr *)&a, len) == 0);
	*ours = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	close(l);
}

/* A connected pair: ours is a client of the engine. */
static void
pair(int *ours, int *theirs)
{
	connected(ours, theirs);
	join(*ours, false);
}

static void
turns(int n)
{
	while (n-- > 0)
		cr_assert(eq(int, io_wait(f.io, 20), 0));
}

#define ENGINES(test)                                                       \
 ParameterizedTestParameters(uring, test)                                   \
 {                                                                          \
  static struct name names[] = { { "epoll" }, { "io_uring" }, { "poll" } }; \
  return cr_make_param_array(                                               \
	  struct name, names, sizeof names / sizeof *names);                \
 }                                                                          \
 ParameterizedTest(struct name *name, uring, test)

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
		join(ours[i], true);
	}
	turns(1);
	for (int i = 0; i < MANY; i++)
		cr_assert(send(theirs[i], much, BYTES, 0) == BYTES);
	f.count_only = true;
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
	io_send(f.io, ours[0], iov, 2);
	io_send(f.io, ours[1], iov, 1);
	io_send(f.io, ours[2], iov, 2);
	io_flush(f.io);
	cr_assert(eq(sz, f.n_sent, 28));
	cr_assert(recv(theirs[0], buf, sizeof buf, MSG_DONTWAIT) == 11);
	cr_assert(eq(int, memcmp(buf, "hello world", 11), 0));
	cr_assert(recv(theirs[1], buf, sizeof buf, MSG_DONTWAIT) == 6);
	cr_assert(recv(theirs[2], buf, sizeof buf, MSG_DONTWAIT) == 11);
	/* To nobody whose end has come. */
	io_send(f.io, ours[0], iov, 1);
	close(theirs[0]);
	io_send(f.io, ours[1], iov, 1);
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
	join(p[0], true);
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
	cr_assert(send(theirs, "old", 3, 0) == 3);
	io_client_del(f.io, ours);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0));
	cr_assert(eq(int, dup2(other[0], ours), ours));
	join(ours, true);
	turns(1);
	cr_assert(eq(sz, f.n_got, 0));
	cr_assert(send(other[1], "new", 3, 0) == 3);
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
	cr_assert(send(other[1], "new", 3, 0) == 3);
	join(ours, true);
	turns(3);
	cr_assert(eq(sz, f.n_got, 3));
	cr_assert(eq(int, memcmp(f.got, "new", 3), 0));
}
#endif

ENGINES(half_closed_then_reset)
{
	struct timespec a, b;
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	(void)setsockopt(theirs, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	cr_assert(eq(int, shutdown(theirs, SHUT_WR), 0));
	turns(3);
	cr_assert(eq(int, f.broken, 0), "it may still read");
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	turns(3);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	cr_assert(ge(int,
			  (int)((b.tv_sec - a.tv_sec) * 1000 +
				  (b.tv_nsec - a.tv_nsec) / 1000000),
			  50),
		"nobody is told of it again and again");
	close(theirs);
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

static pid_t
process(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

static void
is_killed(pid_t pid)
{
	int status;

	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(eq(int, status, SIGKILL));
}

/* In a process that shares descriptors and memory, as a worker does with its
 * keeper: it is killed while it handles the second of four. */
static void
die_with_a_ring(const int ours[4], bool after_noting, struct told *told)
{
	static const struct name uring = { "io_uring" };
	pid_t pid = process();

	if (pid == 0) {
		open_again(&uring);
		for (int i = 0; i < 4; i++)
			(void)io_client_add(f.io, ours[i], true);
		f.told = told;
		f.die_in_taken = after_noting ? 0 : 2;
		f.die_in_received = after_noting ? 2 : 0;
		for (;;)
			(void)io_wait(f.io, 1000);
	}
	is_killed(pid);
}

/* It dies while it receives of the first, which was reset, without the ring,
 * when the ring has taken something of the second. */
static void
die_in_a_pull(const int ours[2], const int theirs[2])
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	open_again(&(const struct name){ "io_uring" });
	(void)io_client_add(f.io, ours[0], false);
	(void)io_client_add(f.io, ours[1], true);
	for (int i = 0; i < 3; i++)
		(void)io_wait(f.io, 20);
	(void)send(theirs[0], "a", 1, 0);
	(void)setsockopt(theirs[0], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)close(theirs[0]);
	(void)send(theirs[1], "b", 1, 0);
	f.pull_broken = true;
	f.die_in_received = 1;
	for (;;)
		(void)io_wait(f.io, 1000);
}

static void
take_over(const struct name *name, bool after_noting)
{
	struct told *told;
	int ours[4], theirs[4];
	size_t n;

	/* Is there one at all? */
	open_engine(&(const struct name){ "io_uring" });
	io_close(&f.io);
	begin();
	told = (struct told *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++) {
		connected(&ours[i], &theirs[i]);
		f.tag[ours[i]] = 77;
		cr_assert(send(theirs[i], &"abcd"[i], 1, 0) == 1);
	}
	die_with_a_ring(ours, after_noting, told);
	cr_assert(eq(int, told->n, after_noting ? 2 : 1));
	open_again(name);
	cr_assert(io_has_taken(f.io) && !io_took_directly(f.io));
	/* The last one's number is somebody else's by now. */
	f.tag[ours[3]]++;
	cr_assert(eq(int, io_harvest(f.io, told->noted), 0));
	/* Each of the others once, by one process or the other. */
	for (const char *c = "abc"; *c != '\0'; c++) {
		bool before = memchr(told->byte, *c, (size_t)told->n) != NULL;
		bool now = memchr(f.got, *c, f.n_got) != NULL;

		cr_assert(ne(int, before, now), "%c", *c);
	}
	cr_assert(not(memchr(f.got, 'd', f.n_got) != NULL));
	n = f.n_got;
	cr_assert(le(sz, n, 3));
	cr_assert(not(io_has_taken(f.io)));
	cr_assert(eq(int, io_harvest(f.io, told->noted), 0));
	cr_assert(eq(sz, f.n_got, n), "not twice");
	f.n_got = 0;
	for (int i = 0; i < 4; i++) {
		join(ours[i], true);
		cr_assert(send(theirs[i], "more", 4, 0) == 4);
	}
	turns(4);
	cr_assert(eq(sz, f.n_got, 16));
}

ENGINES(harvests_what_was_not_noted)
{
	take_over(name, false);
}

ENGINES(harvests_what_comes_behind)
{
	take_over(name, true);
}

/* How one that is dead received says nothing of who goes on after it. */
ENGINES(harvest_is_no_direct_receive)
{
	int ours[2], theirs[2];
	pid_t pid;

	open_engine(&(const struct name){ "io_uring" });
	io_close(&f.io);
	begin();
	for (int i = 0; i < 2; i++) {
		connected(&ours[i], &theirs[i]);
		f.tag[ours[i]] = 77;
	}
	pid = process();
	if (pid == 0)
		die_in_a_pull(ours, theirs);
	is_killed(pid);
	pid = process();
	if (pid == 0) {
		open_again(name);
		f.die_in_taken = 1;
		(void)io_harvest(f.io, false);
		_exit(1);
	}
	is_killed(pid);
	open_again(name);
	cr_assert(io_has_taken(f.io) && !io_took_directly(f.io));
	cr_assert(eq(int, io_harvest(f.io, false), 0));
	cr_assert(eq(sz, f.n_got, 1));
	cr_assert(eq(chr, f.got[0], 'b'));
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
	open_engine(&(const struct name){ "io_uring" });
	for (int i = 0; i < 2; i++) {
		cr_assert(eq(int,
			(int)syscall(SYS_io_uring_register, f.fds[i],
				IORING_UNREGISTER_FILES, NULL, 0),
			-1));
		cr_assert(eq(int, errno, EACCES));
	}
}
#endif
