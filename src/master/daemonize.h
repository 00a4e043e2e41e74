/* daemonize.h - into the background, and what the one who waits is told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_DAEMONIZE_H
#define BANTER_MASTER_DAEMONIZE_H

#include <stdbool.h>

/* Make sure that 0, 1 and 2 are open: what is opened later must not take their
 * place and be written to by accident. */
void daemonize_stdio(void);

/* Fork.  In the daemon -1, and *ret_report_fd is for daemonize_report(); in the
 * parent the exit code that the daemon reported, or 71 when there could be no
 * daemon, or 70 when it died without a word. */
int daemonize_start(int *ret_report_fd);

/* 0 to 2 become /dev/null: who waits for the end of our output does not wait
 * for ours. */
void daemonize_silence(void);

/* Let the parent exit with this code; nothing when *report_fd is -1.  With
 * quiet, daemonize_silence() before. */
void daemonize_report(int *report_fd, int code, bool quiet);

#endif
