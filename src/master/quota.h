/* quota.h - max_clients spread over the slots.
 *
 * Each slot may take in clients up to its quota; what is not given to any is
 * the pool.  A slot that wants more gets it from the pool, else others are
 * asked to give back what they do not use.  The sum never passes the total by
 * giving: only a reload that lowers the total leaves it above, until enough
 * came back. Pure: the caller sends and receives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_QUOTA_H
#define BANTER_MASTER_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_SLOTS 64

struct quota_slot {
	uint32_t quota;   /* as the slot may believe, at most */
	uint32_t clients; /* the caller's latest knowledge */
	uint32_t cap;     /* by its descriptors */
	uint32_t ask;     /* what the recall that is under way leaves */
	bool wants;
	bool recalled; /* its answer is awaited: nothing is given meanwhile */
	bool mute;     /* does not answer now: nobody waits for it */
	bool away;     /* has no worker: is not asked and given nothing */
	bool leaving;  /* drains: has no share, gives back all it does not use,
			* and is given a little when somebody waits in its own
			* queue */
};

struct quota {
	unsigned n;
	uint32_t total;
	struct quota_slot slot[QUOTA_SLOTS]; /* from 0 */
};

/* Even shares. */
void quota_init(struct quota *q, unsigned n, uint32_t total, uint32_t cap);

/* There are n slots now, more than before: the new ones are away. */
void quota_grow(struct quota *q, unsigned n, uint32_t cap);
uint32_t quota_pool(const struct quota *q);

/* One round: give to those who want, decide whom to ask.  Bit i of *ret_given:
 * slot i has a new quota, of *ret_asked: it is to give back what is above
 * slot[i].ask. */
void quota_round(struct quota *q, uint64_t *ret_given, uint64_t *ret_asked);

/* The answer to a recall.  False: it keeps more than it had. */
bool quota_kept(struct quota *q, unsigned i, uint64_t kept);

/* Its worker is gone for long: its places go back to the pool. */
void quota_away(struct quota *q, unsigned i);

/* A worker is ready in it: an even share, as far as there is one.  The quota
 * that it has now must be sent. */
void quota_back(struct quota *q, unsigned i);

/* The slot begins to drain, or drains no more: then it wants a share again. */
void quota_leave(struct quota *q, unsigned i);
void quota_stay(struct quota *q, unsigned i);

/* Does anything wait for a next round? */
bool quota_is_pressed(const struct quota *q);

#endif
