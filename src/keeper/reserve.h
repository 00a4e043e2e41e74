/* reserve.h - who goes on when a keeper dies; for the keeper's own files.
 *
 * A sleeping child of the keeper that shares its descriptor table.  The worker
 * could not take that part: its sandbox lets it make no process, and what it
 * made would have that sandbox for ever, over every exec.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_KEEPER_RESERVE_H
#define BANTER_KEEPER_RESERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct reserve {
	pid_t pid;        /* 0: there is none */
	int pidfd;        /* -1: none could be had, or there is no reserve */
	uint64_t next_ms; /* CLOCK_MONOTONIC: when to try again */
};

/* Have one, if there is none.  line is keeper_ctl, keeper a pidfd of the
 * caller.  True: this is the reserve, the keeper is dead, and it is to be
 * succeeded: the struct is one without a reserve. */
bool reserve_keep(struct reserve *r, unsigned slot, int line, int keeper);

/* Reap it if it has ended. */
void reserve_look(struct reserve *r);

/* Milliseconds until reserve_look() or reserve_keep() is due, when its pidfd
 * does not tell: -1, never. */
int reserve_wait_ms(const struct reserve *r);

/* Kill and reap it: the keeper ends because it is to end. */
void reserve_end(struct reserve *r);

#endif
