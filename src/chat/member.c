/* SPDX-License-Identifier: MIT */
#include "chat/member.h"
#include "arena/record.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/must.h"
#include "base/xalloc.h"

#include <stdlib.h>

struct array {
	uint32_t *fd;
	uint32_t n, cap;
};

struct members {
	const struct arena *a;
	struct map by_id;
	struct array *room; /* [cap_rooms], by index of the record */
	uint32_t cap_rooms;
};

void
members_open(struct members *m, uint32_t id, uint32_t room)
{
	if (room >= m->cap_rooms) {
		uint32_t cap = m->cap_rooms ? m->cap_rooms : 16;

		while (cap <= room)
			cap *= 2;
		m->room = xrealloc(m->room, cap, sizeof *m->room);
		for (uint32_t i = m->cap_rooms; i < cap; i++)
			m->room[i] = (struct array){ NULL, 0, 0 };
		m->cap_rooms = cap;
	}
	map_add(&m->by_id, hash_number(id), room);
}

void
members_close(struct members *m, uint32_t id, uint32_t room)
{
	free(m->room[room].fd);
	m->room[room] = (struct array){ NULL, 0, 0 };
	must(map_del(&m->by_id, hash_number(id), room));
}

uint32_t
members_room(const struct members *m, uint32_t id)
{
	struct map_at at = map_look(&m->by_id, hash_number(id));
	uint32_t room;

	while (map_next(&m->by_id, &at, &room))
		if (m->a->room[room].id == id)
			return room;
	return ARENA_NONE;
}

void
members_add(struct members *m, uint32_t room, uint32_t fd)
{
	struct array *r = &m->room[room];

	if (r->n == r->cap) {
		/* By half: at 10,000 members doubling would waste as much as
		 * it holds. */
		r->cap = r->cap < 4 ? 4 : r->cap + r->cap / 2;
		r->fd = xrealloc(r->fd, r->cap, sizeof *r->fd);
	}
	r->fd[r->n++] = fd;
}

uint32_t
members_remove(struct members *m, uint32_t room, uint32_t fd)
{
	struct array *r = &m->room[room];

	for (uint32_t i = 0; i < r->n; i++)
		if (r->fd[i] == fd) {
			r->fd[i] = r->fd[--r->n];
			break;
		}
	return r->n;
}

uint32_t
members_rooms(const struct members *m)
{
	return m->cap_rooms;
}

bool
members_are_in(const struct members *m, uint32_t room)
{
	return m->room[room].n > 0;
}

const uint32_t *
members_of(const struct members *m, uint32_t room, uint32_t *ret_n)
{
	*ret_n = m->room[room].n;
	return m->room[room].fd;
}

static void
rebuild_session(struct members *m, const struct session *s)
{
	const uint32_t *rooms = session_rooms(m->a, s);

	for (uint32_t i = 0; i < s->n_rooms; i++) {
		uint32_t id = m->a->room[rooms[i]].id;

		if (members_room(m, id) == ARENA_NONE)
			members_open(m, id, rooms[i]);
		members_add(m, rooms[i], (uint32_t)session_fd(m->a, s));
	}
}

struct members *
members_new(const struct arena *a)
{
	struct members *m = xcalloc(1, sizeof *m);

	m->a = a;
	for (uint32_t fd = 0; fd < a->head->high_fd; fd++)
		if (a->session[fd].id != 0)
			rebuild_session(m, &a->session[fd]);
	return m;
}

void
members_free(struct members **m)
{
	if (*m == NULL)
		return;
	for (uint32_t i = 0; i < (*m)->cap_rooms; i++)
		free((*m)->room[i].fd);
	free((*m)->room);
	map_fini(&(*m)->by_id);
	free(*m);
	*m = NULL;
}
