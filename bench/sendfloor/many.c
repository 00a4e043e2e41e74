/* many.c - the server half of the bare pair: accept, and send when told to.
 *
 * Each process has a listener of its own with the same port, as the workers of
 * banterd have, and a table of descriptors of its own, since one may have fewer
 * than a million.  They are told what to send through a pipe each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "floor.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

struct told {
	uint64_t sent, ns;
};

static void
accept_some(int ep, int listener, int *member, unsigned *n, unsigned each)
{
	struct epoll_event e = { .events = EPOLLIN };

	for (int i = 0; i < 64 && *n < each; i++) {
		int fd = accept4(
			listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1)
			return;
		e.data.fd = fd;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1)
			err(1, "epoll_ctl");
		member[(*n)++] = fd;
	}
	/* Not to be woken for those that no place is left for. */
	if (*n == each)
		(void)epoll_ctl(ep, EPOLL_CTL_DEL, listener, NULL);
}

static void
send_all(int line, const int *member, unsigned n)
{
	char buf[LINE_MAX_BYTES];
	ssize_t len = recv(line, buf, sizeof buf, 0);
	struct told t = { 0, clock_mono_ns() };

	if (len <= 0)
		_exit(0);
	for (unsigned i = 0; i < n; i++) {
		ssize_t rc = send(member[i], buf, (size_t)len,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		t.sent += rc == len;
	}
	t.ns = clock_mono_ns() - t.ns;
	if (send(line, &t, sizeof t, MSG_NOSIGNAL) != sizeof t)
		_exit(0);
}

static _Noreturn void
serve(int line, int listener, unsigned each)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener };
	int *member = calloc(each, sizeof *member);
	int ep = epoll_create1(EPOLL_CLOEXEC);
	unsigned n = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!member || ep == -1 ||
		epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) == -1)
		err(1, "a process of many");
	e.data.fd = line;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, line, &e) == -1)
		err(1, "epoll_ctl");
	for (;;) {
		struct epoll_event got[64];
		int k = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < k; i++)
			if (got[i].data.fd == listener)
				accept_some(ep, listener, member, &n, each);
			else if (got[i].data.fd == line)
				send_all(line, member, n);
			else
				/* Nobody talks here: it is the end of one. */
				(void)epoll_ctl(ep, EPOLL_CTL_DEL,
					got[i].data.fd, NULL);
	}
}

static void
tell_all(const int *line, unsigned processes, const char *text, size_t len)
{
	struct told all = { 0, 0 }, t;

	for (unsigned i = 0; i < processes; i++)
		if (send(line[i], text, len, MSG_NOSIGNAL) != (ssize_t)len)
			err(1, "telling a process");
	for (unsigned i = 0; i < processes; i++) {
		if (recv(line[i], &t, sizeof t, 0) != sizeof t)
			errx(1, "a process has died");
		all.sent += t.sent;
		all.ns += t.ns;
	}
	printf("SENT %llu %llu\n", (unsigned long long)all.sent,
		(unsigned long long)all.ns);
}

_Noreturn void
floor_many(unsigned processes, unsigned each, uint16_t port)
{
	int *line = calloc(processes, sizeof *line), p[2];
	char text[LINE_MAX_BYTES];

	if (!line)
		err(1, "%u processes", processes);
	for (unsigned i = 0; i < processes; i++) {
		int listener = floor_listen(port, true, false, &port);

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) ==
			-1)
			err(1, "socketpair");
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			for (unsigned k = 0; k < i; k++)
				(void)close(line[k]);
			(void)close(p[0]);
			serve(p[1], listener, each);
		}
		(void)close(p[1]);
		(void)close(listener);
		line[i] = p[0];
	}
	printf("LISTEN floor 127.0.0.1 %u\nREADY\n", (unsigned)port);
	while (fgets(text, sizeof text, stdin))
		tell_all(line, processes, text, strlen(text));
	for (unsigned i = 0; i < processes; i++)
		(void)close(line[i]);
	while (wait(NULL) > 0)
		;
	exit(0);
}
