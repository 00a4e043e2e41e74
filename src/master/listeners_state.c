/* listeners_state.c - the addresses and their sockets, passed on to the next
 * image of the master.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/xalloc.h"
#include "master/listeners.h"

#include <string.h>

enum flag {
	SHARED = 1,
	INHERITED = 2,
	DUAL = 4,
	HIDDEN = 8
};

static void
save_place(const struct listen_address *at, struct pack *p)
{
	pack_bytes(p, &at->ss, at->len);
	pack_str(p, at->text);
}

static bool
restore_place(struct listen_address *at, struct unpack *u)
{
	struct slice ss = unpack_bytes(u);

	if (ss.len > sizeof at->ss || ss.len < sizeof at->ss.ss_family)
		return false;
	memcpy(&at->ss, ss.p, ss.len);
	at->len = (socklen_t)ss.len;
	unpack_str(u, at->text, sizeof at->text);
	return true;
}

static void
save_address(const struct address *a, struct keep *k)
{
	struct pack *p = &k->pack;
	size_t at = pack_record(p);

	pack_u64(p, a->number);
	pack_u64(p, a->listen);
	pack_u64(p, (a->shared ? SHARED : 0u) |
			    (a->inherited ? INHERITED : 0u) |
			    (a->dual ? DUAL : 0u) | (a->hidden ? HIDDEN : 0u));
	pack_u64(p, a->state);
	pack_u64(p, a->since);
	pack_u64(p, a->busy);
	pack_str(p, a->name);
	save_place(&a->asked, p);
	save_place(&a->bound, p);
	pack_u64(p, a->n_fds);
	for (unsigned i = 0; i < a->n_fds; i++)
		keep_fd(k, a->fd[i]);
	pack_end(p, at);
}

void
listeners_save(const struct listeners *ls, struct keep *k)
{
	pack_u64(&k->pack, ls->last_number);
	pack_u64(&k->pack, ls->n_slots);
	pack_u64(&k->pack, ls->mask);
	pack_u64(&k->pack, ls->n);
	for (unsigned i = 0; i < ls->n; i++)
		save_address(ls->at[i], k);
}

static bool
restore_address(struct listeners *ls, struct kept *k)
{
	struct address *a = xcalloc(1, sizeof *a);
	struct unpack *u = &k->u;
	uint64_t flags, state, n;

	ls->at[ls->n++] = a;
	a->number = (uint32_t)unpack_u64(u);
	a->listen = a->next_listen = (uint32_t)unpack_u64(u);
	flags = unpack_u64(u);
	a->shared = flags & SHARED;
	a->inherited = flags & INHERITED;
	a->dual = flags & DUAL;
	a->hidden = flags & HIDDEN;
	state = unpack_u64(u);
	a->state = (enum address_state)state;
	a->since = unpack_u64(u);
	a->busy = unpack_u64(u);
	unpack_str(u, a->name, sizeof a->name);
	if (!restore_place(&a->asked, u) || !restore_place(&a->bound, u))
		return false;
	n = unpack_u64(u);
	if (u->bad || n < 1 || n > (a->shared ? 1 : CONF_WORKERS_MAX) ||
		(state != ADDRESS_LIVE && state != ADDRESS_LEAVING))
		return false;
	for (uint64_t i = 0; i < n; i++)
		a->fd[a->n_fds++] = kept_fd(k);
	return !u->bad;
}

bool
listeners_restore(struct listeners *ls, struct kept *k)
{
	uint64_t n;

	ls->last_number = (uint32_t)unpack_u64(&k->u);
	ls->n_slots = (unsigned)unpack_u64(&k->u);
	ls->mask = unpack_u64(&k->u);
	n = unpack_u64(&k->u);
	if (n > SLOT_LISTENERS_MAX || ls->n_slots > CONF_WORKERS_MAX)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		struct kept record = { unpack_record(&k->u), k->rehearse,
			k->left };

		if (!restore_address(ls, &record))
			return false;
	}
	return true;
}

const char *
listeners_stranger(const struct listeners *ls, const struct conf *conf)
{
	for (unsigned i = 0; i < ls->n; i++) {
		const struct address *a = ls->at[i];

		if (a->state == ADDRESS_LIVE &&
			(a->listen >= conf->n_listen ||
				strcmp(conf->listen[a->listen].name, a->name) !=
					0))
			return a->name;
	}
	return NULL;
}

bool
listeners_are_leaving(const struct listeners *ls)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->at[i]->state == ADDRESS_LEAVING)
			return true;
	return false;
}
