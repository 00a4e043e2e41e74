/* upgrade.h - from the running image to the installed one, clients staying.
 *
 * The installed file is rehearsed: a child of it restores a copy of the state
 * and ends.  Then this process execs the same open file, and as that image goes
 * on with the slots, one after the other (upgrade_slots.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_UPGRADE_H
#define BANTER_MASTER_UPGRADE_H

#include "master/core.h"
#include "master/keep.h"

#define UPGRADE_REHEARSE_MS 5000
#define UPGRADE_STEP_MS     2000 /* parking; from there to READY */

/* The last line of a rehearsal that went well. */
#define UPGRADE_REHEARSED "rehearsed"

struct upgrade *upgrade_new(struct master *m);
void upgrade_free(struct upgrade **upgrade);

/* From the rehearsal to the last slot. */
bool upgrade_is_busy(const struct master *m);

/* A reload was asked for meanwhile, and follows. */
void upgrade_reload_later(struct master *m);

/* The master stops.  It ends here; or, the other one, a slot that is between
 * two workers goes back first: its clients have to be told. */
void upgrade_cancel(struct master *m);
void upgrade_undo_stopping(struct master *m);

/* A child was reaped.  True: it was one of ours. */
bool upgrade_reaped(struct master *m, pid_t pid, int status);

/* Who waits for the answer on the control socket, or NULL. */
struct control_request *upgrade_asker(const struct master *m);

/* For state.c: what the next image needs of an upgrade that is under way, and
 * the other way round: first of all, for the way back, and when all else is
 * there the control socket with whoever has asked for it. */
void upgrade_save(struct master *m, struct keep *k);
bool upgrade_restore(struct master *m, struct kept *k);
bool upgrade_restore_control(struct master *m, struct kept *k);

/* In the new image, with the loop running soon: the slots.  go_back: this is
 * the image from before, and the newer one could not go on. */
void upgrade_go_on(struct master *m, bool go_back);

/* The file that the running image of this process was started from, as a path;
 * free() it. */
char *upgrade_binary(void);

/* upgrade_exec.c */
/* A copy of the command line without what an upgrade and the start have used
 * up, with room for two more words. */
char **upgrade_argv(char **argv);
/* Open the installed file.  The descriptor, or -errno with *why. */
int upgrade_open(const char *path, struct buf *why);
/* Start the rehearsal: its pid, and what it says.  0 or -errno. */
int upgrade_rehearse(struct master *m, int image, pid_t *ret_pid, int *ret_out);
/* Become that image.  Returns -errno when nothing came of it, and then nothing
 * has changed. */
int upgrade_exec(struct master *m, int image);
/* The image before, with the state as this one has found it.  Returns when
 * that is not there either. */
void upgrade_exec_back(struct master *m, const int *memory);

#endif
