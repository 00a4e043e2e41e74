/* ctl_print.h - show an answer to people, or to programs.
 *
 * Names and topics are chosen by clients: nothing that steers a terminal, or
 * turns a line's direction, gets through.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_TOOLS_CTL_PRINT_H
#define BANTER_TOOLS_CTL_PRINT_H

#include "tools/ctl_client.h"

#include <stdio.h>

/* Is this column a number in every row? */
bool ctl_is_number(const char *column);

/* A copy of s with everything unprintable as \xNN; free() it. */
char *ctl_safe(const char *s);

/* Tables with aligned columns; the message of a failure and its notes go to
 * err. */
void ctl_print(const struct ctl_answer *answer, FILE *out, FILE *err);

/* One JSON object: keys as they are, tables as arrays of objects. */
void ctl_print_json(
	const struct ctl_answer *answer, const char *verb, FILE *out);

#endif
