/* SPDX-License-Identifier: MIT */
#include "bench/plan.h"

#include "bench/adapter.h"
#include "bench/payload.h"

/* Descriptors of a loader process that are no clients. */
#define SPARE_DESCRIPTORS 64

/* connect() looks at the even ones of the 28232 ports first, one by one: with
 * more connections than this between two addresses it takes a millisecond. */
#define CLIENTS_PER_SOURCE 10000

/* A closed connection occupies its port for a minute. */
#define TRANSIENT_SOURCES 64

static void
set_kind(struct plan *p, const struct bench_options *o)
{
	const struct bench_scenario *s = &o->scenario;

	switch (s->kind) {
	case BENCH_IDLE:
		p->clients = s->n;
		break;
	case BENCH_CONN_RATE:
		break;
	case BENCH_ECHO:
		p->clients = s->n;
		p->publishers = (unsigned)(s->n * s->percent / 100 + 0.5);
		p->rooms = s->n;
		p->room_size = 1;
		break;
	case BENCH_ROOMS:
		p->clients = p->publishers = o->clients;
		p->room_size = s->n;
		p->rooms = (o->clients + s->n - 1) / s->n;
		break;
	case BENCH_FANOUT:
		p->clients = s->first + s->n;
		p->publishers = s->first;
		break;
	case BENCH_MANY_PUBS:
		p->clients = s->n;
		p->publishers = o->publishers;
		p->publishers_are_members = true;
		break;
	case BENCH_SLOW:
		p->clients = s->n + 1;
		p->publishers = 1;
		p->slow = (unsigned)(s->n * s->percent / 100 + 0.5);
		break;
	case BENCH_CHURN:
		p->clients = o->clients + 1;
		p->publishers = 1;
		break;
	}
}

static bool
is_alone(const struct plan *p)
{
	unsigned rest = p->clients % p->room_size;

	return !p->own && p->publishers_are_members &&
	       (p->room_size == 1 || rest == 1);
}

const char *
plan_make(struct plan *p, const struct bench_options *o, unsigned nofile)
{
	unsigned per = nofile > 2 * SPARE_DESCRIPTORS
			       ? nofile - SPARE_DESCRIPTORS
			       : SPARE_DESCRIPTORS;

	*p = (struct plan){ .kind = o->scenario.kind,
		.rooms = 1,
		.own = o->own == 1,
		.publishers_are_members = o->adapter->joins };
	set_kind(p, o);
	if (p->rooms > 1 || p->room_size)
		p->publishers_are_members = true;
	else
		p->room_size = p->clients ? p->clients : 1;
	p->talks = p->publishers > 0;
	p->transients = p->kind == BENCH_CONN_RATE || p->kind == BENCH_CHURN;
	if (p->kind == BENCH_ECHO && p->publishers == 0)
		return "so few clients have no active one among them";
	if (p->kind == BENCH_SLOW && (p->slow == 0 || p->slow >= o->scenario.n))
		return "of so few members none stops reading, or all";
	if (p->talks && is_alone(p))
		return "somebody would be alone in a room";
	if (p->clients > PAYLOAD_SENDERS)
		return "at most 16777216 clients";
	if (p->transients)
		per = per > 8192 ? per - 4096 : per / 2;
	p->width = p->rooms == 1 ? p->publishers : p->room_size;
	p->processes =
		o->processes ? o->processes : (p->clients + per - 1) / per;
	if (p->processes == 0)
		p->processes = 1;
	if (p->processes > BENCH_PROCESSES || p->clients / p->processes > per)
		return "too many clients for the descriptor limit: more "
		       "--processes, or a higher limit";
	p->sources = o->sources;
	if (p->sources == 0 && p->transients)
		p->sources = TRANSIENT_SOURCES;
	if (p->sources == 0 && p->clients / o->n_addresses > CLIENTS_PER_SOURCE)
		p->sources =
			(p->clients / o->n_addresses - 1) / CLIENTS_PER_SOURCE +
			1;
	return NULL;
}

unsigned
plan_process(const struct plan *p, uint32_t id)
{
	unsigned process = (unsigned)((uint64_t)id * p->processes / p->clients);

	/* Rounding: the division above is not quite the inverse. */
	while (process + 1 < p->processes && plan_first(p, process + 1) <= id)
		process++;
	return process;
}

unsigned
plan_receivers(const struct plan *p, uint32_t publisher, bool slow_too)
{
	unsigned first = plan_room(p, publisher) * p->room_size, members;

	members = p->clients - first < p->room_size ? p->clients - first
						    : p->room_size;
	if (!p->publishers_are_members)
		members -= p->publishers;
	else if (!p->own)
		members--;
	return slow_too ? members : members - p->slow;
}
