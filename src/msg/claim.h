/* claim.h - what a slot asks of the registry on behalf of a session.
 *
 * chat/ makes claims, the worker puts them on the bus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_CLAIM_H
#define BANTER_MSG_CLAIM_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum claim_type {
	CLAIM_NICK,  /* target: the nick */
	CLAIM_JOIN,  /* target: the room */
	CLAIM_PART,  /* room */
	CLAIM_WHO,   /* target: the room */
	CLAIM_ROOMS, /* target: prefix */
	CLAIM_MSG,   /* target: the receiver, nick: the sender, text */
	CLAIM_TOPIC, /* room, nick, text */
	CLAIM_SAY,   /* room, nick, text */
	CLAIM_GONE   /* text: reason */
};

struct claim {
	enum claim_type type;
	uint32_t room;                 /* the master's id */
	bool action, raw, quiet, echo; /* as the flags of the bus */
	struct slice target, nick, text;
};

#endif
