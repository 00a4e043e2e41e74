/* actor.h - clients that do other things than to read.
 *
 * Of the o.mixed clients behind the publishers a quarter each reads and gets
 * private messages, sends them, changes its nick, enters and leaves a room of
 * its own.  Each does its next thing only when the one before was answered,
 * half a second to a second and a half apart, and every other line goes out in
 * two parts.  Of the publishers every other one sends some lines so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_ACTOR_H
#define BANTER_LOAD_ACTOR_H

#include "load.h"

void actor_init(const struct load *l, struct client *c);

/* Everybody does what is due. */
void actor_due(struct load *l);

/* A server's line, or a private one: true when it is known. */
bool actor_shown(struct load *l, struct client *c, char *line);

/* All were answered, and all private messages have come. */
bool actor_complete(const struct load *l);
void actor_finish(struct load *l);

#endif
