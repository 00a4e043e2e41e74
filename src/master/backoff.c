/* SPDX-License-Identifier: MIT */
#include "master/backoff.h"

#include <string.h>

void
backoff_started(struct backoff *b, uint64_t now_ms)
{
	b->started_ms = now_ms;
}

void
backoff_ready(struct backoff *b)
{
	b->delay_ms = 0;
}

/* Doubling, up to a tenth more or less. */
static uint64_t
died_starting(struct backoff *b, uint64_t now_ms, uint32_t random)
{
	uint64_t tenth;

	b->delay_ms = b->delay_ms ? b->delay_ms * 2 : BACKOFF_FIRST_MS;
	if (b->delay_ms > BACKOFF_MOST_MS)
		b->delay_ms = BACKOFF_MOST_MS;
	tenth = b->delay_ms / 10;
	return now_ms + b->delay_ms - tenth + random % (2 * tenth + 1);
}

/* Never a long pause: a crash would be a way to deny service. */
static uint64_t
died_serving(struct backoff *b, uint64_t now_ms)
{
	bool busy = b->n_deaths == BACKOFF_FREE &&
		    now_ms - b->death_ms[BACKOFF_FREE - 1] < BACKOFF_WINDOW_MS;

	memmove(b->death_ms + 1, b->death_ms,
		(BACKOFF_FREE - 1) * sizeof *b->death_ms);
	b->death_ms[0] = now_ms;
	if (b->n_deaths < BACKOFF_FREE)
		b->n_deaths++;
	if (!busy || b->started_ms + BACKOFF_SLOW_MS < now_ms)
		return now_ms;
	return b->started_ms + BACKOFF_SLOW_MS;
}

uint64_t
backoff_died(
	struct backoff *b, bool was_ready, uint64_t now_ms, uint32_t random)
{
	if (b->unthrottled)
		return now_ms;
	return was_ready ? died_serving(b, now_ms)
			 : died_starting(b, now_ms, random);
}
