/* SPDX-License-Identifier: MIT */
#include "bench/options.h"

#include "base/version.h"
#include "bench/adapter.h"
#include "bench/payload.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN      48
#define SIZE_MAX_TEXT 65536

static const char usage[] =
	"usage: banter-bench [OPTIONS] SCENARIO ADDRESS [ADDRESS ...]\n"
	"\n"
	"  idle-N         hold N connections: memory, idle CPU\n"
	"  conn-rate      connect, get ready, close\n"
	"  echo-N-A%      A % of N clients each talk to themselves\n"
	"  rooms-S        --clients in rooms of S, where all talk\n"
	"  fanout-P-N     P publishers, N members of one room\n"
	"  many-pubs-N    N members of one room, --publishers of them talk\n"
	"  slow-A%-N      fanout-1-N of which A % stop reading\n"
	"  churn          --clients in a room, where others come and go\n"
	"\n"
	"  -a, --adapter NAME     banter, raw, line, irc, mqtt, nats, redis\n"
	"  -r, --rate R           open loop: R messages a second in all\n"
	"  -A, --arrival KIND     constant or poisson\n"
	"  -s, --serial           a message when all have the one before\n"
	"  -w, --window W         W messages in flight of each publisher\n"
	"  -d, --duration S       seconds that are measured\n"
	"  -m, --messages N       messages that are measured, in all\n"
	"  -W, --warmup S         seconds of load before\n"
	"  -b, --size BYTES       of a message's text\n"
	"  -P, --publishers K     how many of the members talk\n"
	"  -n, --clients N        of conn-rate, rooms-S and churn\n"
	"  -R, --churn R          connections a second that come and go\n"
	"  -C, --concurrency C    connections at a time of conn-rate\n"
	"  -p, --processes P      loader processes\n"
	"  -c, --cpu N[,M...]     where they run\n"
	"      --spin US          wait actively so long before a send\n"
	"      --nap US           look for what came only so often\n"
	"      --sources N        addresses to connect from\n"
	"      --connect-rate R   connections a second while setting up\n"
	"      --seed N           of the Poisson process\n"
	"  -S, --server-pid PID   measure this process and its descendants\n"
	"      --room NAME        the room to talk in\n"
	"      --own yes|no       does one get one's own messages?\n"
	"      --check full|last  each message, or the last and their count\n"
	"      --timeout S        without progress it is over\n"
	"      --linger MS        wait for what comes twice\n"
	"      --late-max PCT     of the latency that the loader may be late\n"
	"      --late-floor US    and so much in any case\n"
	"      --cpu-max PCT      of a CPU for a loader process\n"
	"      --hgrm PREFIX      write the histograms to files\n"
	"      --revision TEXT    of the server, for the result\n"
	"      --note KEY=VALUE   for the result\n"
	"  -j, --json             the result in JSON\n"
	"  -q, --quiet            no progress\n"
	"  -h, --help             show this\n"
	"  -V, --version          show the version\n"
	"\n"
	"exit: 0 good, 1 the server was wrong, 2 void, 3 failed, 64 usage\n";

enum {
	OPT_SPIN = 256,
	OPT_NAP,
	OPT_SOURCES,
	OPT_CONNECT_RATE,
	OPT_SEED,
	OPT_ROOM,
	OPT_OWN,
	OPT_CHECK,
	OPT_TIMEOUT,
	OPT_LINGER,
	OPT_LATE_MAX,
	OPT_LATE_FLOOR,
	OPT_CPU_MAX,
	OPT_HGRM,
	OPT_REVISION,
	OPT_NOTE
};

static const struct option longs[] = {
	{ "adapter", required_argument, NULL, 'a' },
	{ "rate", required_argument, NULL, 'r' },
	{ "arrival", required_argument, NULL, 'A' },
	{ "serial", no_argument, NULL, 's' },
	{ "window", required_argument, NULL, 'w' },
	{ "duration", required_argument, NULL, 'd' },
	{ "messages", required_argument, NULL, 'm' },
	{ "warmup", required_argument, NULL, 'W' },
	{ "size", required_argument, NULL, 'b' },
	{ "publishers", required_argument, NULL, 'P' },
	{ "clients", required_argument, NULL, 'n' },
	{ "churn", required_argument, NULL, 'R' },
	{ "concurrency", required_argument, NULL, 'C' },
	{ "processes", required_argument, NULL, 'p' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "spin", required_argument, NULL, OPT_SPIN },
	{ "nap", required_argument, NULL, OPT_NAP },
	{ "sources", required_argument, NULL, OPT_SOURCES },
	{ "connect-rate", required_argument, NULL, OPT_CONNECT_RATE },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "server-pid", required_argument, NULL, 'S' },
	{ "room", required_argument, NULL, OPT_ROOM },
	{ "own", required_argument, NULL, OPT_OWN },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "linger", required_argument, NULL, OPT_LINGER },
	{ "late-max", required_argument, NULL, OPT_LATE_MAX },
	{ "late-floor", required_argument, NULL, OPT_LATE_FLOOR },
	{ "cpu-max", required_argument, NULL, OPT_CPU_MAX },
	{ "hgrm", required_argument, NULL, OPT_HGRM },
	{ "revision", required_argument, NULL, OPT_REVISION },
	{ "note", required_argument, NULL, OPT_NOTE },
	{ "json", no_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static bool
whole(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	       *ret >= min && *ret <= max;
}

static bool
count(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t n;
	bool fits = whole(text, min, max, &n);

	*ret = (unsigned)n;
	return fits;
}

static bool
real(const char *text, double min, double max, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end != text && *end == '\0' && *ret >= min && *ret <= max;
}

static bool
one_of(const char *text, const char *no, const char *yes, bool *ret)
{
	*ret = !strcmp(text, yes);
	return *ret || !strcmp(text, no);
}

static bool
cpus(const char *text, struct bench_options *o)
{
	for (o->n_cpus = 0; o->n_cpus < BENCH_CPUS;) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || n > 8191 || *text < '0' || *text > '9')
			return false;
		o->cpu[o->n_cpus++] = (unsigned)n;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
	return false;
}

