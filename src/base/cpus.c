/* SPDX-License-Identifier: MIT */
#include "base/cpus.h"

#include <sched.h>

unsigned
cpus_allowed(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof set, &set) == -1)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}
