/* SPDX-License-Identifier: MIT */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
must_fail(const char *file, int line, const char *expr)
{
	char text[512];
	int n = snprintf(text, sizeof text, "banter: %s:%d: must(%s) failed\n",
		file, line, expr);

	if (n > (int)sizeof text - 1)
		n = sizeof text - 1;
	/* Nothing can be done about a failing write on the way to abort(). */
	(void)!write(STDERR_FILENO, text, (size_t)n);
	abort();
}
