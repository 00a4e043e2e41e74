/* SPDX-License-Identifier: MIT */
#include "bench/shared.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Messages in flight that are followed: of one publisher, and of all. */
#define SLOTS_OF_ONE 65536u
#define SLOTS_OF_ALL (4u << 20)
#define SLOTS_MIN    4u

static unsigned
slots_of_one(const struct plan *p, const struct bench_options *o)
{
	unsigned n = p->publishers ? SLOTS_OF_ALL / p->publishers : 0;

	if (o->window)
		return o->window;
	if (n > SLOTS_OF_ONE)
		n = SLOTS_OF_ONE;
	return n < SLOTS_MIN ? SLOTS_MIN : n;
}

static void *
share(size_t size)
{
	/* Pages that nobody touches cost nothing. */
	void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
shared_open(struct shared **ret, const struct plan *p,
	const struct bench_options *o)
{
	struct shared *s = share(sizeof *s);

	if (!s)
		return -errno;
	s->slots = slots_of_one(p, o);
	s->loader = share(p->processes * sizeof *s->loader);
	s->sent = share(p->publishers * sizeof *s->sent);
	s->slot = share((size_t)p->publishers * s->slots * sizeof *s->slot);
	if (!s->loader || !s->sent || !s->slot)
		return -errno;
	for (unsigned i = 0; i < p->processes; i++) {
		s->loader[i].wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (s->loader[i].wake == -1)
			return -errno;
	}
	*ret = s;
	return 0;
}

void
shared_wake(struct loader_shared *l)
{
	uint64_t one = 1;

	if (!atomic_exchange(&l->woken, true))
		/* Full means that it will be woken anyway. */
		(void)!write(l->wake, &one, sizeof one);
}
