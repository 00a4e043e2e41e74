/* Short connections: most wait for the greeting, say a line and close their
 * side; some say it before they are greeted, as `printf | nc -N` does; some are
 * greeted and reset the connection.  All but the last see the server's FIN
 * after the whole greeting.  Their lines are "# number checksum", and the
 * client that stays is shown each once, in any order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "account.h"
#include "base/clock.h"
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define VISITS_MAX 1024 /* at once */
#define EVENTS     256
#define GREETING   2048
#define LOOK_NS    UINT64_C(100000000) /* between two looks at who is late */

enum visit_kind {
	VISIT_SAYS,
	VISIT_SAYS_FIRST,
	VISIT_RESETS
};

struct visit {
	int fd; /* -1: none */
	enum visit_kind kind;
	uint32_t number;
	uint64_t since_ns;
	bool greeted, said;
	size_t len;
	char in[GREETING];
};

static struct visit visit[VISITS_MAX];
static unsigned n_visits;
static uint8_t *shown; /* each number: was it? */
static uint32_t n_numbers, cap_numbers;

static void
fail(struct load *l, const struct visit *v, uint64_t *counter, const char *what)
{
	struct client c = { .id = v->number };
	char text[GREETING + 64];

	(*counter)++;
	(void)snprintf(text, sizeof(text), "%" PRIu64 " ms after connect: %.*s",
		(clock_mono_ns() - v->since_ns) / 1000000, (int)v->len, v->in);
	load_complain(l, &c, what, text);
}

static void
end(struct visit *v)
{
	close(v->fd);
	v->fd = -1;
	n_visits--;
}

static void
say(struct load *l, struct visit *v)
{
	struct account_line what = { 0, v->number, clock_mono_ns() };
	char line[256];
	size_t at = 0, n;

	if (l->o.rooms)
		at = (size_t)snprintf(line, sizeof(line), "/join churn1\n");
	n = at + account_write(l, what, line + at, sizeof(line) - at);
	line[at] = '#';
	/* A short line always fits; the end shows what went wrong. */
	if (send(v->fd, line, n, MSG_NOSIGNAL) == (ssize_t)n)
		v->said = true;
	(void)shutdown(v->fd, SHUT_WR);
	l->t.sent++;
}

/* The whole greeting is there. */
static void
greeted(struct load *l, struct visit *v)
{
	struct linger rst = { 1, 0 };

	v->greeted = true;
	histogram_record(&load_took, (clock_mono_ns() - v->since_ns) / 1000);
	if (v->kind == VISIT_SAYS) {
		say(l, v);
	} else if (v->kind == VISIT_RESETS) {
		(void)setsockopt(
			v->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
		end(v);
	}
}

/* The server's side has ended. */
static void
ended(struct load *l, struct visit *v, int error)
{
	if (!v->greeted)
		fail(l, v, &l->t.refused, "refused");
	else if (error || !v->said)
		fail(l, v, &l->t.closed, error ? "reset" : "closed");
	end(v);
}

static void
read_visit(struct load *l, struct visit *v)
{
	ssize_t n = recv(v->fd, v->in + v->len, sizeof(v->in) - 1 - v->len,
		MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ended(l, v, n == 0 ? 0 : errno);
		return;
	}
	v->len += (size_t)n;
	v->in[v->len] = '\0';
	if (!v->greeted && strstr(v->in, "* Type to talk") != NULL)
		greeted(l, v);
	/* What others say then is not of interest.  A greeting that fills all
	 * of this is none. */
	if (v->greeted || v->len == sizeof(v->in) - 1)
		v->len = 0;
}

static struct visit *
free_place(void)
{
	static unsigned at;

	while (visit[at].fd != -1)
		at = (at + 1) % VISITS_MAX;
	return &visit[at];
}

static enum visit_kind
kind_of(uint32_t number)
{
	if (number % 7 == 5)
		return VISIT_RESETS;
	return number % 3 == 0 ? VISIT_SAYS_FIRST : VISIT_SAYS;
}

static void
begin(struct load *l, int epoll)
{
	struct visit *v = free_place();
	struct epoll_event ev = { .events = EPOLLIN,
		.data.u32 = (uint32_t)(v - visit) };

	memset(v, 0, sizeof(*v));
	v->since_ns = clock_mono_ns();
	v->number = ++n_numbers;
	v->kind = kind_of(v->number);
	n_visits++;
	v->fd = conn_socket(l, v->number);
	if (v->fd < 0) {
		fail(l, v, &l->t.refused, strerror(-v->fd));
		v->fd = -1;
		n_visits--;
		return;
	}
	l->t.connected++;
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, v->fd, &ev);
	if (v->kind == VISIT_SAYS_FIRST)
		say(l, v);
}

