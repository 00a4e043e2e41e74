/* main.c - the floor: read a line, send it to all others, nothing more.
 *
 *	sendfloor [-e epoll|uring] [-p port] [-b entries]
 *	sendfloor -k processes [-n clients-each] [-p port]
 *
 * The first is one process.  It says "LISTEN floor 127.0.0.1 PORT" and "READY"
 * on standard output as banterd --ready-fd does, and serves until it is killed.
 *
 * The second is the server half of the bare pair for a million clients: so many
 * processes that accept, and send each line of standard input to all.  After
 * each it says "SENT deliveries nanoseconds", summed up over the processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "floor.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int
floor_listen(uint16_t port, bool share, bool blocking, uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	socklen_t len = sizeof a;
	int one = 1;
	int fd = socket(AF_INET,
		SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);

	if (fd == -1 ||
		(share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one,
				  sizeof one) == -1) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ==
			-1 ||
		bind(fd, (struct sockaddr *)&a, len) == -1 ||
		listen(fd, 4096) == -1 ||
		getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		err(1, "listening to 127.0.0.1 port %u", (unsigned)port);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

size_t
floor_lines(struct tail *t, const char *buf, size_t len, const char **ret_p)
{
	static char whole[FLOOR_LINE_MAX + FLOOR_READ];
	const char *end = memrchr(buf, '\n', len);
	size_t head = end ? (size_t)(end - buf) + 1 : 0, out = head;

	*ret_p = buf;
	if (t->len && head) {
		memcpy(whole, t->p, t->len);
		memcpy(whole + t->len, buf, head);
		*ret_p = whole;
		out += t->len;
		t->len = 0;
	}
	if (head < len) {
		if (t->len + len - head > FLOOR_LINE_MAX)
			errx(1, "a line of more than %d bytes", FLOOR_LINE_MAX);
		if (!t->p && !(t->p = malloc(FLOOR_LINE_MAX)))
			err(1, "a client's unfinished line");
		memcpy(t->p + t->len, buf + head, len - head);
		t->len += len - head;
	}
	return out;
}

void
floor_forget(struct tail *t)
{
	free(t->p);
	*t = (struct tail){ NULL, 0 };
}

void
floor_sent(ssize_t result, size_t len)
{
	if (result == (ssize_t)len || result == -EPIPE ||
		result == -ECONNRESET || result == -EBADF)
		return;
	if (result >= 0 || result == -EAGAIN)
		errx(3, "a client does not take what it is sent: the bare loop has no queue, this run is void");
	errno = (int)-result;
	err(1, "sending to a client");
}

static unsigned
number(const char *text, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > max)
		errx(64, "%s: a number up to %u is expected", text, max);
	return (unsigned)n;
}

static _Noreturn void
usage(void)
{
	errx(64, "usage: sendfloor [-e epoll|uring] [-p port] [-b entries]\n"
		 "       sendfloor -k processes [-n clients-each] [-p port]");
}

int
main(int argc, char **argv)
{
	const char *engine = "epoll";
	unsigned processes = 0, each = 20000, entries = 4096;
	struct rlimit limit;
	uint16_t port = 0;
	int c, fd;

	while ((c = getopt(argc, argv, "e:p:b:k:n:")) != -1)
		switch (c) {
		case 'e':
			engine = optarg;
			break;
		case 'p':
			port = (uint16_t)number(optarg, 65535);
			break;
		case 'b':
			entries = number(optarg, 32768);
			break;
		case 'k':
			processes = number(optarg, 4096);
			break;
		case 'n':
			each = number(optarg, 1000000);
			break;
		default:
			usage();
		}
	if (optind < argc ||
		(strcmp(engine, "epoll") && strcmp(engine, "uring")))
		usage();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
			warn("raising the limit of open files");
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (processes)
		floor_many(processes, each, port);
	fd = floor_listen(port, false, !strcmp(engine, "uring"), &port);
	printf("LISTEN floor 127.0.0.1 %u\nREADY\n", (unsigned)port);
	if (!strcmp(engine, "uring"))
		floor_uring(fd, entries);
	floor_epoll(fd);
}
