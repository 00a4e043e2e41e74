/* A thread for each connection, which waits for it alone and without a limit of
 * time.  What it has is received by that thread and handled there; the output
 * is sent by the main thread at the end of its turn, and so is all else: other
 * descriptors, listeners, timers.
 *
 * There is one baton.  Who holds it may be in a callback, hence in a
 * transaction; the main thread has it always but while it waits in poll().  It
 * goes to who asked first: a mutex is unfair, and some busy clients would keep
 * the main thread from ever ending its turn.  So that one is asked for too: who
 * has handled something wakes it.
 *
 * A thread waits by ppoll() for its one descriptor, and then receives.  A
 * recv() that blocks could not be called off without a race: the number may be
 * closed and used for another client before the thread comes to it.  ppoll()
 * lets a signal in that was sent before it began, so a thread that is told of
 * its client's end always notices.  And a recv() with MSG_PEEK, to wait without
 * the baton, would take the socket's error away from who is to know of it.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "io/io_private.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Of a thread.  The deepest path of a line takes a fifth of it; what is not
 * used is never touched. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define STACK_BYTES (512u * 1024)
#else
# define STACK_BYTES (64u * 1024)
#endif

#define KICK SIGURG /* ends a ppoll(); of no use to anybody else here */

struct waiter {
	pthread_cond_t go;
	struct waiter *next; /* in the queue for the baton */
	bool has_it;
};

struct client {
	struct waiter waiter;
	struct io *io;
	struct client *next; /* of the dead */
	pthread_t thread;
	int fd;
	short events; /* to wait for */
	bool waits;   /* in ppoll(), or on the way into it */
	bool dead;    /* out of the engine: no callback any more */
	bool gone;    /* its thread does nothing but end */
};

/* What the main thread waits for. */
struct own {
	int fd;
	enum io_kind kind;
	unsigned token;
	uint64_t serial;
	short events;
};

struct state {
	/* Of the fields of waiters and clients, and of the baton.  Never held
	 * in a callback. */
	pthread_mutex_t lock;
	bool held; /* somebody has the baton */
	struct waiter *first, **last;
	struct waiter main;
	/* With the baton. */
	int wake;               /* an eventfd */
	bool awake;             /* it was written to */
	struct client **client; /* [fd_limit] */
	int high;               /* no client at or above it */
	struct client *dead;    /* whose threads are to be joined */
	struct own *own;        /* [cap] */
	unsigned n_own, cap_own;
	uint64_t serial;
	/* The main thread's. */
	struct pollfd *p; /* [1 + cap], the first for wake */
	struct own *asked;
	unsigned n_asked, cap_asked;
	sigset_t open; /* signals that ppoll() blocks */
	pthread_attr_t attr;
};

/* ---- the baton ---- */

/* With the lock, which waiting gives up. */
static void
take(struct state *st, struct waiter *w)
{
	if (!st->held) {
		st->held = true;
		return;
	}
	w->next = NULL;
	w->has_it = false;
	*st->last = w;
	st->last = &w->next;
	while (!w->has_it)
		(void)pthread_cond_wait(&w->go, &st->lock);
}

static void
pass(struct state *st)
{
	struct waiter *w = st->first;

	if (w == NULL) {
		st->held = false;
		return;
	}
	st->first = w->next;
	if (st->first == NULL)
		st->last = &st->first;
	w->has_it = true;
	(void)pthread_cond_signal(&w->go);
}

static void
lock(struct state *st)
{
	must(pthread_mutex_lock(&st->lock) == 0);
}

static void
unlock(struct state *st)
{
	must(pthread_mutex_unlock(&st->lock) == 0);
}

/* ---- a client's thread ---- */

static void
kick(struct client *c)
{
	(void)pthread_kill(c->thread, KICK);
}

/* It is told of more to wait for, or of its end. */
static void
tell(struct client *c, short events, bool dead)
{
	struct state *st = c->io->state;
	bool more = dead || events & ~c->events;

	lock(st);
	c->events = events;
	c->dead = dead;
	more &= c->waits;
	unlock(st);
	if (more)
		kick(c);
}

static struct client *
client_of(const struct io *io, int fd)
{
	return ((const struct state *)io->state)->client[fd];
}

static void
threads_client_del(struct io *io, int fd)
{
	struct state *st = io->state;
	struct client *c = client_of(io, fd);

	if (c == NULL)
		return;
	st->client[fd] = NULL;
	c->next = st->dead;
	st->dead = c;
	tell(c, 0, true);
}

