/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "proto/charset.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(charset, .timeout = 20);

#define ZHONGWEN "\xE4\xB8\xAD\xE6\x96\x87" /* U+4E2D U+6587 */
#define MIR      "\xD0\xBC\xD0\xB8\xD1\x80"

struct row {
	const char *set, *utf8, *bytes;
	size_t last; /* bytes of the last character in the set */
};

static const struct row rows[] = {
	{ "GB2312", ZHONGWEN, "\xD6\xD0\xCE\xC4", 2 },
	{ "GBK", ZHONGWEN, "\xD6\xD0\xCE\xC4", 2 },
	{ "GB18030", ZHONGWEN, "\xD6\xD0\xCE\xC4", 2 },
	{ "GB18030", "\xF0\x9F\x98\x80", "\x94\x39\xFC\x36", 4 },
	{ "BIG5", ZHONGWEN, "\xA4\xA4\xA4\xE5", 2 },
	{ "EUC-JP", ZHONGWEN, "\xC3\xE6\xCA\xB8", 2 },
	{ "EUC-JP", "\xE4\xB8\x82", "\x8F\xB0\xA1", 3 },
	{ "SHIFT_JIS", ZHONGWEN, "\x92\x86\x95\xB6", 2 },
	{ "EUC-KR", ZHONGWEN, "\xF1\xE9\xD9\xFE", 2 },
	{ "KOI8-R", MIR, "\xCD\xC9\xD2", 1 },
	{ "WINDOWS-1251", MIR, "\xEC\xE8\xF0", 1 },
	{ "WINDOWS-1252", "\xE2\x82\xAC", "\x80", 1 },
	{ "WINDOWS-1258", "abc", "abc", 1 },
	{ "ISO-8859-1", "\xC3\xBC", "\xFC", 1 },
	{ "ISO-8859-15", "\xE2\x82\xAC", "\xA4", 1 },
};

static struct charset *
must_open(const char *name)
{
	struct charset *cs = NULL;

	cr_assert_eq(charset_open(name, &cs), 0, "%s", name);
	cr_assert_not_null(cs, "%s", name);
	return cs;
}

Test(charset, goes_round)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		struct charset *cs = must_open(r->set);
		char mem[64];
		struct buf out = buf_over(mem, sizeof mem);

		charset_decode(cs, slice_str(r->bytes), &out);
		cr_assert(slice_eq_str(buf_slice(&out), r->utf8), "%s decode",
			r->set);
		out.len = 0;
		charset_encode(cs, slice_str(r->utf8), &out);
		cr_assert(slice_eq_str(buf_slice(&out), r->bytes), "%s encode",
			r->set);
		cr_assert_eq(charset_last(cs, slice_str(r->bytes)), r->last,
			"%s last", r->set);
		charset_close(&cs);
		cr_assert_null(cs);
	}
}

Test(charset, cut_anywhere_is_found)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		struct charset *cs = must_open(r->set);
		size_t len = strlen(r->bytes);

		cr_assert_eq(charset_cut(cs, slice_str("")), 0);
		cr_assert_eq(charset_cut(cs, slice_str(r->bytes)), 0);
		for (size_t n = 1; n < r->last; n++)
			cr_assert_eq(
				charset_cut(cs,
					slice_of(r->bytes, len - r->last + n)),
				n, "%s", r->set);
		charset_close(&cs);
	}
}

Test(charset, what_has_shift_state_or_no_ascii_is_refused)
{
	static const char *const names[] = { "ISO-2022-JP", "ISO-2022-KR",
		"ISO-2022-CN", "UTF-7", "UTF-16", "UTF-16LE", "UTF-32", "UCS-2",
		"EBCDIC-US", "JAVA", "", "no-such-set", "GBK//TRANSLIT" };
	struct charset *cs;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		cr_assert_eq(
			charset_open(names[i], &cs), -EINVAL, "%s", names[i]);
		cr_assert_null(cs, "%s", names[i]);
	}
}

Test(charset, utf8_is_none)
{
	struct charset *cs;
	char mem[16];
	struct buf out = buf_over(mem, sizeof mem);

	cr_assert_eq(charset_open("utf-8", &cs), 0);
	cr_assert_null(cs);
	charset_decode(cs, slice_str("a\xFF"), &out);
	cr_assert(slice_eq_str(buf_slice(&out), "a" UTF8_REPLACEMENT));
	cr_assert_eq(charset_cut(cs, slice_str("a\xC3")), 1);
	cr_assert_eq(charset_last(cs, slice_str("a\xC3\xBC")), 2);
	cr_assert(!charset_has_byte(cs, 0xFF));
	charset_close(&cs);
}

Test(charset, what_cannot_be_said)
{
	struct charset *cs = must_open("GB2312");
	char mem[32];
	struct buf out = buf_over(mem, sizeof mem);

	charset_encode(cs,
		slice_str("a\xF0\x9F\x98\x80"
			  "b\xFF"
			  "c"),
		&out);
	cr_assert(slice_eq_str(buf_slice(&out), "a?b?c"));
	out.len = 0;
	charset_decode(cs,
		slice_str("a\xFF"
			  "b\xD6"),
		&out);
	cr_assert(slice_eq_str(
		buf_slice(&out), "a" UTF8_REPLACEMENT "b" UTF8_REPLACEMENT));
	charset_close(&cs);
	cs = must_open("KOI8-R");
	cr_assert(charset_has_byte(cs, 0xFF));
	charset_close(&cs);
}

/* Any bytes at all, through memory that is too small. */
Test(charset, never_past_the_end_and_no_character_cut)
{
	static const char *const names[] = { "GB18030", "SHIFT_JIS", "EUC-JP",
		"BIG5-HKSCS", "WINDOWS-1258" };
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct charset *cs = must_open(names[i]);

		for (unsigned round = 0; round < 4000; round++) {
			char in[24], mem[32], back[64];
			size_t n = (size_t)rand_r(&seed) % sizeof in;
			size_t cap = (size_t)rand_r(&seed) % sizeof mem;
			struct buf out = buf_over(mem, cap);
			struct buf enc = buf_over(back, cap);

			for (size_t k = 0; k < n; k++)
				in[k] = (char)rand_r(&seed);
			charset_decode(cs, slice_of(in, n), &out);
			cr_assert(utf8_valid(buf_slice(&out)), "%s", names[i]);
			charset_encode(cs, buf_slice(&out), &enc);
			cr_assert_leq(enc.len, cap);
			cr_assert(charset_cut(cs, slice_of(in, n)) <= 3);
			cr_assert(n == 0 ||
				  (charset_last(cs, slice_of(in, n)) >= 1 &&
					  charset_last(cs, slice_of(in, n)) <=
						  4));
		}
		charset_close(&cs);
	}
}
