/* SPDX-License-Identifier: MIT */
#include "bench/schedule.h"

#include <math.h>

/* xorshift64*: the same gaps for the same seed everywhere. */
static double
unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 11) /
	       9007199254740992.0;
}

/* How many of the first n messages are those of the publishers before `end`. */
static uint64_t
messages_before(uint64_t n, unsigned publishers, unsigned end)
{
	uint64_t rest = n % publishers;

	return n / publishers * end + (rest < end ? rest : end);
}

void
schedule_init(struct schedule *s, const struct schedule_plan *plan)
{
	*s = (struct schedule){ .plan = *plan, .last = UINT64_MAX };
	/* Streams of neighbouring seeds must not look alike. */
	s->random = (plan->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
		    (plan->first + 1) * UINT64_C(0xd1342543de82ef95);
	if (s->random == 0)
		s->random = 1;
	if (plan->messages)
		s->last = messages_before(plan->messages, plan->publishers,
				  plan->first + plan->own) -
			  messages_before(plan->messages, plan->publishers,
				  plan->first);
	if (plan->own == 0)
		s->last = 0;
}

static double
poisson_next(struct schedule *s)
{
	const struct schedule_plan *p = &s->plan;
	double rate = p->rate * p->own / p->publishers;

	s->poisson_ns -= log(1.0 - unit_random(&s->random)) / rate * 1e9;
	return s->poisson_ns;
}

static double
constant_next(const struct schedule *s)
{
	const struct schedule_plan *p = &s->plan;
	uint64_t message =
		s->at / p->own * p->publishers + p->first + s->at % p->own;

	return (double)message / p->rate * 1e9;
}

bool
schedule_next(struct schedule *s, struct schedule_entry *ret)
{
	double offset;

	if (s->at >= s->last)
		return false;
	offset = s->plan.poisson ? poisson_next(s) : constant_next(s);
	if (s->plan.duration_ns && offset >= (double)s->plan.duration_ns) {
		s->last = s->at;
		return false;
	}
	ret->offset_ns = (uint64_t)offset;
	ret->publisher = s->plan.first + (unsigned)(s->at % s->plan.own);
	s->at++;
	return true;
}
