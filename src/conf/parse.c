/* SPDX-License-Identifier: MIT
 *
 * The one file that knows libconfuse.  It is asked for the grammar and for the
 * texts of the values; what they mean is ours (value.c).
 */
#include "base/xalloc.h"
#include "conf/private.h"

#include <confuse.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

/* libconfuse's lexer is global and its error function has no argument, so there
 * is one file at a time. */
static struct {
	struct conf_report *report;
	const char *file;
	int last_line;
} current;

static const struct {
	const char *says, *expect;
} hints[] = {
	{ "missing equal sign", "expected KEY = VALUE" },
	{ "missing title", "expected SECTION NAME { ... }" },
	{ "missing opening brace", "expected SECTION { ... }" },
	{ "unexpected token '{'", "expected one value, not a list" },
	{ "unexpected token", "expected KEY = VALUE or SECTION { ... }" },
	{ "premature end of file", "expected a value" },
	{ "found duplicate title", "expected each name once in a file" },
	{ "bad escape sequence", "expected \\\\ for a backslash" },
	{ "invalid octal number", "expected \\\\ for a backslash" },
	{ "", "expected the syntax of banterd.conf(5)" },
};

static enum conf_kind
kind_of(const cfg_t *cfg)
{
	enum conf_kind kind = conf_key_section(slice_str(cfg->name));

	return kind == CONF_KINDS ? CONF_KIND_TOP : kind;
}

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	char text[512];
	int line = cfg ? cfg->line : 0;
	size_t i = 0;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (cfg && !strncmp(text, unknown, sizeof(unknown) - 1)) {
		const char *name = text + sizeof(unknown) - 1;

		conf_outline_unknown(current.report, current.file, line,
			kind_of(cfg), slice_of(name, strcspn(name, "'")),
			false);
		return;
	}
	/* At the end of a file the line is one too high. */
	if (line > current.last_line)
		line = current.last_line;
	while (strncmp(text, hints[i].says, strlen(hints[i].says)) != 0)
		i++;
	conf_report_error(current.report, current.file, line, "%s; %s", text,
		hints[i].expect);
}

static bool
is_list(const struct conf_row *row)
{
	return row && (row->type == CONF_TYPE_ADDRESSES ||
			      row->type == CONF_TYPE_NETS);
}

static cfg_opt_t
option(const char *name, const struct conf_row *row)
{
	return (cfg_opt_t)CFG_STR(
		name, NULL, CFGF_NODEFAULT | (is_list(row) ? CFGF_LIST : 0));
}

static void
fill_options(enum conf_kind kind, cfg_opt_t *opts)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);
	const struct conf_old_key *old;

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind)
			*opts++ = option(rows[i].name, &rows[i]);
	old = conf_key_old_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (old[i].kind == kind)
			*opts++ = option(old[i].was,
				old[i].now ? conf_key_find(kind,
						     slice_str(old[i].now))
					   : NULL);
	*opts = (cfg_opt_t)CFG_END();
}

static cfg_t *
new_parser(void)
{
	static cfg_opt_t opts[CONF_KINDS]
			     [CONF_ROWS_MAX + CONF_OLD_MAX + CONF_KINDS];
	cfg_opt_t *top = opts[CONF_KIND_TOP];
	cfg_t *cfg;

	for (unsigned k = 0; k < CONF_KINDS; k++)
		fill_options(k, opts[k]);
	while (top->name)
		top++;
	for (unsigned k = CONF_KIND_TOP + 1; k < CONF_KINDS; k++)
		*top++ = (cfg_opt_t)CFG_SEC(conf_sections[k].name, opts[k],
			conf_sections[k].titled
				? CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES
				: CFGF_NONE);
	*top = (cfg_opt_t)CFG_END();
	cfg = cfg_init(opts[CONF_KIND_TOP], CFGF_NONE); /* copies them */
	if (cfg)
		(void)cfg_set_error_function(cfg, on_error);
	return cfg;
}

/* libconfuse translates its messages, and on_error() reads them. */
static int
parse_text(cfg_t *cfg, FILE *fp)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t was = c ? uselocale(c) : (locale_t)0;
	int rc;

	errno = 0; /* 3.3 asks for ERANGE without clearing it */
	rc = cfg_parse_fp(cfg, fp);
	if (c) {
		(void)uselocale(was);
		freelocale(c);
	}
	return rc;
}

static int
titled(struct conf_build *b, enum conf_kind kind, const char *title,
	struct conf_origin at)
{
	bool room = kind == CONF_KIND_ROOM;
	uint32_t *n = room ? &b->conf->n_rooms : &b->conf->n_listen;
	char *name = NULL;
	uint32_t i = 0;

