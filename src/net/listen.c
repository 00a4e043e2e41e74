/* SPDX-License-Identifier: MIT */
#include "net/listen.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DYING_MS 200

/* No interface has this index, so nothing is received through it. */
#define NOWHERE INT_MAX

bool
listen_has_ipv6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has;

	if (fd == -1)
		return false;
	/* With disable_ipv6=1 the family exists and no address does. */
	has = bind(fd, (const struct sockaddr *)&in6, sizeof in6) == 0;
	fd_close(&fd);
	return has;
}

static void
set_text(struct listen_address *a, const char *ip, uint16_t port)
{
	const char *fmt = a->ss.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u";

	(void)snprintf(a->text, sizeof a->text, fmt, ip, (unsigned)port);
}

static void
set_ipv4(struct listen_address *a, struct in_addr ip, const char *text,
	uint16_t port)
{
	struct sockaddr_in *in = (void *)&a->ss;

	memset(a, 0, sizeof *a);
	*in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip
	};
	a->len = sizeof *in;
	set_text(a, text, port);
}

static void
set_ipv6(struct listen_address *a, struct in6_addr ip, const char *text,
	uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)&a->ss;

	memset(a, 0, sizeof *a);
	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = ip };
	a->len = sizeof *in6;
	set_text(a, text, port);
}

static int
set_path(struct listen_address *a, const char *path)
{
	struct sockaddr_un *un = (void *)&a->ss;
	size_t len = strlen(path);

	if (len >= sizeof un->sun_path)
		return -EINVAL;
	memset(a, 0, sizeof *a);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	a->len = (socklen_t)sizeof *un;
	(void)snprintf(a->text, sizeof a->text, "%s", path);
	return 1;
}

int
listen_resolve(
	const char *text, uint16_t port, struct listen_address *ret, size_t cap)
{
	struct in_addr ip4;
	struct in6_addr ip6;
	int n = 0;

	if (cap == 0 || text[0] == '\0')
		return -EINVAL;
	if (text[0] == '/')
		return set_path(ret, text);
	if (inet_pton(AF_INET, text, &ip4) == 1) {
		set_ipv4(ret, ip4, text, port);
		return 1;
	}
	if (inet_pton(AF_INET6, text, &ip6) == 1) {
		set_ipv6(ret, ip6, text, port);
		return 1;
	}
	if (strcmp(text, "*") != 0)
		return -EINVAL;
	set_ipv4(&ret[n++], (struct in_addr){ htonl(INADDR_ANY) }, "0.0.0.0",
		port);
	if (cap > 1 && listen_has_ipv6())
		set_ipv6(&ret[n++], in6addr_any, "::", port);
	return n;
}

static int
set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == -1 ? -errno
								       : 0;
}

/* What the kernel takes of a client's output and cannot send yet, bytes.
 * Without this it grows to megabytes for one that does not read (tcp_wmem),
 * where the queue's limit and its references to shared blocks do not count; the
 * bytes in flight are not in it, so that a long way costs no throughput. */
#define UNSENT_MAX 65536

/* Accepted sockets inherit all of these: no system call per connection. */
static int
set_client_options(int fd, const struct listen_options *o)
{
	const struct {
		int level, name;
		unsigned value;
	} option[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, o->keepalive_idle_s },
		{ IPPROTO_TCP, TCP_KEEPINTVL, o->keepalive_interval_s },
		{ IPPROTO_TCP, TCP_KEEPCNT, o->keepalive_count },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX },
	};

	for (size_t i = 0; i < sizeof option / sizeof *option; i++) {
		int rc;

		if (option[i].value == 0)
			continue; /* the system's default */
		rc = set_int(fd, option[i].level, option[i].name,
			(int)option[i].value);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
open_tcp(const struct listen_address *a, const struct listen_options *o)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int rc;

	if (fd == -1)
		return -errno;
	rc = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (rc == 0 && a->ss.ss_family == AF_INET6)
		rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (rc == 0)
		rc = set_client_options(fd, o);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

int
listen_begin(int fd, const struct listen_options *o)
{
	return listen(fd, o->backlog) == -1 ? -errno : 0;
}

static int
bind_and_listen(
	int fd, const struct listen_address *a, const struct listen_options *o)
{
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) == -1)
		return -errno;
	return o->quiet ? 0 : listen_begin(fd, o);
}

int
listen_learn(int fd, struct listen_address *a)
{
	char ip[ADDR_TEXT_LEN];
	struct addr bound;

	a->len = sizeof a->ss;
	if (getsockname(fd, (struct sockaddr *)&a->ss, &a->len) == -1)
		return -errno;
	bound = addr_of(&a->ss, a->len);
	if (a->ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&a->ss;

		/* addr_text() would show a mapped address as IPv4. */
		if (inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip) == NULL)
			return -errno;
	} else {
		(void)addr_text(bound.ip, ip);
	}
	set_text(a, ip, bound.port);
	return 0;
}

/* A steering program can be attached to the group of a socket that is not bound
 * yet, or that had such a group then: not to one that gets SO_REUSEPORT while
 * it listens, before a second socket joins (tried on 6.18).  With this the
 * program is always there first.  Failing costs only that. */
static void
make_group(int fd)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &code };
	int none = 0;

	if (set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		sizeof program);
	(void)setsockopt(
		fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof none);
	(void)set_int(fd, SOL_SOCKET, SO_REUSEPORT, 0);
}

/* Listening comes before SO_REUSEPORT: a socket that is only bound does not
 * keep another instance out, since both have SO_REUSEADDR (tried). */
