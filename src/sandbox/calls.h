/* calls.h - system calls by role and engine; for the sandbox's own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_SANDBOX_CALLS_H
#define BANTER_SANDBOX_CALLS_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>

struct call {
	int number;      /* as libseccomp has it: on every architecture */
	unsigned n_args; /* that are compared */
	struct scmp_arg_cmp arg[1];
};

struct calls {
	const struct call *call;
	size_t n;
};

struct calls_engine {
	const char *name;
	struct calls calls; /* beyond those of a worker */
	bool threads;
	bool locks_memory;
};

/* What every worker needs; what the parser does. */
extern const struct calls calls_worker, calls_parser;

/* What is refused as not permitted: these are no calls that a newer C library
 * may try first.  Where an allow-list has one with certain arguments, the
 * others are refused as unknown. */
extern const struct calls calls_forbidden;

/* NULL: none of that name. */
const struct calls_engine *calls_engine(const char *name);

#endif
