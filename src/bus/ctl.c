/* SPDX-License-Identifier: MIT */
#include "bus/ctl.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int
ctl_send(int sock, enum ctl_type type, uint64_t tag, const void *body,
	size_t len, int fd)
{
	struct ctl_head head = { CTL_VERSION, type, tag };
	struct iovec iov[2] = { { &head, sizeof head }, { (void *)body, len } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
	ssize_t n;

	if (len > CTL_MAX - sizeof head)
		return -EMSGSIZE;
	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = sizeof control.space;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : 0;
}

/* Take the first descriptor and close all others.  How many there were. */
static unsigned
take_fds(struct msghdr *m, int *ret_fd)
{
	unsigned n = 0;

	*ret_fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n_here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n_here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n++ == 0)
				*ret_fd = fd;
			else
				fd_close(&fd);
		}
	}
	return n;
}

int
ctl_recv(int sock, void *mem, bool may_carry_fd, struct ctl_head *ret_head,
	struct slice *ret_body, int *ret_fd)
{
	struct iovec iov = { mem, CTL_MAX };
	/* SO_PASSCRED puts credentials before the descriptors.  The padding of
	 * CMSG_SPACE has room for a second descriptor, and the kernel uses it:
	 * take_fds() counts. */
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred)) +
			   CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control.space };
	unsigned n_fds;
	ssize_t n;

	*ret_fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? 0 : -errno;
	n_fds = take_fds(&m, ret_fd);
	if (n == 0 && n_fds == 0)
		return 0;
	/* MSG_CTRUNC is also what a full descriptor table looks like: the
	 * message comes without what it speaks of. */
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		(size_t)n < sizeof *ret_head || n_fds > may_carry_fd)
		goto fail;
	memcpy(ret_head, mem, sizeof *ret_head);
	if (ret_head->version != CTL_VERSION)
		goto fail;
	*ret_body = slice_of(
		(char *)mem + sizeof *ret_head, (size_t)n - sizeof *ret_head);
	return 1;
fail:
	fd_close(ret_fd);
	return -EPROTO;
}
