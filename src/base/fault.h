/* fault.h - points at which tests make something go wrong; in test builds only
 * (BANTER_TEST_FAULTS).  Elsewhere all of this is nothing.
 *
 * BANTER_FAULT in the environment says what strikes, separated by commas:
 *
 *	name:action:count[@slot]
 *
 * At the count-th passage (from 1) of the point `name`, with "@slot" in the
 * worker or keeper of that slot only, `action` happens; with "count+" at each
 * passage from then on.
 *
 *	kill, abort, segv   the process dies of SIGKILL, SIGABRT, SIGSEGV
 *	stall               it goes no further, asleep, until it is killed
 *	late                it goes on, FAULT_LATE_MS later
 *	EIO, EMFILE ...     the call is left out and fails so     (CALL points)
 *	short, half         1 byte, half is moved at most         (LENGTH
 *points)
 *
 * Passages are counted in memory that all processes share, so that the
 * successor of a worker that was struck is not struck again by the same rule.
 * They are forgotten by an exec, unless
 *
 *	BANTER_FAULT_COUNTS=FILE    they are kept in that file: 64-bit numbers,
 *	                            one per point of fault_points.h, of all its
 *	                            passages; also without BANTER_FAULT
 *	BANTER_FAULT_REPORT=FILE    each strike adds "name pid action role slot"
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_FAULT_H
#define BANTER_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef BANTER_TEST_FAULTS
# include "base/fault_points.h"

# define FAULT_LATE_MS 200

# define FAULT_ENUM(name, who, kind, file, what) FAULT_AT_##name,
enum fault_point {
	FAULT_POINTS(FAULT_ENUM) FAULT_N_POINTS
};

/* Is there a rule, or are passages counted?  Written by fault_init() only. */
extern bool fault_armed;

/* Read the environment; before the first fork.  NULL, or what is wrong with it:
 * a rule that can never strike would let a test pass (borrowed, valid until the
 * next call). */
const char *fault_init(void);

/* Who this process is from now on: "keeper" or "worker" of a slot.  role is
 * kept. */
void fault_role(const char *role, unsigned slot);

/* For the macros.  errno stays as it was, but for fault_fails(). */
int fault_pass(enum fault_point point);   /* 0 or an errno */
bool fault_fails(enum fault_point point); /* true: errno is set */
size_t fault_shorten(enum fault_point point, size_t len);

/* Die of a real store to a page that nobody may write. */
_Noreturn void fault_segv(void);

# define FAULT_ARMED __builtin_expect(fault_armed, 0)

/* A place. */
# define FAULT(name)                   \
  do {                                 \
   if (FAULT_ARMED)                    \
    (void)fault_pass(FAULT_AT_##name); \
  } while (0)

/* A call that gives 0 or -errno: an errno instead of it, or 0. */
# define FAULT_ERR(name) (FAULT_ARMED ? fault_pass(FAULT_AT_##name) : 0)

/* A call that gives -1 and sets errno. */
# define FAULT_CALL(name, call) \
  (FAULT_ARMED && fault_fails(FAULT_AT_##name) ? -1 : (call))

/* How much of len, which is not 0, is moved at most: at least 1. */
# define FAULT_SHORT(name, len) \
  (FAULT_ARMED ? fault_shorten(FAULT_AT_##name, (len)) : (len))
#else
# define FAULT(name)            ((void)0)
# define FAULT_ERR(name)        0
# define FAULT_CALL(name, call) (call)
# define FAULT_SHORT(name, len) (len)

static inline const char *
fault_init(void)
{
	return NULL;
}

static inline void
fault_role(const char *role, unsigned slot)
{
	(void)role;
	(void)slot;
}
#endif

#endif
