/* The contract of an engine, run over every one there is.
 *
 * SPDX-License-Identifier: MIT */
#include "io_fixture.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(io, .timeout = 60);

#define ENGINES(test) TEST_WITH(io, test, EACH_ENGINE)

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
	client_add(ours, true);
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
	send_to(ours, &iov, 1);
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
		send_to(ours, iov, 2);
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
	send_to(ours, &iov, 1);
	io_flush(f.io);
	turns(1);
	cr_assert(eq(sz, f.n_sent, before + 10));
	cr_assert(eq(int, f.n_writable, 1), "nothing was left over");
}

/* A client is given more while it is waited for, and takes it: that is no
 * reason not to be told, nor to be told for ever. */
ENGINES(a_send_meanwhile_takes_everything)
{
	struct iovec iov = { big, 10 };
	size_t before;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	fill(ours);
	f.n_writable = 0;
	drain(theirs, f.n_sent);
	before = f.n_sent;
	send_to(ours, &iov, 1);
	io_flush(f.io);
	cr_assert(eq(sz, f.n_sent, before + 10));
	turns(3);
	cr_assert(le(int, f.n_writable, 1), "told for ever");
	fill(ours);
	drain(theirs, f.n_sent - before);
	f.n_writable = 0;
	UNTIL(f.n_writable == 1);
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
		send_to(ours[i], iov, 3);
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
	uint64_t began;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	io_client_read(f.io, ours, true);
	say(theirs, "x");
	began = clock_mono_ms();
	one_turn(20000);
	cr_assert(lt(u64, clock_mono_ms() - began, 15000));
	cr_assert(eq(sz, f.n_got, 1));
}

ENGINES(waits_no_longer_than_asked)
{
	uint64_t began;
	int ours, theirs;

	open_engine(name);
	pair(&ours, &theirs);
	began = clock_mono_ms();
	for (int i = 0; i < 5; i++)
		one_turn(20);
	/* Not less: an idle engine that spins would be seen here. */
	cr_assert(ge(u64, clock_mono_ms() - began, 80));
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
