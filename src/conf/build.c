/* SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "base/xalloc.h"
#include "conf/private.h"

#include <errno.h>
#include <stdlib.h>

struct conf_origin *
conf_build_origin(struct conf_build *b, const struct conf_row *row, unsigned i)
{
	size_t n;
	size_t k = (size_t)(row - conf_key_rows(&n));

	must(k < n);
	if (row->kind == CONF_KIND_LISTEN)
		return &b->listen[i][k];
	if (row->kind == CONF_KIND_ROOM)
		return &b->room[i][k];
	return &b->top[k];
}

static void
complain(struct conf_build *b, bool error, struct conf_origin at,
	const char *fmt, va_list ap)
{
	char mem[800];
	struct buf text = buf_over(mem, sizeof(mem));

	buf_vprintf(&text, fmt, ap);
	conf_report_add(
		b->report, error, b->files[at.file], at.line, buf_slice(&text));
}

void
conf_build_error(
	struct conf_build *b, struct conf_origin at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(b, true, at, fmt, ap);
	va_end(ap);
}

void
conf_build_warn(
	struct conf_build *b, struct conf_origin at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(b, false, at, fmt, ap);
	va_end(ap);
}

/* A server that was told nothing about listeners and rooms has one of each, so
 * that an empty file is a working one.  As soon as any file has such a section
 * only those that are written exist: nothing listens unasked. */
static void
add_unwritten(struct conf *conf)
{
	if (conf->n_listen == 0) {
		strcpy(conf->listen[0].name, "text");
		conf_key_defaults(CONF_KIND_LISTEN, &conf->listen[0]);
		conf->n_listen = 1;
	}
	if (conf->n_rooms == 0) {
		strcpy(conf->room[0].name, "lobby");
		conf_key_defaults(CONF_KIND_ROOM, &conf->room[0]);
		conf->room[0].autojoin = true;
		conf->n_rooms = 1;
	}
}

int
conf_build_new(const char *path, struct conf *conf, struct conf_report *report,
	struct conf_build **ret)
{
	struct conf_build *b = xcalloc(1, sizeof(*b));

	*ret = b;
	memset(conf, 0, sizeof(*conf)); /* padding too: it is compared */
	memset(report, 0, sizeof(*report));
	b->conf = conf;
	b->report = report;
	for (unsigned k = 0; k < CONF_KINDS; k++)
		if (!conf_sections[k].titled)
			conf_key_defaults(k, conf);
	b->n_files = conf_files_list(path, b->files, report);
	for (unsigned i = 0; i < b->n_files; i++)
		conf_parse_file(b, i);
	if (report->n_errors == 0) {
		add_unwritten(conf);
		conf_check(b);
	}
	return report->n_errors ? -EINVAL : 0;
}

void
conf_build_free(struct conf_build **build)
{
	struct conf_build *b = *build;

	if (!b)
		return;
	for (unsigned i = 0; i < b->n_files; i++)
		free(b->files[i]);
	free(b);
	*build = NULL;
}

int
conf_parse(const char *path, struct conf *ret, struct conf_report *report)
{
	struct conf_build *b;
	int rc = conf_build_new(path, ret, report, &b);

	conf_build_free(&b);
	return rc;
}
