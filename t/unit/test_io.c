/* The contract of an engine, run over every one there is.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "io/io.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define FDS 512

static _Alignas(4096) char memory[IO_MEMORY_BYTES];

TestSuite(io, .timeout = 60);

struct name {
	char text[16];
};

static struct fixture {
	struct io *io;
	int fds[IO_ENGINE_FDS];
	bool accepting, area_open;
	int accepted[8], n_accepted, n_woke, n_starved, starved_error;
	bool woken; /* since the turn began */
	char area[65536];
	char got[65536];
	size_t n_got, n_kept, n_sent, n_sent_calls;
	uint64_t tag[FDS];
	int n_by_fd[FDS], n_area[FDS], order[FDS], n_order;
	int ended, ended_error, n_ended, broken, n_broken, writable, n_writable;
	unsigned token, drained;
	int n_watched;
	bool readable, token_writable;
	int delete_in_received, renew_in_received, renewed, unread_in_received,
		unread_of;
	bool in_callback, renew_read, ended_before;
} f;

/* All callbacks: one at a time, and the clock before the first. */
static void
enter(void)
{
	cr_assert(not(f.in_callback), "two callbacks at once");
	cr_assert(f.woken, "woke() comes first");
	f.in_callback = true;
}

static void
leave(void)
{
	f.in_callback = false;
}

static void
woke(void *arg)
{
	(void)arg;
	f.n_woke++;
	f.woken = true;
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
	f.n_starved++;
	f.starved_error = error;
	f.accepting = false;
}

static void
drained(void *arg, unsigned listener)
{
	(void)arg;
	f.drained = listener;
}

static void *
area(void *arg, int fd, size_t *ret_len)
{
	(void)arg;
	f.n_area[fd]++;
	if (!f.area_open) {
		io_client_read(f.io, fd, false);
		return NULL;
	}
	*ret_len = sizeof f.area;
	return f.area;
}

static void pair(int *ours, int *theirs);

/* Another client takes that one's number. */
static void
renew(int fd)
{
	int theirs;

	f.ended_before = f.n_ended > 0;
	io_client_del(f.io, fd);
	close(fd);
	pair(&f.renewed, &theirs);
	io_client_read(f.io, f.renewed, f.renew_read);
}

static void
received(void *arg, int fd, size_t len)
{
	(void)arg;
	enter();
	if (f.n_got + len <= sizeof f.got)
		memcpy(f.got + f.n_got, f.area, len);
	f.n_got += len;
	f.n_by_fd[fd]++;
	if (f.n_order < FDS)
		f.order[f.n_order++] = fd;
	if (f.delete_in_received > 0) {
		io_client_del(f.io, f.delete_in_received);
		f.delete_in_received = 0;
	}
	if (f.renew_in_received > 0) {
		int old = f.renew_in_received;

		f.renew_in_received = 0;
		renew(old);
	}
	if (f.unread_in_received > 0) {
		f.unread_of = f.unread_in_received;
		io_client_read(f.io, f.unread_in_received, false);
		f.unread_in_received = 0;
	}
	leave();
}

/* Bytes that an engine cannot leave in the socket any more. */
static void *
taken_area(void *arg, int fd)
{
	(void)arg;
	f.n_area[fd]++;
	return f.area;
}

static void
taken(void *arg, int fd, size_t len)
{
	if (f.area_open && f.n_kept == 0 && fd != f.unread_of) {
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
	enter();
	f.ended = fd;
	f.ended_error = error;
	f.n_ended++;
	io_client_read(f.io, fd, false);
	leave();
}

static void
broken(void *arg, int fd)
{
	(void)arg;
	enter();
	f.broken = fd;
	f.n_broken++;
	leave();
}

static void
sent(void *arg, int fd, size_t n)
{
	(void)arg;
	(void)fd;
	f.n_sent += n;
	f.n_sent_calls++;
}

static void
writable(void *arg, int fd)
{
	(void)arg;
	enter();
	f.writable = fd;
	f.n_writable++;
	leave();
}

static void
watched(void *arg, unsigned token, bool in, bool out)
{
	(void)arg;
	enter();
	f.token = token;
	f.readable = in;
	f.token_writable = out;
	f.n_watched++;
	leave();
}

static void
open_engine(const struct name *name)
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

	f = (struct fixture){ .accepting = true, .area_open = true };
	cr_assert(e != NULL, "%s", name->text);
	rc = io_open(&f.io, e, FDS, &h, f.fds);
	if (rc < 0 && e == io_engine_find("io_uring"))
		cr_skip_test("it is refused here: %s: %s", io_refusal(),
			strerror(-rc));
	cr_assert(eq(int, rc, 0));
}

