/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "bench/loader.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Connections that are not set up yet: of all loaders, and of one at least. */
#define PENDING_ALL 1024u
#define PENDING_MIN 8u
#define PENDING_MAX 128u

#define RETRY_NS     UINT64_C(1000000)
#define PROBE_NS     UINT64_C(20000000)
#define PROBE_MAX_NS UINT64_C(1000000000)

static unsigned
pending_max(const struct loader *l)
{
	unsigned n = PENDING_ALL / l->plan->processes;

	if (n > PENDING_MAX)
		n = PENDING_MAX;
	return n < PENDING_MIN ? PENDING_MIN : n;
}

static bool
needs_probe(const struct loader *l)
{
	return l->o->adapter->probe && l->plan->talks;
}

/* Whom its protocol made answer the kernel takes for interactive: his
 * acknowledgements wait for a timer of 40 ms, at the server's expense.  Those
 * of a protocol without a greeting would be cheaper to serve. */
static void
acknowledge_at_once(const struct conn *c)
{
	int on = 1;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void
setup_ready(struct loader *l, struct conn *c)
{
	if (c->state != CONN_CONNECTED)
		return;
	acknowledge_at_once(c);
	c->state = CONN_READY;
	l->ready++;
	if (!needs_probe(l))
		l->pending--;
	if (!l->plan->transients)
		histogram_record(
			&l->me->times.setup, clock_mono_ns() - c->start_ns);
}

/* When the next connection may be begun, with --connect-rate. */
static uint64_t
paced(const struct loader *l)
{
	double rate = l->o->connect_rate / l->plan->processes;

	if (l->o->connect_rate == 0)
		return 0;
	return l->open_ns + (uint64_t)((double)l->opened / rate * 1e9);
}

/* -EAGAIN: later. */
static int
open_next(struct loader *l, uint64_t now)
{
	struct conn *c = &l->conn[l->opened];
	int rc;

	c->start_ns = now;
	rc = conn_open(l, c, l->first + l->opened, l->opened);
	if (rc == -EAGAIN)
		return rc;
	if (rc < 0)
		loader_fail(l, "client %u cannot connect to %s: %s",
			l->first + l->opened,
			l->o->address[(l->first + l->opened) %
				      l->o->n_addresses],
			strerror(-rc));
	l->opened++;
	l->pending++;
	return 0;
}

/* Somebody says something until everybody was shown it.  Two do, because one
 * may not be shown its own. */
static uint64_t
probe(struct loader *l, uint64_t now)
{
	if (!atomic_load(&l->s->probe))
		return UINT64_MAX;
	if (now < l->probe_ns)
		return l->probe_ns;
	l->probe_gap_ns = l->probe_gap_ns ? l->probe_gap_ns * 2 : PROBE_NS;
	if (l->probe_gap_ns > PROBE_MAX_NS)
		l->probe_gap_ns = PROBE_MAX_NS;
	l->probe_ns = now + l->probe_gap_ns;
	for (unsigned i = 0; i < l->n && l->first + i < 2; i++)
		publish_probe(l, &l->conn[i]);
	return l->probe_ns;
}

static void
note_connected(struct loader *l)
{
	while (l->pending && needs_probe(l)) {
		struct conn *c = &l->conn[l->opened - l->pending];

		if (c->state == CONN_CONNECTING)
			return;
		l->pending--;
	}
}

uint64_t
setup_step(struct loader *l, uint64_t now)
{
	if (!l->open_ns)
		l->open_ns = now;
	note_connected(l);
	while (l->opened < l->n && l->pending < pending_max(l)) {
		uint64_t at = paced(l);

		if (at > now)
			return at;
		if (open_next(l, now) < 0)
			return now + RETRY_NS;
	}
	atomic_store(&l->me->connected, l->opened - l->pending);
	return l->opened == l->n ? probe(l, now) : UINT64_MAX;
}
