/* softirqd.h - the kernel's threads for softirq work that was put off.
 *
 * What a send on the loopback device brings about is softirq work, done before
 * the system call ends and so on the sender's account.  When there is much of
 * it at a time the kernel gives a part to the thread ksoftirqd/N of that CPU,
 * where no process's account has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_SOFTIRQD_H
#define BANTER_BENCH_SOFTIRQD_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct softirqd {
	cpu_set_t cpus;
	bool shared; /* the loader may run on them as well */
	unsigned n;  /* one for each CPU; 0: they cannot be seen */
	pid_t pid[CPU_SETSIZE];
};

/* Choose the CPUs that any of these processes may run on, without those that
 * the caller may run on if that leaves any.  False: it is not known. */
bool softirqd_choose(struct softirqd *s, const pid_t *pids, unsigned n_pids);

/* Find the threads of the chosen CPUs; proc is "/proc".  They are there as long
 * as their CPU is.  A container does not show them: then there are none. */
void softirqd_find(struct softirqd *s, const char *proc);

/* The CPU time of all of them until now.  False: they cannot be seen. */
bool softirqd_cpu_ns(const struct softirqd *s, uint64_t *ret);

#endif
