/* listen.h - listening sockets: one per address and slot, in one SO_REUSEPORT
 * group per address.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_NET_LISTEN_H
#define BANTER_NET_LISTEN_H

#include "net/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct listen_options {
	int backlog;
	unsigned keepalive_idle_s, keepalive_interval_s, keepalive_count;
	unsigned user_timeout_ms; /* TCP_USER_TIMEOUT */
	unsigned mode;            /* of a UNIX socket's file; 0: 0666 */
	gid_t gid; /* of that; (gid_t)-1: what the folder gives it */
	/* A claim: we have the port already, at an address that this one covers
	 * or that covers it.  Nobody else can be told from us then. */
	bool beside;
	bool quiet; /* only bind: listen_begin() follows */
};

/* One address ready to bind. */
struct listen_address {
	struct sockaddr_storage ss;
	socklen_t len;
	char text[ADDR_TEXT_LEN + 64]; /* as in messages and LISTEN lines */
};

/* Resolve an address of the configuration ("*", numeric IPv4 or IPv6, or a path
 * beginning with '/') into at most cap addresses; "*" gives 0.0.0.0 and, where
 * the machine has IPv6, [::].  The count, or -EINVAL. */
int listen_resolve(const char *text, uint16_t port, struct listen_address *ret,
	size_t cap);

/* Is there IPv6 on this machine? */
bool listen_has_ipv6(void);

/* Claim an address: bind and listen without SO_REUSEPORT, so that a second
 * instance gets EADDRINUSE, and only then set it for the clones.  Non-blocking,
 * not close-on-exec.  Port 0 is filled in.  The descriptor or -errno.  A UNIX
 * path: a stale socket is replaced, a live one is -EADDRINUSE. */
int listen_claim(
	struct listen_address *address, const struct listen_options *o);

/* One more socket of the group of a claimed address.  Descriptor or -errno. */
int listen_clone(
	const struct listen_address *address, const struct listen_options *o);

/* Of a quiet claim, and then of its clones: connections come now.  Steer after
 * the first, not before.  0 or -errno. */
int listen_begin(int fd, const struct listen_options *o);

/* Where a TCP socket is bound, with the port that the kernel has chosen.  0 or
 * -errno. */
int listen_learn(int fd, struct listen_address *ret);

/* Change the options that accepted sockets inherit.  0 or -errno. */
int listen_adjust(int fd, const struct listen_options *o);

/* New connections do not find this TCP listener any more: they come to another
 * one that their address fits, or are refused.  Those that the kernel has begun
 * are completed and can be accepted.  For good.  0 or -errno: EPERM if it is
 * bound to an interface already, and always before Linux 5.7. */
int listen_hide(int fd);

/* The mode and group of a UNIX socket's file: each is set even if the other
 * cannot be.  0 or the first one's -errno. */
int listen_set_file(
	const struct listen_address *address, const struct listen_options *o);

/* Send new connections of this group only to the sockets whose bit is set
 * (classic BPF on the group; index = order of joining).  mask 0 or all of
 * n: detach, the kernel's hash decides.  0 or -errno. */
int listen_steer(int group_fd, uint64_t mask, unsigned n);

#endif
