/* Lines of many names.  Lists are cut where the event ends, and say how many
 * are left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/text_private.h"

/* A line that a person reads, and that fits every client. */
#define LIST_LINE 400

/* Kept for the line that says what is missing. */
#define LIST_RESERVE 256

/* Take the first name off *list. */
static bool
next(struct slice *list, struct slice *ret)
{
	const char *end;

	if (list->len == 0)
		return false;
	end = memchr(list->p, '\n', list->len);
	*ret = slice_of(list->p, end ? (size_t)(end - list->p) : list->len);
	*list = slice_skip(*list, ret->len + 1);
	return true;
}

static void
others(struct text_out *t, uint64_t number)
{
	text_fmt(t, number == 1 ? "%n other" : "%n others", slice_str(""),
		number);
}

/* The names of others on one line, however many there are: /who has them all.
 */
static void
joined_names(struct text_out *t, const struct event *e)
{
	struct slice list = e->list, name;
	uint64_t shown = 0;

	if (list.len > 0)
		text_raw(t, ": ");
	while (t->line.len < LIST_LINE && next(&list, &name)) {
		if (shown++ > 0)
			text_raw(t, ", ");
		text_show(t, name);
	}
	if (shown > 0 && shown < e->number)
		text_fmt(t, " and %n more", e->room, e->number - shown);
}

void
text_joined(struct text_out *t, const struct event *e)
{
	text_begin(t);
	text_fmt(t, "* In %s ", e->room, 0);
	if (e->number == 0) {
		text_raw(t, "alone");
	} else {
		text_raw(t, "with ");
		others(t, e->number);
		joined_names(t, e);
	}
	text_raw(t, ".");
	text_end(t);
	if (e->text.len == 0)
		return;
	text_begin(t);
	text_fmt(t, "* Topic of %s: ", e->room, 0);
	text_show(t, e->text);
	text_end(t);
}

static void
who_begin(struct text_out *t, const struct event *e)
{
	text_begin(t);
	text_fmt(t, "* In %s (%n): ", e->room, e->number);
}

/* One line of names from the front of *list; how many. */
static uint64_t
who_line(struct text_out *t, const struct event *e, struct slice *list)
{
	struct slice name;
	uint64_t shown = 0;

	who_begin(t, e);
	while (t->line.len < LIST_LINE && next(list, &name)) {
		if (shown++ > 0)
			text_raw(t, ", ");
		text_show(t, name);
	}
	text_end(t);
	return shown;
}

/* Start over where a line began that did not fit. */
static bool
undo_cut(struct text_out *t, size_t len)
{
	if (!t->cut)
		return false;
	t->to->len = len;
	t->cut = false;
	return true;
}

static size_t
reserve(const struct text_out *t)
{
	return buf_room(t->to) > LIST_RESERVE ? LIST_RESERVE : 0;
}

void
text_who(struct text_out *t, const struct event *e)
{
	struct slice list = e->list;
	size_t reserved = reserve(t);
	uint64_t shown = 0;

	t->to->cap -= reserved;
	while (list.len > 0) {
		size_t len = t->to->len;
		uint64_t n = who_line(t, e, &list);

		if (undo_cut(t, len))
			break;
		shown += n;
	}
	t->to->cap += reserved;
	if (shown >= e->number && shown > 0)
		return;
	who_begin(t, e);
	if (shown > 0)
		text_fmt(t, "and %n more", e->room, e->number - shown);
	else
		text_raw(t, "nobody is shown");
	text_end(t);
}

static struct slice
field(struct slice *line)
{
	const char *end = memchr(line->p, ' ', line->len);
	size_t n = end ? (size_t)(end - line->p) : line->len;
	struct slice f = slice_of(line->p, n);

	*line = slice_skip(*line, n + 1);
	return f;
}

static void
room_line(struct text_out *t, struct slice line)
{
	struct slice name = field(&line), members = field(&line);

	text_begin(t);
	text_fmt(t, "* %s (", name, 0);
	text_fmt(t, line.len > 0 ? "%s): " : "%s)", members, 0);
	text_show(t, line);
	text_end(t);
}

void
text_rooms(struct text_out *t, const struct event *e)
{
	struct slice list = e->list, line;
	size_t reserved = reserve(t);
	uint64_t shown = 0;

	t->to->cap -= reserved;
	while (next(&list, &line)) {
		size_t len = t->to->len;

		room_line(t, line);
		if (undo_cut(t, len))
			break;
		shown++;
	}
	t->to->cap += reserved;
	if (shown >= e->number && shown > 0)
		return;
	text_begin(t);
	text_fmt(t,
		e->number == 0 ? "* No rooms to list."
		: shown == 0   ? "* %n rooms; /rooms PREFIX lists "
				 "those that begin so."
			       : "* and %n more; /rooms PREFIX lists "
				 "those that begin so.",
		e->room, e->number - shown);
	text_end(t);
}
