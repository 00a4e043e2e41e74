/* The lines of /help: 24 of 80 columns at most, the time before them included.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/text_private.h"

#define USAGE_COLUMNS 17

static void
help_line(struct text_out *t, const char *usage, const char *help)
{
	text_begin(t);
	text_raw(t, "* ");
	buf_printf(&t->line, "%-*s %s", USAGE_COLUMNS, usage, help);
	text_end(t);
}

static void
help_one(struct text_out *t, const char *wanted)
{
	const char *usage, *help;

	for (unsigned n = 0; text_command_at(n, &usage, &help); n++) {
		if (usage != wanted)
			continue;
		text_begin(t);
		text_raw(t, "* ");
		buf_printf(&t->line, "%s: %s.", usage, help);
		text_end(t);
	}
}

static void
help_all(struct text_out *t)
{
	const char *usage, *help;

	help_line(t, "TEXT", "say it to the room");
	help_line(t, "//TEXT", "say a line that begins with a slash");
	for (unsigned n = 0; text_command_at(n, &usage, &help); n++)
		help_line(t, usage, help);
}

void
text_help(struct text_out *t, struct slice command)
{
	const char *usage = text_usage(command);

	if (usage)
		help_one(t, usage);
	else
		help_all(t);
}
