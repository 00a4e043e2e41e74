/* account.h - was everything shown, once, in one order?
 *
 * A message is {source, number from 1, time, checksum}.  Sources of numbered
 * events are the publishers, and with --mixed those who change their nicks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_ACCOUNT_H
#define BANTER_LOAD_ACCOUNT_H

#include "load.h"

/* A numbered line as it was read. */
struct account_line {
	unsigned source;
	uint32_t number;
	uint64_t sent_ns; /* 0: it took its time on purpose */
};

void account_client(const struct load *l, struct client *c);

/* Write message number of a source, with its newline.  The length. */
size_t account_write(
	const struct load *l, struct account_line what, char *out, size_t cap);

/* Read it back; false when it is not as it was written. */
bool account_parse(const char *text, struct account_line *ret);

/* The source has handed over its next line or change. */
void account_sent(struct load *l, struct client *source);

/* A line that a client was shown, without its newline. */
void account_shown(struct load *l, struct client *c, char *line);

/* c was shown this event of its room. */
void account_event(
	struct load *l, struct client *c, unsigned source, uint32_t number);

/* Something came just now that was sent then. */
void account_took(struct load *l, uint64_t sent_ns);

/* Have all clients that are open been shown all? */
bool account_complete(const struct load *l);

/* Add up: expected, lost, disordered, missed. */
void account_finish(struct load *l);

#endif
