/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "conf/private.h"
#include "msg/name.h"

#include <errno.h>
#include <iconv.h>
#include <strings.h>

/* Sockets are made in run_dir, and a socket's path has room for 107 bytes. */
#define RUN_DIR_LEN   80
#define UNIX_NAME_LEN 32 /* as useradd(8) has it */

size_t
conf_text_valid(const char *p, size_t len)
{
	struct slice left = slice_of(p, len);
	uint32_t cp = 0;

	while (left.len > 0) {
		size_t n = utf8_decode(left, &cp);

		if (cp == UTF8_INVALID)
			break;
		left = slice_skip(left, n);
	}
	return len - left.len;
}

bool
conf_text_plain(const char *text)
{
	if (!utf8_valid(slice_str(text)))
		return false;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		/* C0, DEL, and C1 as UTF-8 */
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return false;
	return true;
}

bool
conf_text_name(const char *text)
{
	return *text && conf_text_plain(text);
}

bool
conf_text_path(const char *text)
{
	return *text == '/' && conf_text_plain(text);
}

bool
conf_text_no_path(const char *text)
{
	return !*text || conf_text_path(text);
}

bool
conf_text_run_dir(const char *text)
{
	return conf_text_path(text) && strlen(text) <= RUN_DIR_LEN;
}

static bool
only(const char *text, const char *allowed)
{
	return *text && strspn(text, allowed) == strlen(text);
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool
conf_text_user(const char *text)
{
	return only(text, ALNUM "_.-$") && *text != '-' &&
	       strlen(text) <= UNIX_NAME_LEN;
}

bool
conf_text_no_user(const char *text)
{
	return !*text || conf_text_user(text);
}

/* Who listens has to be able to use it. */
bool
conf_text_mode(const char *text)
{
	if (*text == '0')
		text++;
	return strlen(text) == 3 && strspn(text, "01234567") == 3 &&
	       (*text == '6' || *text == '7');
}

bool
conf_text_label(const char *text)
{
	return only(text, ALNUM "_.-");
}

/* By the rules of /join: a room that nobody could enter by its name would be of
 * no use, and "[private] <nick> text" must not be what everybody reads. */
bool
conf_text_room(const char *text)
{
	return name_check_room(slice_str(text)) == REFUSAL_NONE;
}

bool
conf_text_no_room(const char *text)
{
	return !*text || conf_text_room(text);
}

/* Do line ends, digits, letters and what commands are made of look like ASCII?
 * UTF-16, UTF-32, UCS-2 and EBCDIC do not, UTF-7 writes '+' as "+-".  TCVN and
 * CP1258 keep the last letter back, for the accent that may follow: that is
 * state too. */
static bool
keeps_ascii(iconv_t cd)
{
	char in[] = "\r\n/+ 0189AZaz:e", out[64];
	char *i = in, *o = out;
	size_t n_in = sizeof(in) - 1, n_out = sizeof(out);

	return iconv(cd, &i, &n_in, &o, &n_out) == 0 &&
	       sizeof(out) - n_out == sizeof(in) - 1 &&
	       !memcmp(in, out, sizeof(in) - 1);
}

/* A set with shift state writes a sequence when it is reset, and an escape
 * before a character of another of its parts. */
static bool
has_shift_state(iconv_t cd)
{
	static const char *const samples[] = { "\xc3\xa9", "\xe3\x81\x82",
		"\xe4\xb8\xad", "\xed\x95\x9c", "\xd0\x96", "\xce\xa9" };

	for (size_t k = 0; k < sizeof(samples) / sizeof(*samples); k++) {
		char in[8] = { 0 }, out[64];
		char *i = in, *o = out;
		size_t n_in = strlen(samples[k]), n_out = sizeof(out);

		memcpy(in, samples[k], n_in);
		if (iconv(cd, &i, &n_in, &o, &n_out) == (size_t)-1)
			o = out;
		i = o;
		n_out = sizeof(out) - (size_t)(o - out);
		if (iconv(cd, NULL, NULL, &o, &n_out) != 0 || o != i ||
			memchr(out, 033, (size_t)(o - out)) ||
			memchr(out, 016, (size_t)(o - out)))
			return true;
	}
	return false;
}

bool
conf_text_charset(const char *text)
{
	static const char *const refused[] = { "ISO-2022", "ISO2022",
		"CSISO2022", "UTF-7", "UTF7", "UTF-16", "UTF16", "UTF-32",
		"UTF32", "UCS", "HZ" };
	iconv_t to, from;
	bool ok;

	/* A slash would select "//TRANSLIT" and the like. */
	if (!only(text, ALNUM "_.:()-"))
		return false;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (!strncasecmp(text, refused[i], strlen(refused[i])))
			return false;
	from = iconv_open("UTF-8", text);
	if (from == (iconv_t)-1)
		return false;
	ok = keeps_ascii(from);
	(void)iconv_close(from);
	to = ok ? iconv_open(text, "UTF-8") : (iconv_t)-1;
	if (to == (iconv_t)-1)
		return false;
	ok = keeps_ascii(to) && !has_shift_state(to);
	(void)iconv_close(to);
	return ok;
}
