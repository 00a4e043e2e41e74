/* SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/fd.h"
#include "base/hash.h"
#include "log/log.h"
#include "proto/charset.h"
#include "sandbox/sandbox.h"
#include "worker/private.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define RAW_FLUSH_MS                                      \
 200u /* what may become a bare "exit" is not held longer \
       */

/* After an upgrade the arena's may be older than what the new master has, or of
 * a layout that this image does not know. */
static const struct conf *
map_conf(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	const struct conf *conf = NULL;

	if (h->conf_generation >= w->env->conf_generation)
		conf = conf_map((int)h->conf_fd);
	if (conf != NULL)
		return conf;
	w->conf_is_given = true;
	return conf_map(w->env->conf);
}

int
config_open(struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	if (h->conf_fd < 0) {
		arena_store(&h->conf_fd, w->env->conf);
		arena_store(&h->conf_generation, w->env->conf_generation);
		arena_store(&h->quota, w->env->quota);
	}
	w->conf = map_conf(w);
	if (w->conf == NULL)
		return -EINVAL;
	config_kinds_open(w);
	return 0;
}

/* The same in every image: sessions of another one bear it. */
static uint32_t
name_hash(const struct conf_listen *l)
{
	static const struct hash_key key = { 0x62616e746572, 0x6c697374656e };
	uint64_t h = hash_bytes(&key, l->name, strlen(l->name));

	return (uint32_t)h ? (uint32_t)h : 1;
}

static const struct conf_listen *
listen_of(const struct worker *w, const struct arena_kind *k)
{
	for (uint32_t i = 0; i < w->conf->n_listen; i++)
		if (name_hash(&w->conf->listen[i]) == k->listen)
			return &w->conf->listen[i];
	return NULL;
}

static void
kind_listen(struct worker *w, unsigned at)
{
	const struct conf_listen *l = listen_of(w, &w->arena.head->kind[at]);

	w->kind[at].listen = l;
	/* Of a section that has just gone it stays. */
	if (l != NULL)
		w->kind[at].guarded = l->allow.n > 0 || l->deny.n > 0 ||
				      l->proxy_protocol.n > 0;
}

void
config_settle(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	int old = (int)h->conf_fd;

	if (!w->conf_is_given)
		return;
	tx_begin(&w->arena);
	arena_set(&w->arena, &h->conf_generation, w->env->conf_generation);
	arena_set(&w->arena, &h->conf_fd, w->env->conf);
	tx_commit(&w->arena);
	w->conf_is_given = false;
	w->page->conf_generation = h->conf_generation;
	if (old != w->env->conf)
		fd_close(&old);
}

void
config_apply(struct worker *w)
{
	struct chat_limits limits = { .topic_bytes =
					      w->conf->limits.topic_bytes };

	/* No limit of its own: what a frame and the configuration carry. */
	if (limits.topic_bytes == 0)
		limits.topic_bytes = CONF_TOPIC_LEN - 1;

	log_set_level((enum log_level)w->conf->log.level);
	chat_set_limits(w->chat, &limits);
	for (uint32_t i = 0; i < w->conf->n_rooms; i++)
		chat_set_echo(w->chat, slice_str(w->conf->room[i].name),
			w->conf->room[i].echo);
	w->page->conf_generation = w->arena.head->conf_generation;
	w->page->quota = w->arena.head->quota;
	for (unsigned i = 0; i < ARENA_KINDS; i++) {
		w->kind[i].options.line_max = w->conf->limits.line_bytes;
		kind_listen(w, i);
	}
}

static void
kind_open(struct worker *w, unsigned at)
{
	const struct arena_kind *a = &w->arena.head->kind[at];
	struct kind *k = &w->kind[at];
	char name[sizeof a->charset + 1];

	/* Of an arena that may be damaged. */
	(void)snprintf(
		name, sizeof name, "%.*s", (int)sizeof a->charset, a->charset);
	charset_close(&k->charset);
	/* A converter is a library, which a sandbox does not let in. */
	if (w->sandbox & SANDBOX_NO_NEW_PRIVS && !charset_is_utf8(name))
		w->anew = true;
	/* The configuration was checked: only a charset that was uninstalled
	 * since can fail, and then UTF-8 is the least bad. */
	else if (charset_open(name, &k->charset) < 0)
		k->charset = NULL;
	k->protocol = a->raw ? &protocol_raw : &protocol_text;
	k->options.charset = k->charset;
	k->options.line_max = w->conf->limits.line_bytes;
	k->guarded = false;
	kind_listen(w, at);
}

void
config_kinds_open(struct worker *w)
{
	for (unsigned i = 0; i < ARENA_KINDS; i++)
		if (w->arena.head->kind[i].listen != 0)
			kind_open(w, i);
}

static struct arena_kind
kind_from(const struct conf_listen *l)
{
	struct arena_kind k = { .listen = name_hash(l),
		.raw = l->mode == CONF_MODE_RAW,
		.flush_after_ms = l->flush_after_ms,
		.echo = l->echo };

	if (k.raw && k.flush_after_ms == 0)
		k.flush_after_ms = RAW_FLUSH_MS;
	(void)snprintf(k.room, sizeof k.room, "%.*s", NAME_MAX_LEN, l->room);
	(void)snprintf(k.charset, sizeof k.charset, "%s", l->charset);
	return k;
}

static bool
kind_in_use(const struct worker *w, unsigned at)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++)
		if (w->arena.head->listener[i].fd >= 0 &&
			w->arena.head->listener[i].kind == at)
			return true;
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++)
		if (w->arena.session[fd].id != 0 &&
			w->arena.session[fd].kind == at)
			return true;
	return false;
}

/* Reloads may bring ever new kinds: one that no session has makes room. */
static unsigned
kind_place(const struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	for (unsigned i = 0; i < ARENA_KINDS; i++)
		if (h->kind[i].listen == 0)
			return i;
	for (unsigned i = 0; i < ARENA_KINDS; i++)
		if (!kind_in_use(w, i))
			return i;
	/* 64 kinds with clients in each: the newest shares the last. */
	return ARENA_KINDS - 1;
}

static uint16_t
kind_for(struct worker *w, const struct conf_listen *l)
{
	const struct arena_head *h = w->arena.head;
	struct arena_kind want = kind_from(l);
	unsigned at;

	for (at = 0; at < ARENA_KINDS; at++)
		if (!memcmp(&h->kind[at], &want, sizeof want))
			return (uint16_t)at;
	at = kind_place(w);
	arena_copy(&w->arena, &h->kind[at], &want, sizeof want);
	kind_open(w, at);
	return (uint16_t)at;
}

void
config_listeners(struct worker *w)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];

		if (l->fd >= 0 &&
			!(l->flags & (LISTENER_LEAVING | LISTENER_PREPARED)) &&
			l->listen < w->conf->n_listen)
			arena_set(&w->arena, &l->kind,
				kind_for(w, &w->conf->listen[l->listen]));
	}
}
