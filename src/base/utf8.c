/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* How a character goes on after its first byte: how many bytes follow, and
 * between which values the first of them lies.  Overlong forms, surrogates and
 * what is above U+10FFFF are excluded there (Unicode Standard, table 3-7). */
struct lead {
	unsigned follow, low, high;
};

static struct lead
lead_of(unsigned char b)
{
	switch (b) {
	case 0xC2 ... 0xDF:
		return (struct lead){ 1, 0x80, 0xBF };
	case 0xE0:
		return (struct lead){ 2, 0xA0, 0xBF };
	case 0xED:
		return (struct lead){ 2, 0x80, 0x9F };
	case 0xE1 ... 0xEC:
	case 0xEE ... 0xEF:
		return (struct lead){ 2, 0x80, 0xBF };
	case 0xF0:
		return (struct lead){ 3, 0x90, 0xBF };
	case 0xF1 ... 0xF3:
		return (struct lead){ 3, 0x80, 0xBF };
	case 0xF4:
		return (struct lead){ 3, 0x80, 0x8F };
	default:
		return (struct lead){ 0, 0, 0 };
	}
}

/* As utf8_decode(); *ret_cut when the bytes end before the character does. */
static size_t
step(struct slice s, uint32_t *ret_cp, bool *ret_cut)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t cp;

	*ret_cut = false;
	*ret_cp = UTF8_INVALID;
	if (s.len == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	}

	struct lead lead = lead_of(p[0]);

	if (lead.follow == 0)
		return 1;
	cp = p[0] & (0x3Fu >> lead.follow);
	for (unsigned i = 1; i <= lead.follow; i++) {
		if (i == s.len) {
			*ret_cut = true;
			return i;
		}
		if (p[i] < lead.low || p[i] > lead.high)
			return i;
		cp = cp << 6 | (p[i] & 0x3Fu);
		lead.low = 0x80;
		lead.high = 0xBF;
	}
	*ret_cp = cp;
	return lead.follow + 1;
}

size_t
utf8_decode(struct slice s, uint32_t *ret_cp)
{
	bool cut;

	return step(s, ret_cp, &cut);
}

size_t
utf8_encode(uint32_t cp, char out[4])
{
	if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
		cp = 0xFFFD;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xC0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xE0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		out[2] = (char)(0x80 | (cp & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
	out[3] = (char)(0x80 | (cp & 0x3F));
	return 4;
}

/* Most text is ASCII, and eight bytes of it are seen at once. */
static size_t
skip_ascii(struct slice s, size_t at)
{
	uint64_t eight;

	while (s.len - at >= sizeof eight) {
		memcpy(&eight, s.p + at, sizeof eight);
		if (eight & UINT64_C(0x8080808080808080))
			break;
		at += sizeof eight;
	}
	return at;
}

/* Bytes at the front of s that are valid. */
static size_t
valid_run(struct slice s)
{
	size_t at = 0;
	uint32_t cp;

	while ((at = skip_ascii(s, at)) < s.len) {
		size_t n = utf8_decode(slice_skip(s, at), &cp);

		if (cp == UTF8_INVALID)
			break;
		at += n;
	}
	return at;
}

bool
utf8_valid(struct slice s)
{
	return valid_run(s) == s.len;
}

void
utf8_repair(struct slice s, struct buf *out)
{
	while (s.len > 0) {
		size_t run = valid_run(s);
		uint32_t cp;

		if (run > buf_room(out)) {
			buf_slice_add(out, utf8_fit(s, buf_room(out)));
			out->over = true;
			return;
		}
		buf_add(out, s.p, run);
		s = slice_skip(s, run);
		if (s.len == 0)
			return;
		if (buf_room(out) < 3) {
			out->over = true;
			return;
		}
		buf_str(out, UTF8_REPLACEMENT);
		s = slice_skip(s, utf8_decode(s, &cp));
	}
}

size_t
utf8_cut(struct slice s)
{
	for (size_t n = 1; n <= 3 && n <= s.len; n++) {
		uint32_t cp;
		bool cut;

		if (step(slice_skip(s, s.len - n), &cp, &cut) == n && cut)
			return n;
	}
	return 0;
}

size_t
utf8_last(struct slice s)
{
	size_t cut = utf8_cut(s);

	if (cut > 0)
		return cut;
	for (size_t n = 1; n <= 4 && n <= s.len; n++) {
		uint32_t cp;

		if (utf8_decode(slice_skip(s, s.len - n), &cp) == n &&
			cp != UTF8_INVALID)
			return n;
	}
	return s.len > 0;
}

struct slice
utf8_fit(struct slice s, size_t max)
{
	if (s.len <= max)
		return s;
	s.len = max;
	s.len -= utf8_cut(s);
	return s;
}