static void
interest(struct io *io, int fd, short bit, bool on)
{
	struct client *c = client_of(io, fd);

	if (c != NULL && !(c->events & bit) == on)
		tell(c, (short)(c->events ^ bit), false);
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
		interest(io, c->fd, POLLOUT, false);
		io->h.writable(io->h.arg, c->fd);
	}
	if ((events & POLLIN || over) && !c->dead && c->events & POLLIN)
		(void)io_receive(io, c->fd);
}

static void
wake_main(struct state *st)
{
	uint64_t one = 1;

	if (!st->awake)
		(void)!write(st->wake, &one, sizeof one);
	st->awake = true;
}

static short
wait_for(struct client *c)
{
	struct state *st = c->io->state;
	struct pollfd p = { .fd = c->fd, .events = c->events };
	int n;

	c->waits = true;
	unlock(st);
	n = ppoll(&p, 1, NULL, &st->open);
	lock(st);
	c->waits = false;
	return n > 0 ? p.revents : 0;
}

static void *
run(void *arg)
{
	struct client *c = arg;
	struct state *st = c->io->state;

	lock(st);
	while (!c->dead) {
		short events = wait_for(c);

		if (events == 0 || c->dead)
			continue;
		take(st, &c->waiter);
		if (!c->dead) {
			unlock(st);
			serve(c, events);
			wake_main(st);
			lock(st);
		}
		pass(st);
	}
	c->gone = true;
	unlock(st);
	return NULL;
}

static int
start(struct state *st, struct client *c)
{
	int rc = FAULT_ERR(thread_create);

	if (rc == 0)
		rc = pthread_create(&c->thread, &st->attr, run, c);
	return -rc;
}

static int
threads_client_add(struct io *io, int fd, bool read)
{
	struct state *st = io->state;
	struct client *c;
	int rc;

	must(fd >= 0 && (unsigned)fd < io->fd_limit);
	if (st->client[fd] != NULL)
		return -EEXIST;
	c = xcalloc(1, sizeof *c);
	c->io = io;
	c->fd = fd;
	c->events = read ? POLLIN : 0;
	(void)pthread_cond_init(&c->waiter.go, NULL);
	rc = start(st, c);
	if (rc < 0) {
		(void)pthread_cond_destroy(&c->waiter.go);
		free(c);
		return rc;
	}
	st->client[fd] = c;
	if (st->high <= fd)
		st->high = fd + 1;
	return 0;
}

static void
threads_client_read(struct io *io, int fd, bool on)
{
	interest(io, fd, POLLIN, on);
}

static void
threads_send(struct io *io, int fd, const struct iovec *iov, unsigned n)
{
	interest(io, fd, POLLOUT, !io_send_now(io, fd, iov, n));
}

static void
bury(struct client *c)
{
	(void)pthread_join(c->thread, NULL);
	(void)pthread_cond_destroy(&c->waiter.go);
	free(c);
}

/* Those that are not at their end yet have another turn. */
static void
bury_gone(struct state *st)
{
	struct client **at = &st->dead;

	while (*at != NULL) {
		struct client *c = *at;
		bool gone;

		lock(st);
		gone = c->gone;
		unlock(st);
		if (!gone) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		bury(c);
	}
}

static void
stop_all(struct io *io)
{
	struct state *st = io->state;

	for (int fd = 0; fd < st->high; fd++)
		threads_client_del(io, fd);
	/* Some may wait for the baton, to do nothing with it. */
	lock(st);
	pass(st);
	unlock(st);
	while (st->dead != NULL) {
		struct client *c = st->dead;

		st->dead = c->next;
		bury(c);
	}
}

/* ---- the main thread ---- */

static struct own *
own_of(struct state *st, int fd)
{
	for (unsigned i = 0; i < st->n_own; i++)
		if (st->own[i].fd == fd)
			return &st->own[i];
	return NULL;
}

static int
own_add(struct state *st, int fd, enum io_kind kind, unsigned token,
	short events)
{
	if (own_of(st, fd) != NULL)
		return -EEXIST;
	if (st->n_own == st->cap_own) {
		st->cap_own = st->cap_own ? st->cap_own * 2 : 16;
		st->own = xrealloc(st->own, st->cap_own, sizeof *st->own);
	}
	st->own[st->n_own++] = (struct own){ .fd = fd,
		.kind = kind,
		.token = token,
		.serial = ++st->serial,
		.events = events };
	return 0;
}

static void
own_del(struct state *st, int fd)
{
	struct own *o = own_of(st, fd);

	if (o != NULL)
		*o = st->own[--st->n_own];
}

static int
threads_listener_add(struct io *io, unsigned listener, int fd, bool exclusive)
{
	(void)exclusive;
	return own_add(io->state, fd, KIND_LISTENER, listener, POLLIN);
}

