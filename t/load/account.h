/* account.h - was everything shown, once, in one order?
 *
 * A message is {publisher, number from 1, time, checksum}.  Each client keeps
 * what it was shown; at the end the longest sequence of a room is the order,
 * and every other must be a subsequence of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_ACCOUNT_H
#define BANTER_LOAD_ACCOUNT_H

#include "load.h"

void account_client(const struct load *l, struct client *c);

/* Write message number of a publisher, with its newline.  The length. */
size_t account_line(const struct load *l, unsigned publisher, unsigned number,
	char *out, size_t cap);

/* A line that a client was shown, without its newline. */
void account_shown(struct load *l, struct client *c, char *line);

/* Have all clients that are open been shown all? */
bool account_complete(const struct load *l);

/* Add up: expected, lost, disordered, missed. */
void account_finish(struct load *l);

#endif
