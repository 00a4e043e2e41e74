/* previous.h - the record of a client in the layout before this one: what
 * convert.c reads, and what a test build of that layout has as its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_PREVIOUS_H
#define BANTER_ARENA_PREVIOUS_H

#include <stdint.h>

struct session_previous {
	uint64_t id, cookie, proto_state, rx_total, tx_total;
	uint64_t q_word;
	uint64_t q_ring; /* {capacity, block of the ring}; 0: inline */
	uint32_t q_head, q_head_sent;
	uint32_t q_inline[2];
	uint32_t q_bytes, missed;
	uint16_t state, flags, kind, port;
	uint32_t line, held, held_at, nick;
	uint32_t tokens, tokens_ms, active_s, since_s;
	uint16_t n_rooms, awaited;
	uint32_t current; /* room index or ARENA_NONE */
	uint32_t room[2]; /* room indexes, oldest first */
	uint32_t rooms;   /* all of them, when more than fit inline */
	uint32_t missed_room;
	uint8_t address[16];
};

#endif
