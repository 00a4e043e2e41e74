/* What a worker's ring has taken from the sockets and the worker did not live
 * to handle.  A dead process's ring cannot be entered, but its completion queue
 * can be mapped through its descriptor, and the buffers are in memory that
 * outlives the process.  So the next worker goes on with it just as the one
 * before would have, completion by completion, and notes how far it has come in
 * the same words: a death in the middle of this is one as any other.
 *
 * No library is needed here, and any engine may follow on a ring.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "io/uring_private.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct dead_ring {
	struct io *io;
	struct uring_notes *notes;
	char *map;
	uint32_t *head;
};

void
uring_take(struct io *io, uint32_t index, int fd, const void *bytes, size_t len)
{
	struct uring_notes *notes = io->h.memory;
	void *area = io->h.taken_area(io->h.arg, fd);

	uring_note(&notes->in_hand, (uint64_t)index + 1);
	memcpy(area, bytes, len);
	FAULT(uring_copied);
	io->h.taken(io->h.arg, fd, len);
	FAULT(uring_handled);
}

/* There is no /proc in the sandbox.  To stat(2), what is no file, such as a
 * ring or an eventfd, has no type; of those only a ring can be mapped. */
static bool
may_be_ring(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static bool
is_sound(const struct uring_notes *n)
{
	const uint64_t end = n->map_bytes;

	return n->n_cqes != 0 && (n->n_cqes & (n->n_cqes - 1)) == 0 &&
	       n->n_cqes <= UINT32_MAX / sizeof(struct io_uring_cqe) &&
	       n->head_at <= end - 4 && n->tail_at <= end - 4 &&
	       n->cqes_at <= end &&
	       n->n_cqes * sizeof(struct io_uring_cqe) <= end - n->cqes_at &&
	       n->buffer_bytes <= IO_TAKEN_MAX &&
	       BUFFERS_AT + n->n_buffers * n->buffer_bytes <= IO_MEMORY_BYTES;
}

static int
open_ring(struct dead_ring *d)
{
	const struct uring_notes *n = d->notes;

	if (!may_be_ring((int)n->ring_fd))
		return -EBADF;
	if (!is_sound(n))
		return -EPROTO;
	d->map = mmap(NULL, n->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		(int)n->ring_fd, IORING_OFF_CQ_RING);
	if (d->map == MAP_FAILED)
		return -errno;
	d->head = (uint32_t *)(void *)(d->map + n->head_at);
	return 0;
}

static void
drop_one(struct dead_ring *d)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(d->head, *d->head + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Is it of somebody who is still there, and worth telling? */
static bool
is_wanted(const struct dead_ring *d, const struct io_uring_cqe *c)
{
	const struct io_handler *h = &d->io->h;
	int fd = uring_fd_of(c->user_data);

	return uring_kind_of(c->user_data) == URING_RECV &&
	       c->user_data == uring_name(URING_RECV, h->tag(h->arg, fd), fd);
}

static void
harvest_one(struct dead_ring *d, const struct io_uring_cqe *c)
{
	const struct uring_notes *n = d->notes;
	const struct io_handler *h = &d->io->h;
	const char *buffer = (const char *)n + BUFFERS_AT;
	uint64_t at = c->flags >> IORING_CQE_BUFFER_SHIFT;
	int fd = uring_fd_of(c->user_data);

	if (!is_wanted(d, c))
		return;
	if (c->res > 0 && c->flags & IORING_CQE_F_BUFFER && at < n->n_buffers &&
		(uint64_t)c->res <= n->buffer_bytes)
		uring_take(d->io, *d->head, fd, buffer + at * n->buffer_bytes,
			(size_t)c->res);
	/* An orderly end is told again by the socket, an error is not. */
	else if (c->res < 0 && !uring_is_passing(-c->res))
		h->ended(h->arg, fd, -c->res);
}

int
io_harvest(struct io *io, bool noted)
{
	struct dead_ring d = { .io = io, .notes = io->h.memory };
	const struct io_uring_cqe *cqes;
	uint32_t tail;
	int rc;

	if (!io_has_taken(io))
		return 0;
	rc = open_ring(&d);
	if (rc < 0) {
		uring_note(&d.notes->is_ring, 0);
		return rc;
	}
	cqes = (const void *)(d.map + d.notes->cqes_at);
	tail = __atomic_load_n((uint32_t *)(void *)(d.map + d.notes->tail_at),
		__ATOMIC_ACQUIRE);
	if (noted && d.notes->in_hand == (uint64_t)*d.head + 1)
		drop_one(&d);
	for (; *d.head != tail; drop_one(&d)) {
		FAULT(uring_harvest);
		harvest_one(&d, &cqes[*d.head & (d.notes->n_cqes - 1)]);
	}
	uring_note(&d.notes->is_ring, 0);
	(void)munmap(d.map, d.notes->map_bytes);
	return 0;
}

bool
io_has_taken(const struct io *io)
{
	const struct uring_notes *notes = io->h.memory;

	return notes != NULL && notes->is_ring;
}

bool
io_took_directly(const struct io *io)
{
	const struct uring_notes *notes = io->h.memory;

	return !io_has_taken(io) || notes->direct;
}
