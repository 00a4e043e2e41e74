/* arena.h - a slot's shared memory: every fact about a client that must
 * outlive its worker.
 *
 * A memfd with a fixed layout and no pointers, mapped by one worker at a time:
 *
 *   | head, undo log | receive area | bus areas | sessions | addresses |
 *   | rooms | heap | the engine's |
 *
 * Records are the truth.  They are reached through pointers to const and
 * written by arena_set() and its kin only (arena/tx.h), so that the compiler
 * refuses a plain store.  What can be derived from them (member arrays, free
 * lists, reference counts, timers) is rebuilt by a scan at start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_ARENA_H
#define BANTER_ARENA_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_MAGIC 0x62616e74u

/* The layout before this one is what an upgrade converts from: convert.h.  A
 * test build can have it as its own, so that there is something to convert. */
#define ARENA_PREVIOUS_VERSION 2

#ifndef BANTER_TEST_PREVIOUS
# define ARENA_VERSION 3
#else
# define ARENA_VERSION ARENA_PREVIOUS_VERSION
#endif
/* The longest transactions: a greeting with a motd of 4,095 lines, and the end
 * of a client of 1,024 rooms. */
#define ARENA_UNDO_MAX 16384
#define ARENA_ROOMS    131072u
/* What an engine keeps for its successor; io/io.h says how much it needs. */
#ifndef BANTER_TEST_PREVIOUS
# define ARENA_ENGINE_BYTES (UINT64_C(4096) + 1024 * 2048)
#else
# define ARENA_ENGINE_BYTES UINT64_C(0)
#endif
#define ARENA_RX_BYTES   8160u /* of one receive: held back, it fills a block */
#define ARENA_BUS_BYTES  16384u /* of one bus datagram */
#define ARENA_HEAP_BYTES (UINT64_C(2) << 30)
#define ARENA_LISTENERS  128
#define ARENA_ENGINE_FDS 4

#define ARENA_NONE UINT32_MAX /* no room */

/* A block of the heap: its offset there in units of 64 bytes, from 1.  0: none.
 */
typedef uint32_t block_ref;

enum session_state {
	SESSION_FREE,
	SESSION_CONNECTING, /* the registry has not answered yet */
	SESSION_OPEN,
	SESSION_FLUSHING, /* no more input; closes when output is out */
	SESSION_CLOSING,  /* shut down for writing; waits for the client's end,
			   * so that unread input does not turn the goodbye into
			   * a reset */
	SESSION_TORN /* found damaged by arena_recount(): refers to nothing */
};

enum session_flag {
	SESSION_LOCAL = 1, /* a UNIX socket: no byte counts in the kernel */
	SESSION_RAW = 2,
	SESSION_ECHO = 4,      /* /echo on */
	SESSION_WAITING = 8,   /* a request is with the master: no more input
				* is handled before its answer */
	SESSION_EOF = 16,      /* the client sends no more */
	SESSION_FLOODING = 32, /* was told that it is slowed */
	SESSION_IDLE_WARNED = 64,
	SESSION_CLOSE_TOLD = 128, /* the last line is queued */
	SESSION_KNOWN = 256,      /* the registry was asked to take it in */
	SESSION_PROXY = 2048,     /* its PROXY header is not whole yet; line has
				   * what came of it */
	SESSION_ADDRESS = 4096,   /* its address is in the table of those that
				   * are no IPv4 address */
	SESSION_HOPELESS = 1024,  /* asks and does not read: to be ended */
	SESSION_BROKEN = 512      /* reset: takes no output, and input only what
				   * it had sent before */
};

#define SESSION_INLINE_QUEUE 2
#define SESSION_INLINE_ROOMS 2

#ifndef BANTER_TEST_PREVIOUS
/* One client.  Index in the table: its descriptor.  An idle client costs one,
 * so what few have lies elsewhere.  The first 64 bytes, a cache line, are all
 * that a message to a room touches. */
struct session {
	uint64_t id; /* msg/session_id.h; 0: free */

	/* Pending output: references to blocks, inline or in a ring: queue.h.
	 * q_word is {low bits of the last frame queued, tail}, one store. */
	uint64_t q_word;
	union {
		uint64_t q_ring; /* {1 bit: set, capacity, block of the ring} */
		block_ref q_inline[SESSION_INLINE_QUEUE];
	};
	uint32_t q_head;
	uint32_t q_head_sent; /* bytes of the first block that are out */
	uint32_t q_bytes;     /* pending; derived, but kept in this line */
	uint32_t missed;      /* messages skipped since the last notice */
	uint64_t tx_total;    /* bytes the kernel took */
	uint64_t proto_state;
	uint8_t state;
	uint8_t kind; /* index of its arena_kind */
	uint16_t flags;
	uint16_t n_rooms;
	uint16_t awaited; /* answers to autojoin that are still to come */

	uint64_t cookie;   /* SO_COOKIE: this descriptor is still that socket */
	uint64_t rx_total; /* bytes handled */
	uint32_t active_s; /* CLOCK_MONOTONIC of the last input */
	uint32_t since_s;  /* wall clock when accepted */
	uint32_t tokens;   /* thousandths of a line; flood control */
	uint32_t tokens_ms; /* low bits of the clock when they were counted */
	block_ref line;     /* unfinished line */
	block_ref held;     /* bytes received and not handled yet */
	block_ref nick;     /* 0: a guest */
	uint32_t address;   /* IPv4, as it is on the wire: record.h */
	union {
		/* Indexes, oldest first; the last one is where it talks. */
		uint32_t room[SESSION_INLINE_ROOMS];
		block_ref rooms; /* when more than fit inline */
	};
	uint32_t missed_room; /* of the skipped messages, if all of one */
	uint16_t held_at; /* how many bytes of held have been handled since */
	uint16_t port;
};
#else
# define session_previous session
# include "arena/previous.h"
#endif