static int
claim_tcp(struct listen_address *a, const struct listen_options *o)
{
	int fd = open_tcp(a, o);
	int rc;

	if (fd < 0)
		return fd;
	/* The kernel shares a port with no socket that has a group already
	 * (inet_bind_conflict()); listen() makes one of SO_REUSEPORT. */
	rc = 0;
	if (o->beside)
		rc = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	else
		make_group(fd);
	if (rc == 0)
		rc = bind_and_listen(fd, a, o);
	if (rc == 0)
		rc = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0)
		rc = listen_learn(fd, a);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

/* What the io_uring of a killed process waits for is open for some milliseconds
 * more; whoever connects meanwhile is reset in its end.  A server that lives
 * says something, or nothing. */
static bool
is_reset(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, DYING_MS) == 1 &&
	       recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) == -1 &&
	       errno == ECONNRESET;
}

/* Remove what a dead server has left at the path.  0: nothing is there now;
 * -EADDRINUSE: somebody listens, or it is no socket. */
static int
clear_stale(const struct listen_address *a)
{
	const struct sockaddr_un *un = (const void *)&a->ss;
	struct stat st;
	int fd, rc;

	if (lstat(un->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	/* EAGAIN is a live server with a full queue. */
	rc = connect(fd, (const struct sockaddr *)un, a->len) == -1 ? errno : 0;
	if (rc == 0 && is_reset(fd))
		rc = ECONNREFUSED;
	fd_close(&fd);
	if (rc != ECONNREFUSED)
		return rc == ENOENT ? 0 : -EADDRINUSE;
	return unlink(un->sun_path) == -1 && errno != ENOENT ? -errno : 0;
}

int
listen_set_file(const struct listen_address *a, const struct listen_options *o)
{
	const struct sockaddr_un *un = (const void *)&a->ss;
	mode_t mode = o->mode ? o->mode : 0666;
	struct stat st;
	int rc = 0;

	/* The new group has no more for a moment than what both modes give it;
	 * and what one call refuses is no reason to leave out the other. */
	if (lstat(un->sun_path, &st) == 0 && (st.st_mode & 0777 & ~mode) != 0 &&
		chmod(un->sun_path, st.st_mode & 0777 & mode) == -1)
		rc = -errno;
	if (o->gid != (gid_t)-1 &&
		lchown(un->sun_path, (uid_t)-1, o->gid) == -1 && rc == 0)
		rc = -errno;
	if (chmod(un->sun_path, mode) == -1 && rc == 0)
		rc = -errno;
	return rc;
}

/* The file takes the socket's own mode: until it has the one that it is to have
 * nobody else can connect. */
static int
claim_unix(const struct listen_address *a, const struct listen_options *o)
{
	const struct sockaddr_un *un = (const void *)&a->ss;
	int rc = clear_stale(a);
	bool bound;
	int fd;

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	bound = fchmod(fd, 0600) == 0 &&
		bind(fd, (const struct sockaddr *)un, a->len) == 0;
	rc = bound ? listen_set_file(a, o) : -errno;
	if (rc == 0 && listen(fd, o->backlog) == -1)
		rc = -errno;
	if (rc < 0 && bound)
		(void)unlink(un->sun_path);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

int
listen_claim(struct listen_address *address, const struct listen_options *o)
{
	if (address->ss.ss_family == AF_UNIX)
		return claim_unix(address, o);
	return claim_tcp(address, o);
}

int
listen_clone(
	const struct listen_address *address, const struct listen_options *o)
{
	int fd, rc;

	if (address->ss.ss_family == AF_UNIX)
		return -EINVAL;
	fd = open_tcp(address, o);
	if (fd < 0)
		return fd;
	rc = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0)
		rc = bind_and_listen(fd, address, o);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

int
listen_adjust(int fd, const struct listen_options *o)
{
	return set_client_options(fd, o);
}

/* To close it instead would reset every handshake that has begun (without the
 * last ACK it is in no queue that accept() could empty), and a filter that
 * drops the first segment would let nobody else have it: of two listeners the
 * kernel asks the one with the narrower address only.  The interface is looked
 * at when a listener is looked for and never after; those that have begun keep
 * what they began with.  A group is one of an address and an interface: whoever
 * is bound to the address anew shares nothing with what is hidden.
 *
 * Not kept is who was given a SYN cookie, which is a handshake without a place
 * in the kernel: only a flood brings them about. */
int
listen_hide(int fd)
{
	return set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, NOWHERE);
}

static int
detach(int group_fd)
{
	int none = 0;

	if (setsockopt(group_fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none,
		    sizeof none) == -1 &&
		errno != ENOENT)
		return -errno;
	return 0;
}

/* ld random; mod k; then a table of jumps from 0 ... k-1 to the k good
 * indexes.  An index outside of the group would fall back to the hash. */
int
listen_steer(int group_fd, uint64_t mask, unsigned n)
{
	struct sock_filter code[2 + 2 * 64 + 1];
	struct sock_fprog program = { .filter = code };
	unsigned good = 0, at = 0;
	uint64_t all = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;

	if (n == 0 || n > 64)
		return -EINVAL;
	mask &= all;
	if (mask == 0 || mask == all)
		return detach(group_fd);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		(uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
	code[at++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K,
		(uint32_t)__builtin_popcountll(mask));
	for (unsigned i = 0; i < n; i++) {
		if (!(mask >> i & 1))
			continue;
		code[at++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, good++, 0, 1);
		code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, i);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, n);
	program.len = (unsigned short)at;
	return setsockopt(group_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
		       &program, sizeof program) == -1
		       ? -errno
		       : 0;
}
