/* wire.h - what travels between the master and a slot.
 *
 * Two SOCK_SEQPACKET socketpairs per slot, made by the master before the fork:
 * `bus` carries batches of frames (this file), `ctl` commands and answers
 * (ctl.h).  All numbers are in the byte order of the machine: both ends always
 * run on it.
 *
 *   datagram = struct bus_batch, then frames back to back
 *   frame    = struct bus_frame, then length - sizeof(struct bus_frame) bytes
 *              of body, then zeros up to a multiple of 8
 *
 * A body is fixed fields, as the struct named beside the type, then strings.
 * A string is its length as u16 and that many bytes, unaligned (bus_put_str,
 * bus_get_str).  "tail:" is a run of bytes up to the frame's end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BUS_WIRE_H
#define BANTER_BUS_WIRE_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define BUS_VERSION 1

/* Bytes of a datagram: more than one must fit in a quarter of SO_SNDBUF, else
 * EPOLLOUT comes only after the pipe ran empty. */
#define BUS_BATCH_MAX 16384
#define BUS_SNDBUF    212992

struct bus_batch {
	uint32_t version; /* BUS_VERSION */
	uint32_t n_frames;
	uint64_t number; /* 1, 2, 3 ... of this sender on this bus, kept across
			  * deaths: a number already had is dropped */
};

enum bus_type {
	/* Worker to master.  sender is the session that asks. */
	BUS_CONNECT = 1, /* struct bus_connect */
	BUS_GONE,        /* a session has ended; string reason */
	BUS_NICK,        /* string nick */
	BUS_JOIN,        /* string room; flag BUS_QUIET: raw, no answer shown */
	BUS_PART,        /* room */
	BUS_WHO,         /* string room */
	BUS_ROOMS,       /* string prefix */
	BUS_MSG,         /* string receiver, string sender's nick, tail: text */
	BUS_TOPIC,       /* room; string nick, tail: topic */
	BUS_SAY,         /* room; string nick, tail: text; flags say the kind.
			  * Master to slots: the same, sequenced */
	BUS_SYNC,        /* struct bus_sync, tail: u64 sessions, ascending: the
			  * slot has these and no others in that range */

	/* Master to a slot: answers.  session (in sender) is who asked. */
	BUS_CONNECTED = 32, /* struct bus_connected; then the answers to the
			     * autojoin rooms, each BUS_JOINED or BUS_REFUSED
			     * with BUS_AUTO */
	BUS_REFUSED,  /* struct bus_refused, string target; for BUS_CONNECT the
		       * worker turns the client away */
	BUS_NICK_SET, /* string nick */
	BUS_JOINED, /* room; struct bus_joined, string room name, string topic,
		     * tail: nicks of others, each ended by LF */
	BUS_PARTED, /* room */
	BUS_WHO_LIST,  /* struct bus_list, string room name, tail: nicks */
	BUS_ROOM_LIST, /* struct bus_list, tail: lines NAME SP MEMBERS SP TOPIC
			*/
	BUS_MSG_SENT,  /* string receiver's nick, tail: text */
	BUS_PRIVATE,   /* string sender's nick, tail: text; to the receiver */

	/* Master to slots: events of a room, shown to its members there but
	 * not to sender. */
	BUS_JOIN_EVENT = 48, /* room; string nick */
	BUS_PART_EVENT,      /* room; string nick */
	BUS_NICK_EVENT,      /* u32 n, n x u32 room; string old, string new:
			      * shown once to members of any of these rooms */
	BUS_GONE_EVENT,      /* u32 n, n x u32 room; string nick, string reason:
			      * likewise */
	BUS_TOPIC_EVENT,     /* room; string nick, tail: topic; to sender too */

	/* Master to a slot: what its cursor could not be given any more. */
	BUS_GAP = 60, /* struct bus_gap */
	BUS_TYPE_MAX = 63
};

