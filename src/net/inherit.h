/* inherit.h - listening sockets that a supervisor hands down: the protocol of
 * sd_listen_fds(3), without its library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_NET_INHERIT_H
#define BANTER_NET_INHERIT_H

#include "net/listen.h"

#include <stdbool.h>

#define INHERIT_FIRST_FD 3

/* How many descriptors, from INHERIT_FIRST_FD on, are meant for this process.
 * Those that are
 * not open end the row.  Removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from
 * the environment, so call it once, before a fork changes the pid. */
unsigned inherit_count(void);

/* Where a listening stream socket is bound.  *ret_dual: an IPv6 socket that
 * takes IPv4 as well.  0 or -errno: -ENOTSOCK, -ESOCKTNOSUPPORT (of another
 * kind), -EDESTADDRREQ (does not listen). */
int inherit_look(int fd, struct listen_address *ret, bool *ret_dual);

/* Are both the same place? */
bool inherit_is_same(
	const struct listen_address *a, const struct listen_address *b);

/* Prepare it as the sockets that we open ourselves.  0 or -errno. */
int inherit_adopt(int fd, const struct listen_options *o);

#endif
