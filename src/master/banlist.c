/* SPDX-License-Identifier: MIT */
#include "master/banlist.h"

#include "base/fd.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "master/banlist_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "/bans"

struct banlist {
	char path[CONF_PATH_LEN + sizeof FILE_NAME];
	struct ban *at;
	uint32_t n, cap;
	int unreadable; /* -errno: what is there must not be written over */
};

struct banlist *
banlist_new(const char *folder)
{
	struct banlist *l = xcalloc(1, sizeof *l);

	(void)snprintf(l->path, sizeof l->path, "%s" FILE_NAME, folder);
	return l;
}

void
banlist_free(struct banlist **list)
{
	if (*list == NULL)
		return;
	free((*list)->at);
	free(*list);
	*list = NULL;
}

const char *
banlist_path(const struct banlist *l)
{
	return l->path;
}

static int
compare(const struct conf_net *a, const struct conf_net *b)
{
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return memcmp(a->address, b->address, sizeof a->address);
}

/* The place of a network, or where it would be. */
static bool
find(const struct banlist *l, const struct conf_net *net, uint32_t *ret)
{
	uint32_t low = 0, high = l->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int cmp = compare(net, &l->at[mid].net);

		if (cmp == 0) {
			*ret = mid;
			return true;
		}
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	*ret = low;
	return false;
}

int
banlist_add(struct banlist *l, const struct ban *ban, uint32_t most)
{
	uint32_t i;

	if (find(l, &ban->net, &i)) {
		l->at[i] = *ban;
		return 1;
	}
	if (l->n >= most)
		return -ENOSPC;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->at = xrealloc(l->at, l->cap, sizeof *l->at);
	}
	memmove(l->at + i + 1, l->at + i, (l->n - i) * sizeof *l->at);
	l->at[i] = *ban;
	l->n++;
	return 0;
}

int
banlist_del(struct banlist *l, const struct conf_net *net)
{
	uint32_t i;

	if (!find(l, net, &i))
		return -ENOENT;
	l->n--;
	memmove(l->at + i, l->at + i + 1, (l->n - i) * sizeof *l->at);
	return 0;
}

static void
log_end(const struct ban *ban)
{
	char mem[64];
	struct buf b = buf_over(mem, sizeof mem - 1);

	conf_net_print(&ban->net, &b);
	mem[b.len] = '\0';
	log_notice("the ban of %s is over", mem);
}

uint32_t
banlist_expire(struct banlist *l, uint64_t now_ms)
{
	uint32_t kept = 0, was = l->n;

	for (uint32_t i = 0; i < l->n; i++) {
		if (l->at[i].until_ms != 0 && l->at[i].until_ms <= now_ms)
			log_end(&l->at[i]);
		else
			l->at[kept++] = l->at[i];
	}
	l->n = kept;
	return was - kept;
}

uint64_t
banlist_next_end(const struct banlist *l)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->at[i].until_ms != 0 &&
			(next == 0 || l->at[i].until_ms < next))
			next = l->at[i].until_ms;
	return next;
}

uint32_t
banlist_count(const struct banlist *l)
{
	return l->n;
}

const struct ban *
banlist_at(const struct banlist *l, uint32_t i)
{
	return &l->at[i];
}

int
banlist_seal(const struct banlist *l)
{
	struct ban_entry *e = xcalloc(l->n + 1, sizeof *e);
	int fd;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct ban *from = &l->at[i];

		memcpy(e[i].address, from->net.address, sizeof e[i].address);
		e[i].bits = from->net.bits;
		e[i].until_ms = from->until_ms;
		e[i].reason_len = (uint8_t)strlen(from->reason);
		memcpy(e[i].reason, from->reason, e[i].reason_len);
	}
	fd = bans_seal(e, l->n);
	free(e);
	return fd;
}

static void
take_line(struct banlist *l, char *line, unsigned number)
{
	struct ban ban;
	const char *wrong;

	if (*line == '\0' || *line == '#')
		return;
	wrong = banlist_parse(line, &ban);
	if (wrong == NULL && banlist_add(l, &ban, BANLIST_MAX) < 0)
		wrong = "is one too many";
	if (wrong != NULL)
		log_warning("%s:%u: %s; this line is left out", l->path, number,
			wrong);
}

int
banlist_load(struct banlist *l)
{
	char *text = NULL, *rest, *line;
	unsigned number = 0;
	int rc = banlist_file_read(l->path, &text);

	l->unreadable = rc == -ENOENT ? 0 : rc;
	if (rc < 0) {
		if (rc != -ENOENT)
			log_error("%s cannot be read: %s; bans are not kept, "
				  "expected a file there at the next start",
				l->path,
				rc == -EMEDIUMTYPE ? "not a regular file"
						   : strerror(-rc));
		return l->unreadable;
	}
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		take_line(l, line, ++number);
	free(text);
	return 0;
}

int
banlist_save(const struct banlist *l)
{
	char mem[BANLIST_LINE];
	size_t cap = ((size_t)l->n + 1) * sizeof mem;
	char *text;
	struct buf all;
	int rc;

	if (l->unreadable < 0)
		return l->unreadable;
	text = xcalloc(cap, 1);
	all = buf_over(text, cap);
	buf_str(&all, "# Bans of banterd: network since until uid reason\n");
	for (uint32_t i = 0; i < l->n; i++) {
		struct buf line = buf_over(mem, sizeof mem);

		banlist_print(&l->at[i], &line);
		buf_slice_add(&all, buf_slice(&line));
		buf_chr(&all, '\n');
	}
	rc = banlist_file_write(l->path, buf_slice(&all));
	free(text);
	return rc;
}

void
banlist_pack(const struct banlist *l, struct pack *p)
{
	pack_i64(p, l->unreadable);
	pack_u64(p, l->n);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct ban *b = &l->at[i];
		size_t at = pack_record(p);

		pack_bytes(p, b->net.address, sizeof b->net.address);
		pack_u64(p, b->net.bits);
		pack_u64(p, b->since_ms);
		pack_u64(p, b->until_ms);
		pack_u64(p, b->by);
		pack_str(p, b->reason);
		pack_end(p, at);
	}
}

static bool
unpack_one(struct banlist *l, struct unpack u)
{
	struct slice address = unpack_bytes(&u);
	struct ban b = { 0 };

	if (address.len != sizeof b.net.address)
		return false;
	memcpy(b.net.address, address.p, address.len);
	b.net.bits = (uint8_t)unpack_u64(&u);
	b.since_ms = unpack_u64(&u);
	b.until_ms = unpack_u64(&u);
	b.by = (uid_t)unpack_u64(&u);
	unpack_str(&u, b.reason, sizeof b.reason);
	return !u.bad && b.net.bits <= 128 &&
	       banlist_add(l, &b, BANLIST_MAX) >= 0;
}

bool
banlist_unpack(struct banlist *l, struct unpack *u)
{
	uint64_t n;

	l->unreadable = (int)unpack_i64(u);
	n = unpack_u64(u);
	while (!u->bad && n-- > 0)
		if (!unpack_one(l, unpack_record(u)))
			return false;
	return !u->bad;
}
