/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "msg/name.h"
#include "msg/session_id.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(name, .timeout = 20);

struct row {
	const char *name;
	enum refusal nick, room;
};

#define OK     REFUSAL_NONE
#define NICK   REFUSAL_NICK_INVALID
#define ROOM   REFUSAL_ROOM_INVALID
#define TAKEN  REFUSAL_NICK_RESERVED
#define LETTER "\xC3\xA9" /* U+00E9 */

static const struct row rows[] = {
	{ "ann", OK, OK },
	{ "Ann_[]{}^|-7", OK, OK },
	{ "_", OK, OK },
	{ "|", OK, OK },
	{ LETTER, OK, OK },
	{ "e\xCC\x81", OK, OK },                /* letter and mark */
	{ "\xE5\xBC\xA0\xE4\xB8\x89", OK, OK }, /* Han */
	{ "\xD0\xB0\xD9\xA3", OK, OK },         /* Arabic digit inside */
	{ "\xD9\xA3\xD0\xB0", NICK, ROOM },     /* and at the beginning */
	{ "", NICK, ROOM },
	{ "7ann", NICK, ROOM },
	{ "-ann", NICK, ROOM },
	{ "---", NICK, ROOM },
	{ "\xCC\x81", NICK, ROOM }, /* a mark alone */
	{ "\xCC\x81"
	  "a",
		NICK, ROOM },
	{ "a b", NICK, ROOM },
	{ "a.b", NICK, OK },
	{ ".", NICK, ROOM },
	{ "a/b", NICK, ROOM },
	{ "a>b", NICK, ROOM },
	{ "a*", NICK, ROOM },
	{ "#a", NICK, ROOM },
	{ "a\x1B", NICK, ROOM },
	{ "a\xE2\x80\x8D", NICK, ROOM },     /* ZWJ */
	{ "a\xE2\x80\xAE", NICK, ROOM },     /* RLO */
	{ "a\xEF\xB8\x8F", NICK, ROOM },     /* variation selector */
	{ "a\xE3\x85\xA4", NICK, ROOM },     /* Hangul filler */
	{ "a\xF0\x9F\x98\x80", NICK, ROOM }, /* no letter */
	{ "a\xFF", NICK, ROOM },
	{ "a\xC3", NICK, ROOM },
	/* Folds to more than any name's memory. */
	{ "\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA"
	  "\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA",
		NICK, ROOM },
	{ "private", TAKEN, ROOM },
	{ "Server", TAKEN, ROOM },
	{ "guest7", TAKEN, ROOM },
	{ "GUEST007", TAKEN, ROOM },
	{ "guest\xD9\xA3", TAKEN, ROOM },
	/* Full-width letters fold to the ASCII ones. */
	{ "\xEF\xBC\xB3\xEF\xBD\x85rver", TAKEN, ROOM },
	{ "guest", OK, OK },
	{ "guesty7", OK, OK },
	{ "private1", OK, OK },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", OK, OK },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", REFUSAL_NICK_TOO_LONG,
		REFUSAL_ROOM_TOO_LONG },
};

Test(name, rules)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice s = slice_str(rows[i].name);

		cr_assert_eq(name_check_nick(s), rows[i].nick, "nick %zu %s", i,
			rows[i].name);
		cr_assert_eq(name_check_room(s), rows[i].room, "room %zu %s", i,
			rows[i].name);
	}
	cr_assert_eq(name_check_nick(slice_of("a\0b", 3)), NICK);
}

static bool
same(const char *a, const char *b)
{
	char fa[NAME_FOLD_MAX], fb[NAME_FOLD_MAX];
	int la = name_fold(slice_str(a), fa), lb = name_fold(slice_str(b), fb);

	cr_assert(la > 0 && lb > 0, "%s %s", a, b);
	return slice_eq(slice_of(fa, (size_t)la), slice_of(fb, (size_t)lb));
}

Test(name, folding)
{
	cr_assert(same("Ann", "aNN"));
	cr_assert(same("\xC3\x89va", "e\xCC\x81VA")); /* composed or not */
	cr_assert(same("stra\xC3\x9F"
		       "e",
		"STRASSE"));
	cr_assert(same("\xEF\xBC\xA1nn", "ann")); /* full-width A */
	cr_assert(same("\xE2\x84\x82"
		       "at",
		"cat")); /* U+2102 has case only after NFKC */
	cr_assert(!same("ann", "anne"));
	cr_assert(!same("ann", "\xC3\xA0nn"));
}

Test(name, fold_refuses)
{
	char fold[NAME_FOLD_MAX];
	char many[31];

	for (size_t i = 0; i < 30; i += 3)
		memcpy(many + i, "\xEF\xB7\xBA", 3);
	cr_assert_eq(name_fold(slice_of(many, 30), fold), -EINVAL);
	cr_assert_eq(name_fold(slice_str("\xFF"), fold), -EINVAL);
	cr_assert_eq(name_fold(slice_str(""), fold), -EINVAL);
	cr_assert_eq(
		name_fold(slice_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), fold),
		-EINVAL);
}

Test(name, folding_twice_changes_nothing)
{
	for (uint32_t cp = 0x21; cp < 0x20000; cp++) {
		char in[4], once[NAME_FOLD_MAX], twice[NAME_FOLD_MAX];
		int n, m;

		n = (int)utf8_encode(cp, in);
		n = name_fold(slice_of(in, (size_t)n), once);
		if (n <= 0 || n > NAME_MAX_LEN)
			continue;
		m = name_fold(slice_of(once, (size_t)n), twice);
		cr_assert(m == n && !memcmp(once, twice, (size_t)n), "U+%04X",
			cp);
	}
}

Test(name, room_without_hash)
{
	cr_assert(slice_eq_str(name_room(slice_str("#lobby")), "lobby"));
	cr_assert(slice_eq_str(name_room(slice_str("lobby")), "lobby"));
	cr_assert(slice_eq_str(name_room(slice_str("##lobby")), "#lobby"));
	cr_assert_eq(name_room(slice_str("")).len, 0);
}

Test(name, guests_are_unique_and_found_again)
{
	static const uint64_t numbers[] = { 1, 2, 3, 1000000,
		(UINT64_C(1) << 48) - 1 };
	char out[NAME_MAX_LEN + 1];

	cr_assert_eq(name_guest(session_id(1, 1), out), 6);
	cr_assert_str_eq(out, "guest1");
	name_guest(session_id(SLOTS_MAX, 1), out);
	cr_assert_str_eq(out, "guest64");
	name_guest(session_id(1, 2), out);
	cr_assert_str_eq(out, "guest65");
	for (unsigned slot = 1; slot <= SLOTS_MAX; slot++)
		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0];
			i++) {
			uint64_t id = session_id(slot, numbers[i]);
			int len = name_guest(id, out);

			cr_assert(len <= NAME_MAX_LEN);
			cr_assert_eq(name_guest_session(slice_str(out)), id,
				"%s", out);
		}
}

Test(name, what_is_no_guest)
{
	static const char *const others[] = { "", "guest", "guest0", "guest07",
		"guest7x", "ann7", "guest-7", "guest999999999999999999",
		"guest99999999999999999999999", "guest18014398509481985" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		cr_assert_eq(name_guest_session(slice_str(others[i])), 0, "%s",
			others[i]);
	cr_assert_eq(name_guest_session(slice_str("GuEsT7")), session_id(7, 1));
}
