/* SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "conf/private.h"

#define NAME_CMP 32 /* longer names are near to none */

const struct conf_row *
conf_key_find(enum conf_kind kind, struct slice name)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind && slice_eq_str(name, rows[i].name))
			return &rows[i];
	return NULL;
}

const struct conf_old_key *
conf_key_find_old(enum conf_kind kind, struct slice name)
{
	size_t n;
	const struct conf_old_key *old = conf_key_old_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (old[i].kind == kind && slice_eq_str(name, old[i].was))
			return &old[i];
	return NULL;
}

enum conf_kind
conf_key_section(struct slice name)
{
	for (enum conf_kind k = CONF_KIND_TOP + 1; k < CONF_KINDS; k++)
		if (slice_eq_str(name, conf_sections[k].name))
			return k;
	return CONF_KINDS;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits that make one of the other (Levenshtein). */
static unsigned
distance(struct slice a, struct slice b)
{
	unsigned row[NAME_CMP + 1];

	if (a.len > NAME_CMP || b.len > NAME_CMP)
		return NAME_CMP;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = diagonal + (a.p[i - 1] != b.p[j - 1]);

			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

struct nearest {
	const char *name;
	unsigned edits;
};

static void
consider(struct nearest *best, struct slice name, const char *candidate)
{
	struct slice c = slice_str(candidate);
	unsigned edits = distance(name, c);
	/* "client_per_ip" and "timeout" are meant, "x" is nothing. */
	bool begins =
		name.len >= 4 && c.len > name.len &&
		(!memcmp(c.p, name.p, name.len) ||
			!memcmp(c.p + c.len - name.len, name.p, name.len));

	if (begins && edits > 2)
		edits = 2;
	if (edits <= 1 + name.len / 4 && edits < best->edits)
		*best = (struct nearest){ candidate, edits };
}

const char *
conf_key_nearest(enum conf_kind kind, struct slice name)
{
	struct nearest best = { NULL, NAME_CMP };
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind)
			consider(&best, name, rows[i].name);
	for (unsigned k = CONF_KIND_TOP + 1;
		kind == CONF_KIND_TOP && k < CONF_KINDS; k++)
		consider(&best, name, conf_sections[k].name);
	return best.name;
}

void *
conf_object(struct conf *conf, enum conf_kind kind, unsigned i)
{
	if (kind == CONF_KIND_LISTEN) {
		must(i < CONF_LISTENERS);
		return &conf->listen[i];
	}
	if (kind == CONF_KIND_ROOM) {
		must(i < CONF_ROOMS);
		return &conf->room[i];
	}
	return conf;
}

void
conf_key_label(const struct conf_row *row, const char *title, struct buf *b)
{
	buf_str(b, conf_sections[row->kind].name);
	if (title && conf_sections[row->kind].titled)
		buf_printf(b, " %s", title);
	if (row->kind != CONF_KIND_TOP)
		buf_chr(b, '.');
	buf_str(b, row->name);
}

static void
set_default(const struct conf_row *row, void *object)
{
	char mem[128], reason[256];
	struct buf why = buf_over(reason, sizeof(reason));
	const char *texts[8];
	size_t n = 0;

	must(strlen(row->def) < sizeof(mem));
	memcpy(mem, row->def, strlen(row->def) + 1);
	if (row->type == CONF_TYPE_ADDRESSES || row->type == CONF_TYPE_NETS) {
		char *rest = mem;

		while (*mem && n < 8 && (texts[n] = strsep(&rest, " ")) != NULL)
			n++;
	} else {
		texts[n++] = mem;
	}
	must(conf_value_set(row, object, texts, n, &why) == 0);
}

void
conf_key_defaults(enum conf_kind kind, void *object)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind)
			set_default(&rows[i], object);
}

static const char *
type_name(enum conf_type type)
{
	switch (type) {
	case CONF_TYPE_BOOL:
		return "boolean";
	case CONF_TYPE_NUMBER:
		return "number";
	case CONF_TYPE_DURATION:
		return "duration";
	case CONF_TYPE_SIZE:
		return "size";
	case CONF_TYPE_CHOICE:
	case CONF_TYPE_WORD:
		return "word";
	case CONF_TYPE_TEXT:
		return "text";
	case CONF_TYPE_ADDRESSES:
	case CONF_TYPE_NETS:
		return "list";
	}
	return "";
}

bool
conf_key_at(size_t i, struct conf_key *ret)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);
	/* Big enough for the struct of any kind. */
	static struct conf object;
	struct buf name = buf_over(ret->name, sizeof(ret->name) - 1);
	struct buf def = buf_over(ret->def, sizeof(ret->def) - 1);
	struct buf range = buf_over(ret->range, sizeof(ret->range) - 1);

	if (i >= n)
		return false;
	memset(ret, 0, sizeof(*ret));
	conf_key_label(&rows[i], NULL, &name);
	set_default(&rows[i], &object);
	conf_value_print(&rows[i], &object, &def);
	conf_value_range(&rows[i], &range);
	ret->type = type_name(rows[i].type);
	ret->help = rows[i].help;
	ret->applies = !rows[i].restart;
	return true;
}
