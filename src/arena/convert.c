/* Versions 2 and 3 differ in the record of a client: it became smaller, its
 * address went to a table of its own unless it is one of IPv4, and what can be
 * told from other fields is gone.  What a room and a block is, and what stands
 * in the head, is the same.  The engine's memory is new in 3: no worker of 2
 * has left anything there.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/convert.h"
#include "arena/arena.h"
#include "arena/queue.h"
#include "arena/record.h"
#include "arena/tx.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

#ifdef BANTER_TEST_PREVIOUS
int
arena_convert(int from, int to, unsigned fd_limit)
{
	/* What was before it nobody has any more. */
	(void)from;
	(void)to;
	(void)fd_limit;
	return -EPROTO;
}
#else
# include "arena/previous.h"

# define ADDRESS_BYTES 16

struct section {
	uint64_t offset, len;
};

/* In the order of the file. */
struct layout {
	struct section head, areas, sessions, addresses, rooms, heap;
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
layout_of(uint64_t n_sessions, uint64_t session_bytes, uint64_t address_bytes)
{
	struct layout l;

	l.head = (struct section){ 0, sizeof(struct arena_head) };
	follow(&l.head, &l.areas,
		aligned(ARENA_RX_BYTES) + 3 * aligned(ARENA_BUS_BYTES));
	follow(&l.areas, &l.sessions, n_sessions * session_bytes);
	follow(&l.sessions, &l.addresses, n_sessions * address_bytes);
	follow(&l.addresses, &l.rooms, ARENA_ROOMS * sizeof(struct room));
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

/* What is sparse stays so: only what has pages is copied. */
static int
copy_sparse(int from, const struct mapping *f, const struct section *fs,
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

static bool
is_in_heap(const struct arena *a, block_ref ref, uint64_t bytes)
{
	uint64_t at = ((uint64_t)ref - 1) * 64;

	return ref != 0 &&
	       at + sizeof(struct block) + bytes <= ARENA_HEAP_BYTES &&
	       heap_block(a, ref)->len >= bytes;
}

/* Where it talks is now the last room of its list, as it nearly always was. */
static void
convert_rooms(struct arena *a, struct session *to,
	const struct session_previous *from)
{
	to->n_rooms = from->n_rooms;
	if (to->n_rooms <= SESSION_INLINE_ROOMS) {
		memcpy(to->room, from->room, sizeof to->room);
	} else {
		to->rooms = from->rooms;
		if (!is_in_heap(a, to->rooms, to->n_rooms * sizeof(uint32_t)))
			return;
	}
	if (from->current != ARENA_NONE)
		session_use_room(a, to, from->current);
}

static uint8_t
narrow(uint16_t v)
{
	/* What does not fit is damaged, and then found to be so. */
	return v > UINT8_MAX ? UINT8_MAX : (uint8_t)v;
}

static void
convert_session(struct arena *a, struct session *to,
	const struct session_previous *from)
{
	*to = (struct session){ .id = from->id,
		.q_word = from->q_word,
		.q_head = from->q_head,
		.q_head_sent = from->q_head_sent,
		.q_bytes = from->q_bytes,
		.missed = from->missed,
		.tx_total = from->tx_total,
		.proto_state = from->proto_state,
		.state = narrow(from->state),
		.kind = narrow(from->kind),
		.flags = from->flags,
		.awaited = from->awaited,
		.cookie = from->cookie,
		.rx_total = from->rx_total,
		.active_s = from->active_s,
		.since_s = from->since_s,
		.tokens = from->tokens,
		.tokens_ms = from->tokens_ms,
		.line = from->line,
		.held = from->held,
		.nick = from->nick,
		.missed_room = from->missed_room,
		.held_at = from->held_at > UINT16_MAX ? UINT16_MAX
						      : (uint16_t)from->held_at,
		.port = from->port };
	if (from->q_ring != 0)
		to->q_ring = queue_ring_word((uint32_t)(from->q_ring >> 32),
			(block_ref)from->q_ring);
	else
		memcpy(to->q_inline, from->q_inline, sizeof to->q_inline);
	convert_rooms(a, to, from);
	session_set_address(a, to, from->address);
}

/* The heap is there already. */
static void
convert_sessions(const struct mapping *f, const struct layout *old,
	const struct mapping *t, const struct layout *new)
{
	const struct arena_head *h = (const void *)f->base;
	const struct session_previous *from =
		(const void *)(f->base + old->sessions.offset);
	struct session *to = (void *)(t->base + new->sessions.offset);
	struct arena a = { .base = t->base,
		.session = to,
		.address = (const void *)(t->base + new->addresses.offset),
		.heap = t->base + new->heap.offset };
	uint64_t n = h->high_fd < h->n_sessions ? h->high_fd : h->n_sessions;

	for (uint64_t fd = 0; fd < n; fd++)
		if (from[fd].id != 0)
			convert_session(&a, &to[fd], &from[fd]);
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
	to->n_rooms = from->n_rooms;
	to->size = t->size;
	/* Last, as ever: without it there is no arena. */
	arena_store(&to->magic, ARENA_MAGIC);
}

static int
check(const struct mapping *f, const struct layout *l, unsigned fd_limit)
{
	const struct arena_head *h = (const void *)f->base;

	if (h->magic != ARENA_MAGIC || h->version != ARENA_PREVIOUS_VERSION ||
		h->n_rooms != ARENA_ROOMS || h->size != f->size ||
		f->size != l->heap.offset + l->heap.len || h->undo_count != 0)
		return -EPROTO;
	return h->n_sessions == fd_limit ? 0 : -EFBIG;
}

static int
convert(const struct mapping *f, const struct mapping *t, int from,
	unsigned fd_limit)
{
	struct layout old =
		layout_of(fd_limit, sizeof(struct session_previous), 0);
	struct layout new =
		layout_of(fd_limit, sizeof(struct session), ADDRESS_BYTES);
	int rc = check(f, &old, fd_limit);

	if (rc == 0 &&
		t->size != new.heap.offset + new.heap.len + ARENA_ENGINE_BYTES)
		rc = -EPROTO;
	if (rc == 0)
		rc = copy_sparse(from, f, &old.heap, t, &new.heap);
	if (rc == 0)
		rc = copy_sparse(from, f, &old.rooms, t, &new.rooms);
	if (rc < 0)
		return rc;
	copy_section(f, &old.areas, t, &new.areas);
	convert_sessions(f, &old, t, &new);
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
#endif
