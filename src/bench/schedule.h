/* schedule.h - when which publisher is to send, whatever the server does.
 *
 * The times are fixed by the arguments alone.  With constant gaps message i of
 * the whole load is due at i / rate and belongs to publisher i % publishers; a
 * loader process walks over those of its own publishers.  A Poisson process is
 * split into one for each loader process, which together are one again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_SCHEDULE_H
#define BANTER_BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule_plan {
	bool poisson;
	double rate; /* messages a second of all publishers together, > 0 */
	unsigned publishers, first, own; /* own: first .. first + own - 1 */
	uint64_t messages;               /* of all together; 0: no limit */
	uint64_t duration_ns;            /* 0: no limit */
	uint64_t seed;
};

struct schedule {
	struct schedule_plan plan;
	uint64_t random, at; /* at: how many of its own were taken */
	uint64_t last;       /* at most so many */
	double poisson_ns;
};

struct schedule_entry {
	uint64_t offset_ns; /* since the beginning */
	unsigned publisher;
};

void schedule_init(struct schedule *s, const struct schedule_plan *plan);

/* The next one.  False: there is none any more. */
bool schedule_next(struct schedule *s, struct schedule_entry *ret);

#endif
