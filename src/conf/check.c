/* SPDX-License-Identifier: MIT
 *
 * What one key alone does not show.  Every complaint names a line: that of the
 * key at fault when a file sets it, else that of its section.
 */
#include "base/cpus.h"
#include "conf/private.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/select.h>

static struct conf_origin
origin(struct conf_build *b, enum conf_kind kind, unsigned i, const char *key)
{
	const struct conf_row *row = conf_key_find(kind, slice_str(key));
	struct conf_origin at = *conf_build_origin(b, row, i);

	if (at.line == 0 && kind == CONF_KIND_LISTEN)
		return b->listen_at[i];
	if (at.line == 0 && kind == CONF_KIND_ROOM)
		return b->room_at[i];
	return at;
}

static bool
has_room(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_rooms; i++)
		if (!strcasecmp(c->room[i].name, name))
			return true;
	return false;
}

static void
check_mode(struct conf_build *b, unsigned i)
{
	const struct conf_listen *l = &b->conf->listen[i];
	bool raw = l->mode == CONF_MODE_RAW;

	if (raw && !*l->room)
		conf_build_error(b, origin(b, CONF_KIND_LISTEN, i, "mode"),
			"listen %s.mode: \"raw\" without a room; expected "
			"room = \"NAME\" as well",
			l->name);
	if (!raw && *l->room)
		conf_build_error(b, origin(b, CONF_KIND_LISTEN, i, "room"),
			"listen %s.room: has no effect; expected it only with "
			"mode = \"raw\" (see autojoin of room)",
			l->name);
	if (raw && *l->room && !b->conf->create_rooms &&
		!has_room(b->conf, l->room))
		conf_build_error(b, origin(b, CONF_KIND_LISTEN, i, "room"),
			"listen %s.room: there is no room '%s'; expected a "
			"configured one, as create_rooms is false",
			l->name, l->room);
}

/* Port 0 is another port each time. */
static void
check_clash(
	struct conf_build *b, unsigned i, unsigned k, unsigned j, unsigned m)
{
	const struct conf_listen *a = &b->conf->listen[i];
	const struct conf_listen *z = &b->conf->listen[j];
	const char *text = a->address[k];
	const char *key = *text == '/' || !a->port ? "address" : "port";
	struct conf_origin at = origin(b, CONF_KIND_LISTEN, i, key);

	if (!conf_net_clash(text, z->address[m]) ||
		(*text != '/' && (a->port != z->port || !a->port)))
		return;
	if (*text == '/')
		conf_build_error(b, at,
			"listen %s.address: '%s' is taken by listen %s; "
			"expected another path",
			a->name, text, z->name);
	else
		conf_build_error(b, at,
			"listen %s.port: '%s' port %u is taken by listen %s "
			"('%s'); expected another port or address",
			a->name, text, a->port, z->name, z->address[m]);
}

static void
check_listen(struct conf_build *b, unsigned i)
{
	const struct conf *c = b->conf;

	check_mode(b, i);
	for (unsigned k = 0; k < c->listen[i].n_addresses; k++)
		for (unsigned j = 0; j <= i; j++) {
			unsigned n = j < i ? c->listen[j].n_addresses : k;

			for (unsigned m = 0; m < n; m++)
				check_clash(b, i, k, j, m);
		}
}

static void
check_room(struct conf_build *b, unsigned i)
{
	const struct conf_room *r = &b->conf->room[i];
	uint32_t most = b->conf->limits.topic_bytes;

	if (most > 0 && strlen(r->topic) > most)
		conf_build_error(b, origin(b, CONF_KIND_ROOM, i, "topic"),
			"room %s.topic: %zu bytes; expected at most %u "
			"(limits.topic_bytes)",
			r->name, strlen(r->topic), most);
	for (unsigned j = 0; j < i; j++)
		if (!strcasecmp(b->conf->room[j].name, r->name))
			conf_build_error(b, b->room_at[i],
				"room '%s' is the same as room '%s'; expected "
				"names that differ in more than case",
				r->name, b->conf->room[j].name);
}

