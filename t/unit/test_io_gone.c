/* A client that a callback, or anybody between two turns, takes out of the
 * engine or reads no more: nothing of it comes any more, also not to the next
 * one on its number.
 *
 * SPDX-License-Identifier: MIT */
#include "io_fixture.h"

#include <string.h>
#include <unistd.h>

TestSuite(io_gone, .timeout = 60);

#define ENGINES(test) TEST_WITH(io_gone, test, EACH_ENGINE)

/* To whom the next input does something, of whomever that is; once. */
static int victim;

static void
delete_it(int fd)
{
	(void)fd;
	f.in_received = NULL;
	io_client_del(f.io, victim);
}

static int renewed;
static bool next_is_read, ended_before;

/* Another client takes that one's number. */
static void
renew_it(int fd)
{
	int theirs;

	(void)fd;
	f.in_received = NULL;
	ended_before = f.n_ended > 0;
	io_client_del(f.io, victim);
	close(victim);
	pair(&renewed, &theirs);
	io_client_read(f.io, renewed, next_is_read);
}

static void
unread_it(int fd)
{
	(void)fd;
	f.in_received = NULL;
	f.unheard = victim;
	io_client_read(f.io, victim, false);
}

/* Nothing of it may reach the next client on that number. */
ENGINES(del_before_flush)
{
	struct iovec iov = { (char[]){ "old" }, 3 };
	int ours, theirs, next, next_theirs;
	char got[16];

	open_engine(name);
	pair(&ours, &theirs);
	send_to(ours, &iov, 1);
	io_client_del(f.io, ours);
	(void)shutdown(ours, SHUT_RDWR);
	close(ours);
	pair(&next, &next_theirs);
	iov.iov_base = (char[]){ "new" };
	send_to(next, &iov, 1);
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
	victim = ours[1];
	f.in_received = delete_it;
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
next_of_a_number(const struct engine_name *name, bool read)
{
	int ours[2], theirs[2];

	open_engine(name);
	next_is_read = read;
	for (int i = 0; i < 2; i++) {
		pair(&ours[i], &theirs[i]);
		io_client_read(f.io, ours[i], true);
	}
	cr_assert(lt(int, ours[0], ours[1]));
	victim = ours[1];
	f.in_received = renew_it;
	say(theirs[0], "x");
	usleep(10000); /* let threads ask in this order; else it proves less */
	reset(theirs[1]);
	usleep(10000);
	UNTIL(renewed != 0);
	turns(2);
	if (f.order[0] != ours[0] || ended_before)
		return; /* it was first: from a thread, or a ring of Linux 6.1
			 */
	cr_assert(eq(int, renewed, ours[1]));
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
	victim = ours[1];
	f.in_received = unread_it;
	io_client_read(f.io, ours[0], true);
	io_client_read(f.io, ours[1], true);
	UNTIL(f.unheard != 0);
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
