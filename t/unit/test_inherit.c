/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "net/inherit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct listen_options options = { .backlog = 16,
	.keepalive_idle_s = 61 };

static void
announce(const char *pid, const char *n)
{
	(void)setenv("LISTEN_PID", pid, 1);
	(void)setenv("LISTEN_FDS", n, 1);
	(void)setenv("LISTEN_FDNAMES", "a:b", 1);
}

static const char *
me(void)
{
	static char text[16];

	(void)snprintf(text, sizeof text, "%d", (int)getpid());
	return text;
}

/* Descriptors 3 and 4 are open, 5 is not.  In a process of its own: the
 * numbers are Criterion's in this one.  The failed check's line, or 0. */
static int
count_checks(void)
{
	static const char *const bad[] = { "", "-1", "+1", "1x", " 1", "5000",
		"99999999999999999999" };

#define CHECK(what)              \
 do {                            \
  if (!(what))                   \
   return __LINE__ - first_line; \
 } while (0)
	const int first_line = __LINE__ - 1;

	announce(me(), "2");
	CHECK(inherit_count() == 2);
	CHECK(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"));
	CHECK(!getenv("LISTEN_FDNAMES"));
	CHECK(inherit_count() == 0);
	announce(me(), "4");
	CHECK(inherit_count() == 2);
	announce("1", "2");
	CHECK(inherit_count() == 0);
	CHECK(!getenv("LISTEN_FDS"));
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		announce(me(), bad[i]);
		CHECK(inherit_count() == 0);
		announce(bad[i], "2");
		CHECK(inherit_count() == 0);
	}
	return 0;
}

Test(inherit, count)
{
	pid_t pid = fork();
	int status;

	cr_assert_neq(pid, -1);
	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);

		(void)dup2(fd, 3);
		(void)dup2(fd, 4);
		(void)close(5);
		_exit(count_checks());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "the check in line +%d of count_checks()",
		WEXITSTATUS(status));
}

static int
claim(const char *text, struct listen_address *a)
{
	cr_assert_eq(listen_resolve(text, 0, a, 1), 1);
	return listen_claim(a, &options);
}

Test(inherit, look)
{
	struct listen_address a, b, other;
	int fd = claim("127.0.0.1", &a), fd2 = claim("127.0.0.1", &other);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int mute = socket(AF_INET, SOCK_STREAM, 0);
	bool dual;

	cr_assert_eq(inherit_look(fd, &b, &dual), 0);
	cr_assert_str_eq(a.text, b.text);
	cr_assert_not(dual);
	cr_assert(inherit_is_same(&a, &b));
	cr_assert_not(inherit_is_same(&other, &b), "another port");
	cr_assert_eq(listen_resolve("127.0.0.2", 0, &other, 1), 1);
	cr_assert_not(inherit_is_same(&other, &b), "another address");
	cr_assert_eq(inherit_look(udp, &b, &dual), -ESOCKTNOSUPPORT);
	cr_assert_eq(inherit_look(mute, &b, &dual), -EDESTADDRREQ);
	cr_assert_eq(inherit_look(open("/dev/null", O_RDONLY), &b, &dual),
		-ENOTSOCK);
	fd_close(&fd);
	fd_close(&fd2);
	cr_assert_eq(inherit_look(900, &b, &dual), -EBADF);
}

/* A worker could make it connect. */
Test(inherit, multipath_tcp_is_refused)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	struct listen_address a;
	bool dual;

	if (fd == -1)
		cr_skip_test("the kernel has no MPTCP");
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(inherit_look(fd, &a, &dual), -EPROTONOSUPPORT);
	fd_close(&fd);
}

Test(inherit, unix_path)
{
	char dir[] = "/tmp/banter-inherit-XXXXXX", path[64];
	struct listen_address a, b;
	bool dual;
	int fd;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/sock", dir);
	fd = claim(path, &a);
	cr_assert_eq(inherit_look(fd, &b, &dual), 0);
	cr_assert(inherit_is_same(&a, &b));
	cr_assert_str_eq(b.text, path);
	(void)unlink(path);
	(void)strcat(path, "2");
	cr_assert_eq(listen_resolve(path, 0, &a, 1), 1);
	cr_assert_not(inherit_is_same(&a, &b));
	fd_close(&fd);
	(void)rmdir(dir);
}

Test(inherit, adopt)
{
	struct listen_address a;
	int fd = claim("127.0.0.1", &a);

	(void)fcntl(fd, F_SETFL, 0);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	cr_assert_eq(inherit_adopt(fd, &options), 0);
	cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_assert_eq(fcntl(fd, F_GETFD), 0);
	fd_close(&fd);
}
