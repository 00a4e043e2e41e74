/* SPDX-License-Identifier: MIT */
#include "bench/payload.h"

#include "base/must.h"

#include <string.h>

#define MARK '~'

static char *
put_hex(char *out, uint64_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value >>= 4)
		out[i] = "0123456789abcdef"[value & 15];
	return out + digits;
}

void
payload_write(char *out, size_t size, const struct payload *p)
{
	char *at = out;

	must(size >= PAYLOAD_MIN);
	*at++ = MARK;
	at = put_hex(at, p->sender, 6);
	at = put_hex(at, p->number, 8);
	at = put_hex(at, p->intended_ns, 16);
	at = put_hex(at, p->late_ns, 8);
	*at++ = MARK;
	memset(at, 'x', size - PAYLOAD_MIN);
}

/* Anything but 0-9 and a-f makes *bad other than 0. */
static uint64_t
get_hex(const char *p, unsigned digits, unsigned *bad)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < digits; i++) {
		unsigned c = (unsigned char)p[i], d = c - '0';

		if (d > 9) {
			d = c - 'a' + 10;
			*bad |= d < 10 || d > 15;
		}
		value = value << 4 | d;
	}
	return value;
}

bool
payload_read(struct slice text, struct payload *ret)
{
	const char *p = text.len ? memchr(text.p, MARK, text.len) : NULL;
	unsigned bad = 0;

	if (!p || (size_t)(text.p + text.len - p) < PAYLOAD_MIN)
		return false;
	ret->sender = (uint32_t)get_hex(p + 1, 6, &bad);
	ret->number = (uint32_t)get_hex(p + 7, 8, &bad);
	ret->intended_ns = get_hex(p + 15, 16, &bad);
	ret->late_ns = (uint32_t)get_hex(p + 31, 8, &bad);
	return !bad && p[39] == MARK;
}