static int
listen_at(struct sockaddr_in *a, int flags)
{
	socklen_t len = sizeof *a;
	int l = socket(AF_INET, SOCK_STREAM | flags, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert(bind(l, (struct sockaddr *)a, len) == 0 &&
		  listen(l, 128) == 0 &&
		  getsockname(l, (struct sockaddr *)a, &len) == 0);
	return l;
}

static int
connect_to(const struct sockaddr_in *a)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(connect(c, (const struct sockaddr *)a, sizeof *a) == 0);
	return c;
}

/* A connected pair, of which the engine knows nothing. */
static void
strangers(int *ours, int *theirs)
{
	struct sockaddr_in a;
	int l = listen_at(&a, 0);

	*theirs = connect_to(&a);
	*ours = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	cr_assert(ge(int, *ours, 0));
	close(l);
}

static int
client_add(int fd, bool read)
{
	f.tag[fd]++;
	return io_client_add(f.io, fd, read);
}

/* Ours is a client of the engine. */
static void
pair(int *ours, int *theirs)
{
	strangers(ours, theirs);
	cr_assert(eq(int, client_add(*ours, false), 0));
}

static void
one_turn(int ms)
{
	f.woken = false;
	cr_assert(eq(int, io_wait(f.io, ms), 0));
	cr_assert(f.woken);
}

static void
turns(int n)
{
	while (n-- > 0)
		one_turn(30);
}

/* For at most ten seconds: threads may come to it late on a busy machine. */
#define UNTIL(condition)                                  \
 do {                                                     \
  for (int left = 1000; !(condition) && left > 0; left--) \
   one_turn(10);                                          \
  if (!(condition))                                       \
   cr_fail("%s", #condition);                             \
 } while (0)

static void
say(int fd, const char *text)
{
	cr_assert(eq(
		int, (int)send(fd, text, strlen(text), 0), (int)strlen(text)));
}

static void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

/* clang-format off */
#define ENGINES(test)                                                       \
 ParameterizedTestParameters(io, test)                                      \
 {                                                                          \
  static struct name names[] = { { "epoll" }, { "io_uring" },                             \
	  { "poll" }, { "select" }, { "threads" } };                        \
  return cr_make_param_array(                                               \
	  struct name, names, sizeof names / sizeof *names);                \
 }                                                                          \
 ParameterizedTest(struct name *name, io, test)
/* clang-format on */

Test(io, unknown_name)
{
	cr_assert(io_engine_find("kqueue") == NULL);
}

ENGINES(reads_only_when_asked)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	say(theirs, "hello");
	turns(2);
	cr_assert(eq(sz, f.n_got, 0));
	io_client_read(f.io, ours, true);
	UNTIL(f.n_got == 5);
	io_client_read(f.io, ours, false);
	say(theirs, "again");
	turns(2);
	cr_assert(eq(sz, f.n_got, 5));
	io_client_read(f.io, ours, true);
	UNTIL(f.n_got == 10);
}

/* What is there already when it is added, too. */
ENGINES(reads_at_once_when_added_so)
{
	int ours, theirs;

	open_engine(name);
	strangers(&ours, &theirs);
	say(theirs, "hello");
	cr_assert(eq(int, client_add(ours, true), 0));
	cr_assert(eq(sz, f.n_got, 0), "callbacks come from io_wait()");
	UNTIL(f.n_got == 5);
}

