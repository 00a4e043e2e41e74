/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "conf/private.h"

#include <stdarg.h>

/* File names and values may hold anything; a report has one line for each
 * complaint, which any terminal and log can be shown. */
static void
put_clean(struct buf *b, struct slice s)
{
	while (s.len > 0) {
		uint32_t cp;
		size_t n = utf8_decode(s, &cp);
		bool clean = cp != UTF8_INVALID && cp >= 0x20 &&
			     !(cp >= 0x7f && cp < 0xa0);

		for (size_t i = 0; i < n; i++)
			if (clean)
				buf_chr(b, s.p[i]);
			else
				buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
		s = slice_skip(s, n);
	}
}

void
conf_report_add(struct conf_report *r, bool error, const char *file, int line,
	struct slice text)
{
	char mem[1024];
	struct buf b = buf_over(mem, sizeof(mem));

	if (error)
		r->n_errors++;
	else
		r->n_warnings++;
	put_clean(&b, slice_str(file));
	if (line > 0)
		buf_printf(&b, ":%d", line);
	buf_str(&b, ": ");
	if (!error)
		buf_str(&b, "warning: ");
	put_clean(&b, text);
	if (b.len + 2 > sizeof(r->text) - r->len)
		return; /* counted; whole lines only */
	memcpy(r->text + r->len, b.p, b.len);
	r->len += b.len;
	r->text[r->len++] = '\n';
	r->text[r->len] = '\0';
}

void
conf_report_error(
	struct conf_report *r, const char *file, int line, const char *fmt, ...)
{
	char mem[800];
	struct buf b = buf_over(mem, sizeof(mem));
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	conf_report_add(r, true, file, line, buf_slice(&b));
}
