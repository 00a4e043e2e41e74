/* mishap.h - mishaps that the tests ask for; in test builds only.
 *
 * BANTER_TEST_LINES=1: a client's line does that to its worker, inside the
 * transaction of the line: "!crash" (SIGKILL), "!segv", "!abort", "!hang"
 * (asleep), "!loop" (busy).  The text "!poison" crashes each worker that makes
 * bytes of it for a client.  "!forbidden PID" tries what the sandbox forbids,
 * to that process where it is about one, and logs what came of it.
 * BANTER_TEST_PREPARE=refuse:N, die:N: slot N answers a reload so.
 * BANTER_TEST_START=die:N, refuse:N: slot N's worker ends before it is ready,
 * with code 1, or 78.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_MISHAP_H
#define BANTER_WORKER_MISHAP_H

#include "base/slice.h"

#include <stdbool.h>

#ifdef BANTER_TEST_FAULTS
void mishap_line(struct slice text);
void mishap_encode(struct slice text);
/* True: refuse. */
bool mishap_prepare(unsigned slot);
/* The exit code, or -1: start. */
int mishap_start(unsigned slot);
#else
static inline void
mishap_line(struct slice text)
{
	(void)text;
}

static inline void
mishap_encode(struct slice text)
{
	(void)text;
}

static inline bool
mishap_prepare(unsigned slot)
{
	(void)slot;
	return false;
}

static inline int
mishap_start(unsigned slot)
{
	(void)slot;
	return -1;
}
#endif

#endif
