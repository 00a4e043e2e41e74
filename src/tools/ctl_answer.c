/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"
#include "tools/ctl_client.h"

#include <stdlib.h>
#include <string.h>

static char
meant_by(char escaped)
{
	switch (escaped) {
	case 't':
		return '\t';
	case 'n':
		return '\n';
	default:
		return escaped;
	}
}

/* \t, \n and \\ back to what they stand for, in place. */
static void
unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1] != '\0') {
			s++;
			*to++ = meant_by(*s);
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static size_t
count_fields(const char *s)
{
	size_t n = 1;

	for (; *s; s++)
		n += *s == '\t';
	return n;
}

/* Cut s at its tabs into n fields; missing ones are empty. */
static void
split(char *s, char **field, size_t n)
{
	static char none[1];
	size_t i;

	for (i = 0; i < n; i++) {
		char *end = s ? strchr(s, '\t') : NULL;

		field[i] = s ? s : none;
		if (end)
			*end = '\0';
		unescape(field[i]);
		s = end ? end + 1 : NULL;
	}
}

static void
add_table(struct ctl_answer *a, char *line)
{
	struct ctl_table *t;

	a->table = xrealloc(a->table, a->n_tables + 1, sizeof(*a->table));
	t = &a->table[a->n_tables++];
	*t = (struct ctl_table){ .n_columns = count_fields(line) };
	t->column = xcalloc(t->n_columns, sizeof(*t->column));
	split(line, t->column, t->n_columns);
}

static bool
is_power_of_two(size_t n)
{
	return (n & (n - 1)) == 0;
}

static void
add_row(struct ctl_answer *a, char *line)
{
	struct ctl_table *t = &a->table[a->n_tables - 1];

	/* Full at 0, 1, 2, 4, 8 ... rows: doubled then. */
	if (is_power_of_two(t->n_rows))
		t->cell = xrealloc(t->cell,
			(t->n_rows ? 2 * t->n_rows : 1) * t->n_columns,
			sizeof(*t->cell));
	split(line, t->cell + t->n_rows * t->n_columns, t->n_columns);
	t->n_rows++;
}

/* True at the last line. */
static bool
take_line(struct ctl_answer *a, char *line)
{
	char *end;

	if (line[0] == '=') {
		add_table(a, line + 1);
	} else if (!strncmp(line, "row\t", 4) && a->n_tables > 0) {
		add_row(a, line + 4);
	} else if (line[0] == '.') {
		a->code = (enum ctl_exit)(strtoul(line + 1, &end, 10) & 0xff);
		a->message = *end == ' ' ? end + 1 : end;
		return true;
	}
	return false;
}

bool
ctl_answer_parse(struct ctl_answer *ret, char *text, size_t len)
{
	char *line = text, *end;

	*ret = (struct ctl_answer){ .text = text, .message = "" };
	while ((end = memchr(line, '\n', len - (size_t)(line - text)))) {
		*end = '\0';
		if (take_line(ret, line))
			return true;
		line = end + 1;
	}
	ctl_answer_free(ret);
	return false;
}

void
ctl_answer_free(struct ctl_answer *a)
{
	size_t i;

	for (i = 0; i < a->n_tables; i++) {
		free(a->table[i].column);
		free(a->table[i].cell);
	}
	free(a->table);
	free(a->text);
	*a = (struct ctl_answer){ .message = "" };
}
