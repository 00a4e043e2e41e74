/* The descriptor table is the keeper's too, so nothing was closed by a death.
 *
 * SPDX-License-Identifier: MIT */
#include "worker/recover.h"
#include "arena/tx.h"
#include "log/log.h"
#include "worker/private.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream socket that does not listen can only be a client's: the links to
 * the master are SOCK_SEQPACKET and the log's is SOCK_DGRAM. */
static bool
is_client_socket(int fd)
{
	int type = 0, listening = 1;
	socklen_t len = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
		type != SOCK_STREAM)
		return false;
	len = sizeof listening;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) ==
		       0 &&
	       !listening;
}

static unsigned
close_strangers(const struct worker *w)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	unsigned n = 0;

	if (dir == NULL) {
		log_warning("/proc/self/fd cannot be read: sockets of the "
			    "worker before may stay open");
		return 0;
	}
	while ((d = readdir(dir)) != NULL) {
		int fd = atoi(d->d_name);

		if (d->d_name[0] == '.' || fd <= STDERR_FILENO ||
			fd == w->env->log || !is_client_socket(fd))
			continue;
		(void)shutdown(fd, SHUT_RDWR);
		(void)close(fd);
		n++;
	}
	(void)closedir(dir);
	return n;
}

static void
forget_rooms(struct worker *w, const struct session *s)
{
	const uint32_t *rooms = session_rooms(&w->arena, s);

	for (uint32_t i = 0; i < s->n_rooms; i++) {
		arena_store(&w->arena.room[rooms[i]].topic, 0);
		arena_store(&w->arena.room[rooms[i]].id, 0);
	}
}

/* The batch that was being filled, and one that may have been sent, speak for
 * sessions that the master has forgotten. */
static void
forget_batches(struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	arena_store(&h->out_frames, 0);
	arena_store(&h->out_len, 0);
	arena_store(&h->sealed_len, 0);
}

void
recover_sessions(struct worker *w)
{
	unsigned n = 0, strangers;

	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s == NULL)
			continue;
		forget_rooms(w, s);
		client_fault(w, s);
		n++;
	}
	strangers = close_strangers(w);
	forget_batches(w);
	arena_store(&w->arena.head->rx_owner, 0);
	in_hand(w, HAND_NONE, 0, 0);
	if (n + strangers > 0)
		log_notice("closed %u clients of the worker before and %u "
			   "connections not yet greeted",
			n, strangers);
}

static void
take_listeners(struct worker *w)
{
	for (unsigned i = 0; i < w->env->n_listeners; i++) {
		const struct slot_listener *from = &w->env->listener[i];
		const struct arena_listener *to = &w->arena.head->listener[i];

		arena_store(&to->listen, from->listen);
		arena_store(&to->address, from->address);
		arena_store(&to->flags, from->shared ? LISTENER_SHARED : 0);
		arena_store(&to->fd, from->fd);
	}
}

void
recover_listeners(struct worker *w, bool used)
{
	const struct arena_head *h = w->arena.head;

	if (!used) {
		take_listeners(w);
		return;
	}
	/* What was prepared and not committed is prepared again by the master.
	 */
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		int fd = h->listener[i].fd;

		if (fd < 0 || !(h->listener[i].flags & LISTENER_PREPARED))
			continue;
		arena_store(&h->listener[i].fd, -1);
		(void)close(fd);
	}
	if (h->prepared_fd >= 0)
		(void)close((int)h->prepared_fd);
	arena_store(&h->prepared_fd, -1);
}

void
recover_engine(struct worker *w, const int fds[IO_ENGINE_FDS])
{
	for (int i = 0; i < IO_ENGINE_FDS; i++) {
		const int64_t *kept = &w->arena.head->engine_fd[i];

		if (*kept >= 0)
			(void)close((int)*kept);
		arena_store(kept, fds[i]);
	}
}
