/* attempt.h - try what a sandbox forbids; in test builds only.
 *
 * Each attempt does no harm when it is not forbidden: what it gets it gives
 * back, and where that cannot be, it is wrong in a way that the kernel says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_SANDBOX_ATTEMPT_H
#define BANTER_SANDBOX_ATTEMPT_H

#ifdef BANTER_TEST_FAULTS
# include <sys/types.h>

/* error: 0 when it was done. */
typedef void attempt_fn(void *arg, const char *name, int error);

/* victim: a process to do something to. */
void attempt_all(pid_t victim, attempt_fn *tell, void *arg);
#endif

#endif