	if (!(room ? conf_text_room(title) : conf_text_label(title)) ||
		strlen(title) >= CONF_NAME_LEN) {
		conf_build_error(b, at,
			"'%.64s' is no name of a %s; expected %s", title,
			conf_sections[kind].name,
			room ? CONF_ROOM_EXPECT
			     : "1 to 63 of A-Z, a-z, 0-9, '_', '-' and '.'");
		return -EINVAL;
	}
	for (; i < *n; i++) {
		name = room ? b->conf->room[i].name : b->conf->listen[i].name;
		if (!strcmp(name, title))
			return (int)i;
	}
	if (i == conf_sections[kind].most) {
		conf_build_error(b, at,
			"too many sections '%s'; expected at most %u",
			conf_sections[kind].name, conf_sections[kind].most);
		return -EINVAL;
	}
	name = room ? b->conf->room[i].name : b->conf->listen[i].name;
	memcpy(name, title, strlen(title));
	conf_key_defaults(kind, conf_object(b->conf, kind, i));
	*(room ? &b->room_at[i] : &b->listen_at[i]) = at;
	++*n;
	return (int)i;
}

static void
set_key(struct conf_build *b, cfg_t *sec, unsigned i,
	const struct conf_outline_key *written, struct conf_origin at)
{
	const struct conf_row *row = written->row;
	cfg_opt_t *opt = cfg_getopt(sec, written->written);
	unsigned n = cfg_opt_size(opt);
	const char **texts = xcalloc(n, sizeof(*texts));
	char wrong[400], label[160];
	struct buf why = buf_over(wrong, sizeof(wrong));
	struct buf key = buf_over(label, sizeof(label));

	for (unsigned k = 0; k < n; k++)
		texts[k] = cfg_opt_getnstr(opt, k);
	if (conf_value_set(row, conf_object(b->conf, row->kind, i), texts, n,
		    &why) < 0) {
		conf_key_label(row, cfg_title(sec), &key);
		conf_build_error(b, at, "%.*s: %.*s", (int)key.len, label,
			(int)why.len, wrong);
	} else {
		*conf_build_origin(b, row, i) = at;
	}
	free(texts);
}

/* libconfuse and the outline do not agree on what the file says. */
static void
not_understood(struct conf_build *b, unsigned file, int line)
{
	conf_report_error(b->report, b->files[file], line,
		"cannot make sense of this; expected KEY = VALUE or "
		"SECTION { ... }");
}

static void
take_section(struct conf_build *b, unsigned file, cfg_t *cfg,
	const struct conf_outline *o, unsigned section)
{
	const struct conf_outline_section *s = &o->sections[section];
	cfg_t *sec = cfg;
	int i = 0;

	if (s->kind != CONF_KIND_TOP)
		sec = cfg_getnsec(cfg, conf_sections[s->kind].name, s->nth);
	if (!sec) {
		not_understood(b, file, s->line);
		return;
	}
	if (conf_sections[s->kind].titled)
		i = titled(b, s->kind, cfg_title(sec),
			(struct conf_origin){ file, s->line });
	for (size_t k = 0; i >= 0 && k < o->n_keys; k++)
		if (o->keys[k].section == section)
			set_key(b, sec, (unsigned)i, &o->keys[k],
				(struct conf_origin){ file, o->keys[k].line });
}

static void
parse_outlined(struct conf_build *b, unsigned file, char *text, size_t len,
	const struct conf_outline *o)
{
	cfg_t *cfg = new_parser();
	/* fmemopen() of nothing fails in some versions of libc. */
	FILE *fp = fmemopen(text, len ? len : 1, "r");
	unsigned errors = b->report->n_errors;
	bool failed = false;

	current.report = b->report;
	current.file = b->files[file];
	current.last_line = o->last_line;
	if (!cfg || !fp)
		conf_report_error(b->report, b->files[file], 0,
			"out of memory; expected some");
	else if (len > 0 && parse_text(cfg, fp) != CFG_SUCCESS)
		failed = true; /* on_error() said why */
	else if (o->end_line > 0)
		not_understood(b, file, o->end_line);
	else
		for (unsigned i = 0; i < o->n_sections; i++)
			take_section(b, file, cfg, o, i);
	if (failed && b->report->n_errors == errors)
		not_understood(b, file, o->last_line);
	if (fp)
		(void)fclose(fp);
	/* This resets the lexer too: nothing may be parsed before it. */
	if (cfg)
		(void)cfg_free(cfg);
}

void
conf_parse_file(struct conf_build *b, unsigned file)
{
	unsigned errors = b->report->n_errors;
	const char *path = b->files[file];
	struct conf_outline o;
	struct conf_lex lex;
	char *text = NULL;
	size_t len = 0;
	int rc = conf_files_slurp(path, CONF_FILE_MAX, &text, &len, NULL);

	if (rc < 0) {
		conf_report_error(b->report, path, 0, "%s; %s",
			rc == -EMEDIUMTYPE ? "Not a regular file"
					   : strerror(-rc),
			conf_files_expect(-rc));
		return;
	}
	conf_lex_init(&lex, text, len);
	if (conf_lex_check(&lex) < 0) {
		conf_report_error(b->report, path, lex.bad_line, "%s", lex.bad);
	} else {
		conf_outline_init(&o, &lex, path, b->report);
		if (b->report->n_errors == errors)
			parse_outlined(b, file, text, len, &o);
		conf_outline_fini(&o);
	}
	free(text);
}