static bool
server(const char *text, struct bench_options *o)
{
	unsigned pid;

	if (o->n_servers == BENCH_PIDS || !count(text, 1, INT_MAX, &pid))
		return false;
	o->server[o->n_servers++] = (pid_t)pid;
	return true;
}

static bool
note(const char *text, struct bench_options *o)
{
	const char *equals = strchr(text, '=');

	if (o->n_notes == BENCH_NOTES || !equals || equals == text)
		return false;
	o->note[o->n_notes++] = text;
	return true;
}

static bool
load_option(struct bench_options *o, int c)
{
	switch (c) {
	case 'a':
		o->adapter = bench_adapter_find(optarg);
		return o->adapter != NULL;
	case 'r':
		return real(optarg, 1e-3, 1e8, &o->rate);
	case 'A':
		return one_of(optarg, "constant", "poisson", &o->poisson);
	case 's':
		o->serial = true;
		return true;
	case 'w':
		return count(optarg, 1, 65536, &o->window);
	case 'd':
		return real(optarg, 0.001, 1e6, &o->duration_s);
	case 'm':
		return whole(optarg, 1, UINT32_MAX / 2, &o->messages);
	case 'W':
		return real(optarg, 0, 1e6, &o->warmup_s);
	case 'b':
		return count(optarg, SIZE_MIN, SIZE_MAX_TEXT, &o->size);
	case 'P':
		return count(optarg, 1, 16000000, &o->publishers);
	case 'n':
		return count(optarg, 1, 16000000, &o->clients);
	case 'R':
		return real(optarg, 1e-3, 1e6, &o->churn);
	case 'C':
		return count(optarg, 1, 4096, &o->concurrency);
	default:
		return false;
	}
}

static bool
loader_option(struct bench_options *o, int c)
{
	bool yes;

	switch (c) {
	case 'p':
		return count(optarg, 0, BENCH_PROCESSES, &o->processes);
	case 'c':
		return cpus(optarg, o);
	case OPT_SPIN:
		return count(optarg, 0, 1000000, &o->spin_us);
	case OPT_NAP:
		return count(optarg, 0, 1000000, &o->nap_us);
	case OPT_SOURCES:
		return count(optarg, 0, BENCH_SOURCES, &o->sources);
	case OPT_CONNECT_RATE:
		return real(optarg, 0, 1e7, &o->connect_rate);
	case OPT_SEED:
		return whole(optarg, 0, UINT64_MAX, &o->seed);
	case 'S':
		return server(optarg, o);
	case OPT_ROOM:
		o->room = optarg;
		return *optarg && strlen(optarg) <= 20;
	case OPT_OWN:
		if (!one_of(optarg, "no", "yes", &yes))
			return false;
		o->own = yes;
		return true;
	case OPT_CHECK:
		return one_of(optarg, "full", "last", &o->check_last);
	default:
		return load_option(o, c);
	}
}

static bool
option(struct bench_options *o, int c)
{
	switch (c) {
	case OPT_TIMEOUT:
		return real(optarg, 0.1, 86400, &o->timeout_s);
	case OPT_LINGER:
		return count(optarg, 0, 3600000, &o->linger_ms);
	case OPT_LATE_MAX:
		return real(optarg, 0, 1e6, &o->late_max);
	case OPT_LATE_FLOOR:
		return count(optarg, 0, 1000000000, &o->late_floor_us);
	case OPT_CPU_MAX:
		return real(optarg, 0, 1000, &o->cpu_max);
	case OPT_HGRM:
		o->hgrm = optarg;
		return true;
	case OPT_REVISION:
		o->revision = optarg;
		return true;
	case OPT_NOTE:
		return note(optarg, o);
	case 'j':
		o->json = true;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	default:
		return loader_option(o, c);
	}
}

