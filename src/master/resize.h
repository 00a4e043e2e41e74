/* resize.h - how many slots there are, as `workers` says.
 *
 * master.n_slots only grows: slots above n_wanted drain, and what is left of
 * one that is drained, its listening sockets and its page, waits for the next
 * time that more are wanted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RESIZE_H
#define BANTER_MASTER_RESIZE_H

#include "base/buf.h"
#include "master/core.h"

/* `workers`, or one per CPU that may be used now; at most CONF_WORKERS_MAX. */
unsigned resize_wanted(const struct conf *conf);

/* Make what n slots need and could fail.  0, or -errno with *why; what was made
 * stays for the next try. */
int resize_prepare(
	struct master *m, const struct conf *conf, unsigned n, struct buf *why);

/* The configuration is in force, and so is n, which was prepared: the surplus
 * drains, the missing start. */
void resize_commit(struct master *m, unsigned n);

#endif
