/* SPDX-License-Identifier: MIT */
#include "proto/charset.h"

#include "base/utf8.h"
#include "base/xalloc.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

/* Characters of up to four bytes.  How long one is follows from its first two
 * bytes in every set that we know; the table is made by asking iconv(3), and
 * spares a conversion for each character that a client erases. */
struct charset {
	iconv_t decode, encode;
	uint8_t alone[32]; /* bitmap: this byte is a character */
	uint8_t lead[32];  /* bitmap: this byte begins one of two or more */
	uint8_t pair[256][256]; /* bytes of what begins with these two: 1 when
				 * they do not belong together */
};

enum shape {
	SHAPE_WHOLE,
	SHAPE_CUT,
	SHAPE_INVALID
};

static bool
bit(const uint8_t map[32], unsigned char b)
{
	return map[b / 8] >> (b % 8) & 1;
}

static void
set_bit(uint8_t map[32], unsigned char b)
{
	map[b / 8] |= (uint8_t)(1u << (b % 8));
}

static void
reset(iconv_t cd)
{
	(void)iconv(cd, NULL, NULL, NULL, NULL);
}

/* Convert these bytes alone.  *out receives what they mean, if anything: some
 * sets (windows-1258, TCVN) hold a letter back until they are flushed. */
static enum shape
probe(iconv_t cd, const unsigned char *bytes, size_t len, struct buf *out)
{
	char *in = (char *)bytes, *p = out->p;
	size_t room = out->cap;

	reset(cd);
	if (iconv(cd, &in, &len, &p, &room) == (size_t)-1)
		return errno == EINVAL ? SHAPE_CUT : SHAPE_INVALID;
	(void)iconv(cd, NULL, NULL, &p, &room);
	out->len = out->cap - room;
	return SHAPE_WHOLE;
}

/* A set without shift state gives each ASCII byte alone a meaning of its own.
 * The controls, digits and letters must be those of ASCII; JIS and national
 * ISO 646 sets differ in a few signs. */
static bool
is_plain(iconv_t cd)
{
	for (unsigned b = 0; b < 0x80; b++) {
		char mem[16];
		struct buf out = buf_over(mem, sizeof mem);
		unsigned char byte = (unsigned char)b;
		bool same;

		if (probe(cd, &byte, 1, &out) != SHAPE_WHOLE || out.len == 0)
			return false;
		same = out.len == 1 && mem[0] == (char)b;
		if (!same && (b <= '9' || b == 0x7F || (b | 32) - 'a' < 26u))
			return false;
	}
	return true;
}

/* Bytes of the character that begins with a and b, which ends not there. */
static uint8_t
long_length(iconv_t cd, unsigned char a, unsigned char b)
{
	for (unsigned c = 0; c < 256; c++) {
		char mem[16];
		struct buf out = buf_over(mem, sizeof mem);
		unsigned char bytes[3] = { a, b, (unsigned char)c };

		if (probe(cd, bytes, 3, &out) == SHAPE_CUT)
			return 4;
	}
	return 3;
}

static void
learn_lead(struct charset *cs, unsigned char a)
{
	uint8_t longer = 0;

	set_bit(cs->lead, a);
	for (unsigned b = 0; b < 256; b++) {
		char mem[16];
		struct buf out = buf_over(mem, sizeof mem);
		unsigned char bytes[2] = { a, (unsigned char)b };
		enum shape shape = probe(cs->decode, bytes, 2, &out);

		if (shape == SHAPE_CUT && longer == 0)
			longer = long_length(cs->decode, a, bytes[1]);
		cs->pair[a][b] = shape == SHAPE_WHOLE ? 2
				 : shape == SHAPE_CUT ? longer
						      : 1;
	}
}

static void
learn(struct charset *cs)
{
	for (unsigned a = 0; a < 256; a++) {
		char mem[16];
		struct buf out = buf_over(mem, sizeof mem);
		unsigned char byte = (unsigned char)a;
		enum shape shape = probe(cs->decode, &byte, 1, &out);

		if (shape == SHAPE_WHOLE)
			set_bit(cs->alone, byte);
		else if (shape == SHAPE_CUT)
			learn_lead(cs, byte);
	}
}

static struct charset *
charset_new(iconv_t decode, iconv_t encode)
{
	struct charset *cs = xcalloc(1, sizeof *cs);

	cs->decode = decode;
	cs->encode = encode;
	learn(cs);
	return cs;
}

bool
charset_is_utf8(const char *name)
{
	return !strcasecmp(name, "UTF-8") || !strcasecmp(name, "UTF8");
}

