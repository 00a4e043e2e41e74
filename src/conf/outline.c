/* SPDX-License-Identifier: MIT
 *
 * libconfuse takes a key that is there twice without a word, stops at the first
 * unknown one, and does not remember on which line a value was.
 */
#include "base/xalloc.h"
#include "conf/private.h"

#include <stdlib.h>

struct walk {
	struct conf_outline *o;
	struct conf_lex *lex;
	const char *file;
	struct conf_report *report;
	unsigned section; /* where we are */
	struct slice set; /* the latest key that has a value */
	int set_line;     /* where that value ended */
};

/* As much of a name as a complaint shows. */
static size_t
clip(struct slice name)
{
	return name.len > 64 ? 64 : name.len;
}

/* "port: 7788" and "[limits]", as elsewhere. */
static bool
is_other_syntax(struct buf *b, enum conf_kind kind, struct slice name)
{
	bool bracket =
		name.len > 2 && name.p[0] == '[' && name.p[name.len - 1] == ']';
	struct slice bare = slice_of(
		name.p + bracket, name.len - (bracket ? 2 : name.len > 0));

	if (!bracket && (name.len < 2 || name.p[name.len - 1] != ':'))
		return false;
	if (!bracket && conf_key_find(kind, bare))
		buf_printf(b, "'%.*s' has a colon; expected %.*s = VALUE",
			(int)name.len, name.p, (int)bare.len, bare.p);
	else if (conf_key_section(bare) != CONF_KINDS)
		buf_printf(b, "'%.*s' is no section; expected %.*s%s { ... }",
			(int)name.len, name.p, (int)bare.len, bare.p,
			conf_sections[conf_key_section(bare)].titled ? " NAME"
								     : "");
	else
		return false;
	return true;
}

/* A key that stands in the wrong section, or in none. */
static bool
is_elsewhere(struct buf *b, enum conf_kind kind, struct slice name)
{
	const char *sep = "expected it";

	for (enum conf_kind k = 0; k < CONF_KINDS; k++) {
		if (k == kind || !conf_key_find(k, name))
			continue;
		if (k == CONF_KIND_TOP)
			buf_printf(b, "%s outside of sections", sep);
		else
			buf_printf(b, "%s in %s%s", sep, conf_sections[k].name,
				conf_sections[k].titled ? " NAME { ... }"
							: " { ... }");
		sep = " or";
	}
	return *sep == ' ';
}

void
conf_outline_unknown(struct conf_report *r, const char *file, int line,
	enum conf_kind kind, struct slice name, bool section)
{
	const char *nearest = conf_key_nearest(kind, name);
	char mem[256], other[160];
	struct buf b = buf_over(mem, sizeof(mem));
	struct buf where = buf_over(other, sizeof(other));

	if (is_other_syntax(&b, kind, name)) {
		conf_report_add(r, true, file, line, buf_slice(&b));
		return;
	}
	buf_printf(&b, "there is no %s '%.*s'", section ? "section" : "key",
		(int)clip(name), name.p);
	if (kind != CONF_KIND_TOP)
		buf_printf(&b, " in section %s", conf_sections[kind].name);
	if (!section && is_elsewhere(&where, kind, name))
		buf_printf(&b, "%s; %.*s",
			kind == CONF_KIND_TOP ? " outside of sections" : "",
			(int)where.len, where.p);
	else if (nearest)
		buf_printf(&b, "; did you mean '%s'?", nearest);
	else
		buf_str(&b, "; expected one of banterd.conf(5)");
	conf_report_add(r, true, file, line, buf_slice(&b));
}

/* Room for one more of size bytes: the arrays double at powers of two. */
static void *
grown(void *p, size_t n, size_t size)
{
	if (n & (n - 1))
		return p;
	return xrealloc(p, n ? 2 * n : 1, size);
}

static bool
step(struct walk *w)
{
	return conf_lex_next(w->lex) == 0 && w->lex->tok != CONF_TOK_END;
}

/* The text was checked, so that braces match. */
static bool
skip_braces(struct walk *w)
{
	for (int depth = 1; depth > 0;) {
		if (!step(w))
			return false;
		depth += w->lex->punct == '{';
		depth -= w->lex->punct == '}';
	}
	return true;
}

