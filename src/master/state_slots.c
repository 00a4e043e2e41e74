/* SPDX-License-Identifier: MIT */
#include "master/state.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "master/slot.h"

static void
save_backoff(const struct backoff *b, struct pack *p)
{
	pack_u64(p, b->delay_ms);
	pack_u64(p, b->started_ms);
	pack_u64(p, b->n_deaths);
	for (unsigned i = 0; i < BACKOFF_FREE; i++)
		pack_u64(p, b->death_ms[i]);
}

static void
restore_backoff(struct backoff *b, struct unpack *u)
{
	uint64_t n;

	b->delay_ms = unpack_u64(u);
	b->started_ms = unpack_u64(u);
	n = unpack_u64(u);
	b->n_deaths = n < BACKOFF_FREE ? (unsigned)n : BACKOFF_FREE;
	for (unsigned i = 0; i < BACKOFF_FREE; i++)
		b->death_ms[i] = unpack_u64(u);
}

static void
save_slot(const struct slot *s, struct keep *k)
{
	struct pack *p = &k->pack;
	size_t at = pack_record(p);

	keep_fd(k, s->bus);
	keep_fd(k, s->ctl);
	keep_fd(k, s->keeper_ctl);
	keep_fd(k, s->page_fd);
	pack_i64(p, s->keeper);
	pack_i64(p, s->worker);
	pack_u64(p, s->phase);
	pack_u64(p, s->generation);
	pack_u64(p, s->deaths);
	for (unsigned i = 0; i < SLOT_DEATHS; i++)
		pack_u64(p, s->deaths_by[i]);
	pack_u64(p, s->violation_ms);
	pack_u64(p, s->since_ms);
	save_backoff(&s->backoff, p);
	pack_u64(p, s->resync_tag);
	pack_u64(p, s->pending);
	pack_u64(p, s->abort_tag);
	pack_u64(p, s->arena_version);
	pack_u64(p, s->drain);
	pack_u64(p, (s->served ? 1u : 0u) | (s->retiring ? 2u : 0u) |
			    (s->unshared ? 4u : 0u));
	pack_u64(p, s->engine);
	pack_u64(p, s->sandbox);
	pack_end(p, at);
}

/* Of a drained slot there is the page, for the next time. */
static bool
is_whole(const struct slot *s)
{
	if (s->phase == SLOT_DRAINED)
		return s->bus < 0 && s->keeper == 0 && s->page_fd >= 0;
	return s->bus >= 0 && s->ctl >= 0 && s->keeper_ctl >= 0 &&
	       s->page_fd >= 0 && s->phase == SLOT_READY && s->keeper > 0;
}

static bool
restore_slot(struct slot *s, struct kept *k)
{
	struct unpack *u = &k->u;
	uint64_t flags;

	s->bus = kept_fd(k);
	s->ctl = kept_fd(k);
	s->keeper_ctl = kept_fd(k);
	s->page_fd = kept_fd(k);
	s->keeper = (pid_t)unpack_i64(u);
	s->worker = (pid_t)unpack_i64(u);
	s->phase = (enum slot_phase)unpack_u64(u);
	s->generation = unpack_u64(u);
	s->deaths = unpack_u64(u);
	for (unsigned i = 0; i < SLOT_DEATHS; i++)
		s->deaths_by[i] = unpack_u64(u);
	s->violation_ms = unpack_u64(u);
	s->since_ms = unpack_u64(u);
	restore_backoff(&s->backoff, u);
	s->resync_tag = unpack_u64(u);
	s->pending = (unsigned)unpack_u64(u);
	s->abort_tag = unpack_u64(u);
	s->arena_version = (uint32_t)unpack_u64(u);
	s->drain = (unsigned)unpack_u64(u);
	flags = unpack_u64(u);
	s->served = flags & 1;
	s->retiring = flags & 2;
	s->unshared = flags & 4;
	s->engine = (enum engine)unpack_u64(u);
	s->sandbox = unpack_u64(u);
	s->alive_ms = clock_mono_ms();
	return !u->bad && is_whole(s);
}

static void
save_quota(const struct quota *q, struct pack *p)
{
	pack_u64(p, q->total);
	for (unsigned i = 0; i < q->n; i++) {
		const struct quota_slot *s = &q->slot[i];

		pack_u64(p, s->quota);
		pack_u64(p, s->cap);
		pack_u64(p, s->ask);
		pack_u64(p, (s->wants ? 1u : 0u) | (s->recalled ? 2u : 0u) |
				    (s->away ? 4u : 0u) |
				    (s->leaving ? 8u : 0u));
	}
}

static void
restore_quota(struct quota *q, unsigned n, struct unpack *u)
{
	quota_init(q, n, (uint32_t)unpack_u64(u), 0);
	for (unsigned i = 0; i < n; i++) {
		struct quota_slot *s = &q->slot[i];
		uint64_t flags;

		s->quota = (uint32_t)unpack_u64(u);
		s->cap = (uint32_t)unpack_u64(u);
		s->ask = (uint32_t)unpack_u64(u);
		flags = unpack_u64(u);
		s->wants = flags & 1;
		s->recalled = flags & 2;
		s->away = flags & 4;
		s->leaving = flags & 8;
	}
}

void
state_save_slots(const struct master *m, struct keep *k)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		save_slot(&m->slot[i], k);
	save_quota(&m->quota, &k->pack);
}

bool
state_restore_slots(struct master *m, struct kept *k)
{
	m->slot = xcalloc(CONF_WORKERS_MAX, sizeof *m->slot);
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct kept record = { unpack_record(&k->u), k->rehearse,
			k->left };

		slot_unset(&m->slot[i], m, i + 1);
		if (!restore_slot(&m->slot[i], &record))
			return false;
	}
	restore_quota(&m->quota, m->n_slots, &k->u);
	return !k->u.bad;
}
