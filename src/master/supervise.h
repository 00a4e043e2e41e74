/* supervise.h - the life and death of keepers and workers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_SUPERVISE_H
#define BANTER_MASTER_SUPERVISE_H

#include "master/core.h"

/* Fork the keepers and ask them for workers. */
void supervise_start(struct master *m);

/* Ask the slot's keeper for a worker, now; fork the keeper if there is none. */
void supervise_start_worker(struct slot *s);

/* The slot has no worker any more, or one that has just ended, and needs none:
 * its lines are closed, the keeper ends, what the hub knows of it goes. */
void supervise_drained(struct slot *s);

/* The worker may lack the configuration or listeners: look at it soon. */
void supervise_resync_soon(struct slot *s);

/* The keeper's line is readable. */
void supervise_keeper_read(struct slot *s);

/* CTL_READY.  False: it is out of place. */
bool supervise_ready(struct slot *s);

/* A child of the master was reaped: status as waitpid(2). */
void supervise_reaped(struct master *m, pid_t pid, int status);

/* SIGKILL to the worker; nothing that it still says counts. */
void supervise_kill(struct slot *s);

/* It broke a protocol: the same.  When its successor does it too, within
 * seconds, the slot's arena is not gone on with. */
void supervise_violation(struct slot *s);

/* The configuration is new: slots whose worker had refused it try again. */
void supervise_retry(struct master *m);

/* The same for what the image before has started. */
void supervise_resume(struct master *m);

/* "was killed by SIGKILL" of a status as waitpid(2). */
void supervise_describe(int status, char *text, size_t cap);

/* The keeper says that its worker has ended: all that follows from it. */
void supervise_worker_gone(struct slot *s, pid_t pid, int status);

/* For orphan.c: the pieces of a death.  What is left of a worker is read, its
 * end is logged and counted, and it is forgotten; the result: it was READY. */
bool supervise_worker_ended(struct slot *s, pid_t pid, int status);
/* With its descriptor table the slot's clients are gone. */
void supervise_lost(struct slot *s);
/* What comes after a worker's end: a start now or later, or none. */
void supervise_go_on(struct slot *s, int status, bool was_ready);
void supervise_schedule(struct slot *s, bool was_ready);
void supervise_log_keeper(const struct slot *s, int status);
bool supervise_exited_with(int status, enum slot_exit code);

/* Is there a worker, or will there be one without our doing? */
bool supervise_is_busy(const struct slot *s);

#endif
