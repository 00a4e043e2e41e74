/* plan.h - which client is what.
 *
 * Clients are numbered; the publishers are the first ones, those that stop
 * reading the last ones.  Each loader process has a run of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_PLAN_H
#define BANTER_BENCH_PLAN_H

#include "bench/options.h"

struct plan {
	enum bench_kind kind;
	unsigned clients, publishers, slow;
	unsigned rooms, room_size;
	bool publishers_are_members, own;
	bool talks;      /* there are messages */
	bool transients; /* connections come and go */
	unsigned processes, sources;
	unsigned width; /* publishers of one room */
};

/* Fill it in; nofile is how many descriptors a process may have.  NULL, or why
 * there is no such plan. */
const char *plan_make(
	struct plan *p, const struct bench_options *o, unsigned nofile);

/* The first client of a loader process; of `processes`: how many there are. */
static inline unsigned
plan_first(const struct plan *p, unsigned process)
{
	return (unsigned)((uint64_t)p->clients * process / p->processes);
}

/* Which process has this client. */
unsigned plan_process(const struct plan *p, uint32_t id);

static inline unsigned
plan_room(const struct plan *p, uint32_t id)
{
	return p->rooms == 1 ? 0 : id / p->room_size;
}

/* Which of the publishers of its room this one is: below width. */
static inline unsigned
plan_rank(const struct plan *p, uint32_t publisher)
{
	return p->rooms == 1 ? publisher : publisher % p->room_size;
}

static inline bool
plan_is_member(const struct plan *p, uint32_t id)
{
	return p->publishers_are_members || id >= p->publishers;
}

static inline bool
plan_is_slow(const struct plan *p, uint32_t id)
{
	return id >= p->clients - p->slow;
}

/* Is the receiver shown what this publisher says? */
static inline bool
plan_shows(const struct plan *p, uint32_t publisher, uint32_t receiver)
{
	return plan_room(p, publisher) == plan_room(p, receiver) &&
	       plan_is_member(p, receiver) && (publisher != receiver || p->own);
}

/* How many are shown what this publisher says, while all read or while the slow
 * ones do not. */
unsigned plan_receivers(
	const struct plan *p, uint32_t publisher, bool slow_too);

#endif
