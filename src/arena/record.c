/* SPDX-License-Identifier: MIT */
#include "arena/record.h"
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/tx.h"

#include <errno.h>

/* What the previous layout keeps beside the list. */
static void
note_current(struct arena *a, const struct session *s)
{
#ifdef BANTER_TEST_PREVIOUS
	arena_set(a, &s->current, session_current(a, s));
#else
	(void)a;
	(void)s;
#endif
}

const struct session *
session_new(struct arena *a, int fd, unsigned slot)
{
	const struct session *s = &a->session[fd];
	uint64_t number = a->head->next_number;

	arena_clear(a, s, sizeof *s);
	arena_set(a, &a->head->next_number, number + 1);
	note_current(a, s);
	arena_set(a, &s->state, SESSION_CONNECTING);
	/* A record below it is looked at by the next worker; too high does no
	 * harm. */
	if ((uint64_t)fd >= a->head->high_fd)
		arena_store(&a->head->high_fd, fd + 1);
	arena_set(a, &s->id, (uint64_t)slot << 48 | number);
	return s;
}

void
session_free(struct arena *a, const struct session *s)
{
	queue_clear(a, s);
	heap_unref(a, s->line);
	heap_unref(a, s->held);
	heap_unref(a, s->nick);
	heap_unref(a, session_rooms_block(s));
	arena_clear(a, s, sizeof *s);
}

#ifndef BANTER_TEST_PREVIOUS
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

void
session_address(const struct arena *a, const struct session *s, uint8_t ret[16])
{
	memset(ret, 0, 16);
	if (s->flags & SESSION_ADDRESS) {
		memcpy(ret, a->address[session_fd(a, s)], 16);
	} else if (s->address != 0) {
		memcpy(ret, mapped, sizeof mapped);
		memcpy(ret + sizeof mapped, &s->address, sizeof s->address);
	}
}

void
session_set_address(
	struct arena *a, const struct session *s, const uint8_t address[16])
{
	static const uint8_t none[16];
	uint32_t v4 = 0;
	bool elsewhere = memcmp(address, none, 16) != 0;

	if (!memcmp(address, mapped, sizeof mapped)) {
		memcpy(&v4, address + sizeof mapped, sizeof v4);
		elsewhere = v4 == 0;
	}
	if (elsewhere)
		arena_copy(a, a->address[session_fd(a, s)], address, 16);
	arena_set(a, &s->address, v4);
	arena_set(a, &s->flags,
		(s->flags & ~SESSION_ADDRESS) |
			(elsewhere ? SESSION_ADDRESS : 0));
}
#else
void
session_address(const struct arena *a, const struct session *s, uint8_t ret[16])
{
	(void)a;
	memcpy(ret, s->address, 16);
}

void
session_set_address(
	struct arena *a, const struct session *s, const uint8_t address[16])
{
	arena_copy(a, s->address, address, 16);
}
#endif

const uint32_t *
session_rooms(const struct arena *a, const struct session *s)
{
	block_ref ref = session_rooms_block(s);

	if (ref == 0)
		return s->room;
	return (const uint32_t *)(const void *)heap_block(a, ref)->data;
}

bool
session_in_room(const struct arena *a, const struct session *s, uint32_t room)
{
	const uint32_t *rooms = session_rooms(a, s);

	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (rooms[i] == room)
			return true;
	return false;
}

static void
set_inline(struct arena *a, const struct session *s, const uint32_t *list,
	uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		arena_set(a, &s->room[i], list[i]);
#ifdef BANTER_TEST_PREVIOUS
	arena_set(a, &s->rooms, 0);
#endif
}

/* Lists are short and change seldom: a change writes a whole new list, so that
 * nothing of the old one has to be logged.  list is no part of the record. */
static int
write_rooms(struct arena *a, const struct session *s, const uint32_t *list,
	uint32_t n)
{
	block_ref ref, old = session_rooms_block(s);

	if (n > SESSION_INLINE_ROOMS) {
		ref = heap_copy(a, slice_of(list, n * sizeof *list));
		if (ref == 0)
			return -ENOMEM;
		arena_set(a, &s->rooms, ref);
	} else {
		set_inline(a, s, list, n);
	}
	arena_set(a, &s->n_rooms, n);
	heap_unref(a, old);
	note_current(a, s);
	return 0;
}

