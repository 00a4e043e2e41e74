/* uring_state.h - what the files of the io_uring engine have in memory of the
 * process.
 *
 * Two rings.  The first is waited on; its completions are taken from it one by
 * one, each after what it brought was handled, so that a successor finds the
 * rest there.  The second sends: nothing is in flight in it after a submission,
 * and what went out the kernel's counts say.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_IO_URING_STATE_H
#define BANTER_IO_URING_STATE_H

#include "io/uring_private.h"

#include <liburing.h>

enum uring_role {
	ROLE_NONE,
	ROLE_CLIENT,
	ROLE_LISTENER,
	ROLE_WATCH
};

enum uring_flag {
	WANT_IN = 1,
	WANT_OUT = 2,
	RECV_ARMED = 4,
	RECV_ENDING = 8, /* it was asked to end */
	POLL_ARMED = 16,
	LISTED = 32,      /* is in `changed` or `hungry` */
	HAS_MORE = 64,    /* the kernel says that there is more to receive */
	OFF_AT_WAIT = 128 /* was not read at the wait before, either */
};

struct registration {
	uint8_t role, flags;
	uint16_t serial; /* of the latest poll; an older one is not for us */
	uint16_t events; /* of that poll */
	uint16_t more;   /* a client's send in the group + 1; a token */
};

struct fd_list {
	uint32_t *at;
	uint32_t n, cap;
};

/* A send of the group that is being filled. */
struct uring_send {
	struct io_uring_sqe *sqe;
	int fd; /* -1: taken back */
	int error;
	size_t want;
};

struct uring_pieces {
	struct msghdr msg;
	struct iovec iov[IO_IOV_MAX];
};

struct uring_state {
	struct io_uring ring, sender;
	uint32_t n_cqes, map_bytes;
	struct io_cqring_offsets offsets;
	struct uring_notes *notes;
	bool noted;      /* the notes are ours */
	bool has_unsent; /* the latest wait did not submit all */
	char *buffers;
	struct io_uring_buf_ring *free_buffers;
	struct registration *fd;     /* [fd_limit] */
	struct fd_list changed;      /* wants and what is armed may differ */
	struct fd_list hungry;       /* found no buffer: the next are theirs */
	struct uring_send *send;     /* [IO_SENDS] */
	struct uring_pieces *pieces; /* likewise */
	unsigned n_sends;
};

/* uring_setup.c: both rings and the buffers, for descriptors below fd_limit. 0,
 * or -errno, and io_refusal() says what was refused. */
int uring_set_up(struct uring_state *st, unsigned fd_limit);
void uring_tear_down(struct uring_state *st);

/* Put a buffer among those that are free, the offset-th of those that the next
 * io_uring_buf_ring_advance() tells of. */
void uring_give_buffer(struct uring_state *st, unsigned at, int offset);

/* Let a ring that was made disabled do these requests (at most eight) and no
 * other, and enable it.  0 or -errno. */
int uring_restrict(struct io_uring *ring, const uint8_t *requests, unsigned n);

void uring_list(struct uring_state *st, struct fd_list *l, int fd);

/* A request that is submitted with the next wait. */
struct io_uring_sqe *uring_request(struct uring_state *st);

/* uring_arm.c: what the ring waits for.  Make it what is wanted. */
void uring_arm_all(struct io *io);
void uring_end_poll(struct uring_state *st, int fd);
/* None of fd from now on: none that is underway is for it. */
void uring_forget(struct io *io, int fd);

/* uring_send.c */
void uring_send(struct io *io, int fd, const struct iovec *iov, unsigned n);
void uring_flush(struct io *io);
void uring_take_back(struct uring_state *st, int fd);

#endif