static bool
is_set_twice(struct walk *w, const struct conf_row *row, int line)
{
	const struct conf_outline *o = w->o;

	for (size_t i = o->n_keys; i > 0; i--) {
		const struct conf_outline_key *k = &o->keys[i - 1];

		if (k->section != w->section || k->row != row)
			continue;
		conf_report_error(w->report, w->file, line,
			"'%s' is there twice; expected it once, it was set on "
			"line %d",
			row->name, k->line);
		return true;
	}
	return false;
}

/* The key that is to be written instead, or NULL. */
static const struct conf_row *
warn_old(struct walk *w, const struct conf_old_key *old, int line)
{
	char mem[256];
	struct buf b = buf_over(mem, sizeof(mem));

	if (old->now)
		buf_printf(&b,
			"'%s' is called '%s' since %s; expected the new name, "
			"as the old one goes two releases later",
			old->was, old->now, old->since);
	else
		buf_printf(&b,
			"'%s' has no effect since %s; expected it to be "
			"removed, as it is an error two releases later",
			old->was, old->since);
	conf_report_add(w->report, false, w->file, line, buf_slice(&b));
	return old->now ? conf_key_find(old->kind, slice_str(old->now)) : NULL;
}

static void
add_key(struct walk *w, struct slice name, int line)
{
	struct conf_outline *o = w->o;
	enum conf_kind kind = o->sections[w->section].kind;
	const struct conf_row *row = conf_key_find(kind, name);
	const struct conf_old_key *old = conf_key_find_old(kind, name);

	if (!row && !old)
		conf_outline_unknown(
			w->report, w->file, line, kind, name, false);
	if (!row && old)
		row = warn_old(w, old, line);
	if (!row || is_set_twice(w, row, line))
		return;
	o->keys = grown(o->keys, o->n_keys, sizeof(*o->keys));
	o->keys[o->n_keys++] = (struct conf_outline_key){ row,
		old ? old->was : row->name, w->section, line };
}

static bool
is_twice(struct walk *w, const struct conf_outline_section *s)
{
	const char *name = conf_sections[s->kind].name;

	for (size_t i = 1; i < w->o->n_sections; i++) {
		const struct conf_outline_section *t = &w->o->sections[i];

		if (t->kind != s->kind ||
			(conf_sections[s->kind].titled &&
				!slice_eq(t->title, s->title)))
			continue;
		conf_report_error(w->report, w->file, s->line,
			"section '%s%s%.*s' is there twice; expected it once, "
			"it began on line %d",
			name, s->title.len ? " " : "", (int)clip(s->title),
			s->title.p, t->line);
		return true;
	}
	return false;
}

/* Enter a section whose '{' was the latest token.  false: give up. */
static bool
enter(struct walk *w, struct slice name, struct slice title, int line)
{
	struct conf_outline *o = w->o;
	struct conf_outline_section s = { conf_key_section(name), 0, title,
		line };
	enum conf_kind inside = o->sections[w->section].kind;

	if (inside != CONF_KIND_TOP || s.kind == CONF_KINDS) {
		conf_outline_unknown(
			w->report, w->file, line, inside, name, true);
		return skip_braces(w);
	}
	if (title.len > 0 && !conf_sections[s.kind].titled) {
		conf_report_error(w->report, w->file, line,
			"section '%.*s' has no name; expected %.*s { ... }",
			(int)clip(name), name.p, (int)clip(name), name.p);
		return skip_braces(w);
	}
	if (is_twice(w, &s))
		return skip_braces(w);
	for (size_t i = 1; i < o->n_sections; i++)
		s.nth += o->sections[i].kind == s.kind;
	if (s.nth >= conf_sections[s.kind].most) {
		conf_report_error(w->report, w->file, line,
			"too many sections '%s'; expected at most %u",
			conf_sections[s.kind].name, conf_sections[s.kind].most);
		return false;
	}
	o->sections = grown(o->sections, o->n_sections, sizeof(s));
	o->sections[o->n_sections] = s;
	w->section = (unsigned)o->n_sections++;
	return true;
}

/* "rate =" and the next key on the next line: libconfuse would blame that. */
static bool
is_missing(struct walk *w, int line)
{
	struct conf_lex ahead = *w->lex;

	return w->lex->tok == CONF_TOK_WORD && w->lex->tok_line > line &&
	       conf_lex_next(&ahead) == 0 && ahead.punct == '=';
}

