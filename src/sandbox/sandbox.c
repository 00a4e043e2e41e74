/* SPDX-License-Identifier: MIT */
#include "sandbox/sandbox.h"

#include "sandbox/calls.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define PARSER_FDS 64

/* A sanitizer maps, clones, traces and writes files as it likes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define HAS_SANITIZER true
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	 __has_feature(memory_sanitizer)
#  define HAS_SANITIZER true
# endif
#endif
#ifndef HAS_SANITIZER
# define HAS_SANITIZER false
#endif

enum sandbox_mode
sandbox_mode_of(enum sandbox_mode wanted)
{
#ifdef BANTER_TEST_FAULTS
	const char *word = getenv("BANTER_TEST_SANDBOX");

	if (word != NULL && strcmp(word, "off") == 0)
		wanted = SANDBOX_OFF;
	if (word != NULL && strcmp(word, "log") == 0)
		wanted = SANDBOX_LOG;
#endif
	return HAS_SANITIZER ? SANDBOX_OFF : wanted;
}

static void
limit(int what, rlim_t most)
{
	struct rlimit r = { most, most };

	(void)setrlimit(what, &r); /* a lower one of the system stays */
}

/* Not RLIMIT_FSIZE for a worker: the log may be a file.  Its RLIMIT_NOFILE is
 * what the master has computed and the arena is sized by, its RLIMIT_CORE the
 * administrator's. */
static void
limit_role(enum sandbox_role role, const struct calls_engine *engine)
{
	if (role == SANDBOX_PARSER) {
		limit(RLIMIT_NOFILE, PARSER_FDS);
		limit(RLIMIT_FSIZE, 0);
	}
	if (engine == NULL || !engine->threads)
		limit(RLIMIT_NPROC, 0);
	if (engine == NULL || !engine->locks_memory)
		limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	limit(RLIMIT_RTPRIO, 0);
	limit(RLIMIT_NICE, 0);
}

/* Of a daemon that runs as root there are all.  Where there are none the call
 * is not made: service managers may forbid it. */
static int
drop_capabilities(void)
{
	cap_t none = cap_init(), ours = cap_get_proc();
	int rc = 0;

	if (none == NULL || ours == NULL)
		rc = -errno;
	else if (cap_compare(none, ours) != 0 && cap_set_proc(none) == -1)
		rc = -errno;
	(void)cap_free(none);
	(void)cap_free(ours);
	return rc;
}

int
sandbox_enter(enum sandbox_role role, enum sandbox_mode mode,
	const char *engine, uint64_t *ret_state)
{
	const struct calls_engine *e = NULL;
	int rc;

	*ret_state = SANDBOX_KNOWN | (HAS_SANITIZER ? SANDBOX_SANITIZER : 0u);
	if (role == SANDBOX_WORKER) {
		e = calls_engine(engine);
		if (e == NULL)
			return -EINVAL;
	}
	if (mode == SANDBOX_OFF)
		return 0;
	tzset(); /* reads a file, for times in the log */
	/* Before the limits: it is written to a memfd. */
	rc = filter_prepare(role, mode, e);
	if (rc < 0)
		return rc;
	limit_role(role, e);
	rc = drop_capabilities();
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		rc = -errno;
	if (rc < 0)
		return rc;
	*ret_state |= SANDBOX_NO_NEW_PRIVS;
	if (mode == SANDBOX_ON) {
		rc = landlock_enter(role);
		if (rc < 0)
			return rc;
		*ret_state |= (uint64_t)SANDBOX_LANDLOCK * (unsigned)rc;
	}
	return filter_enter(role, mode, e, ret_state);
}

void
sandbox_prepare(enum sandbox_mode mode, const char *engine)
{
	const struct calls_engine *e = calls_engine(engine);

	mode = sandbox_mode_of(mode);
	if (e != NULL && mode != SANDBOX_OFF)
		(void)filter_prepare(SANDBOX_WORKER, mode, e);
}

void
sandbox_text(uint64_t state, char text[SANDBOX_TEXT_LEN])
{
	unsigned landlock = (unsigned)(state / SANDBOX_LANDLOCK);
	size_t at = 0;

	if (!(state & SANDBOX_NO_NEW_PRIVS)) {
		(void)snprintf(text, SANDBOX_TEXT_LEN, "%s",
			!(state & SANDBOX_KNOWN)    ? ""
			: state & SANDBOX_SANITIZER ? "off (sanitizer)"
						    : "off");
		return;
	}
	at += (size_t)snprintf(text, SANDBOX_TEXT_LEN, "%s",
		!(state & SANDBOX_SECCOMP)    ? "no seccomp"
		: state & SANDBOX_SECCOMP_LOG ? "seccomp (log)"
					      : "seccomp");
	if (landlock > 0)
		(void)snprintf(text + at, SANDBOX_TEXT_LEN - at,
			", Landlock %u", landlock);
	else
		(void)snprintf(
			text + at, SANDBOX_TEXT_LEN - at, ", no Landlock");
}
