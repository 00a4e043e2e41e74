/* uring.c - the bare loop over io_uring.
 *
 * Why nothing honest is faster on Linux 6.1 with liburing 2.3: one multishot
 * accept and one multishot receive for each client mean no system call to
 * learn that a message came; the sends of a turn go in by one submission, which
 * is the same call that waits for the next turn; SINGLE_ISSUER with
 * DEFER_TASKRUN lets completions be posted without locks or signals to
 * ourselves; registered files spare the look-up of each descriptor.
 * MSG_DONTWAIT makes a send end within the submission, so that its bytes may be
 * reused behind it, two sends to one socket in a submission keep their order,
 * and a full socket is told at once, as to the other engine.  Completions of
 * sends are not suppressed: they are how a short send is seen.
 *
 * The ring has 4,096 entries unless -b says otherwise; with more members a turn
 * takes several submissions.  Larger and smaller rings cost the same here but
 * for the memory that they touch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "floor.h"

#include <err.h>

#ifdef HAVE_LIBURING
# include <errno.h>
# include <liburing.h>
# include <stdlib.h>
# include <string.h>
# include <sys/mman.h>
# include <sys/resource.h>
# include <sys/socket.h>

# define BUFFERS 128 /* of FLOOR_READ; a power of two */
# define GROUP   1

enum what {
	ACCEPT,
	RECEIVE,
	SEND,
	CLOSE
};

struct event {
	int res;
	unsigned flags, file;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char (*bytes)[FLOOR_READ];
/* What came while sends were reaped; bounded by the completion queue. */
static struct event *event;
static unsigned n_events, cap_events;
static unsigned spent[BUFFERS], n_spent;
static unsigned *member, *at, n_members, n_files;
static struct tail *tail;

static uint64_t
mark(enum what what, unsigned value)
{
	return (uint64_t)what << 32 | value;
}

/* A buffer may be filled anew when the sends from it are behind us. */
static void
recycle(void)
{
	for (unsigned i = 0; i < n_spent; i++)
		io_uring_buf_ring_add(buffers, bytes[spent[i]], FLOOR_READ,
			(unsigned short)spent[i],
			io_uring_buf_ring_mask(BUFFERS), (int)i);
	io_uring_buf_ring_advance(buffers, (int)n_spent);
	n_spent = 0;
}

static void
took(const struct io_uring_cqe *c)
{
	enum what what = (enum what)(c->user_data >> 32);

	if (what == SEND) {
		floor_sent(c->res, (unsigned)c->user_data);
		return;
	}
	if (what == CLOSE)
		return;
	if (n_events == cap_events)
		errx(1, "more events than the completion queue holds");
	event[n_events++] = (struct event){ .res = c->res,
		.flags = c->flags,
		.file = what == ACCEPT ? n_files : (unsigned)c->user_data };
}

static void
reap(void)
{
	struct io_uring_cqe *c;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&ring, head, c)
	{
		took(c);
		n++;
	}
	io_uring_cq_advance(&ring, n);
}

static struct io_uring_sqe *
sqe(void)
{
	struct io_uring_sqe *s = io_uring_get_sqe(&ring);

	while (!s) {
		int rc = io_uring_submit(&ring);

		if (rc < 0 && rc != -EINTR && rc != -EBUSY && rc != -EAGAIN)
			errx(1, "io_uring_submit: %s", strerror(-rc));
		reap();
		s = io_uring_get_sqe(&ring);
	}
	return s;
}

static void
receive_from(unsigned file)
{
	struct io_uring_sqe *s = sqe();

	io_uring_prep_recv_multishot(s, (int)file, NULL, 0, 0);
	s->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	s->buf_group = GROUP;
	s->user_data = mark(RECEIVE, file);
}

static void
accept_from(int listener)
{
	struct io_uring_sqe *s = sqe();

	io_uring_prep_multishot_accept_direct(s, listener, NULL, NULL, 0);
	s->user_data = mark(ACCEPT, 0);
}

static void
enter(const struct event *e, int listener)
{
	if (e->res < 0)
		errx(1, "accept: %s", strerror(-e->res));
	at[e->res] = n_members;
	member[n_members++] = (unsigned)e->res;
	receive_from((unsigned)e->res);
	if (!(e->flags & IORING_CQE_F_MORE))
		accept_from(listener);
}

static void
leave(unsigned file)
{
	unsigned last = member[--n_members];
	struct io_uring_sqe *s = sqe();

	member[at[file]] = last;
	at[last] = at[file];
	floor_forget(&tail[file]);
	io_uring_prep_close_direct(s, file);
	s->user_data = mark(CLOSE, file);
}

