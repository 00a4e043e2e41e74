/* backoff.h - when the successor of a dead worker starts.
 *
 * Pure: no clock, no process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_BACKOFF_H
#define BANTER_MASTER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS  100
#define BACKOFF_MOST_MS   60000
#define BACKOFF_WINDOW_MS 10000
#define BACKOFF_FREE      3    /* deaths in the window that cost nothing */
#define BACKOFF_SLOW_MS   1000 /* between two starts beyond these */

/* Zeroed: nothing has died. */
struct backoff {
	uint64_t delay_ms;               /* latest wait before READY */
	uint64_t started_ms;             /* latest start */
	uint64_t death_ms[BACKOFF_FREE]; /* of ready workers, latest first */
	unsigned n_deaths;               /* of these that are set */
	bool unthrottled;                /* start at once, always */
};

void backoff_started(struct backoff *b, uint64_t now_ms);
void backoff_ready(struct backoff *b);

/* A worker has died.  When to start the next one; now_ms: at once.  random
 * spreads the waits of slots that fail together. */
uint64_t backoff_died(
	struct backoff *b, bool was_ready, uint64_t now_ms, uint32_t random);

#endif
