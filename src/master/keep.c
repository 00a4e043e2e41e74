/* SPDX-License-Identifier: MIT */
#include "master/keep.h"

#include "base/fd.h"
#include "base/xalloc.h"

#include <limits.h>
#include <stdlib.h>

void
keep_fini(struct keep *k)
{
	pack_fini(&k->pack);
	free(k->fd);
	*k = (struct keep){ 0 };
}

void
keep_fd(struct keep *k, int fd)
{
	pack_i64(&k->pack, fd);
	keep_note(k, fd);
}

void
keep_note(struct keep *k, int fd)
{
	if (fd < 0)
		return;
	if (k->n_fds == k->cap_fds) {
		k->cap_fds = k->cap_fds ? k->cap_fds * 2 : 64;
		k->fd = xrealloc(k->fd, k->cap_fds, sizeof *k->fd);
	}
	k->fd[k->n_fds++] = fd;
}

void
keep_open(const struct keep *k, bool open)
{
	for (unsigned i = 0; i < k->n_fds; i++)
		(void)fd_set_cloexec(k->fd[i], !open);
}

void
keep_close(struct keep *k)
{
	for (unsigned i = 0; i < k->n_fds; i++)
		fd_close(&k->fd[i]);
	keep_fini(k);
}

static int
read_fd(struct kept *k)
{
	int64_t fd = unpack_i64(&k->u);

	if (fd < 0 || fd > INT_MAX) {
		if (fd != -1)
			k->u.bad = true;
		return -1;
	}
	return (int)fd;
}

/* True: it is there, and noted. */
static bool
take(struct kept *k, int fd)
{
	if (k->rehearse || fd < 0)
		return true;
	if (fd_set_cloexec(fd, true) < 0)
		return false;
	if (k->left)
		keep_note(k->left, fd);
	return true;
}

int
kept_fd(struct kept *k)
{
	int fd = read_fd(k);

	if (!take(k, fd))
		k->u.bad = true;
	return fd;
}

int
kept_fd_if_open(struct kept *k)
{
	int fd = read_fd(k);

	return take(k, fd) ? fd : -1;
}
