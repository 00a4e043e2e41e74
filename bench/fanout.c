/* fanout.c - what a delivery costs, beside a bare loop of send().
 *
 *	fanout [-n members] [-m messages] [-r rounds] [-b bytes]
 *	       [-p publishers -w window] banterd ...
 *
 * Each banterd given is started with one worker and one room; the floor is a
 * process that reads a line and send()s it to everybody else, and nothing more.
 * In each round every server in turn relays the same number of messages.  With
 * a window of one, the next is sent when all members have the one before; else
 * so many are under way, from several publishers in turn, and a server may
 *write to a member once for more than one of them.  CPU time is that of all of
 *a server's processes, from /proc/PID/schedstat (ns).  Servers run on the first
 *CPU and the members on the second, where there are two.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVERS_MAX 4
#define ROUNDS_MAX  101
#define N_GREETING  160 /* bytes, about what banterd says */

static int n_members = 1000, n_messages = 200, n_rounds = 5, n_bytes = 64;
static int n_publishers = 1, window = 1;

struct server {
	const char *name;
	pid_t pid;
	int port;
	int epoll;
	int *member;           /* the first ones publish */
	double connect_ns;     /* CPU per connection */
	double ns[ROUNDS_MAX]; /* CPU per delivery */
	char dir[64];
};

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* On one CPU both share it: the ratio still holds. */
	(void)sched_setaffinity(0, sizeof set, &set);
}

static uint64_t
cpu_of(pid_t pid)
{
	char path[64], text[128] = "";
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd == -1 || read(fd, text, sizeof text - 1) <= 0)
		err(1, "%s", path);
	close(fd);
	return strtoull(text, NULL, 10);
}

/* CPU time of a process and all that descend from it. */
static uint64_t
cpu_of_tree(pid_t pid)
{
	char path[64], text[512] = "";
	uint64_t ns = cpu_of(pid);
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
		(int)pid);
	fd = open(path, O_RDONLY);
	if (fd == -1 || read(fd, text, sizeof text - 1) == -1)
		err(1, "%s", path);
	close(fd);
	for (char *at = strtok(text, " "); at != NULL;) {
		char *next = strtok(NULL, " ");

		ns += cpu_of_tree((pid_t)atoi(at));
		at = next;
		if (at != NULL && !strcmp(at, "\n"))
			break;
	}
	return ns;
}

static int
listen_any(int *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) == -1 ||
		listen(fd, 4096) == -1 ||
		getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		err(1, "listening");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* The floor: what no server that greets each member and sends to it can be
 * below. */
