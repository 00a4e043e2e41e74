/* SPDX-License-Identifier: MIT */
#include "master/reload_report.h"

static void
add_line(void *arg, const char *key, bool applies)
{
	buf_printf(
		arg, "%s %s\n", key, applies ? "applied" : "pending restart");
}

static void
add_pending(void *arg, const char *key, bool applies)
{
	struct buf *b = arg;

	if (!applies)
		buf_printf(b, "%s%s", b->len ? ", " : "", key);
}

void
reload_report(const struct conf *boot, const struct conf *was,
	const struct conf *is, struct buf *report, char *pending, size_t cap)
{
	struct buf keys = buf_over(pending, cap - 1);

	conf_diff(was, is, add_line, report);
	conf_diff(boot, is, add_pending, &keys);
	pending[keys.len] = '\0';
}
