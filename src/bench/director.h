/* director.h - starts the loaders, leads them through the phases, and looks at
 * the server meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_DIRECTOR_H
#define BANTER_BENCH_DIRECTOR_H

#include "bench/machine.h"
#include "bench/shared.h"
#include "bench/softirqd.h"

#include <time.h>

struct loader_use {
	pid_t pid;
	uint64_t cpu_ns;
	unsigned clients;
};

#define RESULT_TEXTS 8

struct result {
	struct plan plan;
	char failed[400]; /* why there is no result */
	struct bench_times times;
	struct bench_errors errors;
	uint64_t sent, expected, delivered, transients;
	uint64_t measured_ns, setup_ns;
	struct loader_use loader[BENCH_PROCESSES];
	struct processes before, after; /* the server around the measured phase
					 */
	unsigned ended;  /* processes of it that have ended meanwhile */
	uint64_t cpu_ns; /* of all of it */
	struct softirqd softirqd; /* of its CPUs */
	bool has_softirqd;        /* they could be seen */
	uint64_t softirqd_ns;
	struct memory memory_before, memory_after;
	struct timespec started;
	char invalid[RESULT_TEXTS][200], warning[RESULT_TEXTS][200];
	unsigned n_invalid, n_warnings;
};

/* Run it all.  0, or -1 with r->failed. */
int director_run(const struct bench_options *o, struct result *r);

/* verdict.c: is this run worth anything? */
void verdict(const struct bench_options *o, struct result *r);

/* result.c: CPU time of the server, from its processes before and after; all
 * that one loader has. */
void result_server_cpu(struct result *r);
void result_merge(struct result *r, const struct loader_shared *l);
bool result_has_errors(const struct result *r);
/* CPU of the busiest loader as a part of one. */
double result_loader_share(const struct result *r);
/* CPU that the server was busy with, as a part of one: with the softirq threads
 * of its CPUs unless the loader's work may be in them. */
double result_server_share(const struct result *r);

/* report_json.c, report_text.c: true when all was written. */
bool report_json(const struct bench_options *o, const struct result *r);
bool report_text(const struct bench_options *o, const struct result *r);

/* hgrm.c: the histograms as files.  0 or -errno. */
int hgrm_write(const struct bench_options *o, const struct result *r);

#endif
