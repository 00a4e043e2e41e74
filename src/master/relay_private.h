/* relay_private.h - the relay log's memory, for its own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELAY_PRIVATE_H
#define BANTER_MASTER_RELAY_PRIVATE_H

#include "bus/wire.h"
#include "master/gap.h"
#include "master/relay.h"
#include "msg/session_id.h"

#define RELAY_STATE_VERSION 1
#define RELAY_STATE_SIZE    4096

/* Positions count bytes since the log began and never go back; a position's
 * place in the ring is its remainder by the size. */
struct relay_state {
	uint64_t version;
	uint64_t size;
	uint64_t head;
	uint64_t entered; /* masks of slots */
	uint64_t pending;
	uint64_t renumber; /* the next batch may be number 1 */
	struct {
		uint64_t cursor;   /* of a pending slot */
		uint64_t last_in;  /* number of the last batch from it */
		uint64_t last_out; /* of the last one to it */
	} slot[SLOTS_MAX];
};

_Static_assert(sizeof(struct relay_state) <= RELAY_STATE_SIZE, "one page");

/* A mask of zero fills the ring up to its end. */
struct record {
	uint64_t mask;
	struct bus_frame frame;
};

struct relay {
	int fd;
	char *ring;
	struct relay_state *state;
	uint64_t tail;    /* no pending cursor is before it */
	uint64_t touched; /* bytes of the ring, from its start */
	uint64_t rush_ms; /* when more than REST_BYTES were last in use */
	uint64_t lost;
	uint64_t built_end; /* where the datagram's cursors go */
	bool built_of_gap;
	struct bus_writer writer;
	struct gap gap[SLOTS_MAX];
	_Alignas(8) char datagram[BUS_BATCH_MAX];
};

#endif
