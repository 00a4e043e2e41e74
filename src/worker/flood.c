/* The token bucket, and what becomes of who has emptied it.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "log/event.h"
#include "worker/private.h"

#define LINE 1000u /* thousandths: one line */

static uint32_t
refilled(const struct worker *w, const struct session *s)
{
	const struct conf_limits *l = &w->conf->limits;
	uint32_t passed = (uint32_t)w->now_ms - s->tokens_ms;
	uint64_t tokens = s->tokens + (uint64_t)passed * l->rate;
	uint64_t full = (uint64_t)l->burst * LINE;

	/* tokens_ms 0: never counted, so the bucket is full. */
	return (uint32_t)(tokens > full || s->tokens_ms == 0 ? full : tokens);
}

bool
flood_has(const struct worker *w, const struct session *s)
{
	return w->conf->limits.rate == 0 || refilled(w, s) >= LINE;
}

void
flood_pay(struct worker *w, const struct session *s)
{
	uint32_t tokens, now = (uint32_t)w->now_ms;

	if (w->conf->limits.rate == 0)
		return;
	tokens = refilled(w, s);
	/* Full again: the next time it is told anew. */
	if (tokens == w->conf->limits.burst * LINE &&
		s->flags & SESSION_FLOODING)
		arena_set(&w->arena, &s->flags, s->flags & ~SESSION_FLOODING);
	arena_set(&w->arena, &s->tokens, tokens > LINE ? tokens - LINE : 0);
	arena_set(&w->arena, &s->tokens_ms, now ? now : 1);
}

static uint64_t
wait_ms(const struct worker *w, const struct session *s)
{
	uint32_t tokens = refilled(w, s);

	if (tokens >= LINE || w->conf->limits.rate == 0)
		return 1;
	return (LINE - tokens) / w->conf->limits.rate + 1;
}

static void
tell_flood(struct worker *w, const struct session *s)
{
	struct event e = { .type = EVENT_FLOOD,
		.number = w->conf->limits.rate };

	if (s->flags & SESSION_FLOODING)
		return;
	count(w, flooded, 1);
	client_log(w, LOG_FLOOD, s, "action=delay", "text", slice_of(NULL, 0));
	tx_begin(&w->arena);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_FLOODING);
	output_tell(w, s, &e);
	tx_commit(&w->arena);
}

bool
flood_slow_down(struct worker *w, const struct session *s)
{
	struct event e = { .type = EVENT_REFUSED,
		.refusal = REFUSAL_FLOOD,
		.number = w->conf->limits.rate };

	if (w->conf->limits.on_flood == CONF_FLOOD_CLOSE) {
		count(w, flood_closed, 1);
		client_log(w, LOG_FLOOD, s, "action=close", "text",
			slice_of(NULL, 0));
		client_quit(w, s, SLICE_LIT("flood"), &e);
		return false;
	}
	tell_flood(w, s);
	timers_set(w, s, TIMER_FLOOD, w->now_ms + wait_ms(w, s));
	return true;
}
