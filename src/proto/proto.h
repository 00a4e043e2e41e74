/* proto.h - the contract of a protocol: bytes to requests, events to bytes.
 *
 * A protocol is pure: no socket, no clock, no log, no room.  What it has to
 * remember of a client between calls is 64 bits of state and the unfinished
 * line, both kept by the caller.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_PROTO_PROTO_H
#define BANTER_PROTO_PROTO_H

#include "base/buf.h"
#include "base/slice.h"
#include "msg/event.h"
#include "msg/request.h"

#include <stdbool.h>
#include <stdint.h>

struct charset;

enum proto_status {
	PROTO_MORE,      /* all bytes were taken, no request is complete */
	PROTO_DONE,      /* a request is complete; there may be more bytes */
	PROTO_MALFORMED, /* this is not the protocol: request says what was
			  * seen (REQUEST_REFUSED); close the client */
	PROTO_TOO_LONG   /* over the limit (REQUEST_REFUSED); the rest of it
			  * will be dropped; the client goes on */
};

/* What a listener's configuration means to its protocol. */
struct proto_options {
	uint32_t line_max;             /* bytes of a line as received */
	const struct charset *charset; /* NULL: UTF-8 */
};

#define PROTO_LINE_CAP 4096 /* bytes of an unfinished line at most */

/* A client's side of a protocol.  All zero at the start of a connection. */
struct proto_client {
	uint64_t state; /* the protocol's own bits */
	uint32_t len;   /* bytes of the unfinished line */
	char *line;     /* PROTO_LINE_CAP bytes of the caller's */
};

struct protocol {
	const char *name;

	/* Take bytes from the front of *in, which is advanced, until a request
	 * is complete or they are used up.  request borrows from c->line, *in
	 * and memory of its own, until the next call.  What the protocol itself
	 * has to answer (telnet options) is appended to reply; it needs 64
	 * bytes of room. */
	enum proto_status (*input)(struct proto_client *c,
		const struct proto_options *o, struct slice *in,
		struct request *request, struct buf *reply);

	/* No byte has come for the listener's flush_after, or (at_end) none
	 * will ever come: make a request of what is there.  DONE or MORE
	 * (nothing was there), or as input(). */
	enum proto_status (*flush)(struct proto_client *c,
		const struct proto_options *o, bool at_end,
		struct request *request);

	/* The bytes of one event for clients of this variant.  Appends nothing
	 * when the protocol does not show it. */
	void (*encode)(const struct event *e, const struct proto_options *o,
		uint32_t variant, struct buf *out);

	/* Which encoding a client in this state gets: clients of one listener
	 * with the same variant share one copy of the bytes. */
	uint32_t (*variant)(uint64_t state);

	/* Set what /time chose. */
	uint64_t (*set_time)(uint64_t state, bool on);

	/* Does it greet, and understand commands? */
	bool has_notices;
};

#define PROTO_EVENT_CAP 32768 /* bytes of one encoded event at most */

extern const struct protocol protocol_text;
extern const struct protocol protocol_raw;

#endif
