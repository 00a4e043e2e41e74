/* SPDX-License-Identifier: MIT */
#include "net/inherit.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT_MAX 4096 /* more is not a count but a mistake */

static unsigned long
number_of(const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoul(text, &end, 10);
	return errno != 0 || *end != '\0' || n > max ? 0 : n;
}

/* A number that is free now would be something of ours later. */
static unsigned
n_open(unsigned n)
{
	unsigned i = 0;

	while (i < n && fcntl(INHERIT_FIRST_FD + (int)i, F_GETFD) != -1)
		i++;
	return i;
}

unsigned
inherit_count(void)
{
	unsigned long pid = number_of(getenv("LISTEN_PID"), INT32_MAX);
	unsigned long n = number_of(getenv("LISTEN_FDS"), COUNT_MAX);

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	/* Variables that some parent of ours forgot to remove were for it. */
	return pid == (unsigned long)getpid() ? n_open((unsigned)n) : 0;
}

static int
get_int(int fd, int level, int name, int *ret)
{
	socklen_t len = sizeof *ret;

	return getsockopt(fd, level, name, ret, &len) == -1 ? -errno : 0;
}

/* The name as the kernel has it is as long as the path; ours have the whole
 * struct, with zeros. */
static int
look_unix(struct listen_address *a)
{
	const struct sockaddr_un *un = (const void *)&a->ss;

	if (un->sun_path[0] == '\0')
		return -EAFNOSUPPORT; /* abstract, or without a name */
	a->len = (socklen_t)sizeof *un;
	(void)snprintf(a->text, sizeof a->text, "%.*s",
		(int)sizeof un->sun_path, un->sun_path);
	return 0;
}

static int
check_kind(int fd)
{
	int value, rc = get_int(fd, SOL_SOCKET, SO_TYPE, &value);

	if (rc < 0)
		return rc;
	if (value != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	rc = get_int(fd, SOL_SOCKET, SO_ACCEPTCONN, &value);
	if (rc < 0)
		return rc;
	return value ? 0 : -EDESTADDRREQ;
}

/* MPTCP: a send with MSG_FASTOPEN connects a socket that listens, which no
 * sandbox sees (Linux 6.18).  SCTP: a send connects as well. */
static int
check_protocol(int fd)
{
	int value, rc = get_int(fd, SOL_SOCKET, SO_PROTOCOL, &value);

	if (rc < 0)
		return rc;
	return value == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
}

int
inherit_look(int fd, struct listen_address *ret, bool *ret_dual)
{
	int rc = check_kind(fd);
	int v6only = 1;

	*ret_dual = false;
	memset(ret, 0, sizeof *ret);
	if (rc < 0)
		return rc;
	ret->len = sizeof ret->ss;
	if (getsockname(fd, (struct sockaddr *)&ret->ss, &ret->len) == -1)
		return -errno;
	switch (ret->ss.ss_family) {
	case AF_UNIX:
		return look_unix(ret);
	case AF_INET6:
		(void)get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only);
		*ret_dual = v6only == 0;
		break;
	case AF_INET:
		break;
	default:
		return -EAFNOSUPPORT;
	}
	rc = check_protocol(fd);
	return rc < 0 ? rc : listen_learn(fd, ret);
}

bool
inherit_is_same(const struct listen_address *a, const struct listen_address *b)
{
	const struct sockaddr_in *in[2] = { (const void *)&a->ss,
		(const void *)&b->ss };
	const struct sockaddr_in6 *in6[2] = { (const void *)&a->ss,
		(const void *)&b->ss };
	const struct sockaddr_un *un[2] = { (const void *)&a->ss,
		(const void *)&b->ss };

	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	switch (a->ss.ss_family) {
	case AF_INET:
		return in[0]->sin_port == in[1]->sin_port &&
		       in[0]->sin_addr.s_addr == in[1]->sin_addr.s_addr;
	case AF_INET6:
		return in6[0]->sin6_port == in6[1]->sin6_port &&
		       !memcmp(&in6[0]->sin6_addr, &in6[1]->sin6_addr,
			       sizeof in6[0]->sin6_addr);
	case AF_UNIX:
		return !strncmp(un[0]->sun_path, un[1]->sun_path,
			sizeof un[0]->sun_path);
	default:
		return false;
	}
}

int
inherit_adopt(int fd, const struct listen_options *o)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof ss;
	int rc = fd_set_nonblock(fd, true);

	if (rc == 0)
		rc = fd_set_cloexec(fd, false);
	if (rc < 0)
		return rc;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	return ss.ss_family == AF_UNIX ? 0 : listen_adjust(fd, o);
}
