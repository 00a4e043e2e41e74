/* epoll.c - the bare loop over epoll: recv(), and send() to each.
 *
 * Why nothing honest is faster with plain system calls: level-triggered epoll
 * needs one recv() for each message, since no second one has to find the socket
 * empty; EPOLLOUT is never armed; the members are a dense array of descriptors;
 * the bytes that came are sent from where they were received.  What is left is
 * one send() for each delivery, which is what the kernel's TCP costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "floor.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN 256

struct member {
	int *fd;           /* dense */
	int *at;           /* by descriptor: where in fd[] */
	struct tail *tail; /* by descriptor */
	int n, cap;
};

static void
make_room(struct member *m, int fd)
{
	int cap = m->cap ? m->cap * 2 : 1024;

	if (fd < m->cap && m->n < m->cap)
		return;
	while (fd >= cap)
		cap *= 2;
	m->fd = reallocarray(m->fd, (size_t)cap, sizeof *m->fd);
	m->at = reallocarray(m->at, (size_t)cap, sizeof *m->at);
	m->tail = reallocarray(m->tail, (size_t)cap, sizeof *m->tail);
	if (!m->fd || !m->at || !m->tail)
		err(1, "%d members", cap);
	for (int i = m->cap; i < cap; i++)
		m->tail[i] = (struct tail){ NULL, 0 };
	m->cap = cap;
}

static void
enter(struct member *m, int ep, int listener)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			err(1, "accept");
		return;
	}
	make_room(m, fd);
	m->at[fd] = m->n;
	m->fd[m->n++] = fd;
	e.data.fd = fd;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1)
		err(1, "epoll_ctl");
}

static void
leave(struct member *m, int fd)
{
	int last = m->fd[--m->n];

	m->fd[m->at[fd]] = last;
	m->at[last] = m->at[fd];
	floor_forget(&m->tail[fd]);
	(void)close(fd);
}

static void
relay(struct member *m, int from)
{
	static char buf[FLOOR_READ];
	const char *p;
	ssize_t n = recv(from, buf, sizeof buf, 0);
	size_t len;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			leave(m, from);
		return;
	}
	len = floor_lines(&m->tail[from], buf, (size_t)n, &p);
	for (int i = 0; len && i < m->n; i++) {
		if (m->fd[i] == from)
			continue;
		n = send(m->fd[i], p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n != (ssize_t)len)
			floor_sent(n == -1 ? -errno : n, len);
	}
}

_Noreturn void
floor_epoll(int listener)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener };
	struct epoll_event got[TURN];
	struct member m = { 0 };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep == -1 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) == -1)
		err(1, "epoll");
	for (;;) {
		int n = epoll_wait(ep, got, TURN, -1);

		if (n == -1 && errno != EINTR)
			err(1, "epoll_wait");
		for (int i = 0; i < n; i++)
			if (got[i].data.fd == listener)
				enter(&m, ep, listener);
			else
				relay(&m, got[i].data.fd);
	}
}
