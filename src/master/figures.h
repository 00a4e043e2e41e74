/* figures.h - the running figures that status and metrics both show.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_FIGURES_H
#define BANTER_MASTER_FIGURES_H

#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct master;

struct figure {
	const char *name; /* "refused_full" */
	const char *help; /* a sentence without its full stop */
	bool counter;     /* only grows; else it is a gauge */
};

enum {
	FIGURES_MAX = 64
};

extern const struct figure figures_daemon[]; /* end: name is NULL */
extern const struct figure figures_slot[];

/* figures_slot begins with these; its counters follow. */
enum {
	FIGURE_CLIENTS,
	FIGURE_QUOTA,
	FIGURE_PENDING,
	FIGURE_FD_LIMIT,
	FIGURE_FULL,
	FIGURE_BEHIND,
	FIGURE_GENERATION,
	FIGURE_UP,
	FIGURE_TAKEOVER,
	FIGURE_DEATHS,
	FIGURE_DEATHS_BY, /* five of them, in the order of enum slot_death */
	FIGURE_COUNTERS = FIGURE_DEATHS_BY + 5
};

/* Values in the order of figures_daemon; the number of them. */
unsigned figures_of_daemon(struct master *master, uint64_t ret[FIGURES_MAX]);

/* value[i][n] is figures_slot[n] of slot number slot[i]; zeros before a slot
 * has a page. */
struct figures_table {
	unsigned n_slots;
	unsigned slot[CONF_WORKERS_MAX];
	uint64_t value[CONF_WORKERS_MAX][FIGURES_MAX];
	uint64_t gone[FIGURES_MAX]; /* counters of slots that are gone: sums */
};

/* One of a slot's values, by the name of its counter. */
uint64_t figures_counter(const uint64_t *value, const char *name);

/* Valid until the next call. */
const struct figures_table *figures_of_slots(struct master *master);

#endif
