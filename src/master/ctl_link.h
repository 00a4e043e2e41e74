/* ctl_link.h - the master's side of a slot's ctl line.
 *
 * The master never waits for a worker that does not read: what must arrive is
 * kept, one of each kind and always the latest, until the line takes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CTL_LINK_H
#define BANTER_MASTER_CTL_LINK_H

#include "bus/ctl.h"
#include "master/core.h"

/* Begin to listen to a new line. */
int ctl_link_open(struct slot *s);
void ctl_link_close(struct slot *s);

/* Read what the worker has said.  A violation kills it. */
void ctl_link_read(struct slot *s);

/* Drop what a dead worker has said and nobody has read. */
void ctl_link_drop(struct slot *s);

/* Now or as soon as it can be sent. */
void ctl_link_send(struct slot *s, enum link_pending what);

/* Now or not at all: -EAGAIN. */
int ctl_link_try(struct slot *s, enum ctl_type type, uint64_t tag,
	const void *body, size_t len, int fd);

#endif