static void
threads_listener_del(struct io *io, int fd)
{
	own_del(io->state, fd);
}

static int
threads_watch(struct io *io, int fd, unsigned token, bool in, bool out)
{
	struct state *st = io->state;
	struct own *o = own_of(st, fd);
	short events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));

	if (events == 0)
		own_del(st, fd);
	else if (o == NULL)
		return own_add(st, fd, KIND_WATCH, token, events);
	else
		o->events = events;
	return 0;
}

/* Copied: others change it while poll() waits. */
static void
ask_own(struct state *st)
{
	if (st->cap_asked < st->n_own || st->p == NULL) {
		st->cap_asked = st->cap_own;
		st->p = xrealloc(st->p, 1 + st->cap_asked, sizeof *st->p);
		st->asked = xrealloc(
			st->asked, 1 + st->cap_asked, sizeof *st->asked);
	}
	st->n_asked = st->n_own;
	st->p[0] = (struct pollfd){ .fd = st->wake, .events = POLLIN };
	for (unsigned i = 0; i < st->n_own; i++) {
		st->asked[i] = st->own[i];
		st->p[i + 1] = (struct pollfd){ .fd = st->own[i].fd,
			.events = st->own[i].events };
	}
}

static void
dispatch(struct io *io, const struct own *asked, short events)
{
	struct state *st = io->state;
	const struct own *o = own_of(st, asked->fd);

	/* A callback has taken it out since, or made it another one. */
	if (o == NULL || o->serial != asked->serial)
		return;
	must(!(events & POLLNVAL));
	io_serve(io, o->kind, asked->token, asked->fd,
		events & (POLLIN | POLLHUP | POLLERR), events & POLLOUT);
}

static void
settle_wake(struct state *st)
{
	uint64_t n;

	if (st->awake)
		(void)!read(st->wake, &n, sizeof n);
	st->awake = false;
}

static int
threads_wait_turn(struct io *io, int timeout_ms)
{
	struct state *st = io->state;
	int n, error;

	bury_gone(st);
	ask_own(st);
	lock(st);
	pass(st);
	unlock(st);
	n = poll(st->p, 1 + st->n_asked, timeout_ms);
	error = errno;
	lock(st);
	take(st, &st->main);
	unlock(st);
	settle_wake(st);
	io->h.woke(io->h.arg);
	if (n == -1)
		return error == EINTR ? 0 : -error;
	for (unsigned i = 0; i < st->n_asked; i++)
		if (st->p[i + 1].revents != 0)
			dispatch(io, &st->asked[i], st->p[i + 1].revents);
	return 0;
}

/* ---- the engine ---- */

static void
nothing(int signal)
{
	(void)signal;
}

/* A thread has no signal but those of its own mistakes, and KICK while it
 * waits. */
static void
set_signals(struct state *st)
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

static int
threads_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	struct state *st = xcalloc(1, sizeof *st);
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);

	st->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (st->wake == -1) {
		int e = errno;

		free(st);
		return -e;
	}
	/* Whoever allocates has the baton: an arena per thread would be 64 MiB
	 * of address space each for nothing. */
	(void)mallopt(M_ARENA_MAX, 1);
	must(pthread_mutex_init(&st->lock, NULL) == 0 &&
		pthread_cond_init(&st->main.go, NULL) == 0 &&
		pthread_attr_init(&st->attr) == 0);
	must(pthread_attr_setstacksize(&st->attr,
		     least > STACK_BYTES ? least : STACK_BYTES) == 0);
	set_signals(st);
	st->last = &st->first;
	st->held = true;
	st->client = xcalloc(io->fd_limit, sizeof(struct client *));
	io->state = st;
	fds[0] = st->wake;
	return 0;
}

static void
threads_close(struct io *io)
{
	struct state *st = io->state;

	stop_all(io);
	fd_close(&st->wake);
	(void)pthread_attr_destroy(&st->attr);
	(void)pthread_cond_destroy(&st->main.go);
	(void)pthread_mutex_destroy(&st->lock);
	free(st->client);
	free(st->own);
	free(st->asked);
	free(st->p);
	free(st);
}

const struct io_engine io_engine_threads = {
	.name = "threads",
	.open = threads_open,
	.close = threads_close,
	.listener_add = threads_listener_add,
	.listener_del = threads_listener_del,
	.watch = threads_watch,
	.client_add = threads_client_add,
	.client_read = threads_client_read,
	.client_del = threads_client_del,
	.send = threads_send,
	.wait = threads_wait_turn,
};