/* Those that are neither greeted nor closed for so long. */
static void
give_up(struct load *l)
{
	static uint64_t looked_ns;
	uint64_t late = (uint64_t)l->o.timeout_s * 1000000000;
	uint64_t now = clock_mono_ns();

	if (now < looked_ns + LOOK_NS)
		return;
	looked_ns = now;
	for (unsigned i = 0; i < VISITS_MAX; i++)
		if (visit[i].fd != -1 && now - visit[i].since_ns > late) {
			fail(l, &visit[i], &l->t.refused, "not served");
			end(&visit[i]);
		}
}

static void
turn(struct load *l, int epoll, int timeout_ms)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(epoll, ev, EVENTS, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct visit *v = &visit[ev[i].data.u32];

		if (v->fd != -1)
			read_visit(l, v);
	}
	(void)conn_turn(l, 0);
	give_up(l);
}

bool
churn_shown(struct load *l, const char *line)
{
	const char *text = strstr(line, "> # ");
	char copy[256];
	struct account_line a;

	if (!text || strlen(text) >= sizeof(copy))
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", text + 2);
	copy[0] = '@';
	if (!account_parse(copy, &a) || a.number == 0 || a.number > n_numbers)
		return false;
	while (cap_numbers <= a.number) {
		uint32_t more = cap_numbers ? cap_numbers * 2 : 1024;

		shown = load_grow(shown, more);
		memset(shown + cap_numbers, 0, more - cap_numbers);
		cap_numbers = more;
	}
	l->t.delivered++;
	l->last_ns = clock_mono_ns();
	marks_delivered(l->last_ns, (l->last_ns - a.sent_ns) / 1000);
	if (shown[a.number])
		l->t.duplicated++;
	shown[a.number] = 1;
	return true;
}

/* As fast as places become free, when it cannot keep up. */
static void
begin_due(struct load *l, int epoll, uint64_t start_ns)
{
	uint64_t due = (clock_mono_ns() - start_ns) * l->o.churn / 1000000000;

	for (int i = 0; i < 16 && n_numbers < due && n_visits < VISITS_MAX; i++)
		begin(l, epoll);
}

void
churn_run(struct load *l)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t start = clock_mono_ns(), last;

	for (unsigned i = 0; i < VISITS_MAX; i++)
		visit[i].fd = -1;
	while (!marks_read(l)) {
		begin_due(l, epoll, start);
		turn(l, epoll, 1);
	}
	last = clock_mono_ns() + (uint64_t)l->o.timeout_s * 1000000000;
	while (clock_mono_ns() < last &&
		(n_visits || l->t.delivered < l->t.sent))
		turn(l, epoll, 20);
	l->t.expected = l->t.sent;
	if (l->t.delivered - l->t.duplicated < l->t.sent)
		l->t.lost = l->t.sent - (l->t.delivered - l->t.duplicated);
	for (unsigned i = 0; i < VISITS_MAX; i++)
		if (visit[i].fd != -1) {
			fail(l, &visit[i], &l->t.closed, "not closed");
			end(&visit[i]);
		}
	free(shown);
	close(epoll);
}
