/* SPDX-License-Identifier: MIT */
#include "master/limits.h"

#include "base/xalloc.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLACK           1024 /* a reload may bring addresses and clients */
#define FD_MOST         1048576u
#define SOMAXCONN_LEAST 1024

/* Not as far as it goes: where the hard limit is a thousand million, sizing the
 * keeper's table to it would take gigabytes. */
static rlim_t
wanted(const struct conf *conf)
{
	rlim_t want = (rlim_t)conf->max_clients + SLACK +
		      (rlim_t)CONF_WORKERS_MAX * (CONF_LISTEN_FDS / 2 + 16);

	return want < FD_MOST ? want : FD_MOST;
}

unsigned
limits_raise(const struct conf *conf)
{
	struct rlimit l;
	rlim_t want = wanted(conf);

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		return 1024;
	if (want > l.rlim_max)
		want = l.rlim_max;
	/* Also downwards: see above. */
	if (want != l.rlim_cur) {
		struct rlimit now = { want, l.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &now) == 0)
			l.rlim_cur = want;
	}
	return l.rlim_cur > FD_MOST ? FD_MOST : (unsigned)l.rlim_cur;
}

int
limits_have(unsigned n)
{
	int *fd = xcalloc(n, sizeof *fd);
	unsigned got = 0;
	int rc = 0;

	while (got < n && rc == 0) {
		fd[got] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd[got] == -1)
			rc = -errno;
		else
			got++;
	}
	while (got > 0)
		(void)close(fd[--got]);
	free(fd);
	return rc;
}

uint32_t
limits_slot_cap(unsigned fd_limit, unsigned n_listeners)
{
	unsigned other = LIMITS_RESERVE + n_listeners;

	return fd_limit > other + 1 ? fd_limit - other : 1;
}

static unsigned
somaxconn(void)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
	unsigned n = SOMAXCONN_LEAST;

	if (!f)
		return n;
	if (fscanf(f, "%u", &n) != 1)
		n = SOMAXCONN_LEAST;
	(void)fclose(f);
	return n;
}

void
limits_check(const struct conf *conf, unsigned n_slots, unsigned fd_limit,
	uint32_t slot_cap)
{
	uint64_t fit = (uint64_t)slot_cap * n_slots;

	if (conf->max_clients > fit)
		log_notice("max_clients is %" PRIu32 ", but %u workers with %u "
			   "descriptors each have places for %" PRIu64
			   ": raise workers or LimitNOFILE= (ulimit -n), or "
			   "lower max_clients",
			conf->max_clients, n_slots, fd_limit, fit);
	if (somaxconn() < SOMAXCONN_LEAST)
		log_notice("net.core.somaxconn is %u: bursts of connections "
			   "beyond it are dropped; %d or more is advised",
			somaxconn(), SOMAXCONN_LEAST);
}
