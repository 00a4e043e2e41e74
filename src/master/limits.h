/* limits.h - what the system allows against what is configured.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_LIMITS_H
#define BANTER_MASTER_LIMITS_H

#include "conf/conf.h"

#include <stdint.h>

/* Descriptors of a worker that are no clients, besides its listeners. */
#define LIMITS_RESERVE CONF_FD_RESERVE

/* Raise RLIMIT_NOFILE as far as is of use: for max_clients and for every slot
 * that a reload may bring.  The soft limit now.  It never changes later: the
 * sizes of descriptor tables and arenas are made of it. */
unsigned limits_raise(const struct conf *conf);

/* Are there n more descriptors now?  0, or -EMFILE. */
int limits_have(unsigned n);

/* Clients that a slot may have by its descriptors. */
uint32_t limits_slot_cap(unsigned fd_limit, unsigned n_listeners);

/* Log what does not fit. */
void limits_check(const struct conf *conf, unsigned n_slots, unsigned fd_limit,
	uint32_t slot_cap);

#endif