#define ROOMS_MAX 1024 /* the range of rooms_per_client */

int
session_add_room(struct arena *a, const struct session *s, uint32_t room)
{
	uint32_t list[ROOMS_MAX + 1];

	if (s->n_rooms >= ROOMS_MAX)
		return -ENOMEM;
	memcpy(list, session_rooms(a, s), s->n_rooms * sizeof *list);
	list[s->n_rooms] = room;
	return write_rooms(a, s, list, s->n_rooms + 1);
}

void
session_remove_room(struct arena *a, const struct session *s, uint32_t room)
{
	uint32_t list[ROOMS_MAX], n = 0;
	const uint32_t *rooms = session_rooms(a, s);

	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (rooms[i] != room)
			list[n++] = rooms[i];
	if (write_rooms(a, s, list, n) < 0) {
		/* No block for the shorter list: shorten the old one in place.
		 */
		arena_copy(a, rooms, list, n * sizeof *list);
		arena_set(a, &s->n_rooms, n);
		note_current(a, s);
	}
}

/* In place, so that it cannot fail. */
void
session_use_room(struct arena *a, const struct session *s, uint32_t room)
{
	const uint32_t *rooms = session_rooms(a, s);
	uint32_t list[ROOMS_MAX], n = 0;

	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (rooms[i] != room)
			list[n++] = rooms[i];
	if (n + 1 != s->n_rooms)
		return;
	list[n] = room;
	arena_copy(a, rooms, list, s->n_rooms * sizeof *list);
	note_current(a, s);
}

void
session_leave_rooms(struct arena *a, const struct session *s)
{
	(void)write_rooms(a, s, NULL, 0);
}

int
arena_keep(struct arena *a, const block_ref *field, struct slice value)
{
	block_ref ref = 0, old = *field;

	if (value.len > 0) {
		ref = heap_copy(a, value);
		if (ref == 0)
			return -ENOMEM;
	}
	arena_set(a, field, ref);
	heap_unref(a, old);
	return 0;
}

void
session_hold(
	struct arena *a, const struct session *s, struct slice bytes, size_t n)
{
	if (arena_keep(a, &s->held, bytes) < 0)
		arena_set(a, &s->flags, s->flags | SESSION_BROKEN);
	else
		arena_set(a, &s->held_at, 0);
	arena_set(a, &s->rx_total, s->rx_total + n);
}

void
session_miss(
	struct arena *a, const struct session *s, uint32_t room, uint64_t n)
{
	uint64_t all = s->missed + n;

	if (s->missed == 0)
		arena_set(a, &s->missed_room, room);
	else if (s->missed_room != room)
		arena_set(a, &s->missed_room, 0);
	/* 0 would be none. */
	arena_set(a, &s->missed, all < UINT32_MAX ? all : UINT32_MAX);
}

uint32_t
room_take(struct arena *a, uint32_t id, struct slice name, uint32_t flags)
{
	uint32_t n = a->head->n_rooms, at = id % n;

	/* Ids come from one counter, so the place is rarely taken. */
	for (uint32_t tries = 0; tries < n; tries++, at = (at + 1) % n) {
		const struct room *r = &a->room[at];

		if (r->id != 0)
			continue;
		if (name.len > sizeof r->name)
			name.len = sizeof r->name;
		arena_copy(a, r->name, name.p, name.len);
		arena_set(a, &r->name_len, name.len);
		arena_set(a, &r->flags, flags);
		arena_set(a, &r->id, id);
		return at;
	}
	return ARENA_NONE;
}

void
room_topic(struct arena *a, uint32_t room, struct slice topic)
{
	/* Without memory for it the topic is empty: it is only shown. */
	if (arena_keep(a, &a->room[room].topic, topic) < 0)
		(void)arena_keep(a, &a->room[room].topic, slice_of(NULL, 0));
}

void
room_release(struct arena *a, uint32_t room)
{
	room_topic(a, room, slice_of(NULL, 0));
	arena_set(a, &a->room[room].id, 0);
}