/* A room that this slot has members in, or had. */
struct room {
	uint32_t id; /* the master's; 0: free */
	uint32_t flags;
	block_ref topic;
	uint8_t name_len;
	char name[35];
};

enum room_flag {
	ROOM_ECHO = 1
};

/* What a session's listener said of its protocol; kept here because the
 * sessions outlive the listener's configuration. */
struct arena_kind {
	uint32_t listen; /* a hash of its name; 0: unused */
	uint32_t raw;
	uint32_t flush_after_ms;
	uint32_t echo;
	char room[40]; /* of raw */
	char charset[64];
};

#define ARENA_KINDS 64

struct arena_listener {
	int32_t fd; /* -1: unused */
	uint32_t listen, address;
	uint16_t flags;
	uint16_t kind; /* of its clients */
};

enum listener_flag {
	LISTENER_SHARED = 1,
	LISTENER_PREPARED = 2, /* of a configuration not yet committed */
	LISTENER_LEAVING = 4,  /* its address is gone: accept what comes */
	LISTENER_GUARDED = 8   /* ... and it let in only some: see access.c */
};

/* What is being done, for whom: says after a death who is to blame. */
enum hand_kind {
	HAND_NONE,
	HAND_INPUT,
	HAND_FRAME,
	HAND_FLUSH,
	HAND_TIMER,
	HAND_ACCEPT
};

/* What deaths have in common.  Written at start-up only. */
struct arena_blame {
	uint64_t kind, session, position; /* in hand at the latest death */
	uint64_t serving;                 /* 1: the worker had begun to serve */
	uint64_t served;                  /* arena_head.commits when it did */
	uint64_t crashes;  /* in a row, without a commit between */
	uint64_t crash_ms; /* CLOCK_MONOTONIC of the first of these */
	uint64_t kills;    /* likewise */
	uint64_t here;     /* kills in a row at the same place */
	uint64_t frame, frame_crashes;
};

/* A frame not to be shown, as the master has named it. */
struct arena_skip {
	uint64_t sender; /* 0: unused */
	uint64_t sequence, time_ms;
	uint32_t room, type;
};

#define ARENA_SKIPS 8

struct arena_undo {
	uint64_t offset; /* of an aligned word of the arena */
	uint64_t old;
};

struct arena_head {
	uint32_t magic, version;
	uint32_t n_sessions, n_rooms;
	uint64_t size;
	uint64_t next_number; /* of sessions */
	uint64_t high_fd;     /* no record was ever made at or above it: reading
			       * further would allocate pages */

	uint64_t in_hand_kind, in_hand_session, in_hand_position;
	uint64_t commits; /* transactions ever committed */

	/* The receive area: the session that it belongs to, its rx_total when
	 * the receive began, and the bytes that came; 0: not known yet. */
	uint64_t rx_session, rx_base, rx_len;
	uint64_t fd_in_flight; /* 1: the table may have a descriptor that
				* nothing here names */

	uint64_t batch_in;    /* number of the last batch that was handled */
	uint64_t batch_in_at; /* offset in the batch being handled */
	uint64_t frame_in;    /* frames handled in all: the number of a frame
			       * in q_word */
	uint64_t batch_out;   /* number of the last batch sealed */
	uint64_t out_len, out_frames; /* batch being filled */
	uint64_t sealed_len; /* bytes of the sealed batch that is not sent; 0 */

	uint64_t quota;
	uint64_t conf_generation;
	int64_t conf_fd, prepared_fd;
	int64_t engine_fd[ARENA_ENGINE_FDS];      /* of the worker; -1 */
	int64_t dead_engine_fd[ARENA_ENGINE_FDS]; /* of one before it */
	uint64_t has_listeners; /* those of the fork were taken */
	struct arena_blame blame;
	struct arena_skip skip[ARENA_SKIPS]; /* a ring */
	uint64_t n_skips;                    /* ever noted */
	struct arena_listener listener[ARENA_LISTENERS];
	struct arena_kind kind[ARENA_KINDS];

	uint64_t undo_count; /* > 0: a transaction was cut */
	struct arena_undo undo[ARENA_UNDO_MAX];
};

/* The mapping, in the worker's own memory. */
struct arena {
	char *base;
	const struct arena_head *head;
	const struct session *session; /* [head->n_sessions] */
	char *heap;
	struct heap *blocks; /* arena/heap.h */
	bool in_transaction;
	bool has_freed; /* blocks, since it began */
	uint64_t size;
	char *rx;      /* ARENA_RX_BYTES */
	char *bus_in;  /* ARENA_BUS_BYTES each */
	char *bus_out; /* being filled */
	char *bus_sealed;
	/* Likewise; read only with SESSION_ADDRESS, so that without IPv6 it has
	 * no pages. */
	const uint8_t (*address)[16];
	const struct room *room; /* [head->n_rooms] */
	char *engine;            /* ARENA_ENGINE_BYTES */
};

/* Bytes of an arena for descriptors below fd_limit. */
uint64_t arena_size(unsigned fd_limit);

/* Map memfd fd of that size and bring it into a state that is whole: an empty
 * one is laid out, a used one has its cut transaction rolled back.  *ret_used
 * says which.  0, -EPROTO: another version, or damaged; -errno. */
int arena_map(struct arena *a, int fd, uint64_t size, unsigned fd_limit,
	uint64_t first_number, bool *ret_used);
void arena_unmap(struct arena *a);

/* Rebuild what is derived of a used arena's heap: reference counts, free lists,
 * the bytes pending of each session.  A record that makes no sense by itself
 * becomes SESSION_TORN.  0, or -EPROTO: blocks contradict each other. */
int arena_recount(struct arena *a);

#endif