ENGINES(one_message_after_the_other)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	for (size_t i = 1; i <= 100; i++) {
		say(theirs, "x");
		UNTIL(f.n_got == i);
	}
}

ENGINES(area_may_refuse)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	f.area_open = false;
	io_client_read(f.io, ours, true);
	say(theirs, "hello");
	turns(3);
	cr_assert(eq(sz, f.n_got, 0));
	f.area_open = true;
	f.n_got += f.n_kept;
	f.n_kept = 0;
	io_client_read(f.io, ours, true);
	UNTIL(f.n_got == 5);
}

ENGINES(end_comes_after_the_bytes)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	say(theirs, "bye");
	close(theirs);
	io_client_read(f.io, ours, true);
	UNTIL(f.n_ended > 0);
	turns(3);
	cr_assert(eq(sz, f.n_got, 3));
	cr_assert(eq(int, f.ended, ours));
	cr_assert(eq(int, f.ended_error, 0));
	cr_assert(eq(int, f.n_ended, 1));
	cr_assert(eq(int, f.n_broken, 0));
}

/* Its end is no end of ours: it still takes output. */
ENGINES(half_close)
{
	struct iovec iov = { (char[]){ "answer" }, 6 };
	char got[16];
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	say(theirs, "ask");
	cr_assert(eq(int, shutdown(theirs, SHUT_WR), 0));
	UNTIL(f.n_ended > 0);
	cr_assert(eq(sz, f.n_got, 3));
	turns(2);
	cr_assert(eq(int, f.n_broken, 0));
	io_send(f.io, ours, &iov, 1);
	io_flush(f.io);
	turns(1);
	cr_assert(eq(int, (int)recv(theirs, got, sizeof got, 0), 6));
	cr_assert(eq(sz, f.n_sent, 6));
}

ENGINES(reset_while_not_read)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	say(theirs, "last");
	turns(1);
	reset(theirs);
	UNTIL(f.broken != 0);
	cr_assert(eq(int, f.broken, ours));
	turns(6);
	cr_assert(eq(int, f.n_broken, 1), "it is waited for no more");
	while (f.n_ended == 0)
		cr_assert(io_client_pull(f.io, ours));
	cr_assert(ne(int, f.ended_error, 0));
}

/* Read once, and not any more when the reset comes. */
ENGINES(reset_after_reading_stopped)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	say(theirs, "one");
	UNTIL(f.n_got == 3);
	io_client_read(f.io, ours, false);
	reset(theirs);
	UNTIL(f.n_broken == 1);
	cr_assert(eq(int, f.n_ended, 0));
}

ENGINES(reset_while_read)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	turns(1);
	reset(theirs);
	UNTIL(f.n_ended == 1);
	cr_assert(ne(int, f.ended_error, 0));
}

static char big[1 << 20];

static void
fill(int ours)
{
	struct iovec iov[2] = { { big, sizeof big }, { big, sizeof big } };

	for (size_t before = 1; f.n_sent != before;) {
		before = f.n_sent;
		io_send(f.io, ours, iov, 2);
		io_flush(f.io);
		turns(1);
		f.writable = 0;
	}
	cr_assert(lt(sz, f.n_sent, (size_t)64 << 20));
}

static void
drain(int theirs, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(theirs, big, sizeof big, 0);

		cr_assert(gt(int, (int)got, 0));
		n -= (size_t)got;
	}
}

ENGINES(full_socket_becomes_writable)
{
	struct iovec iov = { big, 10 };
	size_t before;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	fill(ours);
	turns(1);
	cr_assert(eq(int, f.writable, 0));
	f.n_writable = 0;
	drain(theirs, f.n_sent);
	UNTIL(f.writable == ours);
	turns(2);
	cr_assert(eq(int, f.n_writable, 1), "told once");
	before = f.n_sent;
	io_send(f.io, ours, &iov, 1);
	io_flush(f.io);
	turns(1);
	cr_assert(eq(sz, f.n_sent, before + 10));
	cr_assert(eq(int, f.n_writable, 1), "nothing was left over");
}