static bool
is_no_list(struct walk *w, struct slice name, int line)
{
	const struct conf_row *row =
		conf_key_find(w->o->sections[w->section].kind, name);

	if (!row || row->type == CONF_TYPE_ADDRESSES ||
		row->type == CONF_TYPE_NETS)
		return false;
	conf_report_error(w->report, w->file, line,
		"'%s' has a list; expected one value, without braces",
		row->name);
	return true;
}

static bool
take_value(struct walk *w, struct slice name, int line)
{
	if (!step(w))
		return false;
	if (is_missing(w, line)) {
		conf_report_error(w->report, w->file, line,
			"'%.*s' has no value; expected KEY = VALUE",
			(int)clip(name), name.p);
		return false;
	}
	if (w->lex->punct == '{' && is_no_list(w, name, line))
		return false;
	if (w->lex->punct == '{' && !skip_braces(w))
		return false;
	add_key(w, name, line);
	w->set = name;
	w->set_line = w->lex->tok_line;
	return w->lex->punct != '=' && w->lex->punct != ',';
}

/* Something behind a value that is no key: "10 s", "My server", "a, b". */
static bool
is_left_over(struct walk *w)
{
	struct conf_lex ahead = *w->lex;
	struct slice left = w->lex->text;

	if (w->lex->tok_line != w->set_line || w->lex->punct == '}')
		return false;
	if (w->lex->punct == ',')
		conf_report_error(w->report, w->file, w->set_line,
			"',' behind the value of '%.*s'; expected a list in "
			"braces: {\"A\", \"B\"}",
			(int)clip(w->set), w->set.p);
	if (w->lex->punct == ',')
		return true;
	if (w->lex->tok == CONF_TOK_PUNCT || conf_lex_next(&ahead) < 0 ||
		ahead.punct == '=' || ahead.punct == '{')
		return false;
	/* "value room lobby {" on one line */
	if (conf_key_section(left) != CONF_KINDS)
		return false;
	conf_report_error(w->report, w->file, w->set_line,
		"'%.*s' behind the value of '%.*s'; expected one value: a unit "
		"follows its number without a blank, and what has blanks goes "
		"into double quotes",
		(int)clip(left), left.p, (int)clip(w->set), w->set.p);
	return true;
}

static bool
take_statement(struct walk *w)
{
	struct slice name = w->lex->text, title = SLICE_LIT("");
	int line = w->lex->tok_line;

	if (w->lex->punct == '}' && w->section > 0) {
		w->section = 0;
		return true;
	}
	if (is_left_over(w))
		return false;
	if (w->lex->tok == CONF_TOK_STRING)
		conf_report_error(w->report, w->file, line,
			"\"%.*s\" is in quotes; expected a key or a section, "
			"which have none",
			(int)clip(name), name.p);
	if (w->lex->tok != CONF_TOK_WORD || !step(w))
		return false;
	if (w->lex->punct == '=')
		return take_value(w, name, line);
	if (w->lex->tok != CONF_TOK_PUNCT) {
		title = w->lex->text;
		if (!step(w))
			return false;
	}
	return w->lex->punct == '{' && enter(w, name, title, line);
}

void
conf_outline_init(struct conf_outline *o, struct conf_lex *lex,
	const char *file, struct conf_report *report)
{
	struct walk w = { .o = o, .lex = lex, .file = file, .report = report };
	struct conf_lex start = *lex;

	*o = (struct conf_outline){ .last_line = 1 };
	while (conf_lex_next(lex) == 0 && lex->tok != CONF_TOK_END)
		o->last_line = lex->tok_line;
	*lex = start;
	o->sections = grown(NULL, 0, sizeof(*o->sections));
	o->sections[o->n_sections++] =
		(struct conf_outline_section){ .kind = CONF_KIND_TOP };
	while (step(&w))
		if (!take_statement(&w)) {
			o->end_line = lex->tok_line;
			break;
		}
}

void
conf_outline_fini(struct conf_outline *o)
{
	free(o->sections);
	free(o->keys);
	*o = (struct conf_outline){ 0 };
}
