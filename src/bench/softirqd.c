/* SPDX-License-Identifier: MIT */
#include "bench/softirqd.h"

#include "bench/machine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the flags in /proc/PID/stat: any process can have such a name. */
#define PF_KTHREAD 0x00200000u

bool
softirqd_choose(struct softirqd *s, const pid_t *pids, unsigned n_pids)
{
	cpu_set_t own, common, one;

	memset(s, 0, sizeof *s);
	/* EINVAL: there are more CPUs than the set can have. */
	if (sched_getaffinity(0, sizeof own, &own) == -1)
		return false;
	for (unsigned i = 0; i < n_pids; i++) {
		if (sched_getaffinity(pids[i], sizeof one, &one) == -1)
			return false;
		CPU_OR(&s->cpus, &s->cpus, &one);
	}
	CPU_AND(&common, &s->cpus, &own);
	s->shared = CPU_EQUAL(&common, &s->cpus);
	if (!s->shared)
		CPU_XOR(&s->cpus, &s->cpus, &common);
	return CPU_COUNT(&s->cpus) > 0;
}

/* The CPU whose thread this is, or -1. */
static int
cpu_of(const char *proc, const char *pid)
{
	char path[512], line[1024], *close;
	unsigned cpu, flags;
	int end = 0;

	(void)snprintf(path, sizeof path, "%s/%s/stat", proc, pid);
	machine_line(path, line, sizeof line);
	close = strrchr(line, ')');
	if (!close ||
		sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 ||
		!(flags & PF_KTHREAD))
		return -1;
	if (sscanf(line, "%*d (ksoftirqd/%u%n", &cpu, &end) != 1 ||
		line + end != close || cpu >= CPU_SETSIZE)
		return -1;
	return (int)cpu;
}

void
softirqd_find(struct softirqd *s, const char *proc)
{
	DIR *dir = opendir(proc);
	struct dirent *d;
	cpu_set_t left = s->cpus;

	s->n = 0;
	while (dir && (d = readdir(dir))) {
		pid_t pid = (pid_t)atoi(d->d_name);
		int cpu = pid > 0 ? cpu_of(proc, d->d_name) : -1;

		if (cpu < 0 || !CPU_ISSET(cpu, &left))
			continue;
		CPU_CLR(cpu, &left);
		s->pid[s->n++] = pid;
	}
	if (dir)
		(void)closedir(dir);
	/* Some of them would be a figure that looks like all. */
	if (CPU_COUNT(&left) > 0)
		s->n = 0;
}

bool
softirqd_cpu_ns(const struct softirqd *s, uint64_t *ret)
{
	uint64_t sum = 0, one;

	for (unsigned i = 0; i < s->n; i++) {
		if (!process_cpu_ns(s->pid[i], &one))
			return false;
		sum += one;
	}
	*ret = sum;
	return s->n > 0;
}
