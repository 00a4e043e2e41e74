/* SPDX-License-Identifier: MIT */
#include "master/words.h"

#include <errno.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Take one byte off the front of *s; -1: not well encoded. */
static int
take(struct slice *s)
{
	int high, low;

	if (*s->p != '%') {
		int c = (unsigned char)*s->p;

		*s = slice_skip(*s, 1);
		return c == 0 ? -1 : c;
	}
	if (s->len < 3)
		return -1;
	high = hex(s->p[1]);
	low = hex(s->p[2]);
	*s = slice_skip(*s, 3);
	return high < 0 || low < 0 || (high == 0 && low == 0) ? -1
							      : high << 4 | low;
}

int
words_split(struct words *w, struct slice line)
{
	size_t len = 0, from = 0;

	w->n = 0;
	if (line.len > sizeof(w->mem))
		return -E2BIG;
	for (;;) {
		bool end = line.len == 0 || *line.p == ' ';
		int c;

		if (end && len == from)
			return -EINVAL;
		if (end && w->n == WORDS_MAX)
			return -E2BIG;
		if (end) {
			w->word[w->n++] = slice_of(w->mem + from, len - from);
			from = len;
			if (line.len == 0)
				return 0;
			line = slice_skip(line, 1);
			continue;
		}
		c = take(&line);
		if (c < 0)
			return -EINVAL;
		w->mem[len++] = (char)c;
	}
}
