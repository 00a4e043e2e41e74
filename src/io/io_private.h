/* io_private.h - for engines only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_IO_IO_PRIVATE_H
#define BANTER_IO_IO_PRIVATE_H

#include "io/io.h"

/* What a descriptor is to an engine. */
enum io_kind {
	KIND_NONE, /* all zero: not known */
	KIND_CLIENT,
	KIND_LISTENER,
	KIND_WATCH
};

extern const struct io_engine io_engine_epoll;
extern const struct io_engine io_engine_poll;
extern const struct io_engine io_engine_select;
extern const struct io_engine io_engine_threads;
extern const struct io_engine io_engine_uring;

/* Why open() fails, for io_refusal(): keeps the pointer.  Returns rc. */
int io_refuse(const char *why, int rc);

/* Accept at most IO_ACCEPT_BATCH connections: more would starve the clients
 * that are in already.  True when the queue was emptied. */
#define IO_ACCEPT_BATCH 64
bool io_accept(struct io *io, unsigned listener, int fd);

/* A descriptor that is no client is ready: accept, or tell the handler. */
void io_serve(struct io *io, enum io_kind kind, unsigned token, int fd,
	bool readable, bool writable);

/* Receive once and tell the handler what came; false: nothing did. */
bool io_receive(struct io *io, int fd);

/* What became of a receive's bytes, and how much one may bring: for tests. */
void io_has_received(void);
size_t io_recv_length(size_t cap);

/* For an engine that sends itself: what became of a send; done is -errno when
 * nothing was sent.  False when the socket took less than asked. */
bool io_sent(struct io *io, int fd, ssize_t done, size_t want);

#endif
