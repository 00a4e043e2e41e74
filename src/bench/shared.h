/* shared.h - what the director and its loader processes tell each other.
 *
 * One shared mapping, made before the fork.  A loader writes its own part; the
 * phase is the director's.  Slots follow each message in flight: how many have
 * still to be shown it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_SHARED_H
#define BANTER_BENCH_SHARED_H

#include "base/histogram.h"
#include "bench/plan.h"

#include <stdatomic.h>

enum phase_kind {
	PHASE_SETUP,
	PHASE_TRAFFIC,
	PHASE_HOLD,
	PHASE_END /* say what is missing, and end */
};

/* Written while nobody reads it, then announced by its number. */
struct phase {
	enum phase_kind kind;
	bool measured;
	uint64_t start_ns;    /* told by `start_ns` of the shared part */
	uint64_t duration_ns; /* 0: until `messages` are sent */
	uint64_t messages;    /* 0: for duration_ns */
};

/* Errors of the server, not figures. */
struct bench_errors {
	uint64_t lost, duplicated, disordered, damaged, closed, refused;
};

/* Of the measured phase. */
struct bench_times {
	struct histogram latency, from_send, first, completion, lateness, turn,
		setup;
	uint64_t untracked; /* messages whose completion nobody could follow */
};

struct loader_shared {
	pid_t pid;
	int wake; /* an eventfd */
	atomic_bool woken;
	char failure[256]; /* why it has ended, if it has */
	/* Written once per turn: */
	_Atomic uint64_t connected, ready, bytes;
	_Atomic uint64_t sent, expected, delivered; /* of this phase */
	_Atomic uint64_t transients;                /* that came and went */
	_Atomic uint32_t entered, done;             /* number of a phase */
	struct bench_errors errors;
	struct bench_times times;
};

/* A message in flight. */
struct slot {
	_Atomic uint32_t number;
	_Atomic uint32_t remaining;
};

struct shared {
	pid_t director;
	struct phase phase;
	_Atomic uint32_t phase_number;
	_Atomic uint64_t start_ns;    /* 0: not all are in the phase yet, and
				       * nobody may say anything */
	atomic_bool probe;            /* all are connected: say something */
	struct loader_shared *loader; /* plan.processes of them */
	_Atomic uint32_t *sent;       /* the last number of each publisher */
	struct slot *slot;            /* slots of each publisher */
	unsigned slots;
};

/* -errno when there is not so much memory. */
int shared_open(struct shared **ret, const struct plan *p,
	const struct bench_options *o);

static inline struct slot *
shared_slot(struct shared *s, uint32_t publisher, uint32_t number)
{
	return &s->slot[(size_t)publisher * s->slots + number % s->slots];
}

/* Wake a loader up, once until it has seen it. */
void shared_wake(struct loader_shared *l);

#endif
