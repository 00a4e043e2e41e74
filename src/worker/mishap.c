/* SPDX-License-Identifier: MIT */
#include "worker/mishap.h"

#ifdef BANTER_TEST_FAULTS
# include <signal.h>
# include <stdio.h>
# include <stdlib.h>
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

void
mishap_line(struct slice text)
{
	const char *on = getenv("BANTER_TEST_LINES");

	if (on == NULL || *on != '1')
		return;
	if (slice_eq_str(text, "!crash"))
		(void)raise(SIGKILL);
	while (slice_eq_str(text, "!hang"))
		(void)usleep(1000);
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
