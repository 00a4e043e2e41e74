/* A thread for each connection, which waits for it alone and without a limit of
 * time.  What it has is received by that thread and handled there; the output
 * is sent by the main thread at the end of its turn, and so is all else: other
 * descriptors, listeners, timers.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/xalloc.h"
#include "io/threads_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int
threads_open(struct io *io, int fds[IO_ENGINE_FDS])
{
	struct threads_state *st = xcalloc(1, sizeof *st);

	st->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (st->wake == -1) {
		int e = errno;

		free(st);
		return -e;
	}
	threads_baton_init(st);
	threads_readers_init(st);
	st->client = xcalloc(io->fd_limit, sizeof(struct client *));
	io->state = st;
	fds[0] = st->wake;
	return 0;
}

static void
threads_close(struct io *io)
{
	struct threads_state *st = io->state;

	threads_stop_all(io);
	fd_close(&st->wake);
	threads_readers_fini(st);
	threads_baton_fini(st);
	free(st->client);
	free(st->own);
	free(st->asked);
	free(st->p);
	free(st);
}

void
threads_wake_main(struct threads_state *st)
{
	uint64_t one = 1;

	if (!st->awake)
		(void)!write(st->wake, &one, sizeof one);
	st->awake = true;
}

static void
settle_wake(struct threads_state *st)
{
	uint64_t n;

	if (st->awake)
		(void)!read(st->wake, &n, sizeof n);
	st->awake = false;
}

static int
threads_wait_turn(struct io *io, int timeout_ms)
{
	struct threads_state *st = io->state;
	int n, error;

	threads_bury_gone(st);
	threads_ask_own(st);
	threads_lock(st);
	threads_pass_baton(st);
	threads_unlock(st);
	n = poll(st->p, 1 + st->n_asked, timeout_ms);
	error = errno;
	threads_lock(st);
	threads_take_baton(st, &st->main);
	threads_unlock(st);
	settle_wake(st);
	io->h.woke(io->h.arg);
	if (n == -1)
		return error == EINTR ? 0 : -error;
	threads_serve_own(io);
	return 0;
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
	.fell_short = threads_fell_short,
	.wait = threads_wait_turn,
};
