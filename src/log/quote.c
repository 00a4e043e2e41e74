/* SPDX-License-Identifier: MIT */
#include "log/log.h"

#include <unictype.h>
#include <unistr.h>

#define QUOTE_MAX 200

/* The length of the letter, mark or digit at p beyond ASCII; 0: something that
 * a terminal or a reader could be deceived by, or no UTF-8. */
static size_t
letter_len(const uint8_t *p, size_t len)
{
	ucs4_t c;
	int n = u8_mbtoucr(&c, p, len);

	if (n <= 1 || !uc_is_general_category_withtable(
			      c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
					 UC_CATEGORY_MASK_N))
		return 0;
	return (size_t)n;
}

/* Write the first character of s to out (4 bytes at most).  Its length in s. */
static size_t
quote_one(struct slice s, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t n = *p >= 0x80 ? letter_len(p, s.len) : 0;

	if (n > 0) {
		buf_add(out, p, n);
		return n;
	}
	if (*p == '"' || *p == '\\')
		buf_printf(out, "\\%c", *p);
	else if (*p >= 0x20 && *p <= 0x7e)
		buf_chr(out, (char)*p);
	else
		buf_printf(out, "\\x%02x", *p);
	return 1;
}

void
log_quote(struct buf *b, struct slice s)
{
	size_t room = buf_room(b), used = 0, max;

	if (room < 5) {
		b->over = true;
		return;
	}
	max = room - 5 < QUOTE_MAX ? room - 5 : QUOTE_MAX;
	buf_chr(b, '"');
	while (s.len > 0) {
		char mem[8];
		struct buf one = buf_over(mem, sizeof(mem));
		size_t n = quote_one(s, &one);

		if (used + one.len > max) {
			buf_str(b, "...");
			break;
		}
		buf_slice_add(b, buf_slice(&one));
		used += one.len;
		s = slice_skip(s, n);
	}
	buf_chr(b, '"');
}
