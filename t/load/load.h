/* load.h - a client of many connections that checks what it is shown.
 *
 * One process, one epoll.  Rooms are "load1", "load2" ..., or the lobby alone;
 * client i is in room i % rooms.  The first clients are the publishers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_H
#define BANTER_LOAD_H

#include "base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_PORTS 8
#define LOAD_NICK  33

struct load_options {
	const char *host;
	uint16_t port[LOAD_PORTS];
	unsigned n_ports;
	unsigned clients, rooms, publishers, messages;
	double rate;        /* lines a second of one publisher; 0: as fast as
			     * the server reads */
	unsigned size;      /* bytes of a line at least */
	unsigned timeout_s; /* without a single message received */
	unsigned linger_ms; /* hold the end back, to see messages that come
			     * twice */
	uint64_t seed;
	unsigned bad;   /* connections of bad input */
	unsigned mixed; /* clients behind the publishers that do other things
			 * than to read: see actor.h */
	unsigned churn; /* short connections a second: see churn.c */
	bool until_eof; /* publish until stdin ends: `messages` is nothing */
	bool strict;    /* nothing may go wrong, and each line is known */
	bool hold, missed, may_close;
};

struct totals {
	uint64_t connected, closed, refused;
	uint64_t sent, expected, delivered;
	uint64_t missed, lost, duplicated, disordered, damaged;
	uint64_t asked, answered; /* what the actors did: see actor.h */
};

enum client_state {
	CLIENT_CONNECTING,
	CLIENT_GREETED,
	CLIENT_READY,
	CLIENT_CLOSED
};

enum client_role {
	ROLE_READER, /* or a publisher */
	ROLE_SENDER,
	ROLE_CHANGER,
	ROLE_HOPPER
};

struct client {
	int fd;
	unsigned id;
	enum client_state state;
	enum client_role role;
	unsigned in_len;
	bool dropping; /* the rest of a line that is too long for us */
	bool sees_own; /* what it says comes back to it too */
	bool asks_echo;
	char nick[LOAD_NICK];
	char in[5120];
	char *out; /* what the kernel has not taken yet */
	unsigned out_len;
	char *rest; /* the second half of a line, and when it is due */
	unsigned rest_len;
	uint64_t rest_ns;
	/* What it says to its room, numbered from 1, and what it was shown. */
	uint32_t sent;  /* handed over */
	uint32_t shown; /* what it was shown of others, repeats left out */
	uint32_t *last; /* the last number of each source of its room */
	uint64_t missed;
	uint32_t *sequence; /* see sequence.c; in order.c: what is ahead */
	uint32_t n_sequence, cap_sequence;
	uint32_t at; /* order.c */
	/* actor.c */
	uint32_t asked, answered, private_last;
	uint64_t act_ns;
};

struct load {
	struct load_options o;
	struct totals t;
	struct client *client;
	int epoll;
	unsigned n_ready, n_open, n_rests;
	uint64_t last_ns; /* when a message last came */
	bool ended;       /* stdin has */
	bool parting;     /* all are said goodbye to */
};

/* How long messages took, in us. */
extern struct histogram load_took;

/* Of n, uniformly enough: the same numbers for the same seed everywhere. */
void load_seed(uint64_t seed);
unsigned load_random(unsigned n);

/* realloc() that ends the program instead of failing. */
void *load_grow(void *p, size_t size);

/* With --strict: tell what went wrong, the first twenty times. */
void load_complain(const struct load *l, const struct client *c,
	const char *what, const char *line);

/* Which room: 1 to rooms, or 0 for the lobby. */
static inline unsigned
load_room(const struct load *l, unsigned id)
{
	return l->o.rooms ? id % l->o.rooms + 1 : 0;
}

/* Its name, of a client: "load1", "lobby"; the one of a churn is "churn1".  The
 * length, as snprintf() has it. */
int load_room_name(const struct load *l, unsigned id, char *out, size_t cap);

/* The clients of a room are `id`, `id + stride` ... */
static inline unsigned
load_stride(const struct load *l)
{
	return l->o.rooms ? l->o.rooms : 1;
}

/* Those whose number is smaller may be a source of numbered events. */
static inline unsigned
load_sources(const struct load *l)
{
	return l->o.publishers + l->o.mixed;
}

/* conn.c: connections.  All give false when a connection could not be made or
 * has ended. */
bool conn_open(struct load *l, struct client *c, unsigned id);
bool conn_turn(struct load *l, int timeout_ms);
bool conn_send(struct load *l, struct client *c, const char *p, size_t len);
void conn_close(struct load *l, struct client *c);
int conn_socket(const struct load *l, unsigned id);

/* Send a part of the line now, and the rest 50 to 200 ms later.  Until then
 * c->rest_len is not 0 and nothing else may be sent. */
bool conn_send_halves(
	struct load *l, struct client *c, const char *p, size_t len);
void conn_rests_due(struct load *l);

/* publish.c: give the publishers the lines that are due.  True: all are sent.
 */
bool publish_due(struct load *l, uint64_t start_ns);

/* bad.c: o.bad connections of bad input, o.clients at a time.  The number that
 * could not be made. */
unsigned bad_run(struct load *l);

/* churn.c: o.churn short connections a second until stdin ends, and one that
 * stays and reads what they say.  A line without newline that it was shown goes
 * to churn_shown(); false: it is none of theirs. */
void churn_run(struct load *l);
bool churn_shown(struct load *l, const char *line);

/* order.c: what readers are shown, checked as it comes against the order of the
 * room, which whoever is furthest makes.  Memory: 8 bytes for each line that
 * was said.  Not for those who may miss lines. sequence.c: the same at the end,
 * by keeping all.  The longest sequence of a room is the order, and every other
 * must be a subsequence of it. */
void order_shown(
	struct load *l, struct client *c, unsigned source, uint32_t number);
void order_free(struct load *l);
void sequence_shown(const struct load *l, struct client *c, unsigned source,
	uint32_t number);
void sequence_finish(struct load *l);

/* marks.c: what stdin says.  True: it has ended.  Each line "mark" begins an
 * interval and is answered with "MARK n". */
bool marks_read(struct load *l);
void marks_delivered(uint64_t now_ns, uint64_t took_us);

/* Of the intervals in which something was delivered: the longest time that a
 * message took, and the longest time without any.  In us, 0 without marks. */
struct marks_result {
	unsigned n, used;
	uint64_t pause_p50, pause_max, gap_max;
};
struct marks_result marks_result(void);

#endif
