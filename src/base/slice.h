/* slice.h - a run of bytes that somebody else owns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_SLICE_H
#define BANTER_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p; /* may be NULL when len is 0 */
	size_t len;
};

#define SLICE_LIT(s) ((struct slice){ (s), sizeof(s) - 1 })

static inline struct slice
slice_of(const void *p, size_t len)
{
	return (struct slice){ p, len };
}

/* The bytes of a NUL-terminated string, without the NUL. */
static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.p, b.p, a.len));
}

static inline bool
slice_eq_str(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

/* Cut n bytes (at most all of them) off the front. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return (struct slice){ s.len ? s.p + n : s.p, s.len - n };
}

#endif
