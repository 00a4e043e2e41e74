/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* SO_PASSCRED puts credentials before the descriptors. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct ucred)) +
		   CMSG_SPACE(KEEPER_FDS * sizeof(int))];
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
take_fds(struct cmsghdr *c, int fd[KEEPER_FDS])
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fd;

	memcpy(fd, CMSG_DATA(c),
		(n < KEEPER_FDS ? n : KEEPER_FDS) * sizeof *fd);
}

static void
take_control(struct msghdr *h, int fd[KEEPER_FDS], pid_t *ret_sender)
{
	struct ucred cred;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			take_fds(c, fd);
		if (c->cmsg_type == SCM_CREDENTIALS &&
			c->cmsg_len == CMSG_LEN(sizeof cred)) {
			memcpy(&cred, CMSG_DATA(c), sizeof cred);
			*ret_sender = cred.pid;
		}
	}
}

int
keeper_know_senders(int line)
{
	int on = 1;

	return setsockopt(line, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == -1
		       ? -errno
		       : 0;
}

bool
keeper_may_say(const struct keeper_message *m, pid_t sender,
	const pid_t keeper[KEEPER_KNOWN])
{
	switch ((enum keeper_message_type)m->type) {
	case KEEPER_SPAWNED:
	case KEEPER_HERE:
	case KEEPER_EXECED:
		return sender > 0 && sender == m->pid;
	case KEEPER_DIED:
	case KEEPER_FAILED:
	case KEEPER_REFUSED:
		for (unsigned i = 0; i < KEEPER_KNOWN; i++)
			if (sender > 0 && sender == keeper[i])
				return true;
		return false;
	default:
		return false;
	}
}

int
keeper_recv(int line, struct keeper_message *ret, int fd[KEEPER_FDS],
	pid_t *ret_sender)
{
	struct iovec iov = { ret, sizeof *ret };
	union control control;
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	pid_t sender = 0;
	ssize_t n;

	for (unsigned i = 0; i < KEEPER_FDS; i++)
		fd[i] = -1;
	do
		n = recvmsg(line, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == ECONNRESET ? 0 : -errno;
	take_control(&h, fd, &sender);
	if (ret_sender != NULL)
		*ret_sender = sender;
	if (n == sizeof *ret && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 1;
	for (unsigned i = 0; i < KEEPER_FDS; i++)
		fd_close(&fd[i]);
	/* An end has no sender, an empty message has. */
	return n == 0 && sender == 0 ? 0 : -EPROTO;
}
