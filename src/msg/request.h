/* request.h - what a client asks for, in words that every protocol shares.
 *
 * A protocol makes requests of bytes; chat/ acts on them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_REQUEST_H
#define BANTER_MSG_REQUEST_H

#include "base/slice.h"
#include "msg/refusal.h"

#include <stdbool.h>
#include <stdint.h>

enum request_type {
	REQUEST_NONE,   /* nothing to do (an empty line, a telnet option) */
	REQUEST_SAY,    /* text to the current room */
	REQUEST_ACTION, /* the same, as something done: /me */
	REQUEST_RAW,    /* bytes to the current room, of any value */
	REQUEST_NICK,   /* target: the nick wanted; empty: tell mine */
	REQUEST_JOIN,   /* target: room */
	REQUEST_PART,   /* target: room, empty: the current one */
	REQUEST_ROOMS,  /* target: only those that begin so; may be empty */
	REQUEST_WHO,    /* target: room, empty: the current one */
	REQUEST_MSG,    /* target: nick; text */
	REQUEST_TOPIC,  /* text; has_text false: tell the topic */
	REQUEST_ECHO,   /* on, or has_text false: tell */
	REQUEST_TIME,   /* on, or has_text false: tell */
	REQUEST_LIMITS,
	REQUEST_HELP,   /* target: command without the slash; may be empty */
	REQUEST_QUIT,   /* text: the reason; may be empty */
	REQUEST_REFUSED /* refusal says why; target what it was about */
};

struct request {
	enum request_type type;
	struct slice target, text; /* borrowed from the protocol's input:
				    * valid until it is called again */
	bool has_text, on;
	enum refusal refusal;
	uint64_t number; /* a limit that the refusal names */
};

#endif
