/* options.h - what was asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_OPTIONS_H
#define BANTER_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_ADDRESSES 64
#define BENCH_CPUS      256
#define BENCH_PIDS      64
#define BENCH_NOTES     64
#define BENCH_PROCESSES 256
#define BENCH_SOURCES   4096

struct bench_adapter;

enum bench_kind {
	BENCH_IDLE,
	BENCH_CONN_RATE,
	BENCH_ECHO,
	BENCH_ROOMS,
	BENCH_FANOUT,
	BENCH_MANY_PUBS,
	BENCH_SLOW,
	BENCH_CHURN
};

enum bench_exit {
	BENCH_GOOD = 0,
	BENCH_WRONG = 1,
	BENCH_VOID = 2,
	BENCH_FAILED = 3,
	BENCH_USAGE = 64
};

/* What the scenario's name says. */
struct bench_scenario {
	const char *text;
	enum bench_kind kind;
	unsigned n;     /* clients, members, or the size of a room */
	unsigned first; /* publishers of fanout-P-N */
	double percent; /* of echo-N-A%, slow-A%-N */
};

struct bench_options {
	struct bench_scenario scenario;
	const struct bench_adapter *adapter;
	const char *address[BENCH_ADDRESSES];
	unsigned n_addresses;

	double rate; /* 0: not given */
	bool poisson, serial;
	unsigned window; /* 0: not given */
	double duration_s, warmup_s;
	uint64_t messages, seed;
	unsigned size, publishers, clients, concurrency;
	double churn;

	unsigned processes, sources;
	double connect_rate;
	unsigned cpu[BENCH_CPUS];
	unsigned n_cpus;
	unsigned spin_us, nap_us;
	pid_t server[BENCH_PIDS];
	unsigned n_servers;
	const char *room;
	int own; /* -1: as the adapter has it */
	bool check_last;
	double timeout_s;
	unsigned linger_ms;
	double late_max, cpu_max;
	unsigned late_floor_us;

	const char *hgrm, *revision;
	const char *note[BENCH_NOTES];
	unsigned n_notes;
	bool json, quiet;
	char **argv;
	int argc;
};

/* -1: go on; else what to exit with, after something was said. */
int bench_options_read(struct bench_options *o, int argc, char **argv);

/* False: no scenario has such a name.  The text is borrowed. */
bool bench_scenario_parse(const char *text, struct bench_scenario *ret);

#endif
