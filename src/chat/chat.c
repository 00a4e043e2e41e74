/* SPDX-License-Identifier: MIT */
#include "chat/chat.h"
#include "arena/heap.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "chat/member.h"

#include <stdlib.h>

struct chat {
	struct arena *a;
	struct chat_sink sink;
	struct chat_limits limits;
	struct members *members;
};

struct chat *
chat_new(struct arena *a, const struct chat_sink *sink)
{
	struct chat *c = xcalloc(1, sizeof *c);

	c->a = a;
	c->sink = *sink;
	c->members = members_new(a);
	return c;
}

void
chat_free(struct chat **chat)
{
	if (*chat == NULL)
		return;
	members_free(&(*chat)->members);
	free(*chat);
	*chat = NULL;
}

void
chat_set_limits(struct chat *chat, const struct chat_limits *limits)
{
	chat->limits = *limits;
}

struct slice
chat_nick(const struct chat *chat, const struct session *s,
	char mem[NAME_MAX_LEN + 1])
{
	if (s->nick != 0)
		return heap_slice(chat->a, s->nick);
	return slice_of(mem, (size_t)name_guest(s->id, mem));
}

static void
tell(struct chat *c, const struct session *s, struct event e)
{
	c->sink.tell(c->sink.arg, s, &e);
}

static void
refuse(struct chat *c, const struct session *s, enum refusal why,
	struct slice target, uint64_t number)
{
	tell(c, s,
		(struct event){ .type = EVENT_REFUSED,
			.refusal = why,
			.text = target,
			.number = number });
}

/* A claim whose answer the session's next line has to wait for. */
static void
ask(struct chat *c, const struct session *s, struct claim claim)
{
	arena_set(c->a, &s->flags, s->flags | SESSION_WAITING);
	c->sink.claim(c->sink.arg, s, &claim);
}

static bool
has_current(struct chat *c, const struct session *s)
{
	if (s->n_rooms > 0)
		return true;
	refuse(c, s, REFUSAL_NOT_IN_ROOM, slice_of(NULL, 0), 0);
	return false;
}

static uint32_t
current(const struct chat *c, const struct session *s)
{
	return session_current(c->a, s);
}

static void
request_say(struct chat *c, const struct session *s, const struct request *r)
{
	char mem[NAME_MAX_LEN + 1];
	struct claim claim = { .type = CLAIM_SAY,
		.text = r->text,
		.action = r->type == REQUEST_ACTION,
		.raw = r->type == REQUEST_RAW };

	if (!has_current(c, s))
		return;
	claim.room = c->a->room[current(c, s)].id;
	claim.nick = chat_nick(c, s, mem);
	claim.echo = chat_sees_own(c, s, current(c, s));
	c->sink.claim(c->sink.arg, s, &claim);
}

static void
request_nick(struct chat *c, const struct session *s, const struct request *r)
{
	char mem[NAME_MAX_LEN + 1];
	enum refusal why;

	if (r->target.len == 0) {
		tell(c, s,
			(struct event){ .type = EVENT_NICK_IS,
				.nick = chat_nick(c, s, mem) });
		return;
	}
	why = name_check_nick(r->target);
	/* One's own guest name may be taken back. */
	if (why == REFUSAL_NICK_RESERVED &&
		name_guest_session(r->target) == s->id)
		why = REFUSAL_NONE;
	if (why != REFUSAL_NONE)
		refuse(c, s, why, r->target, NAME_MAX_LEN);
	else
		ask(c, s,
			(struct claim){
				.type = CLAIM_NICK, .target = r->target });
}

static bool
same_name(struct slice a, struct slice b)
{
	char fa[NAME_FOLD_MAX], fb[NAME_FOLD_MAX];
	int na, nb;

	if (a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN)
		return false;
	na = name_fold(a, fa);
	nb = name_fold(b, fb);
	return na > 0 && na == nb && !memcmp(fa, fb, (size_t)na);
}

/* Which of its rooms a session means; ARENA_NONE when it is in no such. */
static uint32_t
own_room(const struct chat *c, const struct session *s, struct slice name)
{
	const uint32_t *rooms = session_rooms(c->a, s);

	for (uint32_t i = 0; i < s->n_rooms; i++)
		if (same_name(room_name(c->a, rooms[i]), name))
			return rooms[i];
	return ARENA_NONE;
}

