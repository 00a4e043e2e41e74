/* transient.c - connections that come, get ready, and go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/loader.h"

#include <errno.h>

#define RETRY_NS UINT64_C(1000000)

void
transient_open(struct loader *l)
{
	l->transient = xcalloc(TRANSIENTS_MAX, sizeof *l->transient);
	l->free_transient = xcalloc(TRANSIENTS_MAX, sizeof *l->free_transient);
	for (unsigned i = 0; i < TRANSIENTS_MAX; i++)
		l->free_transient[l->n_free++] = i;
}

static double
rate_of(const struct loader *l)
{
	return l->plan->kind == BENCH_CHURN ? l->o->churn : l->o->rate;
}

/* Each loader has its part of them. */
void
transient_enter(struct loader *l)
{
	const struct plan *p = l->plan;
	unsigned n = l->o->concurrency;

	l->transients_due = p->transients && l->phase.kind == PHASE_TRAFFIC;
	if (!l->transients_due)
		return;
	l->transients_at_once =
		n / p->processes + (l->index < n % p->processes);
	if (rate_of(l) == 0)
		return;
	l->transients_at_once = TRANSIENTS_MAX;
	schedule_init(&l->transient_schedule,
		&(struct schedule_plan){ .poisson = l->o->poisson,
			.rate = rate_of(l),
			.publishers = p->processes,
			.first = l->index,
			.own = 1,
			.duration_ns = l->phase.duration_ns,
			.seed = l->o->seed + 2 + l->phase.measured });
	l->transients_due =
		schedule_next(&l->transient_schedule, &l->transient_next);
}

static void
give_back(struct loader *l, struct conn *c)
{
	conn_close(c);
	l->free_transient[l->n_free++] = (unsigned)(c - l->transient);
}

static bool
begin(struct loader *l, uint64_t intended_ns)
{
	unsigned i = l->free_transient[l->n_free - 1];
	struct conn *c = &l->transient[i];
	uint32_t id = l->plan->clients + l->index +
		      (uint32_t)l->transient_count * l->plan->processes;
	int rc;

	c->start_ns = intended_ns;
	rc = conn_open(l, c, id & 0xffffff, i | KEY_TRANSIENT);
	if (rc == -EAGAIN)
		return false;
	l->transient_count++;
	if (rc == 0) {
		l->n_free--;
		return true;
	}
	l->me->errors.refused++;
	loader_complain(l, "a connection could not be made: %s", strerror(-rc));
	return true;
}

static void
next_planned(struct loader *l, uint64_t now, uint64_t intended_ns)
{
	if (l->phase.measured && l->plan->kind == BENCH_CONN_RATE)
		histogram_record(&l->me->times.lateness, now - intended_ns);
	l->transients_due =
		schedule_next(&l->transient_schedule, &l->transient_next);
}

uint64_t
transient_due(struct loader *l)
{
	while (l->transients_due) {
		uint64_t now = clock_mono_ns(), at = now;
		bool planned = rate_of(l) != 0;

		if (planned)
			at = l->phase.start_ns + l->transient_next.offset_ns;
		else if (now < l->phase.start_ns)
			at = l->phase.start_ns;
		else if (now >= l->phase.start_ns + l->phase.duration_ns)
			l->transients_due = false;
		if (at > now)
			return at;
		/* One that ends calls for this again. */
		if (!l->transients_due ||
			TRANSIENTS_MAX - l->n_free >= l->transients_at_once)
			return UINT64_MAX;
		if (!begin(l, at))
			return now + RETRY_NS;
		if (planned)
			next_planned(l, now, at);
	}
	return UINT64_MAX;
}

static void
came(struct loader *l, struct conn *c)
{
	if (l->phase.measured)
		histogram_record(
			&l->me->times.setup, clock_mono_ns() - c->start_ns);
	l->transient_done++;
	give_back(l, c);
}

static void
item(struct loader *l, struct conn *c, enum bench_item what, struct slice text)
{
	int len = text.len > 200 ? 200 : (int)text.len;

	if (what == BENCH_READY) {
		came(l, c);
	} else if (what == BENCH_REFUSED || what == BENCH_BAD) {
		l->me->errors.refused++;
		loader_complain(l, "the server refused a connection: %.*s", len,
			text.p ? text.p : "");
		give_back(l, c);
	}
}

static void
broken(struct loader *l, struct conn *c)
{
	const char *why = errno ? strerror(errno) : "closed by the server";

	if (c->state == CONN_CLOSED)
		return;
	l->me->errors.refused++;
	loader_complain(l, "a connection could not be set up: %s", why);
	give_back(l, c);
}

void
transient_event(struct loader *l, uint32_t key, uint32_t events)
{
	struct conn *c = &l->transient[key & ~KEY_TRANSIENT];

	if (c->state == CONN_CLOSED)
		return;
	errno = 0;
	if ((events & EPOLLOUT) && !conn_writable(l, c, key)) {
		broken(l, c);
		return;
	}
	if (l->o->adapter->probe && c->state == CONN_CONNECTED) {
		came(l, c);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
		!conn_readable(l, c, item))
		broken(l, c);
}

bool
transient_is_done(const struct loader *l)
{
	return !l->transient ||
	       (!l->transients_due && l->n_free == TRANSIENTS_MAX);
}
