/* SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "base/utf8.h"
#include "conf/private.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const char *const truths[] = { "false", "no", "off", "true", "yes",
	"on" };

static void
store(const struct conf_row *row, void *object, uint64_t v)
{
	char *field = (char *)object + row->offset;
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;
	bool truth = v != 0;

	if (row->type == CONF_TYPE_BOOL)
		memcpy(field, &truth, sizeof(truth));
	else if (row->width == 8)
		memcpy(field, &v, 8);
	else if (row->width == 4)
		memcpy(field, &v32, 4);
	else
		memcpy(field, &v16, 2);
}

static uint64_t
fetch(const struct conf_row *row, const void *object)
{
	const char *field = (const char *)object + row->offset;
	uint64_t v = 0;
	uint32_t v32;
	uint16_t v16;
	bool truth;

	if (row->type == CONF_TYPE_BOOL) {
		memcpy(&truth, field, sizeof(truth));
		v = truth;
	} else if (row->width == 8) {
		memcpy(&v, field, 8);
	} else if (row->width == 4) {
		memcpy(&v32, field, 4);
		v = v32;
	} else {
		memcpy(&v16, field, 2);
		v = v16;
	}
	return v;
}

/* "'x' is not a duration; expected 0 (no limit) or 1s to 1d" */
static int
refuse(const struct conf_row *row, const char *text, const char *wrong,
	struct buf *why)
{
	buf_printf(why, "'%.100s' %s; expected ", text, wrong);
	conf_value_range(row, why);
	if (row->type == CONF_TYPE_DURATION)
		buf_str(why, " (units are ms, s, min, h and d)");
	if (row->type == CONF_TYPE_SIZE)
		buf_str(why, " (units are K, M and G)");
	return -EINVAL;
}

static int
set_number(const struct conf_row *row, void *object, const char *text,
	struct buf *why)
{
	static const char *const wrong[] = {
		[CONF_TYPE_NUMBER] = "is not a number",
		[CONF_TYPE_DURATION] = "is not a duration",
		[CONF_TYPE_SIZE] = "is not a size",
	};
	uint64_t v;
	int rc = conf_number_parse(row->type, text, &v);

	if (rc == -EINVAL)
		return refuse(row, text, wrong[row->type], why);
	if (rc < 0 ||
		!((row->zero && v == 0) || (v >= row->min && v <= row->max)))
		return refuse(row, text, "is out of range", why);
	if (v % row->unit != 0)
		return refuse(
			row, text, "is not a whole number of seconds", why);
	store(row, object, v / row->unit);
	return 0;
}

static int
set_bool(const struct conf_row *row, void *object, const char *text,
	struct buf *why)
{
	size_t n = sizeof(truths) / sizeof(*truths);

	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(text, truths[i])) {
			store(row, object, i >= n / 2);
			return 0;
		}
	return refuse(row, text, "is neither true nor false", why);
}

static void
put_text(char *field, size_t width, const char *text)
{
	memset(field, 0, width);
	memcpy(field, text, strlen(text));
}

/* The i-th of words separated by spaces. */
static bool
word_at(const char *words, unsigned i, struct slice *ret)
{
	for (;; i--) {
		size_t len = strcspn(words, " ");

		*ret = slice_of(words, len);
		if (len == 0 || i == 0)
			return len > 0;
		words += len + (words[len] == ' ');
	}
}

static int
set_word(const struct conf_row *row, void *object, const char *text,
	struct buf *why)
{
	struct slice word;

	for (unsigned i = 0; word_at(row->words, i, &word); i++) {
		if (!slice_eq_str(word, text))
			continue;
		if (row->type == CONF_TYPE_CHOICE)
			store(row, object, i);
		else
			put_text(
				(char *)object + row->offset, row->width, text);
		return 0;
	}
	return refuse(row, text, "is not known", why);
}

static int
set_text(const struct conf_row *row, void *object, const char *text,
	struct buf *why)
{
	if (strlen(text) >= row->width)
		return refuse(row, text, "is too long", why);
	if (!utf8_valid(slice_str(text)))
		return refuse(row, text, "is not UTF-8", why);
	if (!row->check(text))
		return refuse(row, text, "is not right", why);
	put_text((char *)object + row->offset, row->width, text);
	return 0;
}

static int
set_addresses(const struct conf_row *row, void *object,
	const char *const *texts, size_t n, struct buf *why)
{
	struct conf_listen *l = object;

	for (size_t i = 0; i < n; i++) {
		if (strlen(texts[i]) >= sizeof(l->address[i]) ||
			!conf_net_address(texts[i]))
			return refuse(row, texts[i],
				"is no address (names are not looked up)", why);
	}
	memset(l->address, 0, sizeof(l->address));
	for (size_t i = 0; i < n; i++)
		put_text(l->address[i], sizeof(l->address[i]), texts[i]);
	l->n_addresses = (uint32_t)n;
	return 0;
}

static int
set_nets(const struct conf_row *row, void *object, const char *const *texts,
	size_t n, struct buf *why)
{
	struct conf_nets nets = { .n = (uint32_t)n };

	for (size_t i = 0; i < n; i++) {
		int rc = conf_net_parse(texts[i], &nets.net[i]);

		if (rc == -EDOM) {
			buf_printf(why,
				"'%.100s' has bits set behind its prefix; "
				"expected \"",
				texts[i]);
			conf_net_mask(&nets.net[i]);
			conf_net_print(&nets.net[i], why);
			buf_str(why, "\"");
			return -EINVAL;
		}
		if (rc < 0)
			return refuse(row, texts[i], "is no network", why);
	}
	memcpy((char *)object + row->offset, &nets, sizeof(nets));
	return 0;
}

