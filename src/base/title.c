/* The kernel shows the bytes that the arguments had at exec, and when the last
 * of them is no NUL, goes on into the environment behind them.
 *
 * SPDX-License-Identifier: MIT */
#include "base/title.h"

#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *area; /* NULL: not to be touched */
static size_t area_len;
static bool looked;

/* The length of the arguments, as the kernel has it; 0: unknown. */
static size_t
arguments_len(const char *first)
{
	char mem[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd == -1)
		return 0;
	while ((n = read(fd, mem, sizeof mem)) > 0) {
		/* Under valgrind the arguments are elsewhere. */
		if (len == 0 && strncmp(mem, first, (size_t)n) != 0)
			break;
		len += (size_t)n;
	}
	(void)close(fd);
	return n == 0 ? len : 0;
}

/* Copy the environment and take what lies right behind the arguments. */
static void
move_environment(void)
{
	size_t n = 0;
	char **copy;

	while (environ != NULL && environ[n] != NULL)
		n++;
	copy = xcalloc(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(environ[i]);

		if (environ[i] == area + area_len)
			area_len += len + 1;
		copy[i] = xmemdup0(environ[i], len);
	}
	environ = copy;
}

static void
find_area(void)
{
	looked = true;
	area_len = arguments_len(program_invocation_name);
	if (area_len == 0)
		return;
	area = program_invocation_name;
	program_invocation_name = xmemdup0(area, strlen(area));
	program_invocation_short_name = strrchr(program_invocation_name, '/');
	if (program_invocation_short_name == NULL)
		program_invocation_short_name = program_invocation_name;
	else
		program_invocation_short_name++;
	move_environment();
}

void
title_set(const char *fmt, ...)
{
	char text[128];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)prctl(PR_SET_NAME, text);
	if (!looked)
		find_area();
	if (area == NULL)
		return;
	len = strlen(text);
	if (len > area_len - 1)
		len = area_len - 1;
	memset(area, 0, area_len);
	memcpy(area, text, len);
}