static void
request_join(struct chat *c, const struct session *s, const struct request *r)
{
	struct slice name = name_room(r->target);
	enum refusal why = name_check_room(name);
	uint32_t room;

	if (why != REFUSAL_NONE) {
		refuse(c, s, why, name, NAME_MAX_LEN);
		return;
	}
	room = own_room(c, s, name);
	if (room == ARENA_NONE) {
		ask(c, s,
			(struct claim){ .type = CLAIM_JOIN,
				.target = name,
				.quiet = s->flags & SESSION_RAW });
		return;
	}
	/* The list is in the order of use: parting goes back to the one
	 * before. */
	session_use_room(c->a, s, room);
	ask(c, s, (struct claim){ .type = CLAIM_WHO, .target = name });
}

static void
request_part(struct chat *c, const struct session *s, const struct request *r)
{
	struct slice name = name_room(r->target);
	uint32_t room = current(c, s);

	if (name.len > 0)
		room = own_room(c, s, name);
	if (room == ARENA_NONE)
		refuse(c, s, REFUSAL_NOT_IN_ROOM, name, 0);
	else
		ask(c, s,
			(struct claim){ .type = CLAIM_PART,
				.room = c->a->room[room].id });
}

static void
request_who(struct chat *c, const struct session *s, const struct request *r)
{
	struct slice name = name_room(r->target);
	enum refusal why;

	if (name.len == 0) {
		if (!has_current(c, s))
			return;
		name = room_name(c->a, current(c, s));
	}
	why = name_check_room(name);
	if (why != REFUSAL_NONE)
		refuse(c, s, why, name, NAME_MAX_LEN);
	else
		ask(c, s, (struct claim){ .type = CLAIM_WHO, .target = name });
}

static void
request_rooms(struct chat *c, const struct session *s, const struct request *r)
{
	struct slice prefix = name_room(r->target);

	if (prefix.len > NAME_MAX_LEN)
		refuse(c, s, REFUSAL_ROOM_TOO_LONG, prefix, NAME_MAX_LEN);
	else
		ask(c, s,
			(struct claim){
				.type = CLAIM_ROOMS, .target = prefix });
}

static void
request_msg(struct chat *c, const struct session *s, const struct request *r)
{
	char mem[NAME_MAX_LEN + 1];

	if (r->target.len > NAME_MAX_LEN)
		refuse(c, s, REFUSAL_NICK_TOO_LONG, r->target, NAME_MAX_LEN);
	else
		ask(c, s,
			(struct claim){ .type = CLAIM_MSG,
				.target = r->target,
				.text = r->text,
				.nick = chat_nick(c, s, mem) });
}

static void
request_topic(struct chat *c, const struct session *s, const struct request *r)
{
	char mem[NAME_MAX_LEN + 1];

	if (!has_current(c, s))
		return;
	if (!r->has_text)
		tell(c, s,
			(struct event){ .type = EVENT_TOPIC_IS,
				.room = room_name(c->a, current(c, s)),
				.text = heap_slice(c->a,
					c->a->room[current(c, s)].topic) });
	else if (r->text.len > c->limits.topic_bytes)
		refuse(c, s, REFUSAL_TOPIC_TOO_LONG, r->text,
			c->limits.topic_bytes);
	else
		ask(c, s,
			(struct claim){ .type = CLAIM_TOPIC,
				.room = c->a->room[current(c, s)].id,
				.nick = chat_nick(c, s, mem),
				.text = r->text });
}

static void
request_echo(struct chat *c, const struct session *s, const struct request *r)
{
	uint16_t flags = s->flags;

	if (r->has_text)
		flags = (uint16_t)(r->on ? flags | SESSION_ECHO
					 : flags & ~SESSION_ECHO);
	arena_set(c->a, &s->flags, flags);
	tell(c, s,
		(struct event){
			.type = EVENT_ECHO_IS, .on = flags & SESSION_ECHO });
}

