/* reload.h - a new configuration for all, or for nobody.
 *
 *   helper parses -> bind new addresses -> PREPARE and LISTENER to ready slots
 *     -> all PREPARED: COMMIT -> removed addresses close when drained
 *       -> the pages of all who were asked show it: whoever waits is answered
 *     -> anything else: ABORT, and the old configuration stays everywhere
 *
 * master_reload() of commands.h begins one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_H
#define BANTER_MASTER_RELOAD_H

#include "base/slice.h"
#include "bus/ctl.h"
#include "master/core.h"

#define RELOAD_PARSE_MS   5000
#define RELOAD_PREPARE_MS 5000
#define RELOAD_SWITCH_MS  500
#define RELOAD_LEAVE_MS   (CTL_LEAVE_MS + 3000)
#define RELOAD_RESYNC_MS  500

struct reload *reload_new(struct master *m);
void reload_free(struct reload **reload);

/* The daemon stops: everybody who waits is told. */
void reload_cancel(struct master *m);

/* CTL_PREPARED.  False: nobody had asked. */
bool reload_prepared(struct slot *s, uint64_t tag, struct slice body);

/* The slot's worker died: its successor gets what is committed, and nobody
 * waits for it. */
void reload_slot_gone(struct slot *s);

/* Does the reload that runs wait for the slot's answer, or for others after it?
 */
bool reload_asks(const struct slot *s);

/* Send the slot its listeners in that state, those that came with a later
 * generation of the configuration.  0 or -errno. */
int reload_listeners(
	struct slot *s, uint64_t newer_than, enum address_state state);

/* A ready worker that may be behind: bring it to what is committed. */
void reload_resync(struct slot *s);

/* Is one running, or about to? */
bool reload_is_busy(const struct master *m);

/* In the next image: what a reload of the one before has left to be done. */
void reload_resume(struct master *m);

/* Was it the helper?  True: it is taken note of. */
bool reload_reaped(struct master *m, pid_t pid);

#endif
