/* crowd.c - the client half of a million: connect, hold, count what comes.
 *
 *	crowd -p port [-k processes] [-n clients] [-m floor-MiB]
 *
 * So many processes share the clients, since a process may have fewer
 * descriptors than there are clients.  Each process connects from an address of
 * its own, 127.1.x.y, which has 28,000 ports of its own to the one destination;
 * with IP_BIND_ADDRESS_NO_PORT the kernel looks for a port at connect(), when
 *it knows the destination, instead of at bind(), when every port in use counts.
 *
 * It says "CONNECTED n seconds", or "STOPPED n why" when connecting fails or
 *the machine has less than floor-MiB available; the clients stay in either
 *case. Then it obeys standard input:
 *
 *	say TEXT          the first client sends TEXT
 *	expect N SECONDS  wait for N lines in all: "GOT lines first last", the
 *times of the first and the last that came, ns of CLOCK_MONOTONIC
 *
 * and ends with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 256
/* Connections between two looks at the memory that is left. */
#define LOOK_EVERY 500

/* One cache line for each process, so that counting disturbs nobody. */
struct share {
	_Alignas(64) _Atomic uint64_t connected;
	_Atomic uint64_t lines, first_ns, last_ns, closed;
	_Atomic int failed; /* errno */
};

static struct share *share;
static unsigned n_processes = 1, n_clients = 1000, floor_mib = 2048;
static uint16_t port;

static bool
memory_is_low(void)
{
	char text[256] = "";
	const char *at;
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);

	if (fd == -1 || read(fd, text, sizeof text - 1) <= 0)
		err(1, "/proc/meminfo");
	(void)close(fd);
	at = strstr(text, "MemAvailable:");
	return !at || strtoull(at + 13, NULL, 10) / 1024 < floor_mib;
}

static int
connect_one(uint32_t from)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(from) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		    sizeof one) == 0 &&
		bind(fd, (struct sockaddr *)&a, sizeof a) == 0) {
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a.sin_port = htons(port);
		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
			fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
			return fd;
	}
	one = errno;
	(void)close(fd);
	return -one;
}

static void
count(struct share *s, int ep, int fd)
{
	char buf[16384];
	ssize_t n = recv(fd, buf, sizeof buf, 0);
	uint64_t now = clock_mono_ns(), none = 0, lines = 0;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->closed++;
		(void)epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		lines += buf[i] == '\n';
	(void)atomic_compare_exchange_strong(&s->first_ns, &none, now);
	s->last_ns = now;
	s->lines += lines;
}

static int
connect_all(struct share *s, int ep, unsigned process, unsigned n)
{
	struct epoll_event e = { .events = EPOLLIN };
	/* 127.1.0.1 and on; 0 and 255 at the end are avoided out of habit. */
	uint32_t from = 0x7f010000 + ((process / 250) << 8) + process % 250 + 1;
	int first = -1;

	for (unsigned i = 0; i < n; i++) {
		int fd;

		if (i % LOOK_EVERY == 0 && memory_is_low()) {
			s->failed = ENOMEM;
			break;
		}
		fd = connect_one(from);
		if (fd < 0) {
			s->failed = -fd;
			break;
		}
		e.data.fd = fd;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1) {
			s->failed = errno;
			break;
		}
		first = first == -1 ? fd : first;
		s->connected++;
	}
	return first;
}

static _Noreturn void
run(unsigned process, unsigned n, int line)
{
	struct share *s = &share[process];
	struct epoll_event e = { .events = EPOLLIN, .data.fd = line };
	int ep = epoll_create1(EPOLL_CLOEXEC), first;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ep == -1 || epoll_ctl(ep, EPOLL_CTL_ADD, line, &e) == -1)
		err(1, "epoll");
	first = connect_all(s, ep, process, n);
	for (;;) {
		struct epoll_event got[256];
		int k = epoll_wait(ep, got, 256, -1);
		char text[2048];
		ssize_t len;

		for (int i = 0; i < k; i++) {
			if (got[i].data.fd != line) {
				count(s, ep, got[i].data.fd);
				continue;
			}
			len = recv(line, text, sizeof text, 0);
			if (len <= 0)
				_exit(0);
			if (send(first, text, (size_t)len, MSG_NOSIGNAL) != len)
				err(1, "sending");
		}
	}
}

