/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURSTS   6
#define PIECE    12000
#define SERVE_MS 20000

static const char *const words[] = { "/nick ", "/join ", "/part ", "/rooms ",
	"/who ", "/msg ", "/me ", "/topic ", "/echo ", "/time ", "/limits ",
	"/help ", "//", "/", "on", "off", "#", "lobby", "guest1", "server",
	"private", " ", "\t", "\r\n", "\n", "\n\n", "\r", "\b\b\b", "\177",
	"\xef\xbb\xbf", "\xff\xfa\x18\x01\xff\xf0", "\xff\xfd\x01",
	"\xff\xfb\x1f", "\xff\xf6", "\xff\xfa", "\xff", "\xc0\xaf",
	"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80\xae", "\xe2\x80\xa8",
	"\xf0\x9f\x98", "\x1b[2J", "\x1b]0;x\a", "\23331m", "[lobby] <ann> ",
	"* error: ", "GET / HTTP/1.1\r\n", "\x16\x03\x01\x02", "%s%n", "\\\"",
	"exit", "/quit ", "\xef\xb7\xba", "a\xcc\x81\xcc\x81", "-1",
	"99999999999" };

static size_t
soup(char *p, size_t cap)
{
	size_t len = 0;

	for (unsigned n = load_random(200); n; n--) {
		const char *w =
			words[load_random(sizeof(words) / sizeof(*words))];
		size_t add = strlen(w);

		if (len + add > cap)
			break;
		memcpy(p + len, w, add);
		len += add;
	}
	return len;
}

static size_t
random_bytes(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (char)load_random(256);
	return len;
}

/* One byte, often no newline for a long time. */
static size_t
huge_line(char *p, size_t len)
{
	memset(p, load_random(2) ? 'x' : (int)load_random(256), len);
	if (load_random(2))
		p[len - 1] = '\n';
	return len;
}

static size_t
piece(char *p)
{
	switch (load_random(4)) {
	case 0:
		return random_bytes(p, 1 + load_random(2000));
	case 1:
		return huge_line(p, 1 + load_random(PIECE));
	default:
		return soup(p, PIECE);
	}
}

/* Read what is there.  False: the server has closed. */
static bool
drain(int fd)
{
	char mem[16384];
	ssize_t n;

	while ((n = recv(fd, mem, sizeof(mem), MSG_DONTWAIT)) > 0)
		;
	return n == -1 && (errno == EAGAIN || errno == EINTR);
}

static bool
give(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (n == -1 && errno != EAGAIN)
			return false;
		struct pollfd pfd = { fd, POLLIN | POLLOUT, 0 };
		/* A server that slows us down may do so: we turn to the next
		 * victim.  Half a second would be a hang of the whole run. */
		if (poll(&pfd, 1, 20) == 0)
			return true;
		if (pfd.revents & POLLIN && !drain(fd))
			return false;
	}
	return true;
}

/* The greeting comes to everybody, whatever the others do. */
static bool
greeted(int fd)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	char first;

	return poll(&pfd, 1, SERVE_MS) == 1 &&
	       recv(fd, &first, 1, MSG_DONTWAIT) == 1 && first == '*';
}

/* Some leave with a half line, some with FIN, some with RST. */
static void
leave(int fd)
{
	struct linger rst = { 1, 0 };

	if (!load_random(3))
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	else if (load_random(2))
		(void)shutdown(fd, SHUT_WR);
	close(fd);
}

/* One burst; a new connection when there is none.  False: none to be had. */
static bool
burst(struct load *l, int *fd, unsigned id)
{
	char mem[PIECE];

	if (*fd < 0) {
		*fd = conn_socket(l, id);
		l->t.connected++;
		if (*fd < 0 || !greeted(*fd)) {
			l->t.refused++;
			if (*fd >= 0)
				close(*fd);
			*fd = -1;
			return false;
		}
	}
	l->t.sent++;
	if (!give(*fd, mem, piece(mem)) || !drain(*fd)) {
		l->t.closed++;
		close(*fd);
		*fd = -1;
	} else if (!load_random(BURSTS)) {
		leave(*fd);
		*fd = -1;
	}
	return true;
}

unsigned
bad_run(struct load *l)
{
	unsigned n = l->o.clients;
	int *fd = malloc(n * sizeof(*fd));

	if (!fd)
		return l->o.bad;
	load_seed(l->o.seed * 2 + 1);
	for (unsigned i = 0; i < n; i++)
		fd[i] = -1;
	/* A server that is gone is not asked another thousand times. */
	for (unsigned i = 0; i < l->o.bad && l->t.refused < 10; i++) {
		unsigned at = load_random(n);

		(void)burst(l, &fd[at], at);
	}
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	free(fd);
	return (unsigned)l->t.refused;
}
