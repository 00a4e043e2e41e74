/* recover.h - what a worker finds at start and what becomes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_RECOVER_H
#define BANTER_WORKER_RECOVER_H

#include "io/io.h"

struct worker;

/* The sessions of a worker that died are told and closed, and sockets that it
 * had accepted and not recorded are closed too. */
void recover_sessions(struct worker *w);

/* The listeners: from the fork, or as the worker before had them. */
void recover_listeners(struct worker *w, bool used);

/* Note what this engine opened and close what the one before left. */
void recover_engine(struct worker *w, const int fds[IO_ENGINE_FDS]);

#endif
