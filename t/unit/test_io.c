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
#include <string.h>
#include <unistd.h>

#define FDS 256

static _Alignas(4096) char memory[IO_MEMORY_BYTES];

TestSuite(io, .timeout = 20);

struct name {
	char text[16];
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
	return f.area;
}

static void
taken(void *arg, int fd, size_t len)
{
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

	f = (struct fixture){ .accepting = true, .area_open = true };
	cr_assert(e != NULL, "%s", name->text);
	cr_assert(eq(int, io_open(&f.io, e, FDS, &h, f.fds), 0));
}

/* A connected pair: ours is a client of the engine. */
static void
pair(int *ours, int *theirs)
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
	f.tag[*ours]++;
	cr_assert(eq(int, io_client_add(f.io, *ours, false), 0));
}

static void
turns(int n)
{
	while (n-- > 0)
		cr_assert(eq(int, io_wait(f.io, 20), 0));
}

#define ENGINES(test)                                           \
 ParameterizedTestParameters(io, test)                          \
 {                                                              \
  static struct name names[] = { { "epoll" }, { "io_uring" } }; \
  return cr_make_param_array(                                   \
	  struct name, names, sizeof names / sizeof *names);    \
 }                                                              \
 ParameterizedTest(struct name *name, io, test)

Test(io, unknown_name)
{
	cr_assert(io_engine_find("kqueue") == NULL);
}

ENGINES(reads_only_when_asked)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	cr_assert(send(theirs, "hello", 5, 0) == 5);
	turns(2);
	cr_assert(eq(sz, f.n_got, 0));
	io_client_read(f.io, ours, true);
	turns(2);
	cr_assert(eq(sz, f.n_got, 5));
	io_client_read(f.io, ours, false);
	cr_assert(send(theirs, "again", 5, 0) == 5);
	turns(2);
	cr_assert(eq(sz, f.n_got, 5));
}

ENGINES(area_may_refuse)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	f.area_open = false;
	io_client_read(f.io, ours, true);
	cr_assert(send(theirs, "hello", 5, 0) == 5);
	turns(3);
	cr_assert(eq(sz, f.n_got, 0));
	f.area_open = true;
	f.n_got += f.n_kept;
	f.n_kept = 0;
	io_client_read(f.io, ours, true);
	turns(2);
	cr_assert(eq(sz, f.n_got, 5));
}

ENGINES(end_comes_after_the_bytes)
{
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	cr_assert(send(theirs, "bye", 3, 0) == 3);
	close(theirs);
	io_client_read(f.io, ours, true);
	turns(3);
	cr_assert(eq(sz, f.n_got, 3));
	cr_assert(eq(int, f.ended, ours));
	cr_assert(eq(int, f.ended_error, 0));
	cr_assert(eq(int, f.n_ended, 1));
}

ENGINES(reset_while_not_read)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	cr_assert(send(theirs, "last", 4, 0) == 4);
	(void)setsockopt(theirs, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(theirs);
	turns(3);
	cr_assert(eq(int, f.broken, ours));
	f.broken = 0;
	turns(2);
	cr_assert(eq(int, f.broken, 0), "it is waited for no more");
	while (f.n_ended == 0)
		cr_assert(io_client_pull(f.io, ours));
	cr_assert(ne(int, f.ended_error, 0));
}

ENGINES(full_socket_becomes_writable)
{
	static char big[1 << 20];
	struct iovec iov[2] = { { big, sizeof big }, { big, sizeof big } };
	int ours, theirs;
	size_t read_away = 0;

	open_engine(name);
	pair(&ours, &theirs);
	for (size_t before = 1; f.n_sent != before;) {
		before = f.n_sent;
		io_send(f.io, ours, iov, 2);
		io_flush(f.io);
		turns(1);
		f.writable = 0;
	}
	turns(1);
	cr_assert(eq(int, f.writable, 0));
	cr_assert(lt(sz, f.n_sent, (size_t)64 << 20));
	while (read_away < f.n_sent) {
		ssize_t n = recv(theirs, big, sizeof big, 0);

		cr_assert(gt(int, (int)n, 0));
		read_away += (size_t)n;
	}
	turns(2);
	cr_assert(eq(int, f.writable, ours));
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
		cr_assert(send(theirs[i], "x", 1, 0) == 1);
	}
	f.delete_in_received = ours[1];
	turns(2);
	cr_assert(eq(sz, f.n_got, 1));
}

ENGINES(accepts_while_it_may)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c;

	open_engine(name);
	cr_assert(bind(l, (struct sockaddr *)&a, len) == 0 &&
		  listen(l, 8) == 0 &&
		  getsockname(l, (struct sockaddr *)&a, &len) == 0);
	cr_assert(eq(int, io_listener_add(f.io, 3, l, false), 0));
	c = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(connect(c, (struct sockaddr *)&a, len) == 0);
	turns(2);
	cr_assert(eq(int, f.n_accepted, 1));
	f.accepting = false;
	c = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(connect(c, (struct sockaddr *)&a, len) == 0);
	turns(2);
	cr_assert(eq(int, f.n_accepted, 1));
	io_listener_del(f.io, l);
	f.accepting = true;
	io_listener_drain(f.io, 3, l);
	cr_assert(eq(int, f.n_accepted, 2));
	cr_assert(eq(u32, f.token, 3));
}

ENGINES(watches_other_descriptors)
{
	int p[2];

	open_engine(name);
	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0));
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, false), 0));
	turns(1);
	cr_assert(not(f.readable));
	cr_assert(send(p[1], "x", 1, 0) == 1);
	turns(1);
	cr_assert(eq(u32, f.token, 9));
	cr_assert(f.readable && !f.token_writable);
	cr_assert(eq(int, io_watch(f.io, p[0], 9, true, true), 0));
	turns(1);
	cr_assert(f.token_writable);
	cr_assert(eq(int, io_watch(f.io, p[0], 9, false, false), 0));
	f.token = 0;
	turns(1);
	cr_assert(eq(u32, f.token, 0));
}
