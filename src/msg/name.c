/* SPDX-License-Identifier: MIT */
#include "msg/name.h"

#include "base/utf8.h"
#include "msg/session_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

/* Signs that stand for a letter: a name may consist of them. */
#define NAME_SIGNS "_[]{}^|"

#define GUEST "guest"

static bool
is_sign(uint32_t cp)
{
	return cp > 0 && cp < 0x80 && strchr(NAME_SIGNS, (int)cp);
}

static bool
is_letter(uint32_t cp)
{
	return uc_is_general_category(cp, UC_LETTER);
}

static bool
is_digit(uint32_t cp)
{
	return uc_is_general_category(cp, UC_DECIMAL_DIGIT_NUMBER);
}

static bool
is_mark(uint32_t cp)
{
	return uc_is_general_category(cp, UC_MARK);
}

/* Variation selectors, Hangul fillers and the like are marks and letters by
 * category, but nobody sees them: two names that look the same would differ. */
static bool
is_unseen(uint32_t cp)
{
	return uc_is_property_default_ignorable_code_point(cp);
}

static bool
is_name_char(uint32_t cp, bool room)
{
	if (cp < 0x80)
		return is_letter(cp) || is_digit(cp) || is_sign(cp) ||
		       cp == '-' || (room && cp == '.');
	return (is_letter(cp) || is_mark(cp) || is_digit(cp)) && !is_unseen(cp);
}

/* A mark would be drawn onto the bracket before the name. */
static bool
may_begin(uint32_t cp)
{
	return !is_digit(cp) && !is_mark(cp) && cp != '-';
}

static bool
is_well_formed(struct slice s, bool room)
{
	bool has_body = false;

	for (size_t at = 0, n; at < s.len; at += n) {
		uint32_t cp;

		n = utf8_decode(slice_skip(s, at), &cp);
		if (cp == UTF8_INVALID || !is_name_char(cp, room))
			return false;
		if (at == 0 && !may_begin(cp))
			return false;
		has_body = has_body || is_letter(cp) || is_sign(cp);
	}
	return has_body;
}

/* What follows "guest" in a folded name; empty when it does not begin so. */
static struct slice
after_guest(struct slice fold)
{
	struct slice guest = SLICE_LIT(GUEST);

	if (fold.len <= guest.len || memcmp(fold.p, guest.p, guest.len) != 0)
		return (struct slice){ NULL, 0 };
	return slice_skip(fold, guest.len);
}

/* Digits of any script: they read the same as those of a guest. */
static bool
is_guest_shaped(struct slice fold)
{
	struct slice rest = after_guest(fold);
	bool shaped = rest.len > 0;

	while (shaped && rest.len > 0) {
		uint32_t cp;
		size_t n = utf8_decode(rest, &cp);

		shaped = is_digit(cp);
		rest = slice_skip(rest, n);
	}
	return shaped;
}

static bool
is_reserved(struct slice fold)
{
	return slice_eq_str(fold, "private") || slice_eq_str(fold, "server") ||
	       is_guest_shaped(fold);
}

struct verdict {
	enum refusal invalid, too_long, reserved;
};

static enum refusal
check(struct slice s, bool room, const struct verdict *say)
{
	char mem[NAME_FOLD_MAX];
	int len;

	if (s.len > NAME_MAX_LEN)
		return say->too_long;
	if (!is_well_formed(s, room))
		return say->invalid;
	len = name_fold(s, mem);
	if (len < 0)
		return say->invalid;
	if (is_reserved(slice_of(mem, (size_t)len)))
		return say->reserved;
	return REFUSAL_NONE;
}

enum refusal
name_check_nick(struct slice s)
{
	static const struct verdict say = { REFUSAL_NICK_INVALID,
		REFUSAL_NICK_TOO_LONG, REFUSAL_NICK_RESERVED };

	return check(s, false, &say);
}

/* A room called private would make "[private] <nick> text" of what everybody
 * reads, so the reserved words are no rooms either. */
enum refusal
name_check_room(struct slice s)
{
	static const struct verdict say = { REFUSAL_ROOM_INVALID,
		REFUSAL_ROOM_TOO_LONG, REFUSAL_ROOM_INVALID };

	return check(s, true, &say);
}

struct slice
name_room(struct slice s)
{
	return s.len > 0 && s.p[0] == '#' ? slice_skip(s, 1) : s;
}

static int
fold_once(struct slice s, char out[NAME_FOLD_MAX])
{
	size_t len = NAME_FOLD_MAX;
	uint8_t *p = u8_casefold((const uint8_t *)s.p, s.len, NULL,
		UNINORM_NFKC, (uint8_t *)out, &len);

	if (p != (uint8_t *)out) {
		/* It failed, or did not fit and is memory of its own. */
		free(p);
		return -EINVAL;
	}
	return (int)len;
}

int
name_fold(struct slice s, char fold[NAME_FOLD_MAX])
{
	char once[NAME_FOLD_MAX];
	int len;

	if (s.len == 0 || s.len > NAME_MAX_LEN || !utf8_valid(s))
		return -EINVAL;
	len = fold_once(s, once);
	if (len < 0)
		return len;
	/* The second time folds what NFKC brought to light: U+2102 has no case
	 * but becomes C (Unicode Standard, D146). */
	return fold_once(slice_of(once, (size_t)len), fold);
}

int
name_guest(uint64_t session, char out[NAME_MAX_LEN + 1])
{
	uint64_t n = (session_id_number(session) - 1) * SLOTS_MAX +
		     session_id_slot(session);
	char digits[20];
	int len = (int)strlen(GUEST), at = sizeof digits;

	/* Not by printf(): each who joins is told fifty of them. */
	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	memcpy(out, GUEST, strlen(GUEST));
	memcpy(out + len, digits + at, sizeof digits - (size_t)at);
	len += (int)sizeof digits - at;
	out[len] = '\0';
	return len;
}

/* A number as name_guest() writes it; 0 when it is none. */
static uint64_t
guest_number(struct slice digits)
{
	uint64_t n = 0;

	if (digits.len == 0 || digits.len > 18 || digits.p[0] == '0')
		return 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(digits.p[i] - '0');
	}
	return n;
}

uint64_t
name_guest_session(struct slice s)
{
	char mem[NAME_FOLD_MAX];
	int len = name_fold(s, mem);
	uint64_t n, number;

	if (len < 0)
		return 0;
	n = guest_number(after_guest(slice_of(mem, (size_t)len)));
	if (n == 0)
		return 0;
	number = (n - 1) / SLOTS_MAX + 1;
	if (number != session_id_number(number))
		return 0;
	return session_id((unsigned)((n - 1) % SLOTS_MAX) + 1, number);
}
