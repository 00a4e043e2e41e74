/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <criterion/criterion.h>

TestSuite(utf8, .timeout = 20);

struct row {
	const char *in, *repaired;
	size_t cut, last;
};

static const struct row rows[] = {
	{ "", "", 0, 0 },
	{ "abc", "abc", 0, 1 },
	{ "abcdefghij\xC3\xBC", "abcdefghij\xC3\xBC", 0, 2 },
	{ "\xE2\x82\xAC", "\xE2\x82\xAC", 0, 3 },
	{ "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", 0, 4 },
	{ "a\xC3", "a\xEF\xBF\xBD", 1, 1 },
	{ "a\xE2\x82", "a\xEF\xBF\xBD", 2, 2 },
	{ "a\xF0\x9F\x98", "a\xEF\xBF\xBD", 3, 3 },
	{ "\xFF"
	  "a",
		"\xEF\xBF\xBD"
		"a",
		0, 1 },
	{ "a\x80", "a\xEF\xBF\xBD", 0, 1 },
	/* Overlong, surrogate, above U+10FFFF: one U+FFFD for each byte. */
	{ "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD", 0, 1 },
	{ "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0, 1 },
	{ "\xF4\x90\x80\x80",
		"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0, 1 },
	/* The example of table 3-11 in the Unicode Standard. */
	{ "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41",
		"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41", 0, 1 },
};

Test(utf8, repairs_and_finds_ends)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		struct slice in = slice_str(r->in);
		char mem[64];
		struct buf out = buf_over(mem, sizeof mem);

		utf8_repair(in, &out);
		cr_assert(slice_eq_str(buf_slice(&out), r->repaired), "row %zu",
			i);
		cr_assert_eq(utf8_valid(in), !strcmp(r->in, r->repaired),
			"row %zu", i);
		cr_assert_eq(utf8_cut(in), r->cut, "row %zu", i);
		cr_assert_eq(utf8_last(in), r->last, "row %zu", i);
	}
}

Test(utf8, every_code_point_goes_round)
{
	for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
		char mem[4];
		uint32_t back;
		size_t n = utf8_encode(cp, mem);
		bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;

		cr_assert_eq(utf8_decode(slice_of(mem, n), &back), n);
		cr_assert_eq(back, surrogate ? 0xFFFD : cp, "U+%04X", cp);
	}
}

Test(utf8, fit_cuts_no_character)
{
	struct slice s = slice_str("a\xE2\x82\xAC"
				   "b");

	cr_assert_eq(utf8_fit(s, 9).len, 5);
	cr_assert_eq(utf8_fit(s, 5).len, 5);
	cr_assert_eq(utf8_fit(s, 4).len, 4);
	cr_assert_eq(utf8_fit(s, 3).len, 1);
	cr_assert_eq(utf8_fit(s, 2).len, 1);
	cr_assert_eq(utf8_fit(s, 0).len, 0);
}

Test(utf8, repair_stops_at_the_end_of_memory)
{
	for (size_t cap = 0; cap < 12; cap++) {
		char mem[12];
		struct buf out = buf_over(mem, cap);

		utf8_repair(slice_str("\xE2\x82\xAC\xFF\xE2\x82\xAC"), &out);
		cr_assert(utf8_valid(buf_slice(&out)), "cap %zu", cap);
		cr_assert_eq(out.over, cap < 9, "cap %zu", cap);
	}
}
