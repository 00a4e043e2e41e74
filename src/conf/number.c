/* SPDX-License-Identifier: MIT */
#include "conf/private.h"

#include <errno.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first.  No "m": it is read as minutes by some and as months or
 * milliseconds by others. */
static const struct unit durations[] = { { "d", 86400000 }, { "h", 3600000 },
	{ "min", 60000 }, { "s", 1000 }, { "ms", 1 }, { 0 } };
static const struct unit sizes[] = { { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "K", 1 << 10 }, { 0 } };
static const struct unit none[] = { { 0 } };

static const struct unit *
units(enum conf_type type)
{
	return type == CONF_TYPE_DURATION ? durations
	       : type == CONF_TYPE_SIZE   ? sizes
					  : none;
}

/* The factor of a suffix, 0 when there is none of that name. */
static uint64_t
factor(enum conf_type type, const char *suffix)
{
	const struct unit *u = units(type);

	if (!*suffix)
		return type == CONF_TYPE_DURATION ? 1000 : 1;
	for (; u->name; u++)
		if (!strcmp(suffix, u->name) ||
			(type == CONF_TYPE_SIZE &&
				*suffix == (*u->name | 0x20) && !suffix[1]))
			return u->factor;
	return 0;
}

int
conf_number_parse(enum conf_type type, const char *text, uint64_t *ret)
{
	uint64_t v = 0, by;
	bool over = false;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		over |= __builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
	by = factor(type, p);
	if (p == text || by == 0)
		return -EINVAL;
	if (over || __builtin_mul_overflow(v, by, ret))
		return -ERANGE;
	return 0;
}

int
conf_duration_parse(const char *text, uint64_t *ret_ms)
{
	return conf_number_parse(CONF_TYPE_DURATION, text, ret_ms);
}

void
conf_number_print(enum conf_type type, uint64_t v, struct buf *b)
{
	const struct unit *u = units(type);

	while (u->name && (v == 0 || v % u->factor != 0))
		u++;
	buf_printf(b, "%llu%s",
		(unsigned long long)(u->name ? v / u->factor : v),
		u->name ? u->name : "");
}
