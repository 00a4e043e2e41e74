/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(KEEPER_FDS * sizeof(int))];
};

int
keeper_send(
	int line, const struct keeper_message *m, const int *fds, unsigned n)
{
	struct iovec iov = { (void *)(uintptr_t)m, sizeof *m };
	union control control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t rc;

	if (n > 0) {
		struct cmsghdr *c;

		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n * sizeof *fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, n * sizeof *fds);
	}
	do
		rc = sendmsg(line, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (rc == -1 && errno == EINTR);
	return rc == -1 ? -errno : 0;
}

static void
take_fds(struct msghdr *h, int fd[KEEPER_FDS])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	size_t n;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fd;
	memcpy(fd, CMSG_DATA(c),
		(n < KEEPER_FDS ? n : KEEPER_FDS) * sizeof *fd);
}

int
keeper_recv(int line, struct keeper_message *ret, int fd[KEEPER_FDS])
{
	struct iovec iov = { ret, sizeof *ret };
	union control control;
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	ssize_t n;

	for (unsigned i = 0; i < KEEPER_FDS; i++)
		fd[i] = -1;
	do
		n = recvmsg(line, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? 0 : -errno;
	take_fds(&h, fd);
	if (n == sizeof *ret && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 1;
	for (unsigned i = 0; i < KEEPER_FDS; i++)
		fd_close(&fd[i]);
	return n == 0 ? 0 : -EPROTO;
}
