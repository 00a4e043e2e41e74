/* start.h - from options to a configured process with its privileges gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_START_H
#define BANTER_MASTER_START_H

#include "master/core.h"

/* Each: 0 or the exit code; what is wrong has been logged. */
int start_conf(struct master *m);
/* Log what is wrong with the value of a key, behind the file and line that set
 * it.  Only before there are clients: the files are parsed once more. */
void start_complain(struct master *m, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int start_log(struct master *m);  /* stderr or syslog */
int start_user(struct master *m); /* folders, lock, user; then a log file */
int start_limits(struct master *m);

#endif
