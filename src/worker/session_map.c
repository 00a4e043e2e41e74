/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/must.h"
#include "msg/session_id.h"
#include "worker/private.h"

void
session_map_add(struct worker *w, const struct session *s)
{
	map_add(&w->by_number, hash_number(session_id_number(s->id)),
		(uint32_t)session_fd(&w->arena, s));
}

void
session_map_del(struct worker *w, const struct session *s)
{
	must(map_del(&w->by_number, hash_number(session_id_number(s->id)),
		(uint32_t)session_fd(&w->arena, s)));
}

const struct session *
session_find(const struct worker *w, uint64_t id)
{
	struct map_at at =
		map_look(&w->by_number, hash_number(session_id_number(id)));
	uint32_t fd;

	while (map_next(&w->by_number, &at, &fd))
		if (w->arena.session[fd].id == id)
			return &w->arena.session[fd];
	return NULL;
}
