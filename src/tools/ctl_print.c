/* SPDX-License-Identifier: MIT */
#include "tools/ctl_print.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <ctype.h>
#include <stdlib.h>
#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

#define UNPRINTABLE \
 (UC_CATEGORY_MASK_C | UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp)

bool
ctl_is_number(const char *column)
{
	static const char *const numbers[] = { "slot", "keeper", "worker",
		"generation", "clients", "quota", "pending", "behind", "deaths",
		"port", "idle", "in", "out", "members", "sequence", "total" };
	size_t i;

	if (isdigit((unsigned char)column[0]))
		return true;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(column, numbers[i]))
			return true;
	return false;
}

char *
ctl_safe(const char *s)
{
	size_t len = strlen(s);
	char *mem = xcalloc(4 * len + 1, 1);
	struct buf b = buf_over(mem, 4 * len);

	while (len > 0) {
		ucs4_t c;
		int n = u8_mbtoucr(&c, (const uint8_t *)s, len);

		if (n > 0 &&
			!uc_is_general_category_withtable(c, UNPRINTABLE)) {
			buf_add(&b, s, (size_t)n);
		} else {
			/* buf_printf() would want room for a NUL. */
			static const char hex[] = "0123456789abcdef";
			unsigned char byte = (unsigned char)*s;
			char text[4] = { '\\', 'x', hex[byte >> 4],
				hex[byte & 15] };

			buf_add(&b, text, sizeof(text));
			n = 1;
		}
		s += n;
		len -= (size_t)n;
	}
	return mem;
}

static size_t
width(const char *s)
{
	int n = u8_strwidth((const uint8_t *)s, "UTF-8");

	return n > 0 ? (size_t)n : 0;
}

static void
pad(size_t n, FILE *out)
{
	while (n-- > 0)
		(void)fputc(' ', out);
}

/* The table's texts as they are shown: row 0 is the head. */
struct shown {
	size_t n_rows, n_columns;
	char **text;
	size_t *width;
};

static char *
show_cell(const struct ctl_table *t, size_t row, size_t column)
{
	const char *s;
	char *head;

	if (row > 0) {
		s = t->cell[(row - 1) * t->n_columns + column];
		return ctl_safe(*s ? s : "-");
	}
	head = ctl_safe(t->column[column]);
	for (char *p = head; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return head;
}

static struct shown
show(const struct ctl_table *t)
{
	struct shown s = { t->n_rows + 1, t->n_columns, NULL, NULL };
	size_t i;

	s.text = xcalloc(s.n_rows * s.n_columns, sizeof(*s.text));
	s.width = xcalloc(s.n_columns, sizeof(*s.width));
	for (i = 0; i < s.n_rows * s.n_columns; i++) {
		size_t *max = &s.width[i % s.n_columns], n;

		s.text[i] = show_cell(t, i / s.n_columns, i % s.n_columns);
		n = width(s.text[i]);
		if (n > *max)
			*max = n;
	}
	return s;
}

static void
shown_free(struct shown *s)
{
	size_t i;

	for (i = 0; i < s->n_rows * s->n_columns; i++)
		free(s->text[i]);
	free(s->text);
	free(s->width);
}

static void
print_cell(
	const struct ctl_table *t, const struct shown *s, size_t at, FILE *out)
{
	size_t column = at % s->n_columns;
	size_t n = s->width[column] - width(s->text[at]);
	bool right = ctl_is_number(t->column[column]);
	bool last = column + 1 == s->n_columns;

	if (column > 0)
		(void)fputs("  ", out);
	if (right)
		pad(n, out);
	(void)fputs(s->text[at], out);
	if (!right && !last)
		pad(n, out);
	if (last)
		(void)fputc('\n', out);
}

static void
print_table(const struct ctl_table *t, FILE *out)
{
	struct shown s = show(t);
	size_t i;

	for (i = 0; i < s.n_rows * s.n_columns; i++)
		print_cell(t, &s, i, out);
	shown_free(&s);
}

static void
print_pairs(const struct ctl_table *t, FILE *out)
{
	struct shown s = show(t);
	size_t row;

	for (row = 1; row < s.n_rows; row++) {
		const char *key = s.text[2 * row];

		(void)fprintf(out, "%s:", key);
		pad(s.width[0] - width(key) + 1, out);
		(void)fprintf(out, "%s\n", s.text[2 * row + 1]);
	}
	shown_free(&s);
}

static void
print_lines(const struct ctl_table *t, const char *prefix, FILE *out)
{
	size_t i;

	for (i = 0; i < t->n_rows; i++) {
		char *safe = ctl_safe(t->cell[i]);

		(void)fprintf(out, "%s%s\n", prefix, safe);
		free(safe);
	}
}

static void
print_any(const struct ctl_table *t, bool ok, FILE *out, FILE *err)
{
	if (t->n_columns == 1 && !strcmp(t->column[0], "text"))
		print_lines(t, "", out);
	else if (t->n_columns == 1 && !strcmp(t->column[0], "note"))
		print_lines(t, ok ? "note: " : "", ok ? out : err);
	else if (t->n_columns == 2 && !strcmp(t->column[0], "key") &&
		 !strcmp(t->column[1], "value"))
		print_pairs(t, out);
	else if (t->n_rows > 0 || strcmp(t->column[0], "key") != 0)
		print_table(t, out); /* a reload may have changed no key */
}

void
ctl_print(const struct ctl_answer *a, FILE *out, FILE *err)
{
	bool ok = a->code == CTL_DONE;
	size_t i;
	char *safe;

	for (i = 0; i < a->n_tables; i++) {
		bool note = !strcmp(a->table[i].column[0], "note");

		if (i > 0 && !note)
			(void)fputc('\n', out);
		print_any(&a->table[i], ok, out, err);
	}
	if (!a->message[0])
		return;
	safe = ctl_safe(a->message);
	(void)fprintf(ok ? out : err, "%s%s\n", ok ? "" : "banterctl: ", safe);
	free(safe);
}
