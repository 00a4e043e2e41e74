/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdio.h>

void
buf_add(struct buf *b, const void *p, size_t len)
{
	if (len > buf_room(b)) {
		len = buf_room(b);
		b->over = true;
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

void
buf_chr(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_slice_add(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.len);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = buf_room(b);
	int n = vsnprintf(room ? b->p + b->len : NULL, room, fmt, ap);

	if (n < 0 || (size_t)n >= room) {
		/* vsnprintf spent the last byte on a NUL: it stays unused. */
		b->over = true;
		b->len = room ? b->cap - 1 : b->cap;
		return;
	}
	b->len += (size_t)n;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}
