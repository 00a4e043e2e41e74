/* record.h - sessions and rooms of the arena: made, found, ended.
 *
 * All changes belong inside a transaction.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_RECORD_H
#define BANTER_ARENA_RECORD_H

#include "arena/arena.h"
#include "base/slice.h"

/* The descriptor of a session. */
static inline int
session_fd(const struct arena *a, const struct session *s)
{
	return (int)(s - a->session);
}

/* The session on a descriptor, or NULL. */
static inline const struct session *
session_at(const struct arena *a, int fd)
{
	if (fd < 0 || (uint64_t)fd >= a->head->high_fd)
		return NULL;
	return a->session[fd].id ? &a->session[fd] : NULL;
}

/* Start a record on fd with a fresh identity in slot. */
const struct session *session_new(struct arena *a, int fd, unsigned slot);

/* Give back all that the record refers to and free it. */
void session_free(struct arena *a, const struct session *s);

/* The address that it came from, IPv4 as ::ffff:a.b.c.d; all zero: none. */
void session_address(
	const struct arena *a, const struct session *s, uint8_t ret[16]);
void session_set_address(
	struct arena *a, const struct session *s, const uint8_t address[16]);

/* The indexes of the session's rooms, by their use: what it says goes to the
 * last one.  Changes to them; add: 0 or -ENOMEM. */
const uint32_t *session_rooms(const struct arena *a, const struct session *s);
bool session_in_room(
	const struct arena *a, const struct session *s, uint32_t room);
int session_add_room(struct arena *a, const struct session *s, uint32_t room);
void session_remove_room(
	struct arena *a, const struct session *s, uint32_t room);
/* One of its rooms becomes the last one. */
void session_use_room(struct arena *a, const struct session *s, uint32_t room);
void session_leave_rooms(struct arena *a, const struct session *s);

/* The last one, or ARENA_NONE. */
static inline uint32_t
session_current(const struct arena *a, const struct session *s)
{
	return s->n_rooms == 0 ? ARENA_NONE
			       : session_rooms(a, s)[s->n_rooms - 1];
}

/* The block that its rooms are in; 0: inline. */
static inline block_ref
session_rooms_block(const struct session *s)
{
#ifndef BANTER_TEST_PREVIOUS
	if (s->n_rooms <= SESSION_INLINE_ROOMS)
		return 0;
#endif
	return s->rooms;
}

/* Replace what a reference in a record holds: a session's line, held or nick, a
 * room's topic.  An empty slice frees it.  0 or -ENOMEM. */
int arena_keep(struct arena *a, const block_ref *field, struct slice value);

/* The bytes that wait to be handled are now these; n of them have come since.
 * Without memory those before stay, and the session becomes SESSION_BROKEN. */
void session_hold(
	struct arena *a, const struct session *s, struct slice bytes, size_t n);

/* n more messages were skipped, in that room or (0) in any. */
void session_miss(
	struct arena *a, const struct session *s, uint32_t room, uint64_t n);

/* Make a record for a room that has none.  Its index, or ARENA_NONE when the
 * table is full.  The topic is kept by room_topic(). */
uint32_t room_take(
	struct arena *a, uint32_t id, struct slice name, uint32_t flags);
void room_release(struct arena *a, uint32_t room);

void room_topic(struct arena *a, uint32_t room, struct slice topic);

static inline struct slice
room_name(const struct arena *a, uint32_t room)
{
	return slice_of(a->room[room].name, a->room[room].name_len);
}

#endif
