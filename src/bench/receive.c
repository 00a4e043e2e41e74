/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "bench/loader.h"
#include "bench/payload.h"

#include <errno.h>

static void
damaged(struct loader *l, const struct conn *c, const char *what,
	struct slice text)
{
	int len = text.len > 100 ? 100 : (int)text.len;

	l->me->errors.damaged++;
	loader_complain(l, "client %u was shown %s: %.*s", c->id, what, len,
		text.p ? text.p : "");
}

/* Follow the message: its first and its last receiver. */
static void
follow(struct loader *l, const struct payload *p, uint64_t took_ns)
{
	struct slot *slot = shared_slot(l->s, p->sender, p->number);
	bool measured = l->phase.measured;
	uint32_t before;

	if (atomic_load_explicit(&slot->number, memory_order_relaxed) !=
		p->number)
		return;
	before = atomic_fetch_sub_explicit(
		&slot->remaining, 1, memory_order_acq_rel);
	if (measured && before == plan_receivers(l->plan, p->sender, false))
		histogram_record(&l->me->times.first, took_ns);
	if (before != 1)
		return;
	if (measured)
		histogram_record(&l->me->times.completion, took_ns);
	if (p->sender - l->first < l->n_publishers)
		publish_opened(l, p->sender - l->first);
	else if (l->o->window)
		shared_wake(&l->s->loader[plan_process(l->plan, p->sender)]);
}

static void
measure(struct loader *l, const struct payload *p)
{
	uint64_t sent_ns = p->intended_ns + p->late_ns, took_ns;

	/* It came after the clock was read. */
	if (sent_ns > l->now_ns)
		l->now_ns = clock_mono_ns();
	took_ns = l->now_ns > p->intended_ns ? l->now_ns - p->intended_ns : 0;
	if (l->phase.measured) {
		histogram_record(&l->me->times.latency, took_ns);
		histogram_record(&l->me->times.from_send,
			l->now_ns > sent_ns ? l->now_ns - sent_ns : 0);
	}
	follow(l, p, took_ns);
}

static void
message(struct loader *l, struct conn *c, struct slice text)
{
	struct bench_errors *e = &l->me->errors;
	struct payload p;

	if (!payload_read(text, &p)) {
		damaged(l, c, "what nobody sent", text);
		return;
	}
	if (p.number == 0) {
		if (c->state == CONN_CONNECTED)
			setup_ready(l, c);
		return;
	}
	if (p.sender >= l->plan->publishers ||
		p.number > atomic_load_explicit(&l->s->sent[p.sender],
				   memory_order_relaxed) ||
		!plan_shows(l->plan, p.sender, c->id)) {
		damaged(l, c,
			p.sender == c->id ? "its own message (see --own)"
					  : "what is not for it",
			text);
		return;
	}
	switch (account_take(&l->account, (unsigned)(c - l->conn),
		plan_rank(l->plan, p.sender), p.number)) {
	case ACCOUNT_FRESH:
		break;
	case ACCOUNT_AFTER_GAP:
		loader_complain(l,
			"client %u was shown message %u of %u before others",
			c->id, p.number, p.sender);
		break;
	case ACCOUNT_LATE:
		e->disordered++;
		break;
	case ACCOUNT_TWICE:
		e->duplicated++;
		loader_complain(l, "client %u was shown message %u of %u twice",
			c->id, p.number, p.sender);
		return;
	}
	l->delivered++;
	measure(l, &p);
}

static void
item(struct loader *l, struct conn *c, enum bench_item what, struct slice text)
{
	int len = text.len > 200 ? 200 : (int)text.len;

	switch (what) {
	case BENCH_MESSAGE:
		message(l, c, text);
		break;
	case BENCH_READY:
		setup_ready(l, c);
		break;
	case BENCH_REFUSED:
		if (c->state != CONN_READY)
			loader_fail(l, "the server refused client %u: %.*s",
				c->id, len, text.p);
		l->me->errors.refused++;
		loader_complain(l,
			"the server refused something to client "
			"%u: %.*s",
			c->id, len, text.p);
		break;
	case BENCH_BAD:
		damaged(l, c, "what is not the protocol", text);
		break;
	case BENCH_MORE:
	case BENCH_NOTHING:
		break;
	}
}

static void
ended(struct loader *l, struct conn *c)
{
	const char *why = errno ? strerror(errno) : "closed by the server";

	if (c->state != CONN_READY)
		loader_fail(l, "client %u could not be set up: %s", c->id, why);
	l->me->errors.closed++;
	loader_complain(l, "client %u is disconnected: %s", c->id, why);
	conn_close(c);
}

void
receive_event(struct loader *l, uint32_t key, uint32_t events)
{
	struct conn *c = &l->conn[key];

	if (c->state == CONN_CLOSED)
		return;
	errno = 0;
	if ((events & EPOLLOUT) && !conn_writable(l, c, key)) {
		ended(l, c);
		return;
	}
	/* Nobody will ever tell, and nothing is going to be said. */
	if (l->o->adapter->probe && !l->plan->talks)
		setup_ready(l, c);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
		!conn_readable(l, c, item))
		ended(l, c);
}

/* With all numbers: what is behind the last that it was shown. */
static uint64_t
missing(const struct loader *l, const struct conn *c, uint32_t sender)
{
	uint32_t sent = atomic_load(&l->s->sent[sender]);
	uint32_t last = account_last(&l->account, (unsigned)(c - l->conn),
		plan_rank(l->plan, sender));

	return plan_shows(l->plan, sender, c->id) ? sent - last : 0;
}

/* With the count alone. */
static void
finish_count(
	struct loader *l, const struct conn *c, unsigned first, unsigned end)
{
	struct bench_errors *e = &l->me->errors;
	uint32_t count = account_count(&l->account, (unsigned)(c - l->conn));
	uint64_t want = 0;

	for (uint32_t sender = first; sender < end; sender++)
		if (plan_shows(l->plan, sender, c->id))
			want += atomic_load(&l->s->sent[sender]);
	if (count < want)
		e->lost += want - count;
	else
		e->duplicated += count - want;
	if (end - first == 1 && want && count == want &&
		account_last(&l->account, (unsigned)(c - l->conn), 0) != want)
		e->disordered++;
}

static void
finish_one(struct loader *l, const struct conn *c)
{
	const struct plan *p = l->plan;
	unsigned first = p->rooms == 1 ? 0 : plan_room(p, c->id) * p->room_size;
	unsigned end = first + p->width;

	if (end > p->publishers)
		end = p->publishers;
	if (first >= end || plan_is_slow(p, c->id) || !plan_is_member(p, c->id))
		return;
	if (l->o->check_last) {
		finish_count(l, c, first, end);
		return;
	}
	for (uint32_t sender = first; sender < end; sender++)
		l->me->errors.lost += missing(l, c, sender);
}

void
receive_finish(struct loader *l)
{
	l->me->errors.lost += l->account.lost;
	for (unsigned i = 0; i < l->n && l->plan->talks; i++)
		finish_one(l, &l->conn[i]);
}
