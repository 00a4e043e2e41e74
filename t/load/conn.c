/* SPDX-License-Identifier: MIT */
#include "account.h"
#include "actor.h"
#include "base/clock.h"
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

static int
connect_to(const char *host, uint16_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	bool v4 = inet_pton(AF_INET, host, &a4.sin_addr) == 1;

	if (!v4 && inet_pton(AF_INET6, host, &a6.sin6_addr) != 1)
		return -EINVAL;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, v4 ? (void *)&a4 : (void *)&a6,
		    v4 ? sizeof(a4) : sizeof(a6)) == -1) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

int
conn_socket(const struct load *l, unsigned id)
{
	int fd = connect_to(l->o.host, l->o.port[id % l->o.n_ports]);
	int on = 1;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static void
watch(struct load *l, struct client *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u32 = c->id };

	(void)epoll_ctl(l->epoll, op, c->fd, &ev);
}

bool
conn_open(struct load *l, struct client *c, unsigned id)
{
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->sees_own = id >= l->o.publishers;
	/* One in each room that sees everything, even where all publish. */
	c->asks_echo = l->o.until_eof && id < load_stride(l) && !c->sees_own;
	account_client(l, c);
	actor_init(l, c);
	c->fd = conn_socket(l, id);
	if (c->fd < 0) {
		c->state = CLIENT_CLOSED;
		return false;
	}
	l->t.connected++;
	l->n_open++;
	watch(l, c, EPOLL_CTL_ADD, EPOLLIN);
	return true;
}

void
conn_close(struct load *l, struct client *c)
{
	if (c->state == CLIENT_CLOSED)
		return;
	c->state = CLIENT_CLOSED;
	l->n_open--;
	close(c->fd);
	free(c->out);
	c->out = NULL;
	c->out_len = 0;
	if (c->rest_len)
		l->n_rests--;
	free(c->rest);
	c->rest = NULL;
	c->rest_len = 0;
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

bool
conn_send(struct load *l, struct client *c, const char *p, size_t len)
{
	if (!c->out_len) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n == -1 && !would_block())
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	if (!len)
		return true;
	char *out = realloc(c->out, c->out_len + len);
	if (!out)
		return false;
	memcpy(out + c->out_len, p, len);
	c->out = out;
	c->out_len += (unsigned)len;
	watch(l, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	return true;
}

static void
flush_out(struct load *l, struct client *c)
{
	ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

	if (n > 0) {
		c->out_len -= (unsigned)n;
		memmove(c->out, c->out + n, c->out_len);
	}
	if (!c->out_len)
		watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
}

bool
conn_send_halves(struct load *l, struct client *c, const char *p, size_t len)
{
	size_t cut = 1 + load_random((unsigned)len - 1);

	c->rest_len = (unsigned)(len - cut);
	c->rest = load_grow(NULL, c->rest_len);
	memcpy(c->rest, p + cut, c->rest_len);
	c->rest_ns = clock_mono_ns() + (50 + load_random(150)) * 1000000;
	l->n_rests++;
	return conn_send(l, c, p, cut);
}

void
conn_rests_due(struct load *l)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0; l->n_rests && i < load_sources(l); i++) {
		struct client *c = &l->client[i];

		if (!c->rest_len || c->rest_ns > now)
			continue;
		(void)conn_send(l, c, c->rest, c->rest_len);
		free(c->rest);
		c->rest = NULL;
		c->rest_len = 0;
		l->n_rests--;
	}
}

static void
ready(struct load *l, struct client *c)
{
	c->state = CLIENT_READY;
	l->n_ready++;
}

/* "* Welcome to NAME. You are NICK." */
static void
welcome(struct client *c, const char *line)
{
	const char *nick = strstr(line, "You are ");
	size_t len = nick ? strcspn(nick += 8, ".") : 0;

	if (nick && len < sizeof(c->nick))
		memcpy(c->nick, nick, len);
}