static void
floor_run(int listener)
{
	int *client = calloc((size_t)n_members, sizeof *client), n = 0;
	int ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, got;
	char buf[4096], greeting[N_GREETING];

	memset(greeting, '.', sizeof greeting);
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	while (epoll_wait(ep, &got, 1, -1) == 1) {
		ssize_t len;

		if (got.data.fd == listener) {
			client[n] =
				accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			e.data.fd = client[n++];
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
			(void)!send(e.data.fd, greeting, sizeof greeting,
				MSG_NOSIGNAL | MSG_DONTWAIT);
			continue;
		}
		len = recv(got.data.fd, buf, sizeof buf, 0);
		if (len <= 0)
			_exit(0);
		for (int i = 0; i < n; i++)
			if (client[i] != got.data.fd)
				(void)!send(client[i], buf, (size_t)len,
					MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	_exit(0);
}

static void
floor_start(struct server *s)
{
	int fd = listen_any(&s->port);

	s->name = "floor";
	s->pid = fork();
	if (s->pid == 0) {
		/* An error here must not leave servers behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		pin(0);
		floor_run(fd);
	}
	close(fd);
}

static void
write_conf(const struct server *s, const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		err(1, "%s", path);
	fprintf(f,
		"workers = 1\nrun_dir = \"%s/run\"\nstate_dir = \"%s/state\"\n"
		"user = \"nobody\"\ngroup = \"nogroup\"\nlisten bench { address = {\"127.0.0.1\"} port = 0 "
		"protocol = \"text\" }\n"
		"room lobby { autojoin = true }\n"
		"limits { rate = 0 clients_per_ip = 0 announce_limit = 1 }\n"
		"log { level = \"error\" target = \"stderr\" }\n",
		s->dir, s->dir);
	if (fclose(f) == EOF)
		err(1, "%s", path);
}

static void
banter_start(struct server *s, const char *program)
{
	char conf[96], line[256];
	int fd[2];
	FILE *ready;

	s->name = program;
	(void)snprintf(s->dir, sizeof s->dir, "/tmp/banter-fanout-XXXXXX");
	/* The daemon that root starts becomes somebody else. */
	if (mkdtemp(s->dir) == NULL || chmod(s->dir, 0755) == -1 ||
		pipe(fd) == -1)
		err(1, "starting %s", program);
	(void)snprintf(conf, sizeof conf, "%s/conf", s->dir);
	write_conf(s, conf);
	s->pid = fork();
	if (s->pid == 0) {
		/* An error here must not leave servers behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		pin(0);
		(void)dup2(fd[1], 9);
		close(fd[0]);
		close(fd[1]);
		execl(program, program, "-F", "-c", conf, "--ready-fd", "9",
			(char *)NULL);
		err(127, "%s", program);
	}
	close(fd[1]);
	ready = fdopen(fd[0], "r");
	while (fgets(line, sizeof line, ready) != NULL &&
		strcmp(line, "READY\n") != 0)
		(void)sscanf(line, "LISTEN %*s %*s %d", &s->port);
	if (s->port == 0)
		errx(1, "%s did not become ready", program);
	fclose(ready);
}

static void
connect_member(struct server *s, int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)s->port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof a) == -1)
		err(1, "connecting to %s", s->name);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e);
	s->member[i] = fd;
}

/* Read what has come; how many times mark was in it. */
static int
read_some(struct server *s, int timeout_ms, char mark)
{
	struct epoll_event e[256];
	char buf[8192];
	int n = epoll_wait(s->epoll, e, 256, timeout_ms), lines = 0;

	for (int i = 0; i < n; i++) {
		ssize_t len = recv(e[i].data.fd, buf, sizeof buf, 0);

		if (len <= 0)
			errx(1, "%s closed a member", s->name);
		for (ssize_t k = 0; k < len; k++)
			lines += buf[k] == mark;
	}
	return n <= 0 ? -1 : lines;
}

static void
connect_all(struct server *s)
{
	uint64_t before = cpu_of_tree(s->pid);

	s->epoll = epoll_create1(0);
	s->member = calloc((size_t)n_members, sizeof *s->member);
	for (int i = 0; i < n_members; i++)
		connect_member(s, i);
	/* Greetings, until it is quiet. */
	while (read_some(s, 1000, '\n') >= 0)
		;
	s->connect_ns = (double)(cpu_of_tree(s->pid) - before) / n_members;
}

static void
publish(struct server *s, long m, const char *line)
{
	int fd = s->member[m % n_publishers];

	if (send(fd, line, (size_t)n_bytes, 0) != n_bytes)
		err(1, "publishing to %s", s->name);
}

static void
round_run(struct server *s, int round)
{
	long sent = 0, got = 0, all = (long)n_messages * (n_members - 1);
	char line[4096];
	uint64_t before;

	memset(line, 'x', sizeof line);
	line[0] = '\x7e'; /* '~': counted at the receivers */
	line[n_bytes - 1] = '\n';
	before = cpu_of_tree(s->pid);
	while (got < all) {
		long begun = got / (n_members - 1);
		int lines;

		while (sent < n_messages && sent < begun + window)
			publish(s, sent++, line);
		lines = read_some(s, 10000, '~');
		if (lines < 0)
			errx(1, "%s lost %ld of %ld deliveries", s->name,
				all - got, all);
		got += lines;
	}
	s->ns[round] = (double)(cpu_of_tree(s->pid) - before) /
		       ((double)n_messages * (n_members - 1));
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *v, int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, v, (size_t)n * sizeof *v);
	qsort(sorted, (size_t)n, sizeof *sorted, compare);
	return sorted[n / 2];
}

static void
report(const struct server *s, int n)
{
	for (int i = 0; i < n; i++) {
		double ratio[ROUNDS_MAX];

		for (int r = 0; r < n_rounds; r++)
			ratio[r] = s[i].ns[r] / s[0].ns[r];
		printf("%-40s %8.0f ns CPU per delivery, %.3f x floor\n",
			s[i].name, median(s[i].ns, n_rounds),
			median(ratio, n_rounds));
		printf("%-40s %8.0f ns CPU per connection, %.3f x floor\n", "",
			s[i].connect_ns, s[i].connect_ns / s[0].connect_ns);
	}
	for (int r = 0; n > 2 && r < n_rounds; r++)
		printf("# round %d: %.0f / %.0f = %.3f\n", r, s[1].ns[r],
			s[2].ns[r], s[1].ns[r] / s[2].ns[r]);
}

static void
stop(struct server *s)
{
	(void)kill(s->pid, *s->dir ? SIGQUIT : SIGTERM);
	(void)waitpid(s->pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	static struct server server[SERVERS_MAX + 1];
	struct rlimit limit;
	int c, n = 1;

	while ((c = getopt(argc, argv, "n:m:r:b:p:w:")) != -1) {
		int v = atoi(optarg ? optarg : "0");

		if (c == '?' || v < 1)
			errx(64, "usage: fanout [-n members] [-m messages] "
				 "[-r rounds] [-b bytes]\n\t"
				 "[-p publishers -w window] banterd ...");
		*(c == 'n'         ? &n_members
			: c == 'm' ? &n_messages
			: c == 'r' ? &n_rounds
			: c == 'p' ? &n_publishers
			: c == 'w' ? &window
				   : &n_bytes) = v;
	}
	if (n_publishers > n_members || n_rounds > ROUNDS_MAX ||
		n_bytes > 2048 || n_members < 2 || n_bytes < 2 ||
		argc - optind > SERVERS_MAX)
		errx(64, "out of range");
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	floor_start(&server[0]);
	for (int i = optind; i < argc; i++)
		banter_start(&server[n++], argv[i]);
	pin(1);
	for (int i = 0; i < n; i++)
		connect_all(&server[i]);
	for (int r = 0; r < n_rounds; r++)
		for (int i = 0; i < n; i++)
			round_run(&server[i], r);
	report(server, n);
	for (int i = 0; i < n; i++)
		stop(&server[i]);
	return 0;
}
