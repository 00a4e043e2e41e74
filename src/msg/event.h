/* event.h - what a client is told, in words that every protocol shares.
 *
 * chat/ makes events; a protocol encodes them.  Which fields an event uses is
 * said beside it; the others are empty.  Slices are borrowed for the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_EVENT_H
#define BANTER_MSG_EVENT_H

#include "base/slice.h"
#include "msg/refusal.h"

#include <stdbool.h>
#include <stdint.h>

enum event_type {
	EVENT_NONE,
	EVENT_SAY,          /* room, nick, text */
	EVENT_ACTION,       /* room, nick, text */
	EVENT_RAW,          /* room, nick, text: bytes of any value */
	EVENT_PRIVATE,      /* nick of the sender, text */
	EVENT_PRIVATE_SENT, /* nick of the receiver, text */
	EVENT_WELCOME,      /* text: name of the server; nick: your own */
	EVENT_MOTD,         /* text: one line of the file */
	EVENT_JOINED,       /* you: room, list of the others' nicks, number of
			     * all others, text: topic or empty */
	EVENT_JOIN,         /* another: room, nick */
	EVENT_PARTED,       /* you: room, text: the room that is current now,
			     * or empty */
	EVENT_PART,         /* another: room, nick */
	EVENT_QUIT,         /* another: nick, text: reason or empty */
	EVENT_NICK_IS,      /* you: nick, as asked or as set */
	EVENT_NICK,         /* another: nick was, text is */
	EVENT_TOPIC,        /* room, nick of who set it, text: empty = none */
	EVENT_TOPIC_IS,     /* room, text: empty = none */
	EVENT_WHO,          /* room, list, number of all members */
	EVENT_ROOMS,        /* list of {name, members, topic}: see below;
			     * number of all rooms */
	EVENT_ECHO_IS,      /* on */
	EVENT_TIME_IS,      /* on */
	EVENT_LIMIT,        /* one limit: nick: its key, text: its value */
	EVENT_HELP,         /* text: command without slash, empty for all */
	EVENT_MISSED,       /* number of messages that were not shown;
			     * room: where, or empty */
	EVENT_REFUSED,      /* refusal, text: its target, number */
	EVENT_FLOOD,        /* your input is read no faster than number lines a
			     * second */
	EVENT_IDLE,         /* you will be closed in number seconds */
	EVENT_CLOSING,      /* text: why; the last that a client is told */
	EVENT_HINT,         /* how to begin: once, after the first JOINED */
	EVENT_N
};

struct event {
	enum event_type type;
	enum refusal refusal;
	bool on;
	uint64_t time_ms;  /* of the server's clock, since 1970 */
	uint64_t sequence; /* room sequence of SAY, ACTION, RAW; else 0 */
	uint64_t number;
	struct slice room, nick, text;
	struct slice list; /* names, each ended by LF; for EVENT_ROOMS each
			    * line is NAME SP MEMBERS SP TOPIC */
};

#endif
