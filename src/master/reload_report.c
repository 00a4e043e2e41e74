/* SPDX-License-Identifier: MIT */
#include "master/reload_report.h"

#include "log/log.h"

#include <string.h>

struct report {
	struct buf *b;
	bool engine_waits;
};

static bool
is_engine(const char *key)
{
	return !strcmp(key, "engine");
}

static void
add_line(void *arg, const char *key, bool applies)
{
	const struct report *r = arg;
	const char *how = applies ? "applied" : "pending restart";

	if (is_engine(key))
		how = r->engine_waits ? "pending restart" : "applied";
	buf_printf(r->b, "%s %s\n", key, how);
}

static void
add_key(struct buf *b, const char *key)
{
	buf_printf(b, "%s%s", b->len ? ", " : "", key);
}

static void
add_pending(void *arg, const char *key, bool applies)
{
	if (!applies && !is_engine(key))
		add_key(arg, key);
}

void
reload_report(const struct conf *was, const struct conf *is, bool engine_waits,
	struct buf *report)
{
	struct report r = { report, engine_waits };

	conf_diff(was, is, add_line, &r);
}

void
reload_pending(const struct conf *boot, const struct conf *is,
	bool engine_waits, char *ret, size_t cap)
{
	struct buf keys = buf_over(ret, cap - 1);

	/* It has changed since the start, if there was an upgrade. */
	if (engine_waits)
		add_key(&keys, "engine");
	conf_diff(boot, is, add_pending, &keys);
	ret[keys.len] = '\0';
}

void
reload_log(struct slice text, bool bad)
{
	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t len = end ? (size_t)(end - text.p) : text.len;

		if (len > 0 && bad)
			log_error("reload: %.*s", (int)len, text.p);
		else if (len > 0)
			log_notice("reload: %.*s", (int)len, text.p);
		text = slice_skip(text, len + 1);
	}
}
