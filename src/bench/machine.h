/* machine.h - what /proc and /sys tell of this machine and of a server's
 * processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_MACHINE_H
#define BANTER_BENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One process of a server.  cpu_ns is exact and has all threads, ended ones
 * too; user and system are sampled by the kernel in ticks. */
struct process {
	pid_t pid, parent;
	char name[16];
	uint64_t cpu_ns, user_ns, system_ns;
	uint64_t reaped_ns; /* of its children that have ended, in ticks */
};

struct processes {
	struct process *p;
	unsigned n;
};

/* These processes and all their descendants, in order of pid.  free() the list.
 * Those that end meanwhile are not in it. */
struct processes processes_of(const pid_t *roots, unsigned n_roots);
const struct process *processes_find(const struct processes *list, pid_t pid);

/* The CPU clock of a process, which may be 0 yet.  False: it is gone. */
bool process_cpu_ns(pid_t pid, uint64_t *ret);

/* Sum of the proportional set sizes, in bytes; of those that may be read. */
uint64_t processes_pss(const struct processes *list);

/* Memory of the kernel, in bytes. */
#define SLABS_MAX 512

struct slab {
	char name[40];
	uint64_t objects, bytes;
};

struct memory {
	uint64_t pss, slab;
	unsigned n_slabs; /* 0: only root may know */
	struct slab slabs[SLABS_MAX];
	uint64_t tcp_inuse, tcp_alloc, tcp_pages;
};

void memory_sample(struct memory *m, const struct processes *server);

/* The first line of a file without its newline; "" when there is none. */
void machine_line(const char *path, char *out, size_t cap);

/* The value behind "key" and a colon in a file as /proc/cpuinfo. */
void machine_field(const char *path, const char *key, char *out, size_t cap);

#endif
