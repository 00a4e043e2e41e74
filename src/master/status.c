/* What commands.h asks of the core.
 *
 * SPDX-License-Identifier: MIT */
#include "base/notify.h"
#include "log/log.h"
#include "master/core.h"
#include "master/ctl_link.h"
#include "master/drain.h"
#include "master/hub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static unsigned
n_workers(const struct master *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_slots; i++)
		n += !drain_is_gone(&m->slot[i]);
	return n;
}

void
master_status(const struct master *m, struct command_status *ret)
{
	*ret = (struct command_status){ .since_ms = m->since_ms,
		.conf_generation = m->conf_generation,
		.reloads = m->reloads,
		.reloads_failed = m->reloads_failed,
		.upgrades = m->upgrades,
		.upgrades_failed = m->upgrades_failed,
		.n_slots = m->n_slots,
		.n_workers = n_workers(m),
		.pending = m->pending };
}

static enum command_slot_state
state_of(const struct slot *s)
{
	if (drain_is_gone(s))
		return COMMAND_SLOT_GONE;
	if (s->m->stop != STOP_NO)
		return COMMAND_SLOT_STOPPING;
	if (s->worker != 0 && s->stopped)
		return COMMAND_SLOT_STOPPED;
	if (s->worker != 0 && (s->late || s->abort_ms != 0))
		return COMMAND_SLOT_HUNG;
	switch (s->phase) {
	case SLOT_STARTING:
		return COMMAND_SLOT_STARTING;
	case SLOT_READY:
		return s->drain ? COMMAND_SLOT_DRAINING : COMMAND_SLOT_READY;
	case SLOT_DRAINED:
		return s->drain ? COMMAND_SLOT_DRAINED : COMMAND_SLOT_STARTING;
	case SLOT_REFUSED:
		return COMMAND_SLOT_REFUSED;
	default:
		return COMMAND_SLOT_BACKOFF;
	}
}

bool
master_slot_status(
	const struct master *m, unsigned slot, struct command_slot *ret)
{
	const struct slot *s;

	if (slot == 0 || slot > m->n_slots)
		return false;
	s = &m->slot[slot - 1];
	*ret = (struct command_slot){ .state = state_of(s),
		.keeper = s->keeper,
		.worker = s->worker,
		.generation = s->generation,
		.deaths = s->deaths,
		.since_ms = s->since_ms,
		.sandbox = s->worker != 0 ? s->sandbox : 0,
		.page = s->page };
	_Static_assert(COMMAND_DEATHS == SLOT_DEATHS, "causes of death");
	memcpy(ret->deaths_by, s->deaths_by, sizeof ret->deaths_by);
	return true;
}

const struct conf *
master_conf(const struct master *m)
{
	return m->conf;
}

struct hub *
master_hub(struct master *m)
{
	return m->hub;
}

struct loop *
master_loop(struct master *m)
{
	return m->loop;
}

int
master_slot_ctl(struct master *m, unsigned slot, unsigned ctl_type,
	uint64_t tag, const void *body, size_t len)
{
	struct slot *s;

	if (slot == 0 || slot > m->n_slots)
		return -ENOENT;
	s = &m->slot[slot - 1];
	if (s->phase != SLOT_READY || m->stop != STOP_NO)
		return -ESRCH;
	return ctl_link_try(s, (enum ctl_type)ctl_type, tag, body, len, -1);
}

int
master_reopen(struct master *m)
{
	int rc = log_reopen();

	if (rc < 0) {
		log_error("the log file cannot be opened again: %s; writing "
			  "goes on to the old one",
			strerror(-rc));
		return rc;
	}
	log_info("log reopened");
	/* The workers share no table with us. */
	for (unsigned i = 0;
		i < m->n_slots && m->boot->log.target == CONF_LOG_FILE; i++)
		ctl_link_send(&m->slot[i], LINK_LOG);
	return 0;
}

void
master_stop(struct master *m)
{
	if (m->stop == STOP_NO)
		log_notice("stopping: an administrator asked for it");
	stop_graceful(m);
}

/* A message that is too long is not sent, and then nobody is told that the
 * reload is over: what may be long is left out. */
#define NOTE_MAX    512
#define PENDING_MAX 320

void
status_notify(struct master *m, const char *state, const char *note)
{
	const char *pending = strlen(m->pending) <= PENDING_MAX
				      ? m->pending
				      : "see banterctl status";

	(void)notify_send("%s%sSTATUS=%u workers, %" PRIu32
			  " clients, configuration %" PRIu64 "%s%s%s%s\n",
		state, *state ? "\n" : "", m->n_wanted, hub_clients(m->hub, 0),
		m->conf_generation, *pending ? "; pending restart: " : "",
		pending, note ? "; " : "", note ? note : "");
}

void
status_notify_refused(struct master *m, struct slice why)
{
	const char *end = memchr(why.p, '\n', why.len);
	int len = end ? (int)(end - why.p) : (int)why.len;
	char note[NOTE_MAX];

	if (snprintf(note, sizeof note, "the latest reload failed: %.*s", len,
		    why.p) >= NOTE_MAX)
		(void)snprintf(note, sizeof note, "the latest reload failed");
	status_notify(m, "READY=1", note);
}
