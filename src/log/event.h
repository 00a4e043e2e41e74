/* event.h - the fixed events of the log, for people and for fail2ban.
 *
 *   event=NAME addr=ADDRESS port=PORT [key=value ...] [nick="..."] [text="..."]
 *
 * What a client chose is quoted, escaped and last, so that no nick forges an
 * addr=.  Rate-limited per event.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOG_EVENT_H
#define BANTER_LOG_EVENT_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_event_type {
	LOG_CONNECT,   /* a client was taken in */
	LOG_JOIN,      /* it joined a room: room="..." */
	LOG_REFUSE,    /* turned away: reason=full|address */
	LOG_FLOOD,     /* its input is slowed, or it is closed */
	LOG_MALFORMED, /* closed: it spoke another protocol */
	LOG_KICK,      /* closed by an administrator */
	LOG_SUSPECT,   /* closed: what it sent has ended a worker */
	LOG_CLOSE      /* ended: reason=, bytes_in=, bytes_out=, seconds= */
};

struct log_client {
	const uint8_t *address; /* 16 bytes, IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	bool local; /* a UNIX socket: addr=local port=0 */
};

/* keys: "reason=full" and such, of the server's own words; may be "".
 * what: the name of the last, quoted value, e.g. "nick"; value may be empty:
 * then it is left out. */
void log_event(enum log_event_type type, const struct log_client *client,
	const char *keys, struct slice nick, const char *what,
	struct slice value);

#endif