/* Waiting to be writable and being read have nothing to do with each other. */
ENGINES(full_and_read)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	fill(ours);
	io_client_read(f.io, ours, true);
	say(theirs, "still here");
	UNTIL(f.n_got == 10);
	io_client_read(f.io, ours, false);
	drain(theirs, f.n_sent);
	UNTIL(f.writable == ours);
}

/* Handed over in the order of io_send(), at the latest by io_flush(). */
ENGINES(sends_of_a_turn)
{
	enum {
		N = 40
	};
	int ours[N], theirs[N];
	char text[N][4], got[16];

	open_engine(name);
	for (int i = 0; i < N; i++)
		pair(&ours[i], &theirs[i]);
	for (int i = 0; i < N; i++) {
		struct iovec iov[3] = { { text[i], 2 }, { text[i] + 2, 1 },
			{ (char[]){ "\n" }, 1 } };

		(void)snprintf(
			text[i], sizeof text[i], "%03u", (unsigned)i % 1000);
		io_send(f.io, ours[i], iov, 3);
		memset(iov, 0, sizeof iov); /* the array is copied */
	}
	io_flush(f.io);
	cr_assert(eq(sz, f.n_sent, (size_t)4 * N));
	cr_assert(eq(sz, f.n_sent_calls, N));
	for (int i = 0; i < N; i++) {
		cr_assert(eq(int, (int)recv(theirs[i], got, sizeof got, 0), 4));
		cr_assert(memcmp(got, text[i], 3) == 0 && got[3] == '\n');
	}
}

/* Nothing of it may reach the next client on that number. */
ENGINES(del_before_flush)
{
	struct iovec iov = { (char[]){ "old" }, 3 };
	int ours, theirs, next, next_theirs;
	char got[16];

	open_engine(name);
	pair(&ours, &theirs);
	io_send(f.io, ours, &iov, 1);
	io_client_del(f.io, ours);
	(void)shutdown(ours, SHUT_RDWR);
	close(ours);
	pair(&next, &next_theirs);
	iov.iov_base = (char[]){ "new" };
	io_send(f.io, next, &iov, 1);
	io_flush(f.io);
	turns(1);
	cr_assert(eq(int, (int)recv(next_theirs, got, sizeof got, 0), 3));
	cr_assert(memcmp(got, "new", 3) == 0);
}

/* Two clients are ready in one turn and the first one's callback closes the
 * second: its event must not come, not even to a new client of that number. */
ENGINES(no_event_after_del)
{
	int ours[2], theirs[2];

	open_engine(name);
	for (int i = 0; i < 2; i++) {
		pair(&ours[i], &theirs[i]);
		io_client_read(f.io, ours[i], true);
	}
	for (int i = 0; i < 2; i++)
		say(theirs[i], "x");
	/* Whichever comes first closes the other. */
	f.delete_in_received = ours[1];
	turns(3);
	cr_assert(le(sz, f.n_got, 2));
	cr_assert(eq(int, f.n_by_fd[ours[0]], 1));
	f.n_got = 0;
	say(theirs[1], "y");
	turns(3);
	cr_assert(eq(sz, f.n_got, 0));
}

/* What was fetched for the old client of a number is not the new one's: neither
 * its input nor its end. */
static void
next_of_a_number(const struct name *name, bool read)
{
	int ours[2], theirs[2];

	open_engine(name);
	f.renew_read = read;
	for (int i = 0; i < 2; i++) {
		pair(&ours[i], &theirs[i]);
		io_client_read(f.io, ours[i], true);
	}
	cr_assert(lt(int, ours[0], ours[1]));
	f.renew_in_received = ours[1];
	say(theirs[0], "x");
	usleep(10000); /* let threads ask in this order; else it proves less */
	reset(theirs[1]);
	usleep(10000);
	UNTIL(f.renewed != 0);
	turns(2);
	if (f.order[0] != ours[0] || f.ended_before)
		return; /* it came first: from a thread, or a ring of Linux 6.1
			 */
	cr_assert(eq(int, f.renewed, ours[1]));
	cr_assert(eq(int, f.n_area[ours[1]], 0));
	cr_assert(eq(int, f.n_ended, 0));
	cr_assert(eq(int, f.n_broken, 0));
}