static int
wrong(const char *what)
{
	(void)fprintf(
		stderr, "banter-bench: %s\nTry 'banter-bench -h'.\n", what);
	return BENCH_USAGE;
}

/* How the option was written, for a complaint. */
static int
bad_value(int c, const char *value)
{
	const struct option *o = longs;

	while (o->name && o->val != c)
		o++;
	(void)fprintf(stderr,
		"banter-bench: --%s cannot be '%s'; banter-bench(1) tells what "
		"it can be\n",
		o->name, value ? value : "");
	return BENCH_USAGE;
}

/* What belongs to some scenarios only, and what they take when it is not given.
 */
static int
complete(struct bench_options *o)
{
	enum bench_kind kind = o->scenario.kind;
	bool many = kind == BENCH_ECHO || kind == BENCH_ROOMS;

	if (many && o->adapter->one_room)
		return wrong("this adapter knows one room only: the scenario "
			     "needs many");
	if (kind == BENCH_ECHO)
		o->own = true;
	if (o->own == 1 && !o->adapter->own && !o->adapter->own_choice &&
		!o->adapter->one_room && kind != BENCH_ECHO)
		return wrong("with this adapter nobody gets own messages");
	if (o->own == 0 && o->adapter->own)
		return wrong("with this adapter everybody in a room gets own "
			     "messages");
	if (o->serial && (o->window > 1 || o->rate > 0))
		return wrong("--serial excludes --rate and --window");
	if (o->window && o->rate > 0)
		return wrong("--window is a closed loop, --rate an open one");
	if (o->serial)
		o->window = 1;
	if (o->publishers && kind != BENCH_MANY_PUBS)
		return wrong("--publishers is of many-pubs-N");
	if (o->publishers > o->scenario.n)
		return wrong("there are fewer members than --publishers");
	if (kind == BENCH_CONN_RATE && o->window)
		return wrong("conn-rate has no messages: --rate or "
			     "--concurrency");
	if (o->clients && kind != BENCH_ROOMS && kind != BENCH_CHURN)
		return wrong("--clients is of rooms-S and churn");
	return -1;
}

static void
defaults(struct bench_options *o)
{
	enum bench_kind kind = o->scenario.kind;

	if (o->duration_s == 0)
		o->duration_s = kind == BENCH_IDLE ? 60 : 10;
	if (o->own == -1)
		o->own = o->adapter->own;
	if (o->clients == 0)
		o->clients = kind == BENCH_CHURN ? 100 : 1000;
	if (o->publishers == 0)
		o->publishers = o->scenario.n;
	if (o->rate == 0 && o->window == 0) {
		if (kind == BENCH_SLOW || kind == BENCH_CHURN)
			o->rate = 100;
		else if (kind == BENCH_ROOMS)
			o->rate = 1000;
		else
			o->window = kind == BENCH_MANY_PUBS ? 4 : 1;
	}
}

static int
operands(struct bench_options *o, int argc, char **argv)
{
	int rc;

	if (argc - optind < 2)
		return wrong("a scenario and an address are needed");
	if (!bench_scenario_parse(argv[optind], &o->scenario)) {
		(void)fprintf(stderr,
			"banter-bench: there is no scenario %s; banter-bench "
			"-h lists them\n",
			argv[optind]);
		return BENCH_USAGE;
	}
	if (argc - optind - 1 > BENCH_ADDRESSES)
		return wrong("at most 64 addresses");
	for (int i = optind + 1; i < argc; i++)
		o->address[o->n_addresses++] = argv[i];
	rc = complete(o);
	defaults(o);
	return rc;
}

int
bench_options_read(struct bench_options *o, int argc, char **argv)
{
	int c;

	*o = (struct bench_options){ .adapter = &bench_banter,
		.warmup_s = 1,
		.size = 64,
		.seed = 1,
		.own = -1,
		.churn = 100,
		.concurrency = 64,
		.room = "bench",
		.timeout_s = 30,
		.linger_ms = 100,
		.late_max = 10,
		.late_floor_us = 50,
		.cpu_max = 85,
		.argv = argv,
		.argc = argc };
	while ((c = getopt_long(argc, argv,
			"a:r:A:sw:d:m:W:b:P:n:R:C:p:c:S:jqhV", longs, NULL)) !=
		-1) {
		if (c == 'h') {
			(void)fputs(usage, stdout);
			return BENCH_GOOD;
		}
		if (c == 'V') {
			(void)puts("banter-bench " BANTER_VERSION);
			return BENCH_GOOD;
		}
		if (c == '?') {
			(void)fputs("Try 'banter-bench -h'.\n", stderr);
			return BENCH_USAGE;
		}
		if (!option(o, c))
			return bad_value(c, optarg);
	}
	return operands(o, argc, argv);
}
