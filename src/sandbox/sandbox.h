/* sandbox.h - what a process gives up that handles what others have written.
 *
 * In this order: resource limits, capabilities, new privileges, Landlock,
 * seccomp.  All of it is for the calling process and for good, and those that
 * it clones or executes would inherit it: who does either has no sandbox.
 *
 * The allow-lists of system calls are in calls.c: one for each role, and one
 * for each engine that a worker may use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_SANDBOX_SANDBOX_H
#define BANTER_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_role {
	SANDBOX_WORKER, /* no file, no new socket, no process */
	SANDBOX_PARSER  /* reads files, and writes to what it has open */
};

/* In the order of the words of the key. */
enum sandbox_mode {
	SANDBOX_ON,
	SANDBOX_LOG, /* calls that are not on the list are done, and the kernel
		      * logs them; no Landlock */
	SANDBOX_OFF
};

/* What is in force: bits, and the ABI of Landlock from SANDBOX_LANDLOCK on (0:
 * none). */
enum sandbox_state {
	SANDBOX_KNOWN = 1,        /* else nobody has said */
	SANDBOX_NO_NEW_PRIVS = 2, /* with no capabilities and the limits */
	SANDBOX_SECCOMP = 4,
	SANDBOX_SECCOMP_LOG = 8, /* which forbids nothing */
	SANDBOX_SANITIZER = 16,  /* a build with one: its calls are unknown */
	SANDBOX_LANDLOCK = 256
};

/* Give up what this role does not need, and what the engine of a worker (NULL
 * for a parser) does not.  There may be one thread.  0, with *ret_state: what
 * the kernel lacks is missing there, which the caller tells; -EINVAL: there is
 * no list for this engine; -errno: then the process must end. */
int sandbox_enter(enum sandbox_role role, enum sandbox_mode mode,
	const char *engine, uint64_t *ret_state);

/* Make what a worker with this engine will need, in the process that clones it:
 * it starts half a millisecond sooner.  It need not be that engine after all.
 */
void sandbox_prepare(enum sandbox_mode mode, const char *engine);

/* Does a build, or a test, have it that this mode is in force? */
enum sandbox_mode sandbox_mode_of(enum sandbox_mode wanted);

/* "seccomp, Landlock 7": for people.  Never longer than SANDBOX_TEXT_LEN with
 * its NUL. */
#define SANDBOX_TEXT_LEN 64
void sandbox_text(uint64_t state, char text[SANDBOX_TEXT_LEN]);

#endif
