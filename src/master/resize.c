/* SPDX-License-Identifier: MIT */
#include "master/resize.h"

#include "base/cpus.h"
#include "log/log.h"
#include "master/drain.h"
#include "master/hub.h"
#include "master/limits.h"
#include "master/slot.h"

#include <errno.h>
#include <string.h>

/* Of the master, for a slot besides its listeners: the page, both ends of three
 * lines and an arena for the moment of the fork, pidfds. */
#define SLOT_FDS 10

/* And what it needs to go on: a parser, the control socket's peers. */
#define SPARE_FDS 32

unsigned
resize_wanted(const struct conf *conf)
{
	unsigned n = conf->workers ? conf->workers : cpus_allowed();

	return n < CONF_WORKERS_MAX ? n : CONF_WORKERS_MAX;
}

/* Those that are drained by hand stay so. */
static bool
leaves_one(const struct master *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (i >= m->n_slots || !(m->slot[i].drain & DRAIN_BY_HAND))
			return true;
	return false;
}

static int
make_slots(struct master *m, unsigned n)
{
	int rc = 0;

	for (unsigned i = m->n_slots; i < n && rc == 0; i++) {
		rc = slot_init(&m->slot[i], m, i + 1);
		m->slot[i].phase = SLOT_DRAINED;
		m->slot[i].drain = DRAIN_SURPLUS;
	}
	return rc;
}

/* Asked before the first socket joins: those stay, whatever fails then. */
static int
have_room(const struct master *m, unsigned n)
{
	if (n <= m->n_slots)
		return 0;
	return limits_have(listeners_missing(&m->listeners, n) +
			   (n - m->n_slots) * SLOT_FDS + SPARE_FDS);
}

int
resize_prepare(
	struct master *m, const struct conf *conf, unsigned n, struct buf *why)
{
	int rc;

	if (!leaves_one(m, n)) {
		buf_printf(why,
			"workers: every one that would be left is drained by "
			"hand: undrain one before");
		return -EBUSY;
	}
	rc = have_room(m, n);
	if (rc == 0)
		rc = make_slots(m, n);
	if (rc == 0)
		return listeners_grow(&m->listeners, conf, n, why);
	buf_printf(
		why, "workers: there is no room for %u: %s", n, strerror(-rc));
	return rc;
}

void
resize_commit(struct master *m, unsigned n)
{
	unsigned was = m->n_wanted;

	if (n > m->n_slots) {
		hub_grow(m->hub, n);
		share_grow(m, n);
		m->n_slots = n;
	}
	m->n_wanted = n;
	/* First those that go on or come, so that some slot is live always. */
	for (unsigned i = 0; i < n; i++)
		drain_end(&m->slot[i], DRAIN_SURPLUS);
	for (unsigned i = n; i < m->n_slots; i++)
		drain_begin(&m->slot[i], DRAIN_SURPLUS);
	/* Again to those that drained before: a shared listener of this
	 * configuration may have been sent before they began to. */
	for (unsigned i = 0; i < m->n_slots; i++)
		drain_again(&m->slot[i]);
	if (n == was)
		return;
	log_notice("workers: %u, before %u", n, was);
	limits_check(m->conf, n, m->fd_limit, m->slot_cap);
}
