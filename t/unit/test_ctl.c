/* SPDX-License-Identifier: MIT */
#include "bus/ctl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int sock[2];
static _Alignas(8) char mem[CTL_MAX];

static void
setup(void)
{
	cr_assert_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
}

TestSuite(ctl, .init = setup, .timeout = 20);

static struct ctl_head head;
static struct slice body;
static int fd;

static int
receive(bool may_carry_fd)
{
	return ctl_recv(sock[1], mem, may_carry_fd, &head, &body, &fd);
}

static unsigned
open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) != -1;
	return n;
}

Test(ctl, a_message_arrives_whole)
{
	struct ctl_number n = { 77 };

	cr_assert_eq(receive(false), -EAGAIN);
	cr_assert_eq(ctl_send(sock[0], CTL_STOP, 5, &n, sizeof n, -1), 0);
	cr_assert_eq(ctl_send(sock[0], CTL_WANT, 6, NULL, 0, -1), 0);
	cr_assert_eq(receive(false), 1);
	cr_assert(head.type == CTL_STOP && head.tag == 5 && fd == -1);
	cr_assert(slice_eq(body, slice_of(&n, sizeof n)));
	cr_assert_eq(receive(true), 1);
	cr_assert(head.type == CTL_WANT && body.len == 0 && fd == -1);
}

Test(ctl, a_descriptor_comes_along_close_on_exec)
{
	struct stat a, b;

	cr_assert_eq(ctl_send(sock[0], CTL_LOG, 1, NULL, 0, sock[0]), 0);
	cr_assert_eq(receive(true), 1);
	cr_assert_geq(fd, 0);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(fstat(fd, &a) | fstat(sock[0], &b), 0);
	cr_assert_eq(a.st_ino, b.st_ino);
}

Test(ctl, credentials_leave_room_for_the_descriptor)
{
	int one = 1;

	cr_assert_eq(
		setsockopt(sock[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one),
		0);
	cr_assert_eq(ctl_send(sock[0], CTL_LOG, 1, NULL, 0, 2), 0);
	cr_assert_eq(receive(true), 1);
	cr_assert_geq(fd, 0);
}

Test(ctl, an_unexpected_descriptor_is_closed)
{
	unsigned was = open_fds();

	cr_assert_eq(ctl_send(sock[0], CTL_READY, 1, NULL, 0, 2), 0);
	cr_assert_eq(receive(false), -EPROTO);
	cr_assert_eq(fd, -1);
	cr_assert_eq(open_fds(), was);
}

/* CMSG_SPACE for one descriptor has room for two. */
Test(ctl, extra_descriptors_are_all_closed)
{
	for (int n = 2; n < 8; n++) {
		unsigned was = open_fds();
		struct ctl_head h = { CTL_VERSION, CTL_LOG, 0 };
		struct iovec iov = { &h, sizeof h };
		char space[CMSG_SPACE(8 * sizeof(int))] = { 0 };
		struct msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = space,
			.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		for (int i = 0, two = 2; i < n; i++)
			memcpy(CMSG_DATA(c) + i * 4, &two, sizeof two);
		cr_assert_gt(sendmsg(sock[0], &m, 0), 0);
		cr_assert_eq(receive(true), -EPROTO, "%d descriptors", n);
		cr_assert_eq(fd, -1);
		cr_assert_eq(open_fds(), was);
	}
}

Test(ctl, a_full_descriptor_table_is_no_message_without_its_descriptor)
{
	struct rlimit l;
	int top = dup(2);

	cr_assert_eq(ctl_send(sock[0], CTL_LOG, 1, NULL, 0, 2), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	close(top);
	l.rlim_cur = (rlim_t)top;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	cr_assert_eq(receive(true), -EPROTO);
	cr_assert_eq(fd, -1);
}

Test(ctl, wrong_version_short_and_long_messages_are_refused)
{
	static char big[CTL_MAX + 1];
	struct ctl_head h = { CTL_VERSION + 1, CTL_LOG, 0 };

	send(sock[0], &h, sizeof h, 0);
	cr_assert_eq(receive(true), -EPROTO);
	send(sock[0], &h, sizeof h - 1, 0);
	cr_assert_eq(receive(true), -EPROTO);
	h.version = CTL_VERSION;
	memcpy(big, &h, sizeof h);
	send(sock[0], big, CTL_MAX, 0);
	cr_assert_eq(receive(true), 1);
	cr_assert_eq(body.len, CTL_MAX - sizeof h);
	send(sock[0], big, CTL_MAX + 1, 0);
	cr_assert_eq(receive(true), -EPROTO);
	cr_assert_eq(
		ctl_send(sock[0], CTL_KICK, 0, big, CTL_MAX - sizeof h, -1), 0);
	cr_assert_eq(
		ctl_send(sock[0], CTL_KICK, 0, big, CTL_MAX - sizeof h + 1, -1),
		-EMSGSIZE);
}

Test(ctl, a_full_socket_is_eagain)
{
	int rc = 0;

	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = ctl_send(sock[0], CTL_WANT, 0, NULL, 0, -1);
	cr_assert_eq(rc, -EAGAIN);
}

Test(ctl, end_of_file)
{
	close(sock[0]);
	cr_assert_eq(receive(true), 0);
	cr_assert_eq(ctl_send(sock[1], CTL_WANT, 0, NULL, 0, -1), -EPIPE);
}

Test(ctl, a_peer_that_died_with_unread_data_is_end_of_file)
{
	cr_assert_eq(ctl_send(sock[1], CTL_WANT, 0, NULL, 0, -1), 0);
	close(sock[0]);
	cr_assert_eq(receive(true), 0);
}
