/* SPDX-License-Identifier: MIT */
#include "bus/engine.h"

#include <stddef.h>
#include <string.h>
#include <sys/select.h>

static const char *const names[] = {
	[ENGINE_UNKNOWN] = "",
	[ENGINE_EPOLL] = "epoll",
	[ENGINE_IO_URING] = "io_uring",
	[ENGINE_POLL] = "poll",
	[ENGINE_SELECT] = "select",
	[ENGINE_THREADS] = "threads",
};

#define N_NAMES (sizeof names / sizeof *names)

enum engine
engine_number(const char *name)
{
	for (size_t i = 1; i < N_NAMES; i++)
		if (!strcmp(names[i], name))
			return (enum engine)i;
	return ENGINE_UNKNOWN;
}

const char *
engine_name(unsigned number)
{
	return number < N_NAMES ? names[number] : "";
}

unsigned
engine_fd_limit(enum engine engine, unsigned fd_limit)
{
	if (engine == ENGINE_SELECT && fd_limit > FD_SETSIZE)
		return FD_SETSIZE;
	return fd_limit;
}
