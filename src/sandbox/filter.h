/* filter.h - seccomp; for the sandbox's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_SANDBOX_FILTER_H
#define BANTER_SANDBOX_FILTER_H

#include "sandbox/calls.h"
#include "sandbox/sandbox.h"

/* Make the filter, for this process or for those that it clones. */
int filter_prepare(enum sandbox_role role, enum sandbox_mode mode,
	const struct calls_engine *engine);

/* From here on only calls of the role, and of the engine unless it is NULL.
 * Needs no_new_privs.  0, with what is in force added to *state; -errno. */
int filter_enter(enum sandbox_role role, enum sandbox_mode mode,
	const struct calls_engine *engine, uint64_t *state);

#ifdef BANTER_TEST_FAULTS
/* trap.c, BANTER_TEST_SANDBOX=trap: what is refused is told on stderr as well,
 * so that a test of anything else fails.  Is that wanted? */
bool trap_is_wanted(void);
/* Before the filter. */
void trap_install(enum sandbox_role role);
#else
static inline bool
trap_is_wanted(void)
{
	return false;
}

static inline void
trap_install(enum sandbox_role role)
{
	(void)role;
}
#endif

#endif
