/* A thread waits by ppoll() for its one descriptor, and then receives.  A
 * recv() that blocks could not be called off without a race: the number may be
 * closed and used for another client before the thread comes to it.  ppoll()
 * lets a signal in that was sent before it began, so a thread that is told of
 * its client's end always notices.  And a recv() with MSG_PEEK, to wait without
 * the baton, would take the socket's error away from who is to know of it.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/must.h"
#include "io/threads_private.h"

#include <malloc.h>
#include <unistd.h>

/* Of a thread.  The deepest path of a line takes a fifth of it; what is not
 * used is never touched. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define STACK_BYTES (512u * 1024)
#else
# define STACK_BYTES (64u * 1024)
#endif

#define KICK SIGURG /* ends a ppoll(); of no use to anybody else here */

void
threads_kick(struct client *c)
{
	(void)pthread_kill(c->thread, KICK);
}

static void
serve(struct client *c, short events)
{
	struct io *io = c->io;
	bool over = events & (POLLERR | POLLHUP);

	/* Closed behind our back. */
	must(!(events & POLLNVAL));
	io->h.woke(io->h.arg);
	if (over && !(c->events & POLLIN)) {
		/* These two cannot be masked: waiting on would spin. */
		int fd = c->fd;

		threads_client_del(io, fd);
		io->h.broken(io->h.arg, fd);
		return;
	}
	if (events & POLLOUT && c->events & POLLOUT) {
		threads_interest(io, c->fd, POLLOUT, false);
		io->h.writable(io->h.arg, c->fd);
	}
	if ((events & POLLIN || over) && !c->dead && c->events & POLLIN)
		(void)io_receive(io, c->fd);
}

static short
wait_for(struct client *c)
{
	struct threads_state *st = c->io->state;
	struct pollfd p = { .fd = c->fd, .events = c->events };
	int n;

	c->waits = true;
	threads_unlock(st);
	n = ppoll(&p, 1, NULL, &st->open);
	threads_lock(st);
	c->waits = false;
	return n > 0 ? p.revents : 0;
}

static void *
run(void *arg)
{
	struct client *c = arg;
	struct threads_state *st = c->io->state;

	threads_lock(st);
	while (!c->dead) {
		short events = wait_for(c);

		if (events == 0 || c->dead)
			continue;
		threads_take_baton(st, &c->waiter);
		if (!c->dead) {
			threads_unlock(st);
			serve(c, events);
			threads_wake_main(st);
			threads_lock(st);
		}
		threads_pass_baton(st);
	}
	c->gone = true;
	threads_unlock(st);
	return NULL;
}

int
threads_reader_start(struct threads_state *st, struct client *c)
{
	int rc = FAULT_ERR(thread_create);

	if (rc == 0)
		rc = pthread_create(&c->thread, &st->attr, run, c);
	return -rc;
}

static void
nothing(int signal)
{
	(void)signal;
}

/* A thread has no signal but those of its own mistakes, and KICK while it
 * waits. */
static void
set_signals(struct threads_state *st)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
		SIGTRAP, SIGSYS };
	const struct sigaction a = { .sa_handler = nothing };
	sigset_t all;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		(void)sigdelset(&all, fatal[i]);
	must(pthread_attr_setsigmask_np(&st->attr, &all) == 0);
	st->open = all;
	(void)sigdelset(&st->open, KICK);
	must(sigaction(KICK, &a, NULL) == 0);
}

void
threads_readers_init(struct threads_state *st)
{
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);

	/* Whoever allocates has the baton: an arena per thread would be 64 MiB
	 * of address space each for nothing. */
	(void)mallopt(M_ARENA_MAX, 1);
	must(pthread_attr_init(&st->attr) == 0);
	must(pthread_attr_setstacksize(&st->attr,
		     least > STACK_BYTES ? least : STACK_BYTES) == 0);
	set_signals(st);
}

void
threads_readers_fini(struct threads_state *st)
{
	(void)pthread_attr_destroy(&st->attr);
}
