/* target.h - where to connect to, and from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_TARGET_H
#define BANTER_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct target {
	struct sockaddr_storage to;
	socklen_t len;
	bool loopback; /* 127.0.0.0/8: the source may be chosen */
};

/* "127.0.0.1:7788", "[::1]:7788" or a path.  False: it is none of them. */
bool target_parse(const char *text, struct target *ret);

/* A non-blocking socket whose connect() has begun, from the source of this
 * number of `sources`; 0: from where the kernel chooses.  The descriptor or
 * -errno; *ret_done: it is connected already. */
int target_connect(const struct target *t, unsigned source, unsigned sources,
	bool *ret_done);

#endif
