/* Only an accept or a message with a descriptor that a death has cut leaves
 * something in the table that no record names: it is looked through only then,
 * because it has a line of /proc per client.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/fault.h"
#include "log/log.h"
#include "worker/private.h"
#include "worker/recover.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
socket_option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1
								    : value;
}

/* The links to the master are SOCK_SEQPACKET and the log's is SOCK_DGRAM.  A
 * listener that is only bound yet accepts no connections either: shutdown()
 * would reach the master's copy, and all that are ever accepted from it. */
static bool
is_client_socket(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	return socket_option(fd, SO_TYPE) == SOCK_STREAM &&
	       socket_option(fd, SO_ACCEPTCONN) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool
is_standard(const struct worker *w, int fd)
{
	return fd <= STDERR_FILENO || fd == w->env->log;
}

static bool
is_named(const struct worker *w, int fd)
{
	const struct arena_head *h = w->arena.head;

	/* env->conf is the number of the fork: a reload has closed it since. */
	if (is_standard(w, fd) || fd == h->conf_fd || fd == h->prepared_fd ||
		(w->conf_is_given && fd == w->env->conf) ||
		session_at(&w->arena, fd) != NULL)
		return true;
	for (unsigned i = 0; i < ARENA_ENGINE_FDS; i++)
		if (fd == h->engine_fd[i] || fd == h->dead_engine_fd[i] ||
			fd == w->engine_fd[i])
			return true;
	for (unsigned i = 0; i < ARENA_LISTENERS; i++)
		if (fd == h->listener[i].fd)
			return true;
	return false;
}

/* Of the kinds that workers open or are sent.  The keeper has others. */
static bool
is_ours(int fd, const char *target)
{
	if (!strncmp(target, "socket:", 7))
		return socket_option(fd, SO_TYPE) == SOCK_STREAM;
	return !strncmp(target, "/memfd:banter-conf", 18) ||
	       !strncmp(target, "/memfd:banter-bans", 18) ||
	       !strcmp(target, "anon_inode:[eventpoll]") ||
	       !strcmp(target, "anon_inode:[io_uring]") ||
	       !strcmp(target, "anon_inode:[eventfd]") ||
	       (target[0] == '/' && strncmp(target, "/memfd:", 7) != 0 &&
		       strncmp(target, "/proc/", 6) != 0);
}

void
recover_find_fds(struct worker *w)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	if (dir == NULL) {
		log_warning("/proc/self/fd cannot be read: what the worker "
			    "before had just opened stays open");
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		char target[64];
		int fd = atoi(d->d_name);
		ssize_t n = readlinkat(
			dirfd(dir), d->d_name, target, sizeof target - 1);

		if (n <= 0 || fd == dirfd(dir) || is_named(w, fd))
			continue;
		target[n] = '\0';
		if (is_ours(fd, target))
			list_add(&w->unnamed, (uint32_t)fd);
	}
	(void)closedir(dir);
}

static bool
same_place(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port;
	if (a->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port;
	return !strcmp(((const struct sockaddr_un *)(const void *)a)->sun_path,
		((const struct sockaddr_un *)(const void *)b)->sun_path);
}

/* Which listener accepted it: the one on its port, or path.  Of two on one port
 * one is leaving, which has had few since. */
static unsigned
listener_of(const struct worker *w, int fd)
{
	const struct arena_head *h = w->arena.head;
	struct sockaddr_storage ours = { 0 };
	socklen_t len = sizeof ours;
	unsigned found = ARENA_LISTENERS, first = ARENA_LISTENERS;

	(void)getsockname(fd, (struct sockaddr *)&ours, &len);
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		struct sockaddr_storage at = { 0 };

		if (h->listener[i].fd < 0)
			continue;
		if (first == ARENA_LISTENERS)
			first = i;
		len = sizeof at;
		if (getsockname(h->listener[i].fd, (struct sockaddr *)&at,
			    &len) == -1 ||
			!same_place(&ours, &at))
			continue;
		if (!(h->listener[i].flags & LISTENER_LEAVING))
			return i;
		found = i;
	}
	return found != ARENA_LISTENERS ? found : first;
}

static void
take_in(struct worker *w, int fd)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof from;
	unsigned listener;

	if (!is_client_socket(fd)) {
		(void)close(fd);
		return;
	}
	listener = listener_of(w, fd);
	/* Banned or not: that is known only with the bans. */
	if (!w->has_bans || !uplink_room(w, 512)) {
		w->strays = true;
		list_add(&w->unnamed, (uint32_t)fd);
		return;
	}
	if (!w->suspect.accepted && listener < ARENA_LISTENERS &&
		getpeername(fd, (struct sockaddr *)&from, &len) == 0) {
		FAULT(recover_accept);
		accept_client(w, listener, fd, &from, len);
		return;
	}
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
}

void
recover_fds(struct worker *w)
{
	struct list found = w->unnamed;

	w->unnamed = (struct list){ NULL, 0, 0 };
	w->strays = false;
	for (uint32_t i = 0; i < found.n; i++)
		if (!is_named(w, (int)found.at[i]))
			take_in(w, (int)found.at[i]);
	free(found.at);
}

static void
say_and_close(int fd)
{
	static const char text[] = "* " FAULT_TEXT "\n";

	(void)!send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
}

/* By their numbers: in a sandbox there is no /proc. */
void
recover_give_up(const struct worker *w)
{
	unsigned n = 0;

	for (int fd = 0; fd < (int)w->fd_limit; fd++) {
		if (is_standard(w, fd) || !is_client_socket(fd))
			continue;
		say_and_close(fd);
		n++;
	}
	log_error("the arena cannot be gone on with: %u clients are closed", n);
}
