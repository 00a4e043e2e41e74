/* SPDX-License-Identifier: MIT */
#include "bench/machine.h"

#include <stdio.h>
#include <string.h>

void
machine_line(const char *path, char *out, size_t cap)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (!f)
		return;
	if (!fgets(out, (int)cap, f))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	(void)fclose(f);
}

void
machine_field(const char *path, const char *key, char *out, size_t cap)
{
	FILE *f = fopen(path, "re");
	char line[512];
	size_t len = strlen(key);

	out[0] = '\0';
	while (f && fgets(line, sizeof line, f)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, key, len) != 0 || !colon ||
			(line[len] != ':' && line[len] != '\t' &&
				line[len] != ' '))
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		(void)snprintf(
			out, cap, "%.*s", (int)strcspn(colon, "\n"), colon);
		break;
	}
	if (f)
		(void)fclose(f);
}
