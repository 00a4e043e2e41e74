/* Sessions in rooms, without sockets, protocols or a master: the test plays
 * the registry.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fd.h"
#include "chat/chat.h"
#include "msg/session_id.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define FDS 64

TestSuite(chat, .timeout = 20);

static struct fixture {
	struct arena a;
	struct chat *chat;
	struct event told;
	char text[256];
	unsigned n_told;
	struct claim claim;
	char target[256];
	unsigned n_claims;
} f;

static void
tell(void *arg, const struct session *s, const struct event *e)
{
	(void)arg;
	(void)s;
	f.told = *e;
	(void)snprintf(f.text, sizeof f.text, "%.*s|%.*s", (int)e->room.len,
		e->room.p ? e->room.p : "", (int)e->text.len,
		e->text.p ? e->text.p : "");
	f.n_told++;
}

static void
claim(void *arg, const struct session *s, const struct claim *c)
{
	(void)arg;
	(void)s;
	f.claim = *c;
	(void)snprintf(f.target, sizeof f.target, "%.*s", (int)c->target.len,
		c->target.p ? c->target.p : "");
	f.n_claims++;
}

static const struct session *
start(int fd)
{
	const struct chat_sink sink = { .tell = tell, .claim = claim };
	const struct chat_limits limits = { .topic_bytes = 10 };
	const struct session *s;
	bool used;

	if (f.chat == NULL) {
		cr_assert(eq(int,
			arena_map(&f.a,
				fd_memory("test", arena_size(FDS), false),
				arena_size(FDS), FDS, 1, &used),
			0));
		f.chat = chat_new(&f.a, &sink);
		chat_set_limits(f.chat, &limits);
	}
	tx_begin(&f.a);
	s = session_new(&f.a, fd, 1);
	arena_set(&f.a, &s->state, SESSION_OPEN);
	tx_commit(&f.a);
	return s;
}

static void
ask(const struct session *s, enum request_type type, const char *target,
	const char *text)
{
	struct request r = { .type = type,
		.target = slice_str(target),
		.text = slice_str(text),
		.has_text = *text != '\0' };

	f.n_told = f.n_claims = 0;
	tx_begin(&f.a);
	chat_request(f.chat, s, &r);
	tx_commit(&f.a);
}

static void
answer(const struct session *s)
{
	arena_store(&s->flags, s->flags & ~SESSION_WAITING);
}

static void
joined(const struct session *s, uint32_t id, const char *name, bool echo)
{
	struct chat_joined j = { .room = id,
		.echo = echo,
		.name = slice_str(name),
		.topic = SLICE_LIT("t") };

	tx_begin(&f.a);
	chat_joined(f.chat, s, &j);
	tx_commit(&f.a);
	answer(s);
}

static void
parted(const struct session *s, uint32_t id)
{
	tx_begin(&f.a);
	chat_parted(f.chat, s, id);
	tx_commit(&f.a);
	answer(s);
}

Test(chat, saying_needs_a_room)
{
	const struct session *s = start(5);

	ask(s, REQUEST_SAY, "", "hello");
	cr_assert(eq(int, f.told.refusal, REFUSAL_NOT_IN_ROOM));
	joined(s, 100, "lobby", false);
	ask(s, REQUEST_SAY, "", "hello");
	cr_assert(eq(u32, f.n_claims, 1));
	cr_assert(eq(int, f.claim.type, CLAIM_SAY));
	cr_assert(eq(u32, f.claim.room, 100));
	cr_assert(not(f.claim.echo));
	cr_assert(eq(int, s->flags &SESSION_WAITING, 0), "it may go on");
}

Test(chat, parting_goes_back_to_the_room_before)
{
	const struct session *s = start(5);

	joined(s, 100, "lobby", false);
	joined(s, 101, "dev", false);
	joined(s, 102, "ops", false);
	ask(s, REQUEST_JOIN, "#LOBBY", "");
	cr_assert(eq(int, f.claim.type, CLAIM_WHO), "it is in there already");
	answer(s);
	ask(s, REQUEST_PART, "", "");
	cr_assert(eq(u32, f.claim.room, 100));
	parted(s, 100);
	cr_assert(eq(str, f.text, "lobby|ops"));
	ask(s, REQUEST_PART, "dev", "");
	parted(s, 101);
	cr_assert(eq(str, f.text, "dev|ops"));
	ask(s, REQUEST_PART, "", "");
	parted(s, 102);
	cr_assert(eq(str, f.text, "ops|"));
	ask(s, REQUEST_PART, "", "");
	cr_assert(eq(int, f.told.refusal, REFUSAL_NOT_IN_ROOM));
	cr_assert(eq(u32, chat_room(f.chat, 100), ARENA_NONE));
}

Test(chat, a_request_with_an_answer_makes_it_wait)
{
	const struct session *s = start(5);

	ask(s, REQUEST_NICK, "ann", "");
	cr_assert(eq(str, f.target, "ann"));
	cr_assert(ne(int, s->flags &SESSION_WAITING, 0));
	tx_begin(&f.a);
	chat_nick_set(f.chat, s, SLICE_LIT("ann"));
	tx_commit(&f.a);
	answer(s);
	ask(s, REQUEST_NICK, "", "");
	cr_assert(eq(sz, f.told.nick.len, 3));
	ask(s, REQUEST_NICK, "guest99", "");
	cr_assert(eq(int, f.told.refusal, REFUSAL_NICK_RESERVED));
	ask(s, REQUEST_NICK, "guest1", "");
	cr_assert(eq(int, f.claim.type, CLAIM_NICK), "its own guest name");
}

Test(chat, topics_are_limited_and_kept)
{
	const struct session *s = start(5);

	joined(s, 100, "lobby", false);
	ask(s, REQUEST_TOPIC, "", "");
	cr_assert(eq(str, f.text, "lobby|t"));
	ask(s, REQUEST_TOPIC, "", "12345678901");
	cr_assert(eq(int, f.told.refusal, REFUSAL_TOPIC_TOO_LONG));
	ask(s, REQUEST_TOPIC, "", "1234567890");
	cr_assert(eq(int, f.claim.type, CLAIM_TOPIC));
	answer(s);
	tx_begin(&f.a);
	chat_topic(f.chat, 100, SLICE_LIT("new"));
	tx_commit(&f.a);
	ask(s, REQUEST_TOPIC, "", "");
	cr_assert(eq(str, f.text, "lobby|new"));
}

Test(chat, who_sees_its_own)
{
	const struct session *s = start(5), *o = start(6);

	joined(s, 100, "lobby", false);
	joined(s, 101, "echo", true);
	joined(o, 100, "lobby", false);
	cr_assert(not(chat_sees_own(f.chat, s, chat_room(f.chat, 100))));
	cr_assert(chat_sees_own(f.chat, s, chat_room(f.chat, 101)));
	arena_store(&o->flags, o->flags | SESSION_ECHO);
	cr_assert(chat_sees_own(f.chat, o, chat_room(f.chat, 100)));
}

Test(chat, members_are_rebuilt_from_the_records)
{
	const struct chat_sink sink = { .tell = tell, .claim = claim };
	const struct session *s = start(5), *o = start(6);
	uint32_t n;

	joined(s, 100, "lobby", false);
	joined(o, 100, "lobby", false);
	joined(o, 101, "dev", false);
	chat_free(&f.chat);
	f.chat = chat_new(&f.a, &sink);
	(void)chat_members(f.chat, chat_room(f.chat, 100), &n);
	cr_assert(eq(u32, n, 2));
	(void)chat_members(f.chat, chat_room(f.chat, 101), &n);
	cr_assert(eq(u32, n, 1));
	tx_begin(&f.a);
	chat_leave_all(f.chat, o);
	tx_commit(&f.a);
	cr_assert(eq(u32, chat_room(f.chat, 101), ARENA_NONE));
	(void)chat_members(f.chat, chat_room(f.chat, 100), &n);
	cr_assert(eq(u32, n, 1));
}
