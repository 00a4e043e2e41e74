/* memory.c - what the kernel has on the side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
read_slabs(struct memory *m)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512];

	m->n_slabs = 0;
	while (f && m->n_slabs < SLABS_MAX && fgets(line, sizeof line, f)) {
		struct slab *s = &m->slabs[m->n_slabs];
		uint64_t objects, size;

		if (sscanf(line, "%39s %*u %" SCNu64 " %" SCNu64, s->name,
			    &objects, &size) != 3)
			continue;
		s->objects = objects;
		s->bytes = objects * size;
		m->n_slabs++;
	}
	if (f)
		(void)fclose(f);
}

static void
read_sockstat(struct memory *m, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];
	unsigned inuse, alloc, pages;

	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line,
			    "TCP: inuse %u orphan %*u tw %*u alloc %u mem %u",
			    &inuse, &alloc, &pages) == 3) {
			m->tcp_inuse += inuse;
			m->tcp_alloc = alloc;
			m->tcp_pages = pages;
		} else if (sscanf(line, "TCP6: inuse %u", &inuse) == 1) {
			m->tcp_inuse += inuse;
		}
	}
	if (f)
		(void)fclose(f);
}

void
memory_sample(struct memory *m, const struct processes *server)
{
	char value[64];

	memset(m, 0, sizeof *m);
	m->pss = processes_pss(server);
	machine_field("/proc/meminfo", "Slab", value, sizeof value);
	m->slab = strtoull(value, NULL, 10) * 1024;
	read_slabs(m);
	read_sockstat(m, "/proc/net/sockstat");
	read_sockstat(m, "/proc/net/sockstat6");
}
