/* SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "conf/private.h"

struct differ {
	const struct conf *was, *is;
	conf_diff_fn *found;
	void *arg;
};

static void
tell(const struct differ *d, const struct conf_row *row, const char *title)
{
	char mem[192];
	struct buf key = buf_over(mem, sizeof(mem));

	conf_key_label(row, title, &key);
	buf_chr(&key, '\0');
	must(!key.over);
	d->found(d->arg, mem, !row->restart);
}

static void
tell_section(const struct differ *d, enum conf_kind kind, const char *title)
{
	char mem[192];
	struct buf key = buf_over(mem, sizeof(mem));

	buf_printf(&key, "%s %s", conf_sections[kind].name, title);
	buf_chr(&key, '\0');
	d->found(d->arg, mem, true);
}

static void
compare(const struct differ *d, enum conf_kind kind, const char *title,
	const void *was, const void *is)
{
	size_t n;
	const struct conf_row *rows = conf_key_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == kind && !conf_value_same(&rows[i], was, is))
			tell(d, &rows[i], title);
}

static uint32_t
count(const struct conf *c, enum conf_kind kind)
{
	return kind == CONF_KIND_ROOM ? c->n_rooms : c->n_listen;
}

/* The i-th section of that kind, whose struct begins with its name. */
static const char *
object(const struct conf *c, enum conf_kind kind, uint32_t i)
{
	return kind == CONF_KIND_ROOM ? (const char *)&c->room[i]
				      : (const char *)&c->listen[i];
}

_Static_assert(offsetof(struct conf_room, name) == 0 &&
		       offsetof(struct conf_listen, name) == 0,
	"object() is a name too");

static const char *
named(const struct conf *c, enum conf_kind kind, const char *name)
{
	for (uint32_t i = 0; i < count(c, kind); i++)
		if (!strcmp(object(c, kind, i), name))
			return object(c, kind, i);
	return NULL;
}

/* A section that came or went is one difference, not one for each key. */
static void
compare_titled(const struct differ *d, enum conf_kind kind)
{
	for (uint32_t i = 0; i < count(d->was, kind); i++) {
		const char *was = object(d->was, kind, i);
		const char *is = named(d->is, kind, was);

		if (is)
			compare(d, kind, was, was, is);
		else
			tell_section(d, kind, was);
	}
	for (uint32_t i = 0; i < count(d->is, kind); i++) {
		const char *is = object(d->is, kind, i);

		if (!named(d->was, kind, is))
			tell_section(d, kind, is);
	}
}

void
conf_diff(const struct conf *was, const struct conf *is, conf_diff_fn *found,
	void *arg)
{
	struct differ d = { was, is, found, arg };

	for (enum conf_kind k = 0; k < CONF_KINDS; k++) {
		if (conf_sections[k].titled)
			compare_titled(&d, k);
		else
			compare(&d, k, NULL, was, is);
	}
	/* The same file with another text. */
	if (!strcmp(was->motd, is->motd) &&
		strcmp(was->motd_text, is->motd_text) != 0)
		found(arg, "motd", true);
}
