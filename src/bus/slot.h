/* slot.h - one worker's place, as the master hands it down through the fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BUS_SLOT_H
#define BANTER_BUS_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_LISTENERS_MAX 128
#define SLOT_VERSION_LEN   32
#define SLOT_COUNTER_ROOM  256

/* Of what an image hands down to a newer one that goes on in its place: struct
 * slot_env, struct slot_page and the arena's descriptors.  Both structs are
 * append-only: what an older image has not written reads as zero. */
#define SLOT_VERSION 1

/* Exit codes of a worker that mean something to its keeper or the master, among
 * those of the manual. */
enum slot_exit {
	SLOT_EXIT_REFUSED = 78, /* the configuration or the system: not to be
				 * started again before a reload */
	SLOT_EXIT_PARKED = 80,  /* all is in the arena: by CTL_PARK, or because
				 * it wants to be started anew */
	SLOT_EXIT_GIVEN_UP = 82 /* the arena cannot be gone on with; its
				 * clients are told and closed */
};

/* How the worker before ended: the status of waitpid(2), or one of these. */
#define SLOT_DIED_FIRST   (-1) /* there was none */
#define SLOT_DIED_UNKNOWN (-2) /* its keeper did not see it */

/* Counters of a slot, in the order of SLOT_COUNTERS: name and help text. */
#define SLOT_COUNTERS(X)                                                 \
 X(accepted, "Connections accepted")                                     \
 X(refused_full, "Connections refused because the server was full")      \
 X(refused_address, "Connections refused by clients_per_ip")             \
 X(closed, "Connections that ended")                                     \
 X(bytes_in, "Bytes received from clients")                              \
 X(bytes_out, "Bytes sent to clients")                                   \
 X(lines_in, "Lines received from clients")                              \
 X(messages_in, "Messages published by clients")                         \
 X(deliveries, "Messages queued to clients")                             \
 X(sends, "Send operations to clients")                                  \
 X(missed, "Messages not shown to a slow reader or lost in a gap")       \
 X(refused_requests, "Requests refused with an error line")              \
 X(too_long, "Lines refused by line_bytes")                              \
 X(malformed, "Connections closed because they spoke another protocol")  \
 X(flooded, "Times that a client's input was slowed by rate")            \
 X(flood_closed, "Clients closed by on_flood")                           \
 X(idle_closed, "Clients closed by idle_timeout")                        \
 X(output_closed, "Clients closed by output_bytes or output_memory")     \
 X(over_output, "Times that a client passed output_bytes")               \
 X(over_memory, "Times that output_memory was reached")                  \
 X(fault_closed, "Clients closed after a fault of their worker")         \
 X(takeovers, "Times that a worker took over its predecessor's clients") \
 X(suspects_closed, "Clients closed because their input ended a worker") \
 X(frames_skipped, "Messages not shown because they ended a worker")     \
 X(accept_pauses, "Times that accepting paused for want of descriptors") \
 X(turns, "Turns of the loop")                                           \
 X(batches_in, "Bus batches received")                                   \
 X(batches_out, "Bus batches sent")                                      \
 X(bus_full, "Times that publishers were held back by a full bus")       \
 X(refused_denied, "Connections refused or closed by allow and deny")    \
 X(refused_banned, "Connections refused or closed by a ban")

/* One page of shared memory per slot.  The worker writes, the master reads:
 * each field is a word of its own and is read at any time. */
struct slot_page {
	uint64_t heartbeat_ms; /* CLOCK_MONOTONIC when a turn last ended, or had
				* sent to many */
	uint64_t clients;      /* connections open now */
	uint64_t fd_limit;     /* descriptors this slot may have */
	uint64_t pending;      /* bytes of output queued now */
	uint64_t quota;        /* clients it may have now */
	uint64_t full;         /* 1: takes no new connections for want of
				* descriptors: steer them elsewhere */
	uint64_t conf_generation;
	uint64_t next_number; /* of sessions: where a fresh arena goes on */
	uint64_t takeover_us; /* from the latest death, as its keeper saw it, to
			       * the first turn; 0: there was none */
	char version[SLOT_VERSION_LEN]; /* of the worker's image, with a NUL */
	/* The list grows at its end, into the room behind it. */
#define SLOT_FIELD(name, help) uint64_t name;
	union {
		struct {
			SLOT_COUNTERS(SLOT_FIELD)
		};
		uint64_t counter_room[SLOT_COUNTER_ROOM];
	};
#undef SLOT_FIELD
	uint64_t engine; /* enum engine: in use; 0: not told */
	uint64_t
		engine_refused; /* errno with which the configured one was not
				 * to be had, and that one is used instead; 0 */
};

_Static_assert(offsetof(struct slot_page, engine) ==
		       offsetof(struct slot_page, counter_room) +
			       SLOT_COUNTER_ROOM * sizeof(uint64_t),
	"there is room for all counters");

struct slot_listener {
	int fd;
	uint32_t listen;  /* index in conf.listen */
	uint32_t address; /* the master's number for {listener, address},
			   * never used again */
	bool shared;      /* UNIX or inherited: all slots wait on it */
};

/* Everything that a keeper and its worker inherit.  All other descriptors are
 * closed right after the fork. */
struct slot_env {
	unsigned slot;  /* from 1 */
	int bus, ctl;   /* the slot's ends */
	int keeper_ctl; /* the keeper's own line to the master */
	int arena;      /* memfd of arena_size bytes */
	int arena_new;  /* -1, or an empty memfd for this image's layout: the
			 * worker converts the arena into it */
	int page;       /* memfd of one struct slot_page */
	int conf;       /* sealed memfd: the configuration */
	uint64_t conf_generation;
	int log; /* what the log writes to, or -1 */
	uint64_t arena_size;
	uint64_t first_number; /* of sessions, for an empty arena */
	uint64_t quota;
	bool waits_for_go; /* CTL_READY is said before a byte is touched, and
			    * CTL_GO awaited */
	int died;          /* how the worker before ended */
	uint64_t died_ns;  /* CLOCK_MONOTONIC of that */
	int32_t master;    /* its pid */
	unsigned n_listeners;
	struct slot_listener listener[SLOT_LISTENERS_MAX];
	uint32_t engine; /* enum engine: in force here; 0: as configured */
	/* What the keeper may prepare its workers' sandbox for; they read the
	 * configuration, which may be a newer one. */
	uint32_t sandbox; /* enum sandbox_mode */
};

/* What the keeper's child runs.  generation counts the slot's workers from 1;
 * keeper_pidfd becomes readable when the keeper is gone.  The result is the
 * exit code. */
typedef int slot_worker_fn(
	struct slot_env *env, uint64_t generation, int keeper_pidfd);

#endif
