/* SPDX-License-Identifier: MIT */
#include "master/quota.h"

#include "base/must.h"

#include <string.h>

/* Places at a time for a queue that is being emptied. */
#define LEAVING_GIFT 16

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint64_t
given(const struct quota *q)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < q->n; i++)
		sum += q->slot[i].quota;
	return sum;
}

uint32_t
quota_pool(const struct quota *q)
{
	uint64_t sum = given(q);

	return sum < q->total ? (uint32_t)(q->total - sum) : 0;
}

static uint64_t
excess(const struct quota *q)
{
	uint64_t sum = given(q);

	return sum > q->total ? sum - q->total : 0;
}

void
quota_init(struct quota *q, unsigned n, uint32_t total, uint32_t cap)
{
	must(n > 0 && n <= QUOTA_SLOTS);
	memset(q, 0, sizeof *q);
	q->n = n;
	q->total = total;
	for (unsigned i = 0; i < n; i++) {
		q->slot[i].cap = cap;
		q->slot[i].quota = least(total / n, cap);
	}
}

void
quota_grow(struct quota *q, unsigned n, uint32_t cap)
{
	must(n >= q->n && n <= QUOTA_SLOTS);
	for (; q->n < n; q->n++)
		q->slot[q->n] = (struct quota_slot){ .cap = cap, .away = true };
}

/* What a slot has when all have the same. */
static uint32_t
even_share(const struct quota *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n; i++)
		n += !q->slot[i].leaving;
	return n ? q->total / n : 0;
}

static bool
is_hungry(const struct quota_slot *s)
{
	return s->wants && !s->recalled && !s->away && s->quota < s->cap;
}

static unsigned
n_hungry(const struct quota *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n; i++)
		n += is_hungry(&q->slot[i]);
	return n;
}

static uint64_t
give(struct quota *q)
{
	uint32_t pool = quota_pool(q), share;
	unsigned n = n_hungry(q);
	uint64_t mask = 0;

	if (n == 0 || pool == 0)
		return 0;
	share = pool / n ? pool / n : 1;
	for (unsigned i = 0; i < q->n && pool > 0; i++) {
		struct quota_slot *s = &q->slot[i];
		uint32_t more;

		if (!is_hungry(s))
			continue;
		more = least(least(share, pool), s->cap - s->quota);
		if (s->leaving)
			more = least(more, LEAVING_GIFT);
		s->quota += more;
		pool -= more;
		s->wants = false;
		mask |= UINT64_C(1) << i;
	}
	return mask;
}

static uint32_t
slack(const struct quota_slot *s)
{
	/* A slot that wants has told more lately than its figure shows. */
	if (s->recalled || s->mute || s->away || s->wants ||
		s->quota <= s->clients)
		return 0;
	return s->quota - s->clients;
}

static struct quota_slot *
slackest(struct quota *q)
{
	struct quota_slot *most = NULL;

	for (unsigned i = 0; i < q->n; i++)
		if (slack(&q->slot[i]) > 0 &&
			(!most || slack(&q->slot[i]) > slack(most)))
			most = &q->slot[i];
	return most;
}

/* What is given back is not known yet: ask no more meanwhile. */
static bool
is_waited_for(const struct quota *q)
{
	for (unsigned i = 0; i < q->n; i++)
		if (q->slot[i].recalled && !q->slot[i].mute)
			return true;
	return false;
}

static uint64_t
ask(struct quota *q, struct quota_slot *s, uint32_t n)
{
	s->ask = s->quota - n;
	s->recalled = true;
	return UINT64_C(1) << (s - q->slot);
}

/* A total that was lowered: from everybody who has something to spare. */
static uint64_t
ask_excess(struct quota *q)
{
	uint64_t over = excess(q), mask = 0;
	struct quota_slot *s;

	if (is_waited_for(q))
		return 0;
	while (over > 0 && (s = slackest(q)) != NULL) {
		uint32_t n = over < slack(s) ? (uint32_t)over : slack(s);

		mask |= ask(q, s, n);
		over -= n;
	}
	return mask;
}

/* Also when nobody is in want: it is nothing to who drains. */
static uint64_t
ask_leaving(struct quota *q)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < q->n; i++)
		if (q->slot[i].leaving && slack(&q->slot[i]) > 0)
			mask |= ask(q, &q->slot[i], slack(&q->slot[i]));
	return mask;
}

/* Half of what the slackest has, so that the two do not take turns. */
static uint64_t
ask_for_hungry(struct quota *q)
{
	struct quota_slot *s;

	if (n_hungry(q) == 0 || quota_pool(q) > 0 || is_waited_for(q))
		return 0;
	s = slackest(q);
	return s ? ask(q, s, (slack(s) + 1) / 2) : 0;
}

void
quota_round(struct quota *q, uint64_t *ret_given, uint64_t *ret_asked)
{
	*ret_given = give(q);
	*ret_asked = ask_excess(q);
	/* Nobody gives back at once what was just given. */
	if (*ret_asked == 0 && *ret_given == 0)
		*ret_asked = ask_leaving(q);
	if (*ret_asked == 0 && *ret_given == 0)
		*ret_asked = ask_for_hungry(q);
}

bool
quota_kept(struct quota *q, unsigned i, uint64_t kept)
{
	struct quota_slot *s = &q->slot[i];

	/* Asked of a worker that died, and answered by its successor too late:
	 * the quota that it was given since is what counts. */
	if (!s->recalled)
		return true;
	if (kept > s->quota)
		return false;
	s->recalled = false;
	s->quota = (uint32_t)kept;
	return true;
}

void
quota_away(struct quota *q, unsigned i)
{
	struct quota_slot *s = &q->slot[i];

	s->quota = s->clients = 0;
	s->wants = s->recalled = false;
	s->away = true;
}

void
quota_back(struct quota *q, unsigned i)
{
	struct quota_slot *s = &q->slot[i];

	s->recalled = s->wants = false;
	if (!s->away)
		return;
	s->away = false;
	if (s->leaving)
		return;
	s->quota = least(least(even_share(q), s->cap), quota_pool(q));
	/* Before anybody waits there: all is given out. */
	s->wants = s->quota == 0;
}

void
quota_leave(struct quota *q, unsigned i)
{
	q->slot[i].leaving = true;
	q->slot[i].wants = false;
}

void
quota_stay(struct quota *q, unsigned i)
{
	struct quota_slot *s = &q->slot[i];

	s->leaving = false;
	if (!s->away && s->quota <= s->clients)
		s->wants = true;
}

bool
quota_is_pressed(const struct quota *q)
{
	return n_hungry(q) > 0 || excess(q) > 0;
}
