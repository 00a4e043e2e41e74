/* buf.h - bytes appended to memory that the caller gave.
 *
 * A buf never grows and never writes past its memory: what does not fit is cut
 * off and `over` is set, so that a chain of appends is checked once at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_BUF_H
#define BANTER_BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>
#include <stdint.h>

struct buf {
	char *p;
	size_t len, cap;
	bool over; /* something did not fit */
};

/* Start empty over mem, which must outlive the buf. */
static inline struct buf
buf_over(void *mem, size_t cap)
{
	return (struct buf){ mem, 0, cap, false };
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->len };
}

static inline size_t
buf_room(const struct buf *b)
{
	return b->cap - b->len;
}

void buf_add(struct buf *b, const void *p, size_t len);
void buf_chr(struct buf *b, char c);
void buf_str(struct buf *b, const char *s);
void buf_slice_add(struct buf *b, struct slice s);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

#endif
