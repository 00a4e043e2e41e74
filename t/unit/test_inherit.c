/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "net/inherit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

Test(inherit, count)
{
	static const char *const bad[] = { "", "-1", "+1", "1x", " 1", "5000",
		"99999999999999999999" };

	(void)dup2(STDERR_FILENO, 3);
	(void)dup2(STDERR_FILENO, 4);
	(void)close(5);
	announce(me(), "2");
	cr_assert_eq(inherit_count(), 2);
	cr_assert_null(getenv("LISTEN_PID"));
	cr_assert_null(getenv("LISTEN_FDS"));
	cr_assert_null(getenv("LISTEN_FDNAMES"));
	cr_assert_eq(inherit_count(), 0, "nothing is said any more");
	announce(me(), "4");
	cr_assert_eq(inherit_count(), 2, "descriptor 5 is not open");
	announce("1", "2");
	cr_assert_eq(inherit_count(), 0, "meant for another process");
	cr_assert_null(getenv("LISTEN_FDS"), "and not for a child either");
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		announce(me(), bad[i]);
		cr_assert_eq(inherit_count(), 0, "LISTEN_FDS=%s", bad[i]);
		announce(bad[i], "2");
		cr_assert_eq(inherit_count(), 0, "LISTEN_PID=%s", bad[i]);
	}
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
