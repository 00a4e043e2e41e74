/* banlist.h - the bans, and the file that they outlive a restart in.
 *
 * One line each, sorted:
 *
 *   NETWORK SINCE UNTIL UID [REASON]
 *   192.0.2.0/24 2026-11-20T20:12:46Z - 0 please be kind
 *
 * with times in UTC, "-" for no end, and the uid of whoever asked for it.
 * Empty lines and those that begin with # are passed over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_BANLIST_H
#define BANTER_MASTER_BANLIST_H

#include "base/pack.h"
#include "bus/bans.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BANLIST_MAX  100000 /* the range of the key bans */
#define BANLIST_LINE 512    /* bytes of a line, its end included */

struct ban {
	struct conf_net net;
	uint64_t since_ms, until_ms; /* wall clock; until 0: for ever */
	uid_t by;
	char reason[BANS_REASON_MAX + 1]; /* plain text, may be empty */
};

struct banlist;

/* An empty list, to be kept in the folder's file "bans". */
struct banlist *banlist_new(const char *folder);
void banlist_free(struct banlist **list);

/* Read the file; what is wrong with it is logged as FILE:LINE, and that line
 * left out.  0 also without a file; -errno: it cannot be read, and is not
 * written either, so that nothing is lost. */
int banlist_load(struct banlist *list);

/* The list for the next image, which then need not read the file: it has what
 * could not be written too.  False: it is damaged. */
void banlist_pack(const struct banlist *list, struct pack *p);
bool banlist_unpack(struct banlist *list, struct unpack *u);

/* Write the file: beside it, to the disk, and in its place.  0 or -errno: then
 * the old one stays. */
int banlist_save(const struct banlist *list);
const char *banlist_path(const struct banlist *list);

/* Put one in, in place of one of the same network.  1: it was replaced; 0;
 * -ENOSPC: there are as many as `most`. */
int banlist_add(struct banlist *list, const struct ban *ban, uint32_t most);
/* 0 or -ENOENT. */
int banlist_del(struct banlist *list, const struct conf_net *net);

/* Take out what is over.  How many; each is logged. */
uint32_t banlist_expire(struct banlist *list, uint64_t now_ms);
/* When the next one is over; 0: none will be. */
uint64_t banlist_next_end(const struct banlist *list);

uint32_t banlist_count(const struct banlist *list);
/* In the order of bans_compare().  Borrowed until the next change. */
const struct ban *banlist_at(const struct banlist *list, uint32_t i);

/* As bans_seal() has it.  The descriptor or -errno. */
int banlist_seal(const struct banlist *list);

/* One line of the file, without its end.  NULL, or what is wrong with it. */
const char *banlist_parse(char *line, struct ban *ret);
void banlist_print(const struct ban *ban, struct buf *b);

/* Valid UTF-8 without control characters that fits. */
bool banlist_reason_ok(struct slice reason);

#endif
