/* chat.h - sessions in rooms: what a request does, what an answer does.
 *
 * Knows neither sockets nor protocols: what a session is told and what the
 * registry is asked leave through the sink.  Runs in a worker, inside the
 * caller's transaction.  The arrays of members are derived from the records.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_CHAT_CHAT_H
#define BANTER_CHAT_CHAT_H

#include "arena/arena.h"
#include "base/slice.h"
#include "msg/claim.h"
#include "msg/event.h"
#include "msg/name.h"
#include "msg/request.h"

#include <stdint.h>

struct chat;

struct chat_sink {
	void *arg;
	/* Show an event to one session. */
	void (*tell)(void *arg, const struct session *s, const struct event *e);
	/* Ask the registry.  Its answer, but to SAY, clears SESSION_WAITING. */
	void (*claim)(
		void *arg, const struct session *s, const struct claim *c);
	/* End the session after its output is out. */
	void (*quit)(void *arg, const struct session *s, struct slice reason);
};

struct chat_limits {
	uint32_t topic_bytes; /* 0: none */
};

/* Make it over the records of a, which rebuilds the members. */
struct chat *chat_new(struct arena *a, const struct chat_sink *sink);
void chat_free(struct chat **chat);
void chat_set_limits(struct chat *chat, const struct chat_limits *limits);

/* The nick that s is shown with; mem is used for guests. */
struct slice chat_nick(const struct chat *chat, const struct session *s,
	char mem[NAME_MAX_LEN + 1]);

/* Do what a client asked for.  Requests about the connection (TIME, LIMITS,
 * HELP, QUIT, REFUSED, NONE) are the worker's and must not come here. */
void chat_request(
	struct chat *chat, const struct session *s, const struct request *r);

/* The registry's answers, in the order of the bus. */
void chat_nick_set(
	struct chat *chat, const struct session *s, struct slice nick);
struct chat_joined {
	uint32_t room; /* the master's id */
	bool echo, quiet;
	uint32_t n_others;
	struct slice name, topic, others;
};
void chat_joined(struct chat *chat, const struct session *s,
	const struct chat_joined *j);
void chat_parted(struct chat *chat, const struct session *s, uint32_t room);
void chat_topic(struct chat *chat, uint32_t room, struct slice topic);

/* The session ends: it leaves its rooms' arrays.  The record is the caller's.
 */
void chat_leave_all(struct chat *chat, const struct session *s);

/* Index of a room by the master's id; ARENA_NONE when no member is here. */
uint32_t chat_room(const struct chat *chat, uint32_t id);

/* Descriptors of the members of a room here; borrowed until the next change. */
const uint32_t *chat_members(
	const struct chat *chat, uint32_t room, uint32_t *ret_n);

/* The configuration says whether a room echoes. */
void chat_set_echo(struct chat *chat, struct slice room, bool echo);

/* Does s see what itself says in room? */
bool chat_sees_own(
	const struct chat *chat, const struct session *s, uint32_t room);

#endif
