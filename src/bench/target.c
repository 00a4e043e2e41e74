/* SPDX-License-Identifier: MIT */
#include "bench/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static bool
parse_path(const char *text, struct target *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->to;

	if (strlen(text) >= sizeof un->sun_path)
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, strlen(text) + 1);
	ret->len = sizeof *un;
	return true;
}

static bool
parse_host(const char *host, uint16_t port, struct target *ret)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)&ret->to;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&ret->to;

	if (inet_pton(AF_INET, host, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(port);
		ret->len = sizeof *a4;
		ret->loopback = ntohl(a4->sin_addr.s_addr) >> 24 == 127;
		return true;
	}
	if (inet_pton(AF_INET6, host, &a6->sin6_addr) != 1)
		return false;
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons(port);
	ret->len = sizeof *a6;
	return true;
}

bool
target_parse(const char *text, struct target *ret)
{
	char host[64], *end;
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[';
	size_t len;
	unsigned long port;

	*ret = (struct target){ 0 };
	if (text[0] == '/')
		return parse_path(text, ret);
	if (!colon || (brackets && (colon == text || colon[-1] != ']')))
		return false;
	len = (size_t)(colon - text) - (brackets ? 2 : 0);
	port = strtoul(colon + 1, &end, 10);
	if (len >= sizeof host || *end || port == 0 || port > 65535)
		return false;
	memcpy(host, text + brackets, len);
	host[len] = '\0';
	return parse_host(host, (uint16_t)port, ret);
}

/* 127.1.0.1 and on: no other program is likely to use these. */
static int
bind_source(int fd, unsigned source)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(
			0x7f010001u + source / 250 * 256 + source % 250) };
	int on = 1;

	/* The port is chosen by connect(), which knows the whole address: so
	 * it can be one that another connection has too. */
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		    sizeof on) == -1)
		return -1;
	return bind(fd, (struct sockaddr *)&from, sizeof from);
}

int
target_connect(const struct target *t, unsigned source, unsigned sources,
	bool *ret_done)
{
	int fd = socket(
		t->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, error;

	if (fd == -1)
		return -errno;
	if (t->to.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (sources && t->loopback && bind_source(fd, source % sources) == -1)
		goto fail;
	*ret_done = connect(fd, (const struct sockaddr *)&t->to, t->len) == 0;
	if (*ret_done || errno == EINPROGRESS)
		return fd;
fail:
	error = errno;
	(void)close(fd);
	return -error;
}