static void
send_all(unsigned from, const char *p, size_t len)
{
	for (unsigned i = 0; i < n_members; i++) {
		struct io_uring_sqe *s;

		if (member[i] == from)
			continue;
		s = sqe();
		io_uring_prep_send(
			s, (int)member[i], p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		s->flags |= IOSQE_FIXED_FILE;
		s->user_data = mark(SEND, (unsigned)len);
	}
}

/* What was put together from a tail lies in a buffer of its own, which the next
 * message overwrites: so it is sent before. */
static void
send_at_once(unsigned from, const char *p, size_t len)
{
	int rc;

	send_all(from, p, len);
	while (io_uring_sq_ready(&ring)) {
		rc = io_uring_submit(&ring);
		if (rc < 0 && rc != -EINTR && rc != -EBUSY && rc != -EAGAIN)
			errx(1, "io_uring_submit: %s", strerror(-rc));
		reap();
	}
}

static void
relay(const struct event *e)
{
	if (e->res > 0) {
		unsigned buffer = e->flags >> IORING_CQE_BUFFER_SHIFT;
		const char *p;
		size_t len = floor_lines(
			&tail[e->file], bytes[buffer], (size_t)e->res, &p);

		if (len && p == bytes[buffer])
			send_all(e->file, p, len);
		else if (len)
			send_at_once(e->file, p, len);
		spent[n_spent++] = buffer;
	} else if (e->res != -ENOBUFS && e->res != -EINTR) {
		leave(e->file);
		return;
	}
	if (!(e->flags & IORING_CQE_F_MORE))
		receive_from(e->file);
}

static void
buffers_make(void)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS,
		.bgid = GROUP };

	bytes = mmap(NULL, BUFFERS * sizeof *bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	buffers = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf),
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED || buffers == MAP_FAILED)
		err(1, "receive buffers");
	reg.ring_addr = (uint64_t)(uintptr_t)buffers;
	if (io_uring_register_buf_ring(&ring, &reg, 0) < 0)
		errx(1, "no ring of buffers: Linux 5.19 or newer is needed");
	io_uring_buf_ring_init(buffers);
	for (unsigned i = 0; i < BUFFERS; i++)
		spent[n_spent++] = i;
	recycle();
}

static void
setup(unsigned entries)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER |
					      IORING_SETUP_DEFER_TASKRUN |
					      IORING_SETUP_SUBMIT_ALL |
					      IORING_SETUP_CQSIZE,
		.cq_entries = entries * 4 };
	struct rlimit limit = { 1024, 1024 };
	int rc = io_uring_queue_init_params(entries, &ring, &p);

	if (rc < 0)
		errx(1, "no io_uring with DEFER_TASKRUN: %s", strerror(-rc));
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	n_files = limit.rlim_cur < 32768 ? (unsigned)limit.rlim_cur : 32768;
	rc = io_uring_register_files_sparse(&ring, n_files);
	if (rc < 0)
		errx(1, "registering %u files: %s", n_files, strerror(-rc));
	(void)io_uring_register_ring_fd(&ring);
	buffers_make();
	member = calloc(n_files, sizeof *member);
	at = calloc(n_files, sizeof *at);
	tail = calloc(n_files, sizeof *tail);
	/* A reaping may find a full queue twice: once before a submission. */
	cap_events = p.cq_entries * 2;
	event = calloc(cap_events, sizeof *event);
	if (!member || !at || !tail || !event)
		err(1, "%u members", n_files);
}

_Noreturn void
floor_uring(int listener, unsigned entries)
{
	setup(entries);
	accept_from(listener);
	for (;;) {
		int rc = io_uring_submit_and_wait(&ring, 1);

		if (rc < 0 && rc != -EINTR && rc != -EBUSY && rc != -EAGAIN)
			errx(1, "io_uring: %s", strerror(-rc));
		if (!io_uring_sq_ready(&ring))
			recycle();
		reap();
		/* More may be appended while sends are reaped. */
		for (unsigned i = 0; i < n_events; i++)
			if (event[i].file == n_files)
				enter(&event[i], listener);
			else
				relay(&event[i]);
		n_events = 0;
	}
}
#else /* --without-liburing */

_Noreturn void
floor_uring(int listener, unsigned entries)
{
	(void)listener;
	(void)entries;
	errx(1, "no io_uring: this was built without liburing");
}
#endif