/* The greeting ends with the hint how to talk. */
static void
greeted(struct load *l, struct client *c)
{
	char room[32], text[64];
	bool joins = load_room(l, c->id) != 0;
	int n;

	c->state = CLIENT_GREETED;
	if (!joins && !c->asks_echo) {
		ready(l, c);
		return;
	}
	(void)load_room_name(l, c->id, room, sizeof(room));
	n = snprintf(text, sizeof(text), "%s%s%s%s",
		c->asks_echo ? "/echo on\n" : "", joins ? "/join " : "",
		joins ? room : "", joins ? "\n" : "");
	if (!conn_send(l, c, text, (size_t)n))
		l->t.refused++;
}

/* "* In ROOM ...": it is in the room that it asked for. */
static bool
has_joined(const struct load *l, const struct client *c, const char *line)
{
	char room[32];
	int n = load_room_name(l, c->id, room, sizeof(room));

	return load_room(l, c->id) != 0 && !strncmp(line, "* In ", 5) &&
	       !strncmp(line + 5, room, (size_t)n) && line[5 + n] == ' ';
}

/* What comes before it is ready: the greeting, then the answers. */
static void
notice(struct load *l, struct client *c, const char *line)
{
	if (!strncmp(line, "* Welcome to ", 13))
		welcome(c, line);
	else if (!strncmp(line, "* Type to talk", 14) &&
		 c->state == CLIENT_CONNECTING)
		greeted(l, c);
	else if (!strncmp(line, "* Echo is on", 12)) {
		c->sees_own = true;
		if (load_room(l, c->id) == 0)
			ready(l, c);
	} else if (has_joined(l, c, line)) {
		ready(l, c);
	} else if (!strncmp(line, "* error: ", 9)) {
		l->t.refused++;
		load_complain(l, c, "refused", line);
	}
}

static void
take_line(struct load *l, struct client *c, char *line)
{
	if (line[0] == '*' && c->state < CLIENT_READY)
		notice(l, c, line);
	else
		account_shown(l, c, line);
}

static void
take_lines(struct load *l, struct client *c)
{
	char *p = c->in, *end = c->in + c->in_len, *lf;

	while ((lf = memchr(p, '\n', (size_t)(end - p)))) {
		*lf = '\0';
		if (!c->dropping)
			take_line(l, c, p);
		c->dropping = false;
		p = lf + 1;
	}
	c->in_len = (unsigned)(end - p);
	memmove(c->in, p, c->in_len);
	if (c->in_len == sizeof(c->in)) {
		/* A line of other people; ours are shorter. */
		c->dropping = true;
		c->in_len = 0;
	}
}

/* False: the connection has ended; *ret_errno is 0 when by FIN. */
static bool
take_input(struct load *l, struct client *c, int *ret_errno)
{
	ssize_t n =
		recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	*ret_errno = n == -1 ? errno : 0;
	if (n == -1)
		return would_block();
	if (n == 0)
		return false;
	c->in_len += (unsigned)n;
	take_lines(l, c);
	return true;
}

static void
closed(struct load *l, struct client *c, int error)
{
	/* After our own half-close the end is awaited, but not a reset. */
	if (!l->parting || (error && l->o.strict)) {
		l->t.closed++;
		load_complain(l, c, "disconnected",
			error ? strerror(error) : "by FIN");
	} else if (l->o.strict && c->in_len) {
		l->t.damaged++;
		load_complain(l, c, "ended within a line", "");
	}
	conn_close(l, c);
}

bool
conn_turn(struct load *l, int timeout_ms)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(l->epoll, ev, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct client *c = &l->client[ev[i].data.u32];
		int error = 0;

		if (c->state == CLIENT_CLOSED)
			continue;
		if (ev[i].events & EPOLLOUT && c->out_len)
			flush_out(l, c);
		if (ev[i].events & ~(uint32_t)EPOLLOUT &&
			!take_input(l, c, &error))
			closed(l, c, error);
	}
	return n > 0;
}
