/* reload_resync.c - a worker that has missed a reload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/version.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/reload.h"
#include "master/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* One that drains has no part in shared ones, and gets all when it drains no
 * more. */
static bool
is_due(const struct slot *s, const struct address *a, uint64_t newer_than)
{
	if (a->shared && (s->drain != 0 || s->unshared))
		return s->drain == 0;
	return a->since > newer_than;
}

int
reload_listeners(struct slot *s, uint64_t newer_than, enum address_state state)
{
	const struct listeners *ls = &s->m->listeners;
	int rc = 0;

	for (unsigned i = 0; i < ls->n && rc == 0; i++) {
		const struct address *a = ls->at[i];
		struct ctl_listener l = { .listen = a->next_listen,
			.address = a->number,
			.shared = a->shared };

		if (a->state == state && is_due(s, a, newer_than))
			rc = ctl_link_try(s, CTL_LISTENER, 0, &l, sizeof l,
				listeners_fd(a, s->number));
	}
	return rc;
}

static void
resync_failed(struct slot *s, int rc)
{
	if (rc == -EAGAIN || rc == -ETOOMANYREFS)
		supervise_resync_soon(s);
	else
		log_error("worker %u cannot be given the configuration: %s",
			s->number, strerror(-rc));
}

void
reload_resync(struct slot *s)
{
	struct master *m = s->m;
	uint64_t has =
		__atomic_load_n(&s->page->conf_generation, __ATOMIC_RELAXED);
	int rc;

	if (has >= m->conf_generation && (s->drain != 0 || !s->unshared))
		return;
	if (m->conf_anew && strncmp(s->page->version, BANTER_VERSION,
				    sizeof s->page->version) != 0)
		return; /* it could not read it */
	/* Its own PREPARE would take the place of a reload's. */
	if (s->stopped || reload_asks(s)) {
		supervise_resync_soon(s);
		return;
	}
	log_info("worker %u has configuration %" PRIu64 ": sending %" PRIu64,
		s->number, has, m->conf_generation);
	rc = ctl_link_try(
		s, CTL_PREPARE, m->conf_generation, NULL, 0, m->conf_fd);
	if (rc == 0)
		rc = reload_listeners(s, has, ADDRESS_LIVE);
	if (rc < 0) {
		resync_failed(s, rc);
		return;
	}
	s->unshared = s->drain != 0;
	s->resync_tag = m->conf_generation;
	ctl_link_send(s, LINK_COMMIT);
}