int
charset_open(const char *name, struct charset **ret)
{
	iconv_t decode = (iconv_t)-1, encode = (iconv_t)-1;

	*ret = NULL;
	if (charset_is_utf8(name))
		return 0;
	/* "" would mean the locale's, a slash iconv's own suffixes. */
	if (!*name || strchr(name, '/'))
		return -EINVAL;
	decode = iconv_open("UTF-8", name);
	encode = iconv_open(name, "UTF-8");
	if (decode == (iconv_t)-1 || encode == (iconv_t)-1 || !is_plain(decode))
		goto fail;
	*ret = charset_new(decode, encode);
	return 0;
fail:
	if (decode != (iconv_t)-1)
		iconv_close(decode);
	if (encode != (iconv_t)-1)
		iconv_close(encode);
	return -EINVAL;
}

void
charset_close(struct charset **cs)
{
	if (!*cs)
		return;
	iconv_close((*cs)->decode);
	iconv_close((*cs)->encode);
	free(*cs);
	*cs = NULL;
}

/* Convert the front of *in until iconv stops; *in is what is left.  0, or its
 * errno. */
static int
convert(iconv_t cd, struct slice *in, struct buf *out)
{
	char *from = (char *)in->p, *to = out->p + out->len;
	size_t left = in->len, room = buf_room(out);
	int rc = 0;

	if (iconv(cd, &from, &left, &to, &room) == (size_t)-1)
		rc = errno;
	*in = slice_of(from, left);
	out->len = out->cap - room;
	return rc;
}

/* Let go of what the set holds back for a letter that might have followed. */
static void
finish(iconv_t cd, struct buf *out)
{
	char *to = out->p + out->len;
	size_t room = buf_room(out);

	if (iconv(cd, NULL, NULL, &to, &room) == (size_t)-1)
		out->over = true;
	out->len = out->cap - room;
}

static bool
add_whole(struct buf *out, const char *s)
{
	if (buf_room(out) < strlen(s)) {
		out->over = true;
		return false;
	}
	buf_str(out, s);
	return true;
}

void
charset_decode(const struct charset *cs, struct slice in, struct buf *out)
{
	if (!cs) {
		utf8_repair(in, out);
		return;
	}
	reset(cs->decode);
	while (in.len > 0) {
		int rc = convert(cs->decode, &in, out);

		if (rc == E2BIG)
			out->over = true;
		if (rc == E2BIG || rc == 0)
			break;
		finish(cs->decode, out);
		if (!add_whole(out, UTF8_REPLACEMENT))
			break;
		/* One byte only: the next one may be a newline's neighbour. A
		 * character that was cut is the end of in. */
		in = slice_skip(in, rc == EINVAL ? in.len : 1);
	}
	finish(cs->decode, out);
}

void
charset_encode(const struct charset *cs, struct slice in, struct buf *out)
{
	if (!cs) {
		utf8_repair(in, out);
		return;
	}
	reset(cs->encode);
	while (in.len > 0) {
		int rc = convert(cs->encode, &in, out);
		uint32_t cp;

		if (rc == E2BIG)
			out->over = true;
		if (rc == E2BIG || rc == 0)
			break;
		finish(cs->encode, out);
		if (!add_whole(out, "?"))
			break;
		in = slice_skip(in, utf8_decode(in, &cp));
	}
	finish(cs->encode, out);
}

/* Bytes that the first character of in takes, whole or not: at least 1. */
static size_t
char_length(const struct charset *cs, struct slice in)
{
	unsigned char a = (unsigned char)in.p[0];

	if (!bit(cs->lead, a))
		return 1;
	if (in.len < 2)
		return 2;
	return cs->pair[a][(unsigned char)in.p[1]];
}

/* Does a character surely end behind byte i?  An ASCII byte is a character of
 * its own unless the byte before it can begin a longer one. */
static bool
is_boundary(const struct charset *cs, struct slice in, size_t i)
{
	return (unsigned char)in.p[i] < 0x80 &&
	       (i == 0 || !bit(cs->lead, (unsigned char)in.p[i - 1]));
}

/* Where the last character begins: known only by walking from a place where
 * one surely does. */
static size_t
last_start(const struct charset *cs, struct slice in)
{
	size_t at = in.len - 1;

	while (at > 0 && !is_boundary(cs, in, at - 1))
		at--;
	for (;;) {
		size_t n = char_length(cs, slice_skip(in, at));

		if (at + n >= in.len)
			return at;
		at += n;
	}
}

size_t
charset_cut(const struct charset *cs, struct slice in)
{
	size_t start;

	if (!cs)
		return utf8_cut(in);
	if (in.len == 0)
		return 0;
	start = last_start(cs, in);
	if (start + char_length(cs, slice_skip(in, start)) <= in.len)
		return 0;
	return in.len - start;
}

size_t
charset_last(const struct charset *cs, struct slice in)
{
	if (!cs)
		return utf8_last(in);
	return in.len > 0 ? in.len - last_start(cs, in) : 0;
}

bool
charset_has_byte(const struct charset *cs, unsigned char b)
{
	return cs ? bit(cs->alone, b) : b < 0x80;
}
