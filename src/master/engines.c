/* SPDX-License-Identifier: MIT */
#include "master/engines.h"

#include "master/limits.h"
#include "master/reload_report.h"

bool
engines_wait(const struct master *m, const struct conf *conf)
{
	enum engine wanted = engine_number(conf->engine);

	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].keeper > 0 && m->slot[i].engine != wanted)
			return true;
	return m->engine != wanted;
}

uint32_t
engines_places(const struct master *m, enum engine engine)
{
	return limits_slot_cap(
		engine_fd_limit(engine, m->fd_limit), m->listeners.n);
}

void
engines_set(struct master *m, enum engine engine)
{
	m->engine = engine;
	m->slot_cap = engines_places(m, engine);
	reload_pending(m->boot, m->conf, engines_wait(m, m->conf), m->pending,
		sizeof m->pending);
}

void
engines_set_slot(struct slot *s, enum engine engine)
{
	s->engine = engine;
	/* Of a quota beyond it the others get the rest when they ask. */
	s->m->quota.slot[s->number - 1].cap = engines_places(s->m, engine);
}
