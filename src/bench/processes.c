/* processes.c - a server's processes and what they use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/machine.h"

#include "base/xalloc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool
process_cpu_ns(pid_t pid, uint64_t *ret)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
		clock_gettime(clock, &t) == -1)
		return false;
	*ret = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	return true;
}

/* /proc/PID/stat: the name is in parentheses and may have some itself. */
static bool
read_stat(pid_t pid, struct process *ret)
{
	char path[40], line[1024], *open, *close;
	unsigned long user, system;
	long child_user, child_system, hz = sysconf(_SC_CLK_TCK);

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	machine_line(path, line, sizeof line);
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (!open || !close ||
		sscanf(close + 1,
			" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu "
			"%ld %ld",
			&ret->parent, &user, &system, &child_user,
			&child_system) != 5)
		return false;
	ret->pid = pid;
	*close = '\0';
	(void)snprintf(ret->name, sizeof ret->name, "%s", open + 1);
	ret->user_ns = (uint64_t)user * 1000000000 / (uint64_t)hz;
	ret->system_ns = (uint64_t)system * 1000000000 / (uint64_t)hz;
	ret->reaped_ns = (uint64_t)(child_user + child_system) * 1000000000 /
			 (uint64_t)hz;
	return true;
}

static int
by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct process *)a)->pid;
	pid_t y = ((const struct process *)b)->pid;

	return (x > y) - (x < y);
}

static struct processes
all_processes(void)
{
	struct processes all = { NULL, 0 };
	unsigned cap = 0;
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		pid_t pid = (pid_t)atoi(d->d_name);

		if (pid <= 0)
			continue;
		if (all.n == cap) {
			cap = cap ? cap * 2 : 256;
			all.p = xrealloc(all.p, cap, sizeof *all.p);
		}
		all.p[all.n].cpu_ns = 0;
		if (read_stat(pid, &all.p[all.n]))
			all.n++;
	}
	if (dir)
		(void)closedir(dir);
	if (all.n)
		qsort(all.p, all.n, sizeof *all.p, by_pid);
	return all;
}

const struct process *
processes_find(const struct processes *list, pid_t pid)
{
	struct process key = { .pid = pid };

	return list->n ? bsearch(&key, list->p, list->n, sizeof *list->p,
				 by_pid)
		       : NULL;
}

static bool
descends(const struct processes *all, const struct process *p,
	const pid_t *roots, unsigned n_roots)
{
	/* Longer chains than there are processes do not exist; a file that
	 * changed while it was read may make a ring. */
	for (unsigned depth = 0; p && depth < all->n; depth++) {
		for (unsigned i = 0; i < n_roots; i++)
			if (p->pid == roots[i])
				return true;
		p = processes_find(all, p->parent);
	}
	return false;
}

struct processes
processes_of(const pid_t *roots, unsigned n_roots)
{
	struct processes all, found = { NULL, 0 };

	if (n_roots == 0)
		return found;
	all = all_processes();
	found.p = xcalloc(all.n + 1u, sizeof *found.p);
	for (unsigned i = 0; i < all.n; i++) {
		struct process *p = &all.p[i];

		if (!descends(&all, p, roots, n_roots))
			continue;
		if (process_cpu_ns(p->pid, &p->cpu_ns))
			found.p[found.n++] = *p;
	}
	free(all.p);
	return found;
}

uint64_t
processes_pss(const struct processes *list)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < list->n; i++) {
		char path[40], value[64];

		(void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup",
			(int)list->p[i].pid);
		machine_field(path, "Pss", value, sizeof value);
		sum += strtoull(value, NULL, 10) * 1024;
	}
	return sum;
}
