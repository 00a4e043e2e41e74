/* health.h - who is late, stopped or hung, and who gets new connections.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_HEALTH_H
#define BANTER_MASTER_HEALTH_H

#include "master/core.h"

#define HEALTH_TICK_MS 250

void health_start(struct master *m);

/* Is that process stopped or traced?  The worker of a slot? */
bool health_stands_still(pid_t pid);
bool health_is_stopped(const struct slot *s);

/* The worker does not take what it is sent: is it stopped?  Sooner than the
 * next tick would tell. */
void health_look(struct slot *s);

/* New connections go to the slots that are well. */
void health_steer(struct master *m);

/* New addresses were bound: they know of no steering. */
void health_steer_anew(struct master *m);

#endif