static void
check_rooms(struct conf_build *b)
{
	const struct conf *c = b->conf;
	unsigned n_auto = 0, n_chat = 0;

	for (unsigned i = 0; i < c->n_rooms; i++) {
		check_room(b, i);
		n_auto += c->room[i].autojoin;
	}
	for (unsigned i = 0; i < c->n_listen; i++)
		n_chat += c->listen[i].mode == CONF_MODE_CHAT;
	if (n_auto == 0 && n_chat > 0)
		conf_build_warn(b, b->room_at[0],
			"no room has autojoin = true, so clients begin in "
			"none; expected it in one");
	if (c->n_rooms > c->limits.rooms)
		conf_build_error(b, origin(b, CONF_KIND_LIMITS, 0, "rooms"),
			"limits.rooms: %u, with %u rooms configured; expected "
			"as many or more",
			c->limits.rooms, c->n_rooms);
	if (n_auto > c->limits.rooms_per_client)
		conf_build_error(b,
			origin(b, CONF_KIND_LIMITS, 0, "rooms_per_client"),
			"limits.rooms_per_client: %u, with autojoin in %u "
			"rooms; expected as many or more",
			c->limits.rooms_per_client, n_auto);
}

static void
check_sizes(struct conf_build *b)
{
	const struct conf_limits *l = &b->conf->limits;

	if (l->output_memory < l->output_bytes)
		conf_build_error(b,
			origin(b, CONF_KIND_LIMITS, 0, "output_memory"),
			"limits.output_memory: %llu is less than "
			"limits.output_bytes (%u); expected as much or more",
			(unsigned long long)l->output_memory, l->output_bytes);
	if (b->conf->log.target == CONF_LOG_FILE && !*b->conf->log.file)
		conf_build_error(b, origin(b, CONF_KIND_LOG, 0, "target"),
			"log.target: \"file\" without a file; expected "
			"file = \"/PATH\" as well");
}

/* "*" may take two sockets. */
static unsigned
listen_fds(const struct conf *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_listen; i++)
		n += 2 * c->listen[i].n_addresses;
	return n;
}

/* By hash a slot may still get more than its part, and has then to let them
 * wait or to refuse them; but for each client there is a place somewhere. */
static void
check_select(struct conf_build *b)
{
	const struct conf *c = b->conf;
	unsigned slots = c->workers ? c->workers : cpus_allowed();
	unsigned most = FD_SETSIZE - CONF_FD_RESERVE - listen_fds(c);
	struct conf_origin at = origin(b, CONF_KIND_TOP, 0, "max_clients");

	if (strcmp(c->engine, "select") != 0 || c->max_clients <= slots * most)
		return;
	if (at.line == 0)
		at = origin(b, CONF_KIND_TOP, 0, "engine");
	conf_build_error(b, at,
		"max_clients: %u, but engine \"select\" can wait for at most %u "
		"with %u workers; expected max_clients = %u or less, more "
		"workers, or engine = \"epoll\"",
		c->max_clients, slots * most, slots, slots * most);
}

static int
line_of(const char *text, size_t at)
{
	int line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

static void
take_motd(struct conf_build *b, const char *text, size_t len, bool cut)
{
	struct conf *c = b->conf;
	size_t valid = conf_text_valid(text, len);
	struct conf_origin at = origin(b, CONF_KIND_TOP, 0, "motd");

	/* Where it was cut, up to three bytes of a character may be left. */
	if (valid < len && !(cut && len - valid < 4)) {
		conf_report_error(b->report, c->motd, line_of(text, valid),
			"this is not UTF-8; expected UTF-8, as motd is set");
		return;
	}
	for (size_t i = 0; i < valid; i++)
		if (((unsigned char)text[i] < 0x20 || text[i] == 0x7f) &&
			!strchr("\t\r\n", text[i] ? text[i] : 1)) {
			conf_report_error(b->report, c->motd, line_of(text, i),
				"control character 0x%02x; expected text, as "
				"motd is set",
				(unsigned char)text[i]);
			return;
		}
	if (cut)
		conf_build_warn(b, at,
			"motd: '%s' is too long; expected at most %zu bytes, "
			"the rest is not shown",
			c->motd, sizeof(c->motd_text) - 1);
	memcpy(c->motd_text, text, valid);
}

static void
read_motd(struct conf_build *b)
{
	struct conf *c = b->conf;
	bool cut = false;
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (!*c->motd)
		return;
	rc = conf_files_slurp(
		c->motd, sizeof(c->motd_text) - 1, &text, &len, &cut);
	if (rc < 0)
		conf_build_error(b, origin(b, CONF_KIND_TOP, 0, "motd"),
			"motd: '%s': %s; %s", c->motd,
			rc == -EMEDIUMTYPE ? "Not a regular file"
					   : strerror(-rc),
			conf_files_expect(-rc));
	else
		take_motd(b, text, len, cut);
	free(text);
}

void
conf_check(struct conf_build *b)
{
	for (unsigned i = 0; i < b->conf->n_listen; i++)
		check_listen(b, i);
	check_rooms(b);
	check_sizes(b);
	check_select(b);
	read_motd(b);
}
