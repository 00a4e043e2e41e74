/* SPDX-License-Identifier: MIT */
#include "tools/ctl_client.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/xalloc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 512 /* what the server takes, with its newline */
#define ANSWER_MAX  (256u * 1024 * 1024)

struct call {
	int fd;
	int pidfd; /* of the master; -1: cannot be had */
	uint64_t until_ms;
	char *text;
	size_t len, cap;
	const char *socket;
	char *why; /* 256 bytes */
};

static enum ctl_exit
fail(const struct call *call, const char *what, int error)
{
	(void)snprintf(call->why, 256, "%s: %s: %s", call->socket, what,
		strerror(error));
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		(void)snprintf(call->why, 256,
			"banterd is not running: nobody listens at %s; "
			"expected it to be started, or -s with the "
			"control.sock of its run_dir",
			call->socket);
		return CTL_NOT_RUNNING;
	case EACCES:
	case EPERM:
		(void)snprintf(call->why, 256,
			"%s: %s; expected root, or a member of the "
			"control_group of banterd.conf(5)",
			call->socket, strerror(error));
		return CTL_PERMISSION;
	case ENAMETOOLONG:
		(void)snprintf(call->why, 256,
			"-s: the path is too long; expected at most %zu bytes",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return CTL_USAGE;
	case EAGAIN:
	case ETIMEDOUT:
		(void)snprintf(
			call->why, 256, "%s: no answer in time", call->socket);
		return CTL_TIMEOUT;
	default:
		return CTL_REFUSED;
	}
}

/* The end of the socket is a little before the end of the process. */
static void
find_master(struct call *call)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(call->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
		cred.pid > 0)
		call->pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
}

static enum ctl_exit
open_socket(struct call *call, int timeout_ms)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	size_t len = strlen(call->socket);

	if (len >= sizeof(sa.sun_path))
		return fail(call, "path", ENAMETOOLONG);
	memcpy(sa.sun_path, call->socket, len);
	call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (call->fd == -1)
		return fail(call, "socket", errno);
	/* Bounds connect() as well, which waits while the queue is full. */
	(void)setsockopt(
		call->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(call->fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1)
		return fail(call, "connect", errno);
	find_master(call);
	return CTL_DONE;
}

static void
encode(struct buf *b, const char *word)
{
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c <= ' ' || c == '%' || c >= 0x7f)
			buf_printf(b, "%%%02X", c);
		else
			buf_chr(b, (char)c);
	}
}

static enum ctl_exit
send_request(struct call *call, const struct ctl_question *q)
{
	char mem[REQUEST_MAX + 1];
	struct buf b = buf_over(mem, sizeof(mem));
	int i;

	for (i = 0; i < q->n_words; i++) {
		if (i > 0)
			buf_chr(&b, ' ');
		encode(&b, q->word[i]);
	}
	buf_chr(&b, '\n');
	if (b.over || b.len > REQUEST_MAX) {
		(void)snprintf(call->why, 256,
			"the words are too long; expected at most %d "
			"bytes of them",
			REQUEST_MAX);
		return CTL_USAGE;
	}
	if (send(call->fd, b.p, b.len, MSG_NOSIGNAL) != (ssize_t)b.len)
		return fail(call, "send", errno);
	return CTL_DONE;
}

static int
wait_readable(const struct call *call, int fd)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_mono_ms();
		int n;

		if (now >= call->until_ms)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(call->until_ms - now));
		if (n == 1)
			return 0;
		if (n == -1 && errno != EINTR)
			return -errno;
	}
}

static void
make_room(struct call *call)
{
	if (call->cap - call->len > 4096)
		return;
	call->cap = call->cap ? call->cap * 2 : 65536;
	call->text = xrealloc(call->text, call->cap, 1);
}

/* Up to the end of the file.  A reset behind the last line is an end too: the
 * server has closed with something of ours unread. */
static enum ctl_exit
read_answer(struct call *call)
{
	for (;;) {
		ssize_t n;
		int rc = wait_readable(call, call->fd);

		if (rc < 0)
			return fail(call, "wait", -rc);
		make_room(call);
		n = recv(call->fd, call->text + call->len,
			call->cap - call->len - 1, 0);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			break;
		if (n == -1 && errno != EINTR)
			return fail(call, "receive", errno);
		if (n > 0)
			call->len += (size_t)n;
		if (call->len > ANSWER_MAX)
			return fail(call, "answer", EMSGSIZE);
	}
	call->text[call->len] = '\0';
	return CTL_DONE;
}

static enum ctl_exit
converse(struct call *call, const struct ctl_question *q)
{
	enum ctl_exit rc = open_socket(call, q->timeout_ms);

	if (rc == CTL_DONE)
		rc = send_request(call, q);
	if (rc == CTL_DONE)
		rc = read_answer(call);
	if (rc == CTL_DONE && q->until_gone && call->len > 0 &&
		call->pidfd != -1 && strncmp(call->text, ".0", 2) == 0 &&
		wait_readable(call, call->pidfd) < 0)
		rc = fail(call, "wait", ETIMEDOUT);
	return rc;
}

enum ctl_exit
ctl_ask(const struct ctl_question *q, struct ctl_answer *ret, char why[256])
{
	struct call call = { .fd = -1, .pidfd = -1, .socket = q->socket };
	enum ctl_exit rc;

	call.until_ms = clock_mono_ms() + (uint64_t)q->timeout_ms;
	call.why = why;
	rc = converse(&call, q);
	fd_close(&call.fd);
	fd_close(&call.pidfd);
	if (rc != CTL_DONE) {
		free(call.text);
		return rc;
	}
	if (ctl_answer_parse(ret, call.text, call.len))
		return CTL_DONE;
	(void)snprintf(why, 256, "%s: the answer ends too early", q->socket);
	return CTL_NOT_RUNNING;
}
