/* floor.h - the least that a server that sends to everybody can do.
 *
 * What one client sends in whole lines goes to all the others, and nothing
 * else happens: no names, no rooms, no limits.  There is no queue either: when
 * a socket does not take all of it, the program ends with a message, because
 * what it would measure from then on would not be the floor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_FLOOR_H
#define BANTER_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Longest unfinished line, bytes; who sends a longer one ends the program. */
#define FLOOR_LINE_MAX 65536

/* Bytes of one receive. */
#define FLOOR_READ 16384

/* The unfinished line of each client. */
struct tail {
	char *p;
	size_t len;
};

/* A listener on 127.0.0.1 with TCP_NODELAY, which accepted sockets inherit.
 * port 0 is any; with share, several processes may have it (SO_REUSEPORT).
 * The port is stored in *ret_port.  Ends the program on an error. */
int floor_listen(uint16_t port, bool share, bool blocking, uint16_t *ret_port);

/* What of buf[0..len) can be sent on: the tail and all up to the last newline.
 * Returns its length, 0 for nothing yet, and stores where it is in *ret_p,
 * valid until the next call.  The rest becomes the new tail. */
size_t floor_lines(
	struct tail *t, const char *buf, size_t len, const char **ret_p);

/* Forget the tail of a client that left. */
void floor_forget(struct tail *t);

/* What send() said, or -errno, of len bytes.  Gone clients are none of our
 * business here, their end is read later; a full socket ends the program. */
void floor_sent(ssize_t result, size_t len);

/* The engines: serve the listener for ever. */
_Noreturn void floor_epoll(int listener);
_Noreturn void floor_uring(int listener, unsigned entries);

/* processes of their own listener each, up to each clients; lines of standard
 * input go to all.  Ends with standard input. */
_Noreturn void floor_many(unsigned processes, unsigned each, uint16_t port);

#endif
