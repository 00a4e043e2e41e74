/* SPDX-License-Identifier: MIT */
#include "account.h"
#include "actor.h"
#include "base/clock.h"
#include "load.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
	"usage: banter-load [-H host] -p port [-p port ...] [-n clients]\n"
	"       [-r rooms] [-P publishers] [-m messages] [-s bytes]\n"
	"       [-t seconds] [--rate lines] [--linger ms] [--missed]\n"
	"       [--may-close] [--hold] [--until-eof] [--strict]\n"
	"       [--mixed clients] [--churn connections] [--bad seed count]\n";

enum {
	OPT_RATE = 256,
	OPT_HOLD,
	OPT_BAD,
	OPT_MISSED,
	OPT_MAY_CLOSE,
	OPT_LINGER,
	OPT_NUMBERED,
	OPT_UNTIL_EOF,
	OPT_STRICT,
	OPT_MIXED,
	OPT_CHURN
};

static const struct option longs[] = {
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "bad", required_argument, NULL, OPT_BAD },
	{ "missed", no_argument, NULL, OPT_MISSED },
	{ "may-close", no_argument, NULL, OPT_MAY_CLOSE },
	{ "linger", required_argument, NULL, OPT_LINGER },
	{ "numbered", no_argument, NULL, OPT_NUMBERED }, /* it always is */
	{ "until-eof", no_argument, NULL, OPT_UNTIL_EOF },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "mixed", required_argument, NULL, OPT_MIXED },
	{ "churn", required_argument, NULL, OPT_CHURN },
	{ NULL, 0, NULL, 0 },
};

static bool
option(struct load_options *o, int c)
{
	const char *text = optarg ? optarg : "";
	unsigned n = (unsigned)strtoul(text, NULL, 10);

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
		o->rate = strtod(text, NULL);
		break;
	case OPT_UNTIL_EOF:
		o->until_eof = true;
		break;
	case OPT_STRICT:
		o->strict = true;
		break;
	case OPT_MIXED:
		o->mixed = n;
		break;
	case OPT_CHURN:
		o->churn = n;
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

/* In an open-ended load the order is checked as it comes, which those who may
 * miss something would spoil. */
static bool
is_sound(const struct load_options *o)
{
	if (!o->n_ports || !o->clients || o->publishers + o->mixed > o->clients)
		return false;
	if (o->until_eof && (o->rate <= 0 || o->missed || o->may_close))
		return false;
	return o->until_eof || !o->mixed;
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
	if (o->churn) {
		o->clients = 1;
		o->rooms = o->rooms ? 1 : 0;
	}
	return optind == argc && is_sound(o);
}

static bool
connect_all(struct load *l)
{
	uint64_t until =
		clock_mono_ns() + (uint64_t)l->o.timeout_s * 1000000000;

	for (unsigned i = 0; i < l->o.clients; i++) {
		if (!conn_open(l, &l->client[i], i))
			l->t.refused++;
		(void)conn_turn(l, 0);
	}
	while (l->n_ready + l->t.refused + l->t.closed < l->o.clients &&
		clock_mono_ns() < until)
		(void)conn_turn(l, 100);
	return l->n_ready == l->o.clients;
}

static void
hold(struct load *l)
{
	while (!marks_read(l))
		(void)conn_turn(l, 50);
}

static void
run(struct load *l)
{
	uint64_t start = clock_mono_ns(), quiet;
	bool all = false;

	l->last_ns = start;
	do {
		if (l->o.until_eof)
			(void)marks_read(l);
		if (!all)
			all = publish_due(l, start);
		actor_due(l);
		(void)conn_turn(l, all ? 50 : 1);
		quiet = clock_mono_ns() - l->last_ns;
		if (all && account_complete(l))
			break;
	} while ((!all && !l->ended) ||
		 quiet < (uint64_t)l->o.timeout_s * 1000000000);
	uint64_t until = clock_mono_ns() + (uint64_t)l->o.linger_ms * 1000000;
	while (clock_mono_ns() < until)
		(void)conn_turn(l, 10);
}

/* Half-close: the server sends what is still due, then its own end.  What comes
 * here is counted like all before. */
static void
part_all(struct load *l)
{
	uint64_t until =
		clock_mono_ns() + (uint64_t)l->o.timeout_s * 1000000000;
	uint64_t delivered = l->t.delivered;

	if (!l->o.churn)
		account_finish(l);
	l->parting = true;
	for (unsigned i = 0; i < l->o.clients; i++)
		if (l->client[i].state != CLIENT_CLOSED)
			(void)shutdown(l->client[i].fd, SHUT_WR);
	while (l->n_open && clock_mono_ns() < until)
		(void)conn_turn(l, 100);
	l->t.duplicated += l->t.delivered - delivered;
}

static void
summary(const struct load *l, double seconds)
{
	const struct totals *t = &l->t;
	struct marks_result m = marks_result();

	printf("SUMMARY clients=%u connected=%" PRIu64 " refused=%" PRIu64
	       " disconnects=%" PRIu64 " sent=%" PRIu64 " expected=%" PRIu64
	       " delivered=%" PRIu64 " missed=%" PRIu64 " lost=%" PRIu64
	       " duplicated=%" PRIu64 " disordered=%" PRIu64 " damaged=%" PRIu64
	       " asked=%" PRIu64 " answered=%" PRIu64
	       " unended=%u p50_us=%" PRIu64 " p99_us=%" PRIu64
	       " max_us=%" PRIu64 " marks=%u intervals=%u pause_p50_us=%" PRIu64
	       " pause_max_us=%" PRIu64 " gap_max_us=%" PRIu64
	       " seconds=%.3f\n",
		l->o.clients, t->connected, t->refused, t->closed, t->sent,
		t->expected, t->delivered, t->missed, t->lost, t->duplicated,
		t->disordered, t->damaged, t->asked, t->answered, l->n_open,
		histogram_percentile(&load_took, 50),
		histogram_percentile(&load_took, 99), load_took.max, m.n,
		m.used, m.pause_p50, m.pause_max, m.gap_max, seconds);
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
	order_free(l);
}

static int
attack(struct load *l)
{
	uint64_t start = clock_mono_ns();
	unsigned failed = bad_run(l);

	summary(l, (double)(clock_mono_ns() - start) / 1e9);
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
	load_seed(l.o.seed ? l.o.seed : 1);
	if (l.o.bad)
		return attack(&l);
	l.client = calloc(l.o.clients, sizeof(*l.client));
	if (!l.client)
		return 2;
	bool ready = connect_all(&l);
	uint64_t start = clock_mono_ns();
	printf("%s %u\n", ready ? "RUNNING" : "INCOMPLETE", l.n_ready);
	if (l.o.churn)
		churn_run(&l);
	else if (l.o.hold)
		hold(&l);
	else
		run(&l);
	double seconds = (double)(clock_mono_ns() - start) / 1e9;
	part_all(&l);
	summary(&l, seconds);
	bool good = clean(&l) && (ready || l.o.may_close);
	forget(&l);
	return good ? 0 : 1;
}
