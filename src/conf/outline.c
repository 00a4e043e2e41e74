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
};

void
conf_outline_unknown(struct conf_report *r, const char *file, int line,
	enum conf_kind kind, struct slice name, bool section)
{
	const char *nearest = conf_key_nearest(kind, name);
	char mem[256];
	struct buf b = buf_over(mem, sizeof(mem));

	buf_printf(&b, "there is no %s '%.*s'", section ? "section" : "key",
		(int)(name.len > 64 ? 64 : name.len), name.p);
	if (kind != CONF_KIND_TOP)
		buf_printf(&b, " in section %s", conf_sections[kind].name);
	if (nearest)
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

static void
add_key(struct walk *w, struct slice name, int line)
{
	struct conf_outline *o = w->o;
	enum conf_kind kind = o->sections[w->section].kind;
	const struct conf_row *row = conf_key_find(kind, name);

	if (!row) {
		conf_outline_unknown(
			w->report, w->file, line, kind, name, false);
		return;
	}
	for (size_t i = o->n_keys; i > 0; i--) {
		const struct conf_outline_key *k = &o->keys[i - 1];

		if (k->section != w->section || k->row != row)
			continue;
		conf_report_error(w->report, w->file, line,
			"'%s' is there twice; expected it once, it was set on "
			"line %d",
			row->name, k->line);
		return;
	}
	o->keys = grown(o->keys, o->n_keys, sizeof(*o->keys));
	o->keys[o->n_keys++] =
		(struct conf_outline_key){ row, w->section, line };
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
			name, s->title.len ? " " : "",
			(int)(s->title.len > 64 ? 64 : s->title.len),
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
take_value(struct walk *w, struct slice name, int line)
{
	if (!step(w))
		return false;
	if (is_missing(w, line)) {
		conf_report_error(w->report, w->file, line,
			"'%.*s' has no value; expected KEY = VALUE",
			(int)(name.len > 64 ? 64 : name.len), name.p);
		return false;
	}
	if (w->lex->punct == '{' && !skip_braces(w))
		return false;
	add_key(w, name, line);
	return w->lex->punct != '=' && w->lex->punct != ',';
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
	if (w->lex->tok == CONF_TOK_STRING)
		conf_report_error(w->report, w->file, line,
			"\"%.*s\" is in quotes; expected a key or a section, "
			"which have none",
			(int)(name.len > 64 ? 64 : name.len), name.p);
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
	struct walk w = { o, lex, file, report, 0 };
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