enum bus_flag {
	BUS_ACTION = 1, /* SAY, MSG, PRIVATE: /me */
	BUS_RAW = 2,    /* SAY: bytes of any value */
	BUS_QUIET = 4,  /* JOIN */
	BUS_ECHO = 8, /* JOINED: the room echoes; SAY from a worker: the sender
		       * wants its own message back, so a gap counts it */
	BUS_AUTO = 16 /* JOINED: autojoin at connect, not asked for */
};

struct bus_frame {
	uint8_t version;   /* BUS_VERSION */
	uint8_t type;      /* enum bus_type */
	uint16_t flags;    /* enum bus_flag */
	uint32_t length;   /* of header and body, without the padding */
	uint32_t room;     /* id given by the master; 0: none */
	uint32_t spare;    /* 0 */
	uint64_t sender;   /* session */
	uint64_t sequence; /* room sequence of SAY; else 0 */
	uint64_t time_ms;  /* of the master, since 1970 */
};

struct bus_connect {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; zero: a UNIX socket */
	uint8_t local;       /* 1: a UNIX socket; counts under no address */
	uint8_t raw;         /* 1: no autojoin */
	uint8_t spare[6];
};

/* After a takeover.  All that was asked of the registry before is on the bus
 * before, so what it has beyond this was lost with an arena. */
struct bus_sync {
	uint64_t first, last; /* sessions of the slot, both included */
};

struct bus_connected {
	uint32_t n_joins; /* answers with BUS_AUTO that follow */
	uint32_t spare;
};

struct bus_refused {
	uint32_t refusal; /* enum refusal */
	uint32_t asked;   /* enum bus_type of the request */
	uint64_t number;
};

struct bus_joined {
	uint32_t n_others; /* members besides the one who joined */
	uint32_t spare;
};

struct bus_list {
	uint32_t n_all; /* entries there are; the tail may hold fewer */
	uint32_t spare;
};

/* `number` messages of `room` (0: private ones to `session`) were overtaken by
 * the tail of the relay log.  With session != 0 and room != 0, that many of
 * them were that session's own and would not have been shown to it. */
struct bus_gap {
	uint64_t session;
	uint64_t number;
};

#define BUS_FRAME_MAX (BUS_BATCH_MAX - (uint32_t)sizeof(struct bus_batch))

static inline uint32_t
bus_padded(uint32_t length)
{
	return (length + 7u) & ~7u;
}

/* Append a string as the wire has it.  b->over when it does not fit. */
void bus_put_str(struct buf *b, struct slice s);

/* Take a string off the front of *body.  False when it is not whole. */
bool bus_get_str(struct slice *body, struct slice *ret);

/* Copy a fixed struct of n bytes off the front of *body. */
bool bus_get(struct slice *body, void *ret, size_t n);

/* The body behind a frame's header. */
struct slice bus_body(const struct bus_frame *f);

/* Is this frame right in every length and flag for its direction?  A false is
 * a bug, or an attack, of the other process. */
bool bus_frame_ok(
	const struct bus_frame *f, size_t available, bool from_worker);

/* Walk the frames of a datagram.  Start with *at = 0; returns NULL at the end,
 * or when the rest is damaged (then *ret_damaged). */
const struct bus_frame *bus_next(
	struct slice datagram, size_t *at, bool from_worker, bool *ret_damaged);

/* A datagram being filled.  mem has BUS_BATCH_MAX bytes and is aligned to 8. */
struct bus_writer {
	char *mem;
	uint32_t len; /* bytes, sizeof(struct bus_batch) when empty */
	uint32_t n_frames;
};

void bus_writer_init(struct bus_writer *w, void *mem);
bool bus_writer_has_room(const struct bus_writer *w, uint32_t length);

/* Copy a frame (header and body) to the end.  There must be room. */
void bus_writer_add(
	struct bus_writer *w, const struct bus_frame *f, struct slice body);

/* Write the datagram's own header.  The datagram; empty when no frame is in. */
struct slice bus_writer_seal(struct bus_writer *w, uint64_t number);

#endif
