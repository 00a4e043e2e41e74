/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"
#include "bench/loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Answers to one receive: PONG and the like. */
#define REPLY_MAX 4096

void
conn_watch(struct loader *l, const struct conn *c, uint32_t key, int op,
	uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u32 = key };

	if (epoll_ctl(l->epoll, op, c->fd, &e) == -1)
		loader_fail(
			l, "cannot watch a connection: %s", strerror(errno));
}

int
conn_open(struct loader *l, struct conn *c, uint32_t id, uint32_t key)
{
	const struct target *t = &l->target[id % l->o->n_addresses];
	bool connected;
	int fd = target_connect(t, id, l->plan->sources, &connected);

	if (fd < 0)
		return fd;
	c->fd = fd;
	c->id = id;
	c->step = 0;
	c->partial_len = 0;
	c->state = CONN_CONNECTING;
	/* Told at once when it is connected already. */
	conn_watch(l, c, key, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
	return 0;
}

void
conn_close(struct conn *c)
{
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = -1;
	c->state = CONN_CLOSED;
	c->partial_len = 0;
}

/* The name of the room is in memory that the next call uses too. */
struct bench_who
conn_who(struct loader *l, const struct conn *c)
{
	static char name[40];
	const struct plan *p = l->plan;
	struct bench_who who = { .room = l->o->room,
		.id = c->id,
		.step = c->step,
		.run = l->run,
		.member = true,
		.own = p->own,
		.alone = p->kind == BENCH_ECHO };

	if (c->id < p->clients)
		who.member = plan_is_member(p, c->id);
	if (p->rooms > 1) {
		(void)snprintf(name, sizeof name, "%s%u", l->o->room,
			plan_room(p, c->id));
		who.room = name;
	}
	return who;
}

static void
keep_out(struct loader *l, struct conn *c, const char *p, size_t len)
{
	struct publisher *pub = &l->publisher[c - l->conn];

	if (pub->out_len + len > OUT_MAX)
		loader_fail(l,
			"the server does not read: %u MiB of publisher %u wait",
			OUT_MAX >> 20, c->id);
	if (pub->out_len + len > pub->out_cap) {
		pub->out_cap = (uint32_t)(pub->out_len + len) * 2;
		pub->out = xrealloc(pub->out, pub->out_cap, 1);
	}
	memcpy(pub->out + pub->out_len, p, len);
	pub->out_len += (uint32_t)len;
}

bool
conn_send(struct loader *l, struct conn *c, const char *p, size_t len)
{
	bool can_wait = conn_is_publisher(l, c);
	ssize_t n = 0;

	if (!can_wait || l->publisher[c - l->conn].out_len == 0) {
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			return false;
		if (n == -1)
			n = 0;
		if ((size_t)n == len)
			return true;
		if (!can_wait)
			return false;
		conn_watch(l, c, (uint32_t)(c - l->conn), EPOLL_CTL_MOD,
			EPOLLIN | EPOLLOUT);
	}
	keep_out(l, c, p + n, len - (size_t)n);
	return true;
}

static bool
greet(struct loader *l, struct conn *c)
{
	char mem[512];
	struct buf out = buf_over(mem, sizeof mem);
	struct bench_who who = conn_who(l, c);

	l->o->adapter->hello(&who, &out);
	c->step = who.step;
	return out.len == 0 || conn_send(l, c, out.p, out.len);
}

static bool
connected(struct loader *l, struct conn *c, uint32_t key)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
		error != 0) {
		errno = error;
		return false;
	}
	c->state = CONN_CONNECTED;
	conn_watch(l, c, key, EPOLL_CTL_MOD, EPOLLIN);
	return greet(l, c);
}

bool
conn_writable(struct loader *l, struct conn *c, uint32_t key)
{
	struct publisher *pub;
	ssize_t n;

	if (c->state == CONN_CONNECTING)
		return connected(l, c, key);
	if (!conn_is_publisher(l, c))
		return true;
	pub = &l->publisher[c - l->conn];
	n = send(c->fd, pub->out, pub->out_len, MSG_NOSIGNAL);
	if (n == -1)
		return errno == EAGAIN;
	pub->out_len -= (uint32_t)n;
	memmove(pub->out, pub->out + n, pub->out_len);
	if (pub->out_len == 0) {
		conn_watch(l, c, key, EPOLL_CTL_MOD, EPOLLIN);
		publish_opened(l, (unsigned)(c - l->conn));
	}
	return true;
}

static bool
keep_partial(struct conn *c, struct slice rest)
{
	if (rest.len > ADAPTER_ITEM_MAX)
		return false;
	if (rest.len > c->partial_cap) {
		c->partial_cap = (uint32_t)rest.len * 2;
		free(c->partial);
		c->partial = xrealloc(NULL, c->partial_cap, 1);
	}
	if (rest.len)
		memcpy(c->partial, rest.p, rest.len);
	c->partial_len = (uint32_t)rest.len;
	return true;
}

static bool
take_items(
	struct loader *l, struct conn *c, struct slice in, conn_item_fn *item)
{
	char mem[REPLY_MAX];
	struct buf out = buf_over(mem, sizeof mem);
	/* The room's name matters only until it is set up. */
	struct bench_who who = c->state == CONN_READY
				       ? (struct bench_who){ .room = "",
						 .step = c->step,
						 .member = true }
				       : conn_who(l, c);

	while (c->state != CONN_CLOSED) {
		struct slice text = { NULL, 0 };
		enum bench_item what =
			l->o->adapter->next(&who, &in, &text, &out);

		c->step = who.step;
		if (what == BENCH_MORE)
			break;
		if (what != BENCH_NOTHING)
			item(l, c, what, text);
		if (what == BENCH_BAD)
			return false;
	}
	if (c->state == CONN_CLOSED)
		return true;
	if (out.len && !conn_send(l, c, out.p, out.len))
		return false;
	return !out.over && keep_partial(c, in);
}

bool
conn_readable(struct loader *l, struct conn *c, conn_item_fn *item)
{
	size_t have = c->partial_len;
	ssize_t n;

	if (have)
		memcpy(l->in, c->partial, have);
	n = recv(c->fd, l->in + have, RECEIVE_MAX, 0);
	if (n == -1)
		return errno == EAGAIN;
	if (n == 0) {
		errno = 0;
		return false;
	}
	l->bytes += (uint64_t)n;
	errno = 0;
	return take_items(l, c, slice_of(l->in, have + (size_t)n), item);
}
