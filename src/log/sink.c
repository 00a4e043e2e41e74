/* SPDX-License-Identifier: MIT */
#include "log/sink.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* A syslog daemon that is gone is tried again this often. */
#define RECONNECT_MS 1000

static struct {
	void (*lost)(void *arg); /* NULL: not confined */
	void *arg;
} confined;

/* systemd names the journal's stream in JOURNAL_STREAM; stderr may have been
 * redirected since. */
static bool
is_journal(const struct stat *st)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;

	return text && sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
	       dev == st->st_dev && ino == st->st_ino;
}

/* O_NONBLOCK on stderr itself would change it for the shell that started us:
 * it is a flag of the open file, not of our descriptor.  Opening the pipe or
 * terminal again gives an open file of our own. */
static int
open_own(mode_t mode)
{
	if (!S_ISFIFO(mode) && !S_ISCHR(mode))
		return -1;
	return open("/proc/self/fd/2",
		O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int
sink_stderr(struct sink *ret)
{
	struct sink sink = { .fd = STDERR_FILENO };
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == -1)
		return -errno;
	sink.journal = is_journal(&st);
	if (S_ISSOCK(st.st_mode)) {
		sink.kind = SINK_STREAM;
	} else {
		int fd = open_own(st.st_mode);

		sink.own = fd != -1;
		sink.poll = fd == -1 && !S_ISREG(st.st_mode);
		if (fd != -1)
			sink.fd = fd;
	}
	*ret = sink;
	return 0;
}

int
sink_file(struct sink *ret, const char *path)
{
	/* O_NONBLOCK: a FIFO without a reader is an error, not a wait. */
	int fd = open(path,
		O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC,
		0640);

	if (fd == -1)
		return -errno;
	*ret = (struct sink){ .kind = SINK_PLAIN, .fd = fd, .own = true };
	return 0;
}

static int
connect_syslog(int fd, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, len);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1)
		return -errno;
	return 0;
}

/* syslog(3) is of no use here: its descriptor and its lock are glibc's own, and
 * two processes that share a descriptor table would close it under each
 * other. */
int
sink_syslog(struct sink *ret, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd == -1)
		return -errno;
	rc = connect_syslog(fd, path);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	*ret = (struct sink){ .kind = SINK_SYSLOG, .fd = fd, .own = true };
	return 0;
}

void
sink_close(struct sink *sink)
{
	if (sink->own)
		fd_close(&sink->fd);
	sink->fd = -1;
	sink->own = false;
}

void
sink_replace(struct sink *sink, int *fd)
{
	if (sink->own && dup3(*fd, sink->fd, O_CLOEXEC) != -1) {
		fd_close(fd);
	} else {
		sink_close(sink);
		sink->fd = *fd;
		*fd = -1;
	}
	*sink = (struct sink){
		.kind = SINK_PLAIN, .fd = sink->fd, .own = true
	};
}

static bool
would_block(const struct sink *sink)
{
	struct pollfd p = { .fd = sink->fd, .events = POLLOUT };

	return sink->poll && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT));
}

/* After a line that a full disk has cut, the next one begins with the newline
 * that is missing. */
static bool
write_plain(struct sink *sink, struct slice line)
{
	struct iovec iov[2] = { { (char *)"\n", sink->torn ? 1 : 0 },
		{ (char *)line.p, line.len } };
	size_t all = iov[0].iov_len + iov[1].iov_len;
	ssize_t n;

	if (would_block(sink))
		return false;
	do
		n = writev(sink->fd, iov, 2);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		sink->torn = (size_t)n < all;
	return n == (ssize_t)all;
}

static bool
write_stream(const struct sink *sink, struct slice line)
{
	/* A stream UNIX socket takes a kilobyte whole or not at all. */
	return send(sink->fd, line.p, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)line.len;
}

static bool
write_syslog(const struct sink *sink, struct slice line, const char *path)
{
	static uint64_t tried_ms;
	uint64_t now;

	if (write_stream(sink, line))
		return true;
	/* EAGAIN and ENOBUFS: the daemon lives and is slow. */
	if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
		return false;
	now = clock_mono_ms();
	if (tried_ms && now - tried_ms < RECONNECT_MS)
		return false;
	tried_ms = now;
	if (confined.lost != NULL) {
		confined.lost(confined.arg);
		return false;
	}
	return sink_heal(sink, path) && write_stream(sink, line);
}

void
sink_confine(void (*lost)(void *arg), void *arg)
{
	confined.lost = lost;
	confined.arg = arg;
}

/* The open file is shared: this heals it for every process. */
bool
sink_heal(const struct sink *sink, const char *path)
{
	return connect_syslog(sink->fd, path) == 0;
}

bool
sink_write(struct sink *sink, struct slice line, const char *path)
{
	switch (sink->kind) {
	case SINK_STREAM:
		return write_stream(sink, line);
	case SINK_SYSLOG:
		return write_syslog(sink, line, path);
	case SINK_PLAIN:
		break;
	}
	return write_plain(sink, line);
}
