/* threads_private.h - what the files of the engine "threads" share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_IO_THREADS_PRIVATE_H
#define BANTER_IO_THREADS_PRIVATE_H

#include "io/io_private.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

struct own;

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

struct threads_state {
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

/* threads_baton.c: one thread at a time is in a callback.  To take and to pass
 * are with the lock, which waiting gives up. */
void threads_baton_init(struct threads_state *st);
void threads_baton_fini(struct threads_state *st);
void threads_lock(struct threads_state *st);
void threads_unlock(struct threads_state *st);
void threads_take_baton(struct threads_state *st, struct waiter *w);
void threads_pass_baton(struct threads_state *st);

/* threads_reader.c: the thread of a client. */
void threads_readers_init(struct threads_state *st);
void threads_readers_fini(struct threads_state *st);
/* 0 or -errno. */
int threads_reader_start(struct threads_state *st, struct client *c);
/* End its waiting. */
void threads_kick(struct client *c);

/* threads_client.c: what such a thread is told, and its end. */
int threads_client_add(struct io *io, int fd, bool read);
void threads_client_del(struct io *io, int fd);
void threads_interest(struct io *io, int fd, short bit, bool on);
void threads_client_read(struct io *io, int fd, bool on);
void threads_fell_short(struct io *io, int fd);
void threads_bury_gone(struct threads_state *st);
void threads_stop_all(struct io *io);

/* threads_own.c: what the main thread waits for. */
int threads_listener_add(
	struct io *io, unsigned listener, int fd, bool exclusive);
void threads_listener_del(struct io *io, int fd);
int threads_watch(struct io *io, int fd, unsigned token, bool in, bool out);
/* With the baton: fill in what to poll(), and act on what that has said. */
void threads_ask_own(struct threads_state *st);
void threads_serve_own(struct io *io);

/* threads.c.  With the baton: let the main thread ask for it too. */
void threads_wake_main(struct threads_state *st);

#endif
