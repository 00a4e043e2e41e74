/* start.h - from options to a configured process with its privileges gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_START_H
#define BANTER_MASTER_START_H

#include "master/core.h"

/* Each: 0 or the exit code; what is wrong has been logged. */
int start_conf(struct master *m);
int start_log(struct master *m);  /* stderr or syslog */
int start_user(struct master *m); /* folders, lock, user; then a log file */
int start_limits(struct master *m);

#endif
