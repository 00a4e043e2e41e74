/* landlock.h - files, TCP ports, signals; for the sandbox's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_SANDBOX_LANDLOCK_H
#define BANTER_SANDBOX_LANDLOCK_H

#include "sandbox/sandbox.h"

/* As much as this kernel has.  Needs no_new_privs.  The ABI in force; 0: the
 * kernel has no Landlock, or it is switched off; -errno. */
int landlock_enter(enum sandbox_role role);

#endif
