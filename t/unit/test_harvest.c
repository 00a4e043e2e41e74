/* What becomes of the bytes that a process had taken from the kernel, and had
 * not handled, when it died.
 *
 * SPDX-License-Identifier: MIT */
#include "io_fixture.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(harvest, .timeout = 20);

#define ENGINES(test) TEST_WITH(harvest, test, SOME_ENGINES)

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

/* What a process that has died leaves to the next. */
struct told {
	bool noted;
	int n;
	char byte[8]; /* that it was told of; in any order */
};

static struct told *told;

/* At the how manyth it is killed, noted or not. */
static int die_in_taken, die_in_received;

static void
one_less(int *left)
{
	if (*left > 0 && --*left == 0)
		raise(SIGKILL);
}

static void
not_noted(int fd)
{
	(void)fd;
	told->noted = false;
}

static void
note(int fd)
{
	(void)fd;
	one_less(&die_in_taken);
	told->noted = true;
}

static void
tell(int fd)
{
	(void)fd;
	told->byte[told->n++] = f.area[0];
	one_less(&die_in_received);
}

static void
die(int fd)
{
	(void)fd;
	raise(SIGKILL);
}

static void
pull(int fd)
{
	(void)io_client_pull(f.io, fd);
}

static const struct engine_name uring = { "io_uring" };

/* In a process that shares descriptors and memory, as a worker does with its
 * keeper: it is killed while it handles the second of four. */
static void
die_with_a_ring(const int ours[4], bool after_noting)
{
	pid_t pid = process();

	if (pid == 0) {
		open_again(&uring);
		for (int i = 0; i < 4; i++)
			(void)io_client_add(f.io, ours[i], true);
		die_in_taken = after_noting ? 0 : 2;
		die_in_received = after_noting ? 2 : 0;
		f.in_taken_area = not_noted;
		f.in_taken = note;
		f.in_received = tell;
		for (;;)
			one_turn(1000);
	}
	is_killed(pid);
}

/* It dies while it receives of the first, which was reset, without the ring,
 * when the ring has taken something of the second. */
static void
die_in_a_pull(const int ours[2], const int theirs[2])
{
	open_again(&uring);
	(void)io_client_add(f.io, ours[0], false);
	(void)io_client_add(f.io, ours[1], true);
	turns(3);
	say(theirs[0], "a");
	reset(theirs[0]);
	say(theirs[1], "b");
	f.in_broken = pull;
	f.in_received = die;
	for (;;)
		one_turn(1000);
}

/* Is there a ring at all?  All else of f is as before. */
static void
need_ring(void)
{
	open_engine(&uring);
	io_close(&f.io);
	begin();
}

static void
take_over(const struct engine_name *name, bool after_noting)
{
	int ours[4], theirs[4];
	size_t n;

	need_ring();
	told = (struct told *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++) {
		strangers(&ours[i], &theirs[i]);
		f.tag[ours[i]] = 77;
		cr_assert(send(theirs[i], &"abcd"[i], 1, 0) == 1);
	}
	die_with_a_ring(ours, after_noting);
	cr_assert(eq(int, told->n, after_noting ? 2 : 1));
	open_again(name);
	cr_assert(io_has_taken(f.io) && !io_took_directly(f.io));
	/* The last one's number is somebody else's by now. */
	f.tag[ours[3]]++;
	cr_assert(eq(int, harvest(told->noted), 0));
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
	cr_assert(eq(int, harvest(told->noted), 0));
	cr_assert(eq(sz, f.n_got, n), "not twice");
	f.n_got = 0;
	for (int i = 0; i < 4; i++) {
		client_add(ours[i], true);
		say(theirs[i], "more");
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

	need_ring();
	for (int i = 0; i < 2; i++) {
		strangers(&ours[i], &theirs[i]);
		f.tag[ours[i]] = 77;
	}
	pid = process();
	if (pid == 0)
		die_in_a_pull(ours, theirs);
	is_killed(pid);
	pid = process();
	if (pid == 0) {
		open_again(name);
		f.in_taken = die;
		(void)harvest(false);
		_exit(1);
	}
	is_killed(pid);
	open_again(name);
	cr_assert(io_has_taken(f.io) && !io_took_directly(f.io));
	cr_assert(eq(int, harvest(false), 0));
	cr_assert(eq(sz, f.n_got, 1));
	cr_assert(eq(chr, f.got[0], 'b'));
}
