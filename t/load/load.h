/* load.h - a client of many connections that checks what it is shown.
 *
 * One process, one epoll.  Rooms are "load1", "load2" ..., or the lobby alone;
 * client i is in room i % rooms.  The first clients are the publishers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_H
#define BANTER_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_PORTS 8

struct load_options {
	const char *host;
	uint16_t port[LOAD_PORTS];
	unsigned n_ports;
	unsigned clients, rooms, publishers, messages;
	unsigned rate;      /* lines a second of one publisher; 0: as fast as
			     * the server reads */
	unsigned size;      /* bytes of a line at least */
	unsigned timeout_s; /* without a single message received */
	unsigned linger_ms; /* hold the end back, to see messages that come
			     * twice */
	uint64_t seed;
	unsigned bad; /* connections of bad input */
	bool hold, missed, may_close;
};

struct totals {
	uint64_t connected, closed, refused;
	uint64_t sent, expected, delivered;
	uint64_t missed, lost, duplicated, disordered, damaged;
};

enum client_state {
	CLIENT_CONNECTING,
	CLIENT_GREETED,
	CLIENT_READY,
	CLIENT_CLOSED
};

struct client {
	int fd;
	unsigned id;
	enum client_state state;
	unsigned in_len;
	bool dropping; /* the rest of a line that is too long for us */
	char in[5120];
	char *out; /* what the kernel has not taken yet */
	unsigned out_len;
	unsigned sent;      /* lines handed over by this publisher */
	uint32_t *sequence; /* what was shown, in its order: see account.h */
	uint32_t n_sequence, cap_sequence;
	uint32_t *last; /* the last number of each publisher */
	uint64_t missed;
};

struct load {
	struct load_options o;
	struct totals t;
	struct client *client;
	int epoll;
	unsigned n_ready, n_open;
	uint64_t last_ns; /* when a message last came */
};

uint64_t load_now_ns(void);

/* Which room: 1 to rooms, or 0 for the lobby. */
static inline unsigned
load_room(const struct load *l, unsigned id)
{
	return l->o.rooms ? id % l->o.rooms + 1 : 0;
}

/* conn.c: connections.  Both give false when a connection could not be made. */
bool conn_open(struct load *l, struct client *c, unsigned id);
bool conn_turn(struct load *l, int timeout_ms);
bool conn_send(struct load *l, struct client *c, const char *p, size_t len);
void conn_close(struct load *l, struct client *c);
int conn_socket(const struct load *l, unsigned id);

/* publish.c: give the publishers the lines that are due.  True: all are sent.
 */
bool publish_due(struct load *l, uint64_t start_ns);

/* bad.c: o.bad connections of bad input, o.clients at a time.  The number that
 * could not be made. */
unsigned bad_run(struct load *l);

#endif
