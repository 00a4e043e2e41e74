/* listeners_advice.c - what to do about an address that cannot be had.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/listeners.h"

#include "net/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOW_PORTS 1024

static void
of_path(const char *path, const char *group, int rc, struct buf *why)
{
	struct stat st;

	switch (rc) {
	case -EADDRINUSE:
		if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			buf_str(why, "; what is there is no socket: expected "
				     "another path, or none there");
		else
			buf_str(why, "; another server listens there: expected "
				     "it to be stopped, or another path");
		break;
	case -EPERM:
		buf_printf(why,
			"; expected uid %u to be a member of group '%s' (key "
			"socket_group)",
			(unsigned)geteuid(), group);
		break;
	case -ENOENT:
	case -ENOTDIR:
		buf_str(why, "; expected its folder to exist");
		break;
	default:
		buf_printf(why, "; expected a folder that uid %u may write to",
			(unsigned)geteuid());
	}
}

static void
of_port(const struct listen_address *a, int rc, struct buf *why)
{
	uint16_t port = addr_of(&a->ss, a->len).port;

	switch (rc) {
	case -EADDRINUSE:
		buf_printf(why,
			"; expected a port that is free: "
			"`ss -ltnp 'sport = %u'` shows who has it",
			port);
		break;
	case -EADDRNOTAVAIL:
		if (a->ss.ss_family == AF_INET6 && !listen_has_ipv6())
			buf_str(why, "; there is no IPv6 on this machine: "
				     "expected IPv4 addresses only");
		else
			buf_str(why, "; expected an address of this machine: "
				     "`ip address` shows them");
		break;
	case -EAFNOSUPPORT:
		buf_str(why, "; expected an address of a kind that this "
			     "machine has");
		break;
	case -EACCES:
	case -EPERM:
		if (port < LOW_PORTS)
			buf_printf(why,
				"; a port below %d takes CAP_NET_BIND_SERVICE: "
				"expected a higher one, or that right (see "
				"low-ports.conf among the examples)",
				LOW_PORTS);
		break;
	default:
		break;
	}
}

void
listeners_advice(const struct listen_address *a, const struct conf_listen *l,
	int rc, struct buf *why)
{
	const struct sockaddr_un *un = (const void *)&a->ss;

	if (a->ss.ss_family == AF_UNIX)
		of_path(un->sun_path, l->socket_group, rc, why);
	else
		of_port(a, rc, why);
}

/* The shipped configuration names both loopback addresses; a container without
 * IPv6 is no mistake of its owner. */
bool
listeners_is_spared(
	const struct conf_listen *l, const struct listen_address *want)
{
	const struct sockaddr_in6 *in6 = (const void *)&want->ss;

	return l->n_addresses > 1 && want->ss.ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) && !listen_has_ipv6();
}
