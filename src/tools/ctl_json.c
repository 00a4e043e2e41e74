/* SPDX-License-Identifier: MIT */
#include "tools/ctl_print.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Keys of "key, value" tables whose values are words. */
static const char *const words[] = { "name", "version", "since" };

static json_t *
text(const char *s)
{
	json_t *value = json_string(s);
	char *safe;

	if (value)
		return value;
	safe = ctl_safe(s); /* it is no UTF-8 */
	value = json_string(safe);
	free(safe);
	return value;
}

/* "" is null: a worker that does not exist has no pid. */
static json_t *
number(const char *s)
{
	char *end;
	unsigned long long n;

	if (!*s)
		return json_null();
	n = strtoull(s, &end, 10);
	return *end ? text(s) : json_integer((json_int_t)n);
}

static json_t *
list(const char *s)
{
	json_t *array = json_array();

	while (*s) {
		size_t len = strcspn(s, ",");

		(void)json_array_append_new(array, json_stringn(s, len));
		s += len;
		s += strspn(s, ", ");
	}
	return array;
}

static json_t *
pair_value(const char *key, const char *value)
{
	size_t i;

	if (!strcmp(key, "pending_restart"))
		return list(value);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(key, words[i]))
			return text(value);
	return number(value);
}

static json_t *
cell_value(const char *column, const char *cell)
{
	if (!strcmp(column, "configured"))
		return json_boolean(!strcmp(cell, "yes"));
	return ctl_is_number(column) ? number(cell) : text(cell);
}

static json_t *
row_object(const struct ctl_table *t, size_t row)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		const char *column = t->column[i];
		const char *cell = t->cell[row * t->n_columns + i];

		(void)json_object_set_new_nocheck(
			object, column, cell_value(column, cell));
	}
	return object;
}

static json_t *
table_array(const struct ctl_table *t)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < t->n_rows; i++)
		(void)json_array_append_new(array, t->n_columns == 1
							   ? text(t->cell[i])
							   : row_object(t, i));
	return array;
}

static const char *
table_name(const struct ctl_table *t, const char *verb)
{
	static const char *const names[][2] = { { "slot", "slots" },
		{ "of_slot", "deaths" }, { "counter", "counters" },
		{ "note", "notes" }, { "key", "keys" }, { "text", "lines" } };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(t->column[0], names[i][0]))
			return names[i][1];
	return verb;
}

static void
add_table(json_t *root, const struct ctl_table *t, const char *verb)
{
	size_t i;

	if (t->n_columns != 2 || strcmp(t->column[0], "key") != 0 ||
		strcmp(t->column[1], "value") != 0) {
		(void)json_object_set_new_nocheck(
			root, table_name(t, verb), table_array(t));
		return;
	}
	for (i = 0; i < t->n_rows; i++) {
		const char *key = t->cell[2 * i];

		(void)json_object_set_new_nocheck(
			root, key, pair_value(key, t->cell[2 * i + 1]));
	}
}

void
ctl_print_json(const struct ctl_answer *a, const char *verb, FILE *out)
{
	json_t *root = json_object();
	size_t i;

	for (i = 0; i < a->n_tables; i++)
		add_table(root, &a->table[i], verb);
	(void)json_object_set_new(root, "code", json_integer(a->code));
	(void)json_object_set_new(root, "message", text(a->message));
	(void)json_dumpf(root, out, JSON_INDENT(2));
	(void)fputc('\n', out);
	json_decref(root);
}
