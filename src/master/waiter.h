/* waiter.h - a request that waits for something in the master.
 *
 * It ends by waiter_finish(), by the peer's leaving, or by waiters_end(); its
 * request is answered exactly once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_WAITER_H
#define BANTER_MASTER_WAITER_H

#include "bus/bans.h"
#include "master/control.h"
#include "master/loop.h"
#include "msg/name.h"

struct commands;

struct waiter {
	struct commands *commands;
	struct control_request *request; /* NULL: the peer has left */
	struct waiter *next, **link;
	bool held;               /* somebody still calls back with it: it
				  * outlives its request */
	const char *at_stop;     /* what to say when the server stops; NULL: it
				  * was refused */
	struct loop_timer timer; /* cleared with the waiter */

	/* kick */
	uint64_t session, until_ms;
	char nick[NAME_MAX_LEN];
	size_t nick_len;
	/* kick --ban */
	uint64_t tag; /* of the question for its address; 0: none */
	uint64_t ban_ms;
	char reason[BANS_REASON_MAX + 1];
	char note[240]; /* about the ban; "" for none */
	/* rooms, bans */
	uint32_t at, left;
};

struct waiter *waiter_new(struct commands *c, struct control_request *r);

/* Take the waiter out and give the request back for control_finish(); NULL: the
 * peer has left. */
struct control_request *waiter_end(struct waiter *w);

#endif
