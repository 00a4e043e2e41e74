/* SPDX-License-Identifier: MIT */
#include "account.h"
#include "hist.h"
#include "load.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: banter-load [-H host] -p port [-p port ...] [-n clients]\n"
	"       [-r rooms] [-P publishers] [-m messages] [-s bytes]\n"
	"       [-t seconds] [--rate lines] [--linger ms] [--missed]\n"
	"       [--may-close] [--hold] [--bad seed count]\n";

enum {
	OPT_RATE = 256,
	OPT_HOLD,
	OPT_BAD,
	OPT_MISSED,
	OPT_MAY_CLOSE,
	OPT_LINGER,
	OPT_NUMBERED
};

static const struct option longs[] = {
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "bad", required_argument, NULL, OPT_BAD },
	{ "missed", no_argument, NULL, OPT_MISSED },
	{ "may-close", no_argument, NULL, OPT_MAY_CLOSE },
	{ "linger", required_argument, NULL, OPT_LINGER },
	{ "numbered", no_argument, NULL, OPT_NUMBERED }, /* it always is */
	{ NULL, 0, NULL, 0 },
};

uint64_t
load_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool
option(struct load_options *o, int c)
{
	unsigned n = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

	switch (c) {
	case 'H':
		o->host = optarg;
		break;
	case 'n':
		o->clients = n;
		break;
	case 'r':
		o->rooms = n;
		break;
	case 'P':
		o->publishers = n;
		break;
	case 'm':
		o->messages = n;
		break;
	case 's':
		o->size = n;
		break;
	case 't':
		o->timeout_s = n;
		break;
	case OPT_RATE:
		o->rate = n;
		break;
	case OPT_LINGER:
		o->linger_ms = n;
		break;
	case OPT_HOLD:
		o->hold = true;
		break;
	case OPT_MISSED:
		o->missed = true;
		break;
	case OPT_MAY_CLOSE:
		o->may_close = true;
		break;
	case OPT_BAD:
		o->seed = n;
		o->bad = 1;
		break;
	case OPT_NUMBERED:
		break;
	case 'p':
		if (o->n_ports == LOAD_PORTS)
			return false;
		o->port[o->n_ports++] = (uint16_t)n;
		break;
	default:
		return false;
	}
	return true;
}

static bool
options(struct load_options *o, int argc, char **argv)
{
	int c;

	*o = (struct load_options){ .host = "127.0.0.1",
		.clients = 10,
		.messages = 100,
		.timeout_s = 20 };
	while ((c = getopt_long(argc, argv, "H:p:n:r:P:m:s:t:", longs, NULL)) !=
		-1)
		if (!option(o, c))
			return false;
	if (o->bad && optind < argc)
		o->bad = (unsigned)strtoul(argv[optind++], NULL, 10);
	return optind == argc && o->n_ports && o->clients &&
	       o->publishers <= o->clients;
}

static bool
connect_all(struct load *l)
{
	uint64_t until = load_now_ns() + (uint64_t)l->o.timeout_s * 1000000000;

	for (unsigned i = 0; i < l->o.clients; i++) {
		if (!conn_open(l, &l->client[i], i))
			l->t.refused++;
		(void)conn_turn(l, 0);
	}
	while (l->n_ready + l->t.refused + l->t.closed < l->o.clients &&
		load_now_ns() < until)
		(void)conn_turn(l, 100);
	return l->n_ready == l->o.clients;
}

static bool
stdin_ended(void)
{
	struct pollfd pfd = { 0, POLLIN, 0 };
	char c;

	return poll(&pfd, 1, 0) == 1 && read(0, &c, 1) <= 0;
}

static void
hold(struct load *l)
{
	while (!stdin_ended())
		(void)conn_turn(l, 50);
}

static void
run(struct load *l)
{
	uint64_t start = load_now_ns(), quiet;
	bool all = false;

	l->last_ns = start;
	do {
		if (!all)
			all = publish_due(l, start);
		(void)conn_turn(l, all ? 50 : 1);
		quiet = load_now_ns() - l->last_ns;
		if (all && account_complete(l))
			break;
	} while (!all || quiet < (uint64_t)l->o.timeout_s * 1000000000);
	uint64_t until = load_now_ns() + (uint64_t)l->o.linger_ms * 1000000;
	while (load_now_ns() < until)
		(void)conn_turn(l, 10);
}

/* Half-close: the server sends what is still due, then its own end.  What comes
 * here is counted like all before. */
static void
part_all(struct load *l)
{
	uint64_t until = load_now_ns() + (uint64_t)l->o.timeout_s * 1000000000;
	uint64_t closed = l->t.closed;

	account_finish(l);
	for (unsigned i = 0; i < l->o.clients; i++)
		if (l->client[i].state != CLIENT_CLOSED)
			(void)shutdown(l->client[i].fd, SHUT_WR);
	uint64_t delivered = l->t.delivered;
	while (l->n_open && load_now_ns() < until)
		(void)conn_turn(l, 100);
	l->t.duplicated += l->t.delivered - delivered;
	l->t.closed = closed;
}

static void
summary(const struct load *l, double seconds)
{
	const struct totals *t = &l->t;

	printf("SUMMARY clients=%u connected=%" PRIu64 " refused=%" PRIu64
	       " disconnects=%" PRIu64 " sent=%" PRIu64 " expected=%" PRIu64
	       " delivered=%" PRIu64 " missed=%" PRIu64 " lost=%" PRIu64
	       " duplicated=%" PRIu64 " disordered=%" PRIu64 " damaged=%" PRIu64
	       " unended=%u p50_us=%" PRIu64 " p99_us=%" PRIu64
	       " max_us=%" PRIu64 " seconds=%.3f\n",
		l->o.clients, t->connected, t->refused, t->closed, t->sent,
		t->expected, t->delivered, t->missed, t->lost, t->duplicated,
		t->disordered, t->damaged, l->n_open, hist_percentile(50),
		hist_percentile(99), hist_max(), seconds);
}

static bool
clean(const struct load *l)
{
	const struct totals *t = &l->t;

	if (t->duplicated || t->disordered || t->damaged || t->lost ||
		l->n_open)
		return false;
	if (t->missed && !l->o.missed)
		return false;
	return l->o.may_close || (!t->closed && !t->refused);
}

static void
forget(struct load *l)
{
	for (unsigned i = 0; i < l->o.clients; i++) {
		conn_close(l, &l->client[i]);
		free(l->client[i].last);
		free(l->client[i].sequence);
	}
	free(l->client);
}

static int
attack(struct load *l)
{
	uint64_t start = load_now_ns();
	unsigned failed = bad_run(l);

	summary(l, (double)(load_now_ns() - start) / 1e9);
	return failed ? 1 : 0;
}

static void
raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

int
main(int argc, char **argv)
{
	struct load l = { .epoll = epoll_create1(EPOLL_CLOEXEC) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!options(&l.o, argc, argv)) {
		fputs(usage, stderr);
		return 64;
	}
	raise_nofile();
	if (l.o.bad)
		return attack(&l);
	l.client = calloc(l.o.clients, sizeof(*l.client));
	if (!l.client)
		return 2;
	bool ready = connect_all(&l);
	uint64_t start = load_now_ns();
	printf("%s %u\n", ready ? "RUNNING" : "INCOMPLETE", l.n_ready);
	if (l.o.hold)
		hold(&l);
	else
		run(&l);
	double seconds = (double)(load_now_ns() - start) / 1e9;
	part_all(&l);
	summary(&l, seconds);
	bool good = clean(&l) && (ready || l.o.may_close);
	forget(&l);
	return good ? 0 : 1;
}
