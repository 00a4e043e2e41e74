/* relay_state.c - the relay log passed on to the next image of the master.
 *
 * The memfd has everything but what is here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/relay_state.h"

#include "base/fd.h"
#include "base/xalloc.h"
#include "master/relay_private.h"

#include <sys/mman.h>
#include <sys/stat.h>

int
relay_fd(const struct relay *r)
{
	return r->fd;
}

void
relay_save(const struct relay *r, struct pack *p)
{
	pack_u64(p, r->tail);
	pack_u64(p, r->touched);
	pack_u64(p, r->rush_ms);
	pack_u64(p, r->lost);
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (!gap_is_empty(&r->gap[i]) || r->gap[i].over) {
			pack_u64(p, i + 1);
			gap_save(&r->gap[i], p);
		}
	pack_u64(p, 0);
}

/* A rehearsal sees the log as it is now, and what it writes is its own. */
static bool
map_log(struct relay *r, bool rehearse)
{
	struct stat st;
	void *mem;

	if (fstat(r->fd, &st) == -1 ||
		st.st_size < RELAY_STATE_SIZE + RELAY_SIZE_MIN)
		return false;
	mem = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		rehearse ? MAP_PRIVATE : MAP_SHARED, r->fd, 0);
	if (mem == MAP_FAILED)
		return false;
	(void)madvise(mem, (size_t)st.st_size, MADV_DONTFORK); /* relay_new() */
	r->state = mem;
	r->ring = (char *)mem + RELAY_STATE_SIZE;
	/* relay_free() unmaps by it. */
	if (r->state->size + RELAY_STATE_SIZE == (uint64_t)st.st_size &&
		r->state->version == RELAY_STATE_VERSION)
		return true;
	(void)munmap(mem, (size_t)st.st_size);
	r->state = NULL;
	return false;
}

struct relay *
relay_restore(int *fd, struct unpack *u, bool rehearse)
{
	struct relay *r = xcalloc(1, sizeof *r);
	uint64_t slot;

	r->fd = *fd;
	*fd = -1;
	if (!map_log(r, rehearse))
		goto fail;
	r->tail = unpack_u64(u);
	r->touched = unpack_u64(u);
	r->rush_ms = unpack_u64(u);
	r->lost = unpack_u64(u);
	while ((slot = unpack_u64(u)) != 0)
		if (slot > SLOTS_MAX || !gap_restore(&r->gap[slot - 1], u))
			goto fail;
	if (!u->bad && r->tail <= r->state->head &&
		r->touched <= r->state->size)
		return r;
fail:
	relay_free(&r);
	return NULL;
}
