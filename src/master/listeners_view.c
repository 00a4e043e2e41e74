/* listeners_view.c - the addresses as slots and people are to see them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/listeners.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/un.h>

int
listeners_fd(const struct address *a, unsigned slot)
{
	return a->fd[a->shared ? 0 : slot - 1];
}

static bool
is_watched_by(const struct address *a, unsigned slot)
{
	if (a->shared || slot > a->n_fds)
		return false;
	return a->state == ADDRESS_LIVE ||
	       (a->state == ADDRESS_LEAVING && a->busy >> (slot - 1) & 1);
}

bool
listeners_wait(const struct listeners *ls, unsigned slot)
{
	struct pollfd p[SLOT_LISTENERS_MAX];
	nfds_t n = 0;

	for (unsigned i = 0; i < ls->n; i++)
		if (is_watched_by(ls->at[i], slot))
			p[n++] = (struct pollfd){ .events = POLLIN,
				.fd = ls->at[i]->fd[slot - 1] };
	return poll(p, n, 0) > 0;
}

unsigned
listeners_env(const struct listeners *ls, unsigned slot, bool drains,
	struct slot_listener ret[SLOT_LISTENERS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (a->state == ADDRESS_LIVE && !(a->shared && drains))
			ret[n++] = (struct slot_listener){ .fd = listeners_fd(
								   a, slot),
				.listen = a->listen,
				.address = a->number,
				.shared = a->shared };
	}
	return n;
}

unsigned
listeners_map(
	const struct listeners *ls, struct ctl_listener ret[SLOT_LISTENERS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (a->state == ADDRESS_LIVE)
			ret[n++] = (struct ctl_listener){ .listen = a->listen,
				.address = a->number,
				.shared = a->shared };
	}
	return n;
}

static void
print_one(const struct address *a, struct buf *b)
{
	const struct sockaddr_storage *ss = &a->bound.ss;
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_un *un = (const void *)ss;
	char ip[INET6_ADDRSTRLEN] = "";

	if (ss->ss_family == AF_UNIX) {
		buf_printf(b, "LISTEN %s %s 0\n", a->name, un->sun_path);
		return;
	}
	if (ss->ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
	else
		(void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
	buf_printf(b, "LISTEN %s %s %u\n", a->name, ip,
		ntohs(ss->ss_family == AF_INET ? in->sin_port
					       : in6->sin6_port));
}

void
listeners_print(const struct listeners *ls, struct buf *b)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->at[i]->state == ADDRESS_LIVE)
			print_one(ls->at[i], b);
}
