/* SPDX-License-Identifier: MIT */
#include "worker/mishap.h"
#include "base/fault.h"

#ifdef BANTER_TEST_FAULTS
# include "log/log.h"
# include "sandbox/attempt.h"

# include <signal.h>
# include <stdio.h>
# include <stdlib.h>
# include <string.h>
# include <unistd.h>

/* Does the variable say "word:slot"? */
static bool
asked(const char *variable, const char *word, unsigned slot)
{
	const char *value = getenv(variable);
	char want[32];

	(void)snprintf(want, sizeof want, "%s:%u", word, slot);
	return value != NULL && strcmp(value, want) == 0;
}

static bool
heeds_lines(void)
{
	const char *on = getenv("BANTER_TEST_LINES");

	return on != NULL && *on == '1';
}

static void
told_attempt(void *arg, const char *name, int error)
{
	(void)arg;
	log_warning("forbidden: %s %s", name,
		error == 0 ? "done" : strerrorname_np(error));
}

static void
try_forbidden(struct slice text)
{
	static const char word[] = "!forbidden ";
	char number[16];

	if (text.len < sizeof word ||
		memcmp(text.p, word, sizeof word - 1) != 0)
		return;
	(void)snprintf(number, sizeof number, "%.*s",
		(int)(text.len - (sizeof word - 1)), text.p + sizeof word - 1);
	attempt_all(atoi(number), told_attempt, NULL);
	log_warning("forbidden: end");
}

void
mishap_line(struct slice text)
{
	bool loop = slice_eq_str(text, "!loop");
	volatile unsigned turns = 0;

	if (!heeds_lines())
		return;
	try_forbidden(text);
	if (slice_eq_str(text, "!crash"))
		(void)raise(SIGKILL);
	if (slice_eq_str(text, "!segv"))
		fault_segv();
	if (slice_eq_str(text, "!abort"))
		abort();
	while (slice_eq_str(text, "!hang"))
		(void)usleep(1000);
	while (loop)
		turns++;
}

void
mishap_encode(struct slice text)
{
	if (slice_eq_str(text, "!poison") && heeds_lines())
		fault_segv();
}

bool
mishap_prepare(unsigned slot)
{
	if (asked("BANTER_TEST_PREPARE", "die", slot))
		_exit(70);
	return asked("BANTER_TEST_PREPARE", "refuse", slot);
}

int
mishap_start(unsigned slot)
{
	if (asked("BANTER_TEST_START", "refuse", slot))
		return 78;
	return asked("BANTER_TEST_START", "die", slot) ? 1 : -1;
}
#else
/* A file with nothing in it is not C. */
extern int mishap_none;
#endif
