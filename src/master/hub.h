/* hub.h - the middle of the star: bus ends, relay log and registry.
 *
 * The hub reads what slots send, has the registry decide, stamps sequence and
 * time, appends each frame once to the relay log and sends each slot what its
 * cursor has not had.  It never waits for a slot, and it reads a bounded amount
 * from one slot per turn.  It runs in the master and knows no process: the
 * master gives it descriptors and is told of violations.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_HUB_H
#define BANTER_MASTER_HUB_H

#include "base/pack.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct hub;

/* Make a hub whose relay log is a memfd of conf->relay_log bytes.  conf is
 * borrowed until hub_reconfigure().  NULL with errno set. */
struct hub *hub_new(const struct conf *conf, unsigned n_slots);
void hub_free(struct hub **hub);

/* For the next image of the master, at the end of a turn.  The relay log's
 * memfd goes with it; the slots are to be opened again, with hub_slot_open().
 * rehearse: nothing that is done reaches the memfd.  NULL: of another version,
 * or damaged. */
int hub_relay_fd(const struct hub *hub);
void hub_save(struct hub *hub, struct pack *p);
struct hub *hub_restore(const struct conf *conf, unsigned n_slots,
	int *relay_fd, struct unpack *u, bool rehearse);

/* There are n_slots now, at least as many as before. */
void hub_grow(struct hub *hub, unsigned n_slots);

/* New limits and rooms: configured rooms are made, topics that nobody changed
 * follow the file, rooms that are configured no longer vanish when empty. */
void hub_reconfigure(struct hub *hub, const struct conf *conf);

/* The master's end of a slot's bus (non-blocking; borrowed until
 * hub_slot_close).  The cursor starts at the head of the log. */
void hub_slot_open(struct hub *hub, unsigned slot, int bus_fd);
void hub_slot_close(struct hub *hub, unsigned slot);

/* The slot's worker has ended with all its sessions: forget them, tell their
 * rooms (reason as in "ann has left (reason)"), move the cursor to the head.
 * Batches that are already in the socket are read and dropped first. */
void hub_slot_reset(struct hub *hub, unsigned slot, struct slice reason);

/* Read at most a bounded number of batches of a slot that is readable.
 * 1: there may be more, 0: nothing left, -EPROTO: the worker broke the protocol
 * (hub_violation() says how: kill it), -EPIPE: end of file. */
int hub_slot_read(struct hub *hub, unsigned slot);
const char *hub_violation(const struct hub *hub);

/* End of the master's turn: send every slot what it may have.  Slots whose
 * socket is full are remembered: wait for it to become writable and call
 * again. */
void hub_turn_end(struct hub *hub);
bool hub_slot_wants_write(const struct hub *hub, unsigned slot);

/* What the registry knows. */
uint32_t hub_clients(const struct hub *hub, unsigned slot); /* 0: all slots */
uint32_t hub_rooms(const struct hub *hub);
uint64_t hub_session_by_nick(const struct hub *hub, struct slice nick);

struct hub_room {
	struct slice name, topic; /* borrowed until the next hub call */
	uint32_t members;
	uint64_t sequence; /* of its last message */
	bool configured;
};
/* The at-th room by the order of making, from 0; false at the end. */
bool hub_room_at(const struct hub *hub, uint32_t at, struct hub_room *ret);

struct hub_stats {
	uint64_t messages; /* sequenced */
	uint64_t frames_in, batches_in, batches_out, bytes_in, bytes_out;
	uint64_t gaps;      /* messages that some slot was not given */
	uint64_t log_bytes; /* in use now, for the slowest cursor */
	uint64_t log_size;
	uint64_t refused_full, refused_address;
};
struct hub_stats hub_stats(const struct hub *hub);

/* Frames that the slot has not been given yet. */
uint64_t hub_slot_behind(const struct hub *hub, unsigned slot);

#endif
