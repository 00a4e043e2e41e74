/* rundir.h - the folder of the pid file and the control socket, and its lock.
 *
 * The lock is what keeps a second instance out; the pid file is for people and
 * scripts.  Both live as long as the daemon.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RUNDIR_H
#define BANTER_MASTER_RUNDIR_H

#include "conf/conf.h"

#include <stdbool.h>
#include <sys/types.h>

struct rundir {
	char path[CONF_PATH_LEN];
	int dir_fd; /* -1: not open; its lock is the daemon's */
	bool has_pid_file;
};

/* Make the folder unless it is there (its parent must be), give it
 * to uid and gid when root does this, and take the lock.  0; -EWOULDBLOCK:
 * another instance has it, *ret_pid says who (0: unknown); -errno. */
int rundir_open(struct rundir *r, const char *path, uid_t uid, gid_t gid,
	pid_t *ret_pid);

/* Another folder that the daemon needs, likewise made.  0 or -errno. */
int rundir_make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid);

/* banterd.pid, written beside and renamed.  0 or -errno. */
int rundir_write_pid(struct rundir *r);

void rundir_close(struct rundir *r);

#endif