static int
set_list(const struct conf_row *row, void *object, const char *const *texts,
	size_t n, struct buf *why)
{
	if (n < row->min || n > row->max) {
		buf_printf(why, "a list of %zu; expected ", n);
		conf_value_range(row, why);
		return -EINVAL;
	}
	return row->type == CONF_TYPE_NETS
		       ? set_nets(row, object, texts, n, why)
		       : set_addresses(row, object, texts, n, why);
}

int
conf_value_set(const struct conf_row *row, void *object,
	const char *const *texts, size_t n, struct buf *why)
{
	switch (row->type) {
	case CONF_TYPE_BOOL:
		return set_bool(row, object, texts[0], why);
	case CONF_TYPE_NUMBER:
	case CONF_TYPE_DURATION:
	case CONF_TYPE_SIZE:
		return set_number(row, object, texts[0], why);
	case CONF_TYPE_CHOICE:
	case CONF_TYPE_WORD:
		return set_word(row, object, texts[0], why);
	case CONF_TYPE_TEXT:
		return set_text(row, object, texts[0], why);
	case CONF_TYPE_ADDRESSES:
	case CONF_TYPE_NETS:
		return set_list(row, object, texts, n, why);
	}
	must(!"a type of the table");
	return -EINVAL;
}

void
conf_value_quote(const char *text, struct buf *b)
{
	buf_chr(b, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_chr(b, '\\');
		if (*text == '$' && text[1] == '{')
			buf_str(b, "\\x24"); /* "${" would be expanded */
		else
			buf_chr(b, *text);
	}
	buf_chr(b, '"');
}

static void
print_nets(const struct conf_nets *nets, struct buf *b)
{
	buf_chr(b, '{');
	for (uint32_t i = 0; i < nets->n; i++) {
		buf_str(b, i ? ", \"" : "\"");
		conf_net_print(&nets->net[i], b);
		buf_chr(b, '"');
	}
	buf_chr(b, '}');
}

static void
print_addresses(const struct conf_listen *l, struct buf *b)
{
	buf_chr(b, '{');
	for (uint32_t i = 0; i < l->n_addresses; i++) {
		buf_str(b, i ? ", " : "");
		conf_value_quote(l->address[i], b);
	}
	buf_chr(b, '}');
}

void
conf_value_print(const struct conf_row *row, const void *object, struct buf *b)
{
	const char *field = (const char *)object + row->offset;
	struct slice word;

	switch (row->type) {
	case CONF_TYPE_BOOL:
		buf_str(b, fetch(row, object) ? "true" : "false");
		return;
	case CONF_TYPE_NUMBER:
	case CONF_TYPE_DURATION:
	case CONF_TYPE_SIZE:
		conf_number_print(row->type, fetch(row, object) * row->unit, b);
		return;
	case CONF_TYPE_CHOICE:
		if (!word_at(row->words, (unsigned)fetch(row, object), &word))
			return;
		buf_chr(b, '"');
		buf_slice_add(b, word);
		buf_chr(b, '"');
		return;
	case CONF_TYPE_WORD:
	case CONF_TYPE_TEXT:
		conf_value_quote(field, b);
		return;
	case CONF_TYPE_ADDRESSES:
		print_addresses(object, b);
		return;
	case CONF_TYPE_NETS:
		print_nets((const void *)field, b);
		return;
	}
}

bool
conf_value_same(const struct conf_row *row, const void *a, const void *b)
{
	const char *x = (const char *)a + row->offset;
	const char *y = (const char *)b + row->offset;
	const struct conf_listen *l = a, *m = b;

	if (row->type == CONF_TYPE_WORD || row->type == CONF_TYPE_TEXT)
		return !strcmp(x, y);
	if (row->type == CONF_TYPE_ADDRESSES)
		return l->n_addresses == m->n_addresses &&
		       !memcmp(l->address, m->address, sizeof(l->address));
	if (row->type == CONF_TYPE_NETS)
		return !memcmp(x, y, sizeof(struct conf_nets));
	return fetch(row, a) == fetch(row, b);
}

static void
range_words(const struct conf_row *row, struct buf *b)
{
	struct slice word, next;

	for (unsigned i = 0; word_at(row->words, i, &word); i++) {
		if (i > 0)
			buf_str(b, word_at(row->words, i + 1, &next) ? ", "
								     : " or ");
		buf_slice_add(b, word);
	}
}

void
conf_value_range(const struct conf_row *row, struct buf *b)
{
	switch (row->type) {
	case CONF_TYPE_BOOL:
		buf_str(b, "true or false");
		return;
	case CONF_TYPE_NUMBER:
	case CONF_TYPE_DURATION:
	case CONF_TYPE_SIZE:
		if (row->zero)
			buf_str(b, "0 or ");
		conf_number_print(row->type, row->min, b);
		buf_str(b, " to ");
		conf_number_print(row->type, row->max, b);
		return;
	case CONF_TYPE_CHOICE:
	case CONF_TYPE_WORD:
		range_words(row, b);
		return;
	case CONF_TYPE_TEXT:
	case CONF_TYPE_ADDRESSES:
	case CONF_TYPE_NETS:
		buf_str(b, row->expect);
		return;
	}
}