ENGINES(no_event_for_the_next_of_a_number)
{
	next_of_a_number(name, true);
}

ENGINES(no_end_for_the_next_of_a_number)
{
	next_of_a_number(name, false);
}

/* The same with reading: what is turned off in a callback is off. */
ENGINES(no_event_after_unread)
{
	int ours[2], theirs[2], other;

	open_engine(name);
	for (int i = 0; i < 2; i++) {
		pair(&ours[i], &theirs[i]);
		say(theirs[i], "x");
	}
	f.unread_in_received = ours[1];
	io_client_read(f.io, ours[0], true);
	io_client_read(f.io, ours[1], true);
	UNTIL(f.unread_of != 0);
	if (f.order[0] == ours[0])
		cr_assert(eq(int, f.n_by_fd[ours[1]], 0));
	other = f.n_by_fd[ours[1]];
	say(theirs[1], "y");
	turns(3);
	cr_assert(eq(int, f.n_by_fd[ours[1]], other));
}

/* del(), close and the same number again, many times over, with input under
 * way: nobody gets what is another's. */
ENGINES(number_used_anew)
{
	enum {
		N = 50
	};
	int number = -1;

	open_engine(name);
	for (int i = 0; i < N; i++) {
		int ours, theirs;

		pair(&ours, &theirs);
		if (number == -1)
			number = ours;
		cr_assert(eq(int, ours, number));
		io_client_read(f.io, ours, true);
		if (i % 3 == 0)
			one_turn(0);
		f.n_got = 0;
		say(theirs, "mine");
		if (i % 2 == 0)
			UNTIL(f.n_got == 4);
		io_client_del(f.io, ours);
		(void)shutdown(ours, SHUT_RDWR);
		close(ours);
		close(theirs);
	}
	f.n_got = 0;
	turns(2);
	cr_assert(eq(sz, f.n_got, 0));
	cr_assert(eq(int, f.n_broken, 0));
}

ENGINES(accepts_while_it_may)
{
	struct sockaddr_in a;
	int l;

	open_engine(name);
	l = listen_at(&a, SOCK_NONBLOCK);
	cr_assert(eq(int, io_listener_add(f.io, 3, l, false), 0));
	(void)connect_to(&a);
	UNTIL(f.n_accepted == 1);
	f.accepting = false;
	(void)connect_to(&a);
	turns(2);
	cr_assert(eq(int, f.n_accepted, 1));
	io_listener_del(f.io, l);
	f.accepting = true;
	turns(2);
	cr_assert(eq(int, f.n_accepted, 1), "it is out of the engine");
	io_listener_drain(f.io, 3, l);
	cr_assert(eq(int, f.n_accepted, 2));
	cr_assert(eq(u32, f.drained, 3));
	cr_assert(eq(int, io_listener_add(f.io, 3, l, true), 0), "exclusive");
	(void)connect_to(&a);
	UNTIL(f.n_accepted == 3);
}

/* No descriptor is left: told, and the connection waits. */
ENGINES(starved_of_descriptors)
{
	struct rlimit was, low;
	struct sockaddr_in a;
	int l, fd;

	open_engine(name);
	l = listen_at(&a, SOCK_NONBLOCK);
	cr_assert(eq(int, io_listener_add(f.io, 3, l, false), 0));
	(void)connect_to(&a);
	fd = dup(l);
	close(fd);
	(void)getrlimit(RLIMIT_NOFILE, &was);
	low = (struct rlimit){ (rlim_t)fd, was.rlim_max };
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &low), 0));
	UNTIL(f.n_starved == 1);
	cr_assert(eq(int, f.starved_error, EMFILE));
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &was), 0));
	f.accepting = true;
	UNTIL(f.n_accepted == 1);
}

