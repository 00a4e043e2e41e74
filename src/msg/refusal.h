/* refusal.h - why a request was refused, or a client turned away.
 *
 * The numbers travel on the bus: add at the end only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_REFUSAL_H
#define BANTER_MSG_REFUSAL_H

enum refusal {
	REFUSAL_NONE,
	REFUSAL_UNKNOWN_COMMAND,  /* target: the command, with its slash */
	REFUSAL_MISSING_ARGUMENT, /* target: the command, with its slash */
	REFUSAL_BAD_ARGUMENT,     /* target: the command, with its slash */
	REFUSAL_LINE_TOO_LONG,    /* number: the limit in bytes */
	REFUSAL_NICK_INVALID,     /* target: the nick */
	REFUSAL_NICK_TOO_LONG,    /* number: the limit in bytes */
	REFUSAL_NICK_RESERVED,    /* target: the nick */
	REFUSAL_NICK_IN_USE,      /* target: the nick */
	REFUSAL_NO_SUCH_NICK,     /* target: the nick */
	REFUSAL_ROOM_INVALID,     /* target: the room */
	REFUSAL_ROOM_TOO_LONG,    /* number: the limit in bytes */
	REFUSAL_NO_SUCH_ROOM,     /* target: the room */
	REFUSAL_NOT_IN_ROOM,      /* target: the room; empty: in none at all */
	REFUSAL_ALREADY_IN_ROOM,  /* target: the room */
	REFUSAL_CREATE_ROOMS_OFF, /* target: the room */
	REFUSAL_TOO_MANY_ROOMS,   /* number: rooms_per_client */
	REFUSAL_ROOMS_FULL,       /* number: rooms of the whole server */
	REFUSAL_TOPIC_TOO_LONG,   /* number: the limit in bytes */
	REFUSAL_NOT_TEXT,         /* target: "HTTP" or "TLS"; the client is
				   * closed */
	REFUSAL_SERVER_FULL,      /* number: max_clients; closed */
	REFUSAL_TOO_MANY_FROM_ADDRESS, /* number: clients_per_ip; closed */
	REFUSAL_FLOOD,  /* too fast; closed (on_flood = "close") */
	REFUSAL_DENIED, /* by allow and deny; closed */
	REFUSAL_BANNED, /* target: the reason, or empty; closed */
	REFUSAL_N
};

#endif
