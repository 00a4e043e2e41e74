/* input_private.h - what the files of a client's input share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_INPUT_PRIVATE_H
#define BANTER_WORKER_INPUT_PRIVATE_H

#include "worker/private.h"

#define FRAME_OVERHEAD 512u /* on the bus, beside a line */

/* input.c: make requests of these bytes as far as may be, and hold back what is
 * left.  They lie in the receive area, or are what the session has held. */
void input_run(
	struct worker *w, const struct session *s, struct slice in, bool held);
/* Make a request of the unfinished line. */
void input_flush_line(struct worker *w, const struct session *s);

/* input_pause.c: it is not read until the bus, or memory, has room. */
void input_pause(struct worker *w, int fd);
/* Behind what is kept already; at most IO_TAKEN_MAX more than one receive. */
void input_keep(struct worker *w, const struct session *s, struct slice more);

/* input_end.c: all that has come is handled: is there an unfinished line, or an
 * end?  The session may be another one than id by now, or none. */
void input_all_handled(struct worker *w, const struct session *s, uint64_t id);

static inline bool
input_is_idle(const struct session *s, uint64_t id)
{
	return s->id == id && is_open(s) && s->held == 0 &&
	       !(s->flags & (SESSION_WAITING | SESSION_HOPELESS));
}

#endif