ENGINES(watches_other_descriptors)
{
	int p[2];

	open_engine(name);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0));
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, false), 0));
	turns(1);
	cr_assert(not(f.readable));
	say(p[1], "x");
	turns(1);
	cr_assert(eq(u32, f.token, 9));
	cr_assert(f.readable && !f.token_writable);
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, true), 0));
	turns(1);
	cr_assert(f.readable && f.token_writable);
	cr_assert(eq(int, io_watch(f.io, p[0], 9, false, true), 0));
	turns(1);
	cr_assert(not(f.readable));
	cr_assert(f.token_writable);
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, false), 0));
	turns(1);
	cr_assert(f.readable && !f.token_writable, "told again: it is unread");
	cr_assert(eq(int, io_watch(f.io, p[0], 9, false, false), 0));
	f.token = 0;
	turns(1);
	cr_assert(eq(u32, f.token, 0));
	/* Its end counts as readable. */
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, false), 0));
	char c;
	cr_assert(eq(int, (int)recv(p[0], &c, 1, 0), 1));
	f.readable = false;
	close(p[1]);
	turns(1);
	cr_assert(f.readable);
}

/* So that what it has caused goes out. */
ENGINES(a_turn_ends_when_something_came)
{
	struct timespec a, b;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	say(theirs, "x");
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	one_turn(20000);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	cr_assert(eq(sz, f.n_got, 1));
	cr_assert(lt(int, (int)(b.tv_sec - a.tv_sec), 15));
}

ENGINES(waits_no_longer_than_asked)
{
	struct timespec a, b;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 5; i++)
		one_turn(20);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	/* Not less: an idle engine that spins would be seen here. */
	cr_assert(ge(int,
		(int)((b.tv_sec - a.tv_sec) * 1000 +
			(b.tv_nsec - a.tv_nsec) / 1000000),
		80));
	cr_assert(eq(int, f.n_woke, 5));
}

/* Added and deleted in many orders: who is left is heard, each of them. */
ENGINES(many_descriptors)
{
	enum {
		N = 200
	};
	static int ours[N], theirs[N];

	open_engine(name);
	for (int i = 0; i < N; i++) {
		pair(&ours[i], &theirs[i]);
		io_client_read(f.io, ours[i], true);
	}
	for (int i = 0; i < N; i += 3)
		io_client_del(f.io, ours[i]);
	for (int i = N - 1; i >= 0; i -= 7)
		io_client_del(f.io, ours[i]); /* some a second time */
	for (int i = 0; i < N; i++)
		say(theirs[i], "x");
	turns(3);
	for (int i = 0; i < N; i++) {
		bool out = i % 3 == 0 || (N - 1 - i) % 7 == 0;

		UNTIL(f.n_by_fd[ours[i]] == !out);
	}
}

/* One that never stops sending does not keep the others from being heard, nor
 * the turn from ending. */
ENGINES(busy_clients_are_fair)
{
	enum {
		N = 8
	};
	int ours[N], theirs[N];

	open_engine(name);
	for (int i = 0; i < N; i++) {
		pair(&ours[i], &theirs[i]);
		/* Many receives of what the area takes. */
		for (int sent_now = 0; i < N - 1 && sent_now >= 0;)
			sent_now = (int)send(
				theirs[i], big, sizeof big, MSG_DONTWAIT);
	}
	say(theirs[N - 1], "x");
	for (int i = 0; i < N; i++)
		io_client_read(f.io, ours[i], true);
	UNTIL(f.n_by_fd[ours[N - 1]] == 1);
	for (int i = 0; i < N - 1; i++)
		cr_assert(le(int, f.n_by_fd[ours[i]], f.n_woke + 1),
			"at most once in a turn");
}

ENGINES(closes_with_clients_in_it)
{
	int ours, theirs;

	open_engine(name);
	for (int i = 0; i < 10; i++) {
		pair(&ours, &theirs);
		io_client_read(f.io, ours, true);
		say(theirs, "x");
	}
	one_turn(0);
	io_close(&f.io);
	cr_assert(f.io == NULL);
}
