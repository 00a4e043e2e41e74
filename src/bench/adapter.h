/* adapter.h - the protocols that a server may speak: one file and one struct
 * each.
 *
 * Pure: bytes in, items out, bytes to send appended to what the caller gives.
 * An adapter knows no sockets, no time and no measuring.  All that it remembers
 * of a connection is `step`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_ADAPTER_H
#define BANTER_BENCH_ADAPTER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest item that is waited for, in bytes: more is damage. */
#define ADAPTER_ITEM_MAX (256u << 10)

struct bench_adapter;

/* Who is on a connection; step is the adapter's and begins as 0. */
struct bench_who {
	const char *room; /* the name of its room, NUL-terminated */
	uint32_t id;
	uint8_t step;
	char run;    /* a letter that another run has not, most likely: a server
		      * may    not have noticed yet that the one before has ended
		      */
	bool member; /* it is to be shown what is said in the room */
	bool own;    /* and what it says itself */
	bool alone;  /* it talks to itself only */
};

enum bench_item {
	BENCH_MORE,    /* the rest is the beginning of an item */
	BENCH_NOTHING, /* nothing that matters, now taken off */
	BENCH_READY,   /* it is set up */
	BENCH_MESSAGE, /* somebody's, *ret_text */
	BENCH_REFUSED, /* the server objects, in the words of *ret_text */
	BENCH_BAD      /* this is not the protocol */
};

struct bench_adapter {
	const char *name;
	bool own;        /* a sender in the room is shown its own message,
			  * unless who->own says otherwise */
	bool own_choice; /* ... which the client decides */
	bool joins;      /* whoever talks in a room is in it */
	bool one_room;   /* there is no other */
	bool probe;      /* the server never tells that a client is set up */
	bool ends_in_lf; /* a text has no LF of its own: the protocol adds it */

	/* What to send when the connection is there. */
	void (*hello)(struct bench_who *who, struct buf *out);

	/* Take one item off the front of *in.  What has to be sent because of
	 * it is appended to out.  *ret_text points into *in. */
	enum bench_item (*next)(struct bench_who *who, struct slice *in,
		struct slice *ret_text, struct buf *out);

	/* The bytes that say this text in the room of who. */
	void (*publish)(const struct bench_who *who, struct slice text,
		struct buf *out);
};

extern const struct bench_adapter bench_banter, bench_raw, bench_line,
	bench_irc, bench_mqtt, bench_nats, bench_redis;

/* NULL: there is none of this name. */
const struct bench_adapter *bench_adapter_find(const char *name);

/* For those that speak in lines: take one off, without LF and CR.  False: it
 * is not complete. */
bool bench_line_take(struct slice *in, struct slice *ret_line);

static inline bool
bench_starts(struct slice s, struct slice with)
{
	return s.len >= with.len && !memcmp(s.p, with.p, with.len);
}

#endif
