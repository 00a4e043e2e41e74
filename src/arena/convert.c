/* Versions 1 and 2 differ in the length of the undo log, and so of the head,
 * and in the size of the table of rooms; what a session, a room and a block is,
 * and what stands in the head before the undo log, is the same.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/convert.h"
#include "arena/arena.h"
#include "arena/tx.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct section {
	uint64_t offset, len;
};

/* In the order of the file. */
struct layout {
	struct section head, areas, sessions, rooms, heap;
};

static uint64_t
aligned(uint64_t n)
{
	return (n + 4095) & ~UINT64_C(4095);
}

static void
follow(const struct section *before, struct section *s, uint64_t len)
{
	s->offset = before->offset + aligned(before->len);
	s->len = len;
}

static struct layout
layout_of(uint64_t undo_max, uint64_t n_sessions, uint64_t n_rooms)
{
	struct layout l;

	l.head = (struct section){ 0,
		offsetof(struct arena_head, undo) +
			undo_max * sizeof(struct arena_undo) };
	follow(&l.head, &l.areas,
		aligned(ARENA_RX_BYTES) + 3 * aligned(ARENA_BUS_BYTES));
	follow(&l.areas, &l.sessions, n_sessions * sizeof(struct session));
	follow(&l.sessions, &l.rooms, n_rooms * sizeof(struct room));
	follow(&l.rooms, &l.heap, ARENA_HEAP_BYTES);
	return l;
}

struct mapping {
	char *base;
	uint64_t size;
};

/* false: errno says why. */
static bool
map(struct mapping *m, int fd, int protection)
{
	struct stat st;
	void *base;

	if (fstat(fd, &st) == -1)
		return false;
	if ((uint64_t)st.st_size < sizeof(struct arena_head)) {
		errno = EPROTO;
		return false;
	}
	base = mmap(NULL, (size_t)st.st_size, protection,
		MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return false;
	*m = (struct mapping){ base, (uint64_t)st.st_size };
	return true;
}

static void
unmap(struct mapping *m)
{
	if (m->base != NULL)
		(void)munmap(m->base, m->size);
}

bool
arena_can_use(uint32_t version)
{
	return version == ARENA_VERSION || version == ARENA_PREVIOUS_VERSION;
}

bool
arena_is_empty(int fd)
{
	uint32_t magic = 0;

	return pread(fd, &magic, sizeof magic, 0) != sizeof magic ||
	       magic != ARENA_MAGIC;
}

/* The heap is sparse: only what has pages is copied. */
static int
copy_heap(int from, const struct mapping *f, const struct section *fs,
	const struct mapping *t, const struct section *ts)
{
	off_t at = (off_t)fs->offset, end = (off_t)(fs->offset + fs->len);

	while ((at = lseek(from, at, SEEK_DATA)) != -1 && at < end) {
		off_t hole = lseek(from, at, SEEK_HOLE);
		uint64_t begin = (uint64_t)at - fs->offset;

		if (hole == -1)
			return -errno;
		if (hole > end)
			hole = end;
		memcpy(t->base + ts->offset + begin, f->base + at,
			(size_t)(hole - at));
		at = hole;
	}
	return at == -1 && errno != ENXIO ? -errno : 0;
}

static void
copy_section(const struct mapping *f, const struct section *fs,
	const struct mapping *t, const struct section *ts)
{
	memcpy(t->base + ts->offset, f->base + fs->offset, fs->len);
}

/* All of the head but what says which layout it is. */
static void
copy_head(const struct mapping *f, const struct mapping *t)
{
	const struct arena_head *from = (const void *)f->base;
	struct arena_head *to = (void *)t->base;
	size_t first = offsetof(struct arena_head, next_number);

	memcpy((char *)to + first, (const char *)from + first,
		offsetof(struct arena_head, undo) - first);
	to->version = ARENA_VERSION;
	to->n_sessions = from->n_sessions;
	to->n_rooms = ARENA_ROOMS;
	to->size = t->size;
	/* Last, as ever: without it there is no arena. */
	arena_store(&to->magic, ARENA_MAGIC);
}

static int
check(const struct mapping *f, const struct layout *l, unsigned fd_limit)
{
	const struct arena_head *h = (const void *)f->base;

	if (h->magic != ARENA_MAGIC || h->version != ARENA_PREVIOUS_VERSION ||
		h->n_rooms != ARENA_PREVIOUS_ROOMS || h->size != f->size ||
		f->size != l->heap.offset + l->heap.len || h->undo_count != 0)
		return -EPROTO;
	return h->n_sessions == fd_limit ? 0 : -EFBIG;
}

static int
convert(const struct mapping *f, const struct mapping *t, int from,
	unsigned fd_limit)
{
	struct layout old = layout_of(
		ARENA_PREVIOUS_UNDO_MAX, fd_limit, ARENA_PREVIOUS_ROOMS);
	struct layout new = layout_of(ARENA_UNDO_MAX, fd_limit, ARENA_ROOMS);
	int rc = check(f, &old, fd_limit);

	if (rc == 0 && t->size != new.heap.offset + new.heap.len)
		rc = -EPROTO;
	if (rc == 0)
		rc = copy_heap(from, f, &old.heap, t, &new.heap);
	if (rc < 0)
		return rc;
	copy_section(f, &old.areas, t, &new.areas);
	copy_section(f, &old.sessions, t, &new.sessions);
	copy_section(f, &old.rooms, t, &new.rooms);
	copy_head(f, t);
	return 0;
}

int
arena_convert(int from, int to, unsigned fd_limit)
{
	struct mapping f = { 0 }, t = { 0 };
	int rc;

	if (map(&f, from, PROT_READ) && map(&t, to, PROT_READ | PROT_WRITE))
		rc = convert(&f, &t, from, fd_limit);
	else
		rc = -errno;
	unmap(&f);
	unmap(&t);
	return rc;
}
