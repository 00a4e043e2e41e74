/* session_id.h - the identity of a client's connection.
 *
 * {slot, number}: 16 bits of slot, counted from 1, and 48 bits that are never
 * used again in that slot, so that a late answer never reaches the next client
 * on the same descriptor.  0 is no session.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_SESSION_ID_H
#define BANTER_MSG_SESSION_ID_H

#include <stdint.h>

#define SLOTS_MAX 64 /* slots of one daemon: a relay mask is 64 bits wide */

static inline uint64_t
session_id(unsigned slot, uint64_t number)
{
	return (uint64_t)slot << 48 | number;
}

static inline unsigned
session_id_slot(uint64_t id)
{
	return (unsigned)(id >> 48);
}

static inline uint64_t
session_id_number(uint64_t id)
{
	return id & ((UINT64_C(1) << 48) - 1);
}

#endif
