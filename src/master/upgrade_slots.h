/* upgrade_slots.h - what supervision asks about a slot that is being upgraded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_UPGRADE_SLOTS_H
#define BANTER_MASTER_UPGRADE_SLOTS_H

#include "master/core.h"

struct keeper_message;

/* Each: true: it was the upgrade's, and nothing else is to be done. */

/* Its worker has ended, parked or otherwise. */
bool upgrade_slot_parked(struct slot *s, bool was_parked);
/* It has ended because its last client had left: it needs no upgrade. */
void upgrade_slot_drained(struct slot *s);
/* Between one worker's end and the next one's GO: nobody serves its clients,
 * and what is sent to it may be lost. */
bool upgrade_slot_is_parked(const struct slot *s);
/* Its keeper has said something. */
bool upgrade_slot_said(struct slot *s, const struct keeper_message *k);
/* CTL_READY. */
bool upgrade_slot_ready(struct slot *s);
/* What came by ctl was wrong. */
bool upgrade_slot_broke(struct slot *s);
/* Its keeper has died. */
bool upgrade_slot_orphaned(struct slot *s);
/* And that one's reserve is its keeper now. */
bool upgrade_slot_succeeded(struct slot *s, pid_t pid);

#endif
