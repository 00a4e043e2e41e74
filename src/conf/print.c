/* SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "base/xalloc.h"
#include "conf/private.h"

#include <errno.h>
#include <stdlib.h>

/* Every byte of a value may be escaped, and the longest is a list. */
#define LINE_MAX (CONF_ADDRESSES * CONF_PATH_LEN * 2 + CONF_TOPIC_LEN * 2)

static void
print_origin(
	const struct conf_build *b, struct conf_origin at, struct buf *line)
{
	if (at.line == 0) {
		buf_str(line, "  # default\n");
		return;
	}
	buf_str(line, "  # ");
	/* A line end in a file's name would end the comment. */
	for (const char *p = b->files[at.file]; *p; p++)
		buf_chr(line, (char)((unsigned char)*p < 0x20 ? '?' : *p));
	buf_printf(line, ":%d\n", at.line);
}

static void
print_keys(struct conf_build *b, enum conf_kind kind, unsigned i, FILE *out)
{
	const char *indent = kind == CONF_KIND_TOP ? "" : "\t";
	void *object = conf_object(b->conf, kind, i);
	char *mem = xcalloc(LINE_MAX + 8192, 1);
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);

	for (size_t k = 0; k < n; k++) {
		struct buf line = buf_over(mem, LINE_MAX + 8192);

		if (rows[k].kind != kind)
			continue;
		buf_printf(&line, "%s%s = ", indent, rows[k].name);
		conf_value_print(&rows[k], object, &line);
		print_origin(b, *conf_build_origin(b, &rows[k], i), &line);
		(void)fwrite(line.p, 1, line.len, out);
	}
	free(mem);
}

static const char *
title_of(const struct conf *c, enum conf_kind kind, unsigned i)
{
	return kind == CONF_KIND_ROOM ? c->room[i].name : c->listen[i].name;
}

static void
print_section(struct conf_build *b, enum conf_kind kind, unsigned i, FILE *out)
{
	char mem[256];
	struct buf title = buf_over(mem, sizeof(mem));

	if (conf_sections[kind].titled) {
		buf_chr(&title, ' ');
		conf_value_quote(title_of(b->conf, kind, i), &title);
	}
	(void)fprintf(out, "\n%s%.*s {\n", conf_sections[kind].name,
		(int)title.len, mem);
	print_keys(b, kind, i, out);
	(void)fputs("}\n", out);
}

int
conf_print(const char *path, FILE *out, struct conf_report *report)
{
	struct conf *c = xcalloc(1, sizeof(*c));
	struct conf_build *b;
	int rc = conf_build_new(path, c, report, &b);

	if (rc == 0) {
		print_keys(b, CONF_KIND_TOP, 0, out);
		for (unsigned i = 0; i < c->n_listen; i++)
			print_section(b, CONF_KIND_LISTEN, i, out);
		for (unsigned i = 0; i < c->n_rooms; i++)
			print_section(b, CONF_KIND_ROOM, i, out);
		for (unsigned k = CONF_KIND_LIMITS; k < CONF_KINDS; k++)
			print_section(b, k, 0, out);
		if (fflush(out) == EOF)
			rc = -errno;
	}
	conf_build_free(&b);
	free(c);
	return rc;
}

static const struct conf_row *
row_of(const char *label)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);
	char mem[64];

	for (size_t k = 0; k < n; k++) {
		struct buf b = buf_over(mem, sizeof(mem));

		conf_key_label(&rows[k], NULL, &b);
		if (slice_eq_str(buf_slice(&b), label))
			return &rows[k];
	}
	must(!"a key of the table");
	return NULL;
}

static struct conf_origin
origin_of(
	struct conf_build *b, const struct conf_row *row, const char *listener)
{
	struct conf_origin at;
	unsigned i = 0;

	if (row->kind != CONF_KIND_LISTEN)
		return *conf_build_origin(b, row, 0);
	while (i + 1 < b->conf->n_listen &&
		strcmp(b->conf->listen[i].name, listener) != 0)
		i++;
	at = *conf_build_origin(b, row, i);
	return at.line > 0 ? at : b->listen_at[i];
}

void
conf_where(const char *path, const char *key, const char *listener,
	struct buf *ret)
{
	struct conf *c = xcalloc(1, sizeof(*c));
	struct conf_report *report = xcalloc(1, sizeof(*report));
	struct conf_build *b;
	struct conf_origin at;

	(void)conf_build_new(path, c, report, &b);
	at = origin_of(b, row_of(key), listener);
	buf_str(ret, b->files[at.file]);
	if (at.line > 0)
		buf_printf(ret, ":%d", at.line);
	conf_build_free(&b);
	free(report);
	free(c);
}