void
chat_request(
	struct chat *chat, const struct session *s, const struct request *r)
{
	typedef void handler_fn(
		struct chat *, const struct session *, const struct request *);
	static handler_fn *const handler[] = {
		[REQUEST_SAY] = request_say,
		[REQUEST_ACTION] = request_say,
		[REQUEST_RAW] = request_say,
		[REQUEST_NICK] = request_nick,
		[REQUEST_JOIN] = request_join,
		[REQUEST_PART] = request_part,
		[REQUEST_WHO] = request_who,
		[REQUEST_ROOMS] = request_rooms,
		[REQUEST_MSG] = request_msg,
		[REQUEST_TOPIC] = request_topic,
		[REQUEST_ECHO] = request_echo,
	};

	must((size_t)r->type < sizeof handler / sizeof *handler &&
		handler[r->type] != NULL);
	handler[r->type](chat, s, r);
}

void
chat_nick_set(struct chat *chat, const struct session *s, struct slice nick)
{
	bool guest = name_guest_session(nick) == s->id;

	if (arena_keep(chat->a, &s->nick, guest ? slice_of(NULL, 0) : nick) < 0)
		return;
	tell(chat, s, (struct event){ .type = EVENT_NICK_IS, .nick = nick });
}

void
chat_joined(
	struct chat *chat, const struct session *s, const struct chat_joined *j)
{
	struct arena *a = chat->a;
	uint32_t room = members_room(chat->members, j->room);

	if (room == ARENA_NONE) {
		room = room_take(a, j->room, j->name, j->echo ? ROOM_ECHO : 0);
		if (room == ARENA_NONE)
			return;
		members_open(chat->members, j->room, room);
	}
	if (session_in_room(a, s, room) || session_add_room(a, s, room) < 0)
		return;
	arena_set(a, &a->room[room].flags, j->echo ? ROOM_ECHO : 0);
	room_topic(a, room, j->topic);
	members_add(chat->members, room, (uint32_t)session_fd(a, s));
	if (!j->quiet)
		tell(chat, s,
			(struct event){ .type = EVENT_JOINED,
				.room = j->name,
				.text = j->topic,
				.list = j->others,
				.number = j->n_others });
}

static void
leave(struct chat *c, const struct session *s, uint32_t room)
{
	uint32_t id = c->a->room[room].id;

	if (members_remove(c->members, room, (uint32_t)session_fd(c->a, s)) > 0)
		return;
	members_close(c->members, id, room);
	room_release(c->a, room);
}

void
chat_parted(struct chat *chat, const struct session *s, uint32_t id)
{
	struct arena *a = chat->a;
	uint32_t room = members_room(chat->members, id);
	char mem[NAME_MAX_LEN];
	struct slice name;

	if (room == ARENA_NONE || !session_in_room(a, s, room))
		return;
	name = room_name(a, room);
	memcpy(mem, name.p, name.len);
	session_remove_room(a, s, room);
	leave(chat, s, room);
	tell(chat, s,
		(struct event){ .type = EVENT_PARTED,
			.room = slice_of(mem, name.len),
			.text = s->n_rooms == 0
					? slice_of(NULL, 0)
					: room_name(a, current(chat, s)) });
}

void
chat_topic(struct chat *chat, uint32_t id, struct slice topic)
{
	uint32_t room = members_room(chat->members, id);

	if (room != ARENA_NONE)
		room_topic(chat->a, room, topic);
}

void
chat_leave_all(struct chat *chat, const struct session *s)
{
	const uint32_t *rooms = session_rooms(chat->a, s);

	for (uint32_t i = 0; i < s->n_rooms; i++)
		leave(chat, s, rooms[i]);
	session_leave_rooms(chat->a, s);
}

uint32_t
chat_room(const struct chat *chat, uint32_t id)
{
	return members_room(chat->members, id);
}

const uint32_t *
chat_members(const struct chat *chat, uint32_t room, uint32_t *ret_n)
{
	return members_of(chat->members, room, ret_n);
}

bool
chat_sees_own(const struct chat *chat, const struct session *s, uint32_t room)
{
	return s->flags & SESSION_ECHO || chat->a->room[room].flags & ROOM_ECHO;
}

void
chat_set_echo(struct chat *chat, struct slice name, bool echo)
{
	struct arena *a = chat->a;
	uint32_t n = members_rooms(chat->members);

	for (uint32_t room = 0; room < n; room++)
		if (members_are_in(chat->members, room) &&
			same_name(room_name(a, room), name))
			arena_store(&a->room[room].flags, echo ? ROOM_ECHO : 0);
}
