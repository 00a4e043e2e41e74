/* keeper.h - the process that shares a worker's descriptor table and outlives
 * it.
 *
 * It runs in the child that the master forked, creates the worker with
 * clone(CLONE_FILES), reaps it and reports to the master, which decides when
 * the next one starts.  It never reads a client's byte.
 *
 * Should it die, its reserve goes on as the keeper: a second process that
 * shares the table and does nothing else.  The master has the worker, which is
 * that one's child no more, end its turn (CTL_PARK) and asks for another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_KEEPER_KEEPER_H
#define BANTER_KEEPER_KEEPER_H

#include "bus/slot.h"

#include <stdint.h>
#include <sys/types.h>

/* Of keeper_message: an image of another version cannot talk to keepers of
 * this one. */
#define KEEPER_VERSION 2

/* On keeper_ctl (SOCK_SEQPACKET), both directions. */
enum keeper_message_type {
	KEEPER_SPAWN = 1, /* master: clone a worker, generation given, in the
			   * place of another generation's.
			   * KEEPER_WAIT: it waits for CTL_GO */
	KEEPER_SPAWNED,   /* worker: its pid, generation; its first act */
	KEEPER_DIED,      /* keeper: pid, generation, status as waitpid(2) */
	KEEPER_FAILED,    /* keeper: clone() failed, status is its errno */
	KEEPER_HERE,      /* keeper that was the reserve of one that died: its
			   * own pid.  The master is its parent now and reaps
			   * it; KEEPER_SPAWN is waited for */
	KEEPER_EXEC,      /* master: make a keeper of another image.  The first
			   * descriptor is the image, the second one that
			   * keeper's line, then what the flags say.  Only
			   * while there is no worker */
	KEEPER_EXECED,    /* keeper-to-be, before its exec, on the old line: its
			   * pid.  The master is its parent and reaps it; the
			   * exit code is 127 when the exec has failed */
	KEEPER_REFUSED,   /* keeper: KEEPER_EXEC cannot be done, status is the
			   * errno */
	KEEPER_ADOPT,     /* master, to a keeper of another image after CTL_GO:
			   * env.arena_new is the arena from now on */
	KEEPER_END /* master: kill the worker, if there is one, and end */
};

enum keeper_flag {
	KEEPER_WAIT = 1,
	KEEPER_ARENA = 2, /* a memfd for env.arena_new follows */
	KEEPER_CONF = 4,  /* a configuration follows, its generation given */
	KEEPER_ENGINE = 0xff00 /* of KEEPER_SPAWN, enum engine: env.engine is
				* this from now on; 0: as it is */
};
#define KEEPER_ENGINE_SHIFT 8

#define KEEPER_FDS 4 /* to a message, at most */

struct keeper_message {
	uint32_t type;
	int32_t pid;
	uint64_t generation;
	int32_t status;
	uint32_t flags;
};

/* Send a message with n descriptors; never waits.  0 or -errno. */
int keeper_send(
	int line, const struct keeper_message *m, const int *fds, unsigned n);

/* Receive one; the descriptors are close-on-exec and the caller's, the others
 * of fd are -1.  *ret_sender, unless that is NULL: whose message it is, if the
 * line knows, or 0.  1; 0: the line has ended; -EAGAIN; -EPROTO; -errno. */
int keeper_recv(int line, struct keeper_message *ret, int fd[KEEPER_FDS],
	pid_t *ret_sender);

/* Have the kernel say on this end who has sent each message.  0 or -errno. */
int keeper_know_senders(int line);

/* May this process say that to the master?  A worker has its keeper's line in
 * its table.  What is said of oneself has to be: a worker's or a keeper's
 * start. The rest is a keeper's, of these; 0: none. */
#define KEEPER_KNOWN 2
bool keeper_may_say(const struct keeper_message *m, pid_t sender,
	const pid_t keeper[KEEPER_KNOWN]);

/* Run a keeper in this process, a child of env->master that holds no other
 * descriptors than those of env.  All signals are blocked by the caller.  It
 * returns, with an exit code, only when the master is gone or has closed
 * keeper_ctl and no worker is left.  BANTER_TEST_FORK=1 in the environment
 * makes it fork() instead of clone(): for valgrind, and to compare the cost. */
int keeper_run(struct slot_env *env, slot_worker_fn *worker);

/* Run a keeper in this process, which another image's keeper has started with
 * this memfd: its env and its log.  As keeper_run(); SLOT_EXIT_REFUSED: the
 * memfd cannot be used, and stderr says why. */
int keeper_resume(int *memory, slot_worker_fn *worker);

#endif