struct sum {
	uint64_t connected, lines, first_ns, last_ns, closed;
	int failed;
};

static struct sum
sum(void)
{
	struct sum all = { 0 };

	for (unsigned i = 0; i < n_processes; i++) {
		struct share *s = &share[i];

		all.connected += s->connected;
		all.lines += s->lines;
		all.closed += s->closed;
		if (s->first_ns &&
			(!all.first_ns || s->first_ns < all.first_ns))
			all.first_ns = s->first_ns;
		if (s->last_ns > all.last_ns)
			all.last_ns = s->last_ns;
		if (s->failed)
			all.failed = s->failed;
	}
	return all;
}

static void
pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static void
wait_connected(uint64_t since)
{
	struct sum s = sum();

	while (s.connected < n_clients && !s.failed) {
		/* A process that ended says why itself. */
		if (waitpid(-1, NULL, WNOHANG) > 0)
			s.failed = ECHILD;
		else {
			pause_ms(10);
			s = sum();
		}
	}
	if (s.failed)
		printf("STOPPED %llu %s\n", (unsigned long long)s.connected,
			s.failed == ENOMEM ? "the memory is needed elsewhere"
					   : strerror(s.failed));
	else
		printf("CONNECTED %llu %.3f\n", (unsigned long long)s.connected,
			(double)(clock_mono_ns() - since) / 1e9);
}

static void
wait_lines(uint64_t n, double seconds)
{
	uint64_t until = clock_mono_ns() + (uint64_t)(seconds * 1e9);
	struct sum s;

	while ((s = sum()).lines < n && clock_mono_ns() < until)
		pause_ms(2);
	printf("GOT %llu %llu %llu closed %llu\n", (unsigned long long)s.lines,
		(unsigned long long)s.first_ns, (unsigned long long)s.last_ns,
		(unsigned long long)s.closed);
	for (unsigned i = 0; i < n_processes; i++)
		share[i].lines = share[i].first_ns = share[i].last_ns = 0;
}

static void
obey(int line)
{
	char text[2048];

	while (fgets(text, sizeof text, stdin)) {
		unsigned long long n;
		double seconds;

		if (strncmp(text, "say ", 4) == 0) {
			if (send(line, text + 4, strlen(text + 4),
				    MSG_NOSIGNAL) == -1)
				err(1, "the first process");
		} else if (sscanf(text, "expect %llu %lf", &n, &seconds) == 2) {
			wait_lines(n, seconds);
		} else {
			warnx("not understood: %s", text);
		}
	}
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:k:n:m:")) != -1) {
		unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		if (c == 'p')
			port = (uint16_t)n;
		else if (c == 'k')
			n_processes = n;
		else if (c == 'n')
			n_clients = n;
		else if (c == 'm')
			floor_mib = n;
		else
			n_processes = 0;
	}
	if (!port || !n_processes || n_processes > PROCESSES_MAX || !n_clients)
		errx(64,
			"usage: crowd -p port [-k processes] [-n clients] [-m floor-MiB]");
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	uint64_t since = clock_mono_ns();
	int line[PROCESSES_MAX], p[2];

	options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
			warn("raising the limit of open files");
	}
	share = mmap(NULL, sizeof *share * n_processes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (share == MAP_FAILED)
		err(1, "mmap");
	for (unsigned i = 0; i < n_processes; i++) {
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
			run(i,
				n_clients / n_processes +
					(i < n_clients % n_processes),
				p[1]);
		}
		(void)close(p[1]);
		line[i] = p[0];
	}
	wait_connected(since);
	obey(line[0]);
	for (unsigned i = 0; i < n_processes; i++)
		(void)close(line[i]);
	while (wait(NULL) > 0)
		;
	return 0;
}
