/* recover.h - what a worker does about the one before it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_RECOVER_H
#define BANTER_WORKER_RECOVER_H

#include "io/io.h"

#include <stdbool.h>

struct worker;

/* blame.c: how did it end, and what had it in hand?  Says whom to close and
 * what to skip.  0, or -ECANCELED: the arena is not to be gone on with. */
int blame(struct worker *w);

/* Serving begins: a death from now on is not the same as those before. */
void blame_served(struct worker *w);

/* recover.c, in this order. */

/* The listeners: from the fork, or as the worker before had them. */
void recover_listeners(struct worker *w);

/* Note what this engine opened and what the one before has left.  Not before
 * GO: until then the numbers are of another table than the arena's. */
void recover_engine(struct worker *w);

/* Close that, when there is time: to close an epoll takes 2 us for each client
 * that it waits for. */
void recover_close_engine(struct worker *w);

/* Check every record against its socket, settle what the kernel says that was
 * sent, rebuild what is derived.  No byte is read or sent, nothing is closed.
 * 0, or -errno while the image before can go on: the engine does not take one.
 */
int recover_sessions(struct worker *w);

/* Go on where the worker before has stopped. */
void recover_go_on(struct worker *w);

/* recover_fds.c: what nothing in the arena names.  Look for it, while files may
 * be read: after the engine was opened and before the sandbox. */
void recover_find_fds(struct worker *w);
/* Connections that were accepted and not recorded become clients, the rest is
 * closed. */
void recover_fds(struct worker *w);

/* The arena is of no use: tell every client in the table and close it. */
void recover_give_up(const struct worker *w);

#endif
