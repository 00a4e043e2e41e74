/* io.h - how a worker waits for and moves bytes: the contract of an engine.
 *
 * Completion-shaped: a caller asks, and is told "here are bytes of fd", "this
 * much of fd went out", "fd is gone".  A readiness engine imitates that by
 * waiting and then doing the call.  Nothing outside an engine's file knows
 * which one runs.
 *
 * Rules: after io_client_del() no callback for that descriptor comes any more,
 * also none that was already fetched, and the number may be used anew.  All
 * callbacks come while io_wait() runs, one at a time and maybe in another
 * thread, but `sent`: see io_flush().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_IO_IO_H
#define BANTER_IO_IO_H

#include "base/fault.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define IO_IOV_MAX    64  /* pieces of one send */
#define IO_SENDS      256 /* that are best given between two io_flush() */
#define IO_ENGINE_FDS 4
/* Memory that outlives the process, for an engine that receives before it is
 * asked for the bytes; and how much that is of one client, at most. */
#define IO_MEMORY_BYTES (4096u + 1024u * 2048u)
#define IO_TAKEN_MAX    2048u

struct io;

struct io_handler {
	void *arg;
	/* Waiting is over: look at the clock.  Before all others of a turn. */
	void (*woke)(void *arg);
	/* May one more connection be accepted now? */
	bool (*may_accept)(void *arg, unsigned listener);
	/* A connection of listener came: fd is non-blocking and the callee's.
	 */
	void (*accepted)(void *arg, unsigned listener, int fd,
		const struct sockaddr_storage *from, socklen_t from_len);
	/* accept(2) failed for want of something (EMFILE, ENFILE, ENOBUFS,
	 * ENOMEM): pause the listeners. */
	void (*starved)(void *arg, int error);
	/* A listener's queue is empty, after io_listener_drain(). */
	void (*drained)(void *arg, unsigned listener);
	/* Where to receive into, for fd: at most *ret_len bytes.  NULL: not
	 * now, and the callee has turned reading off. */
	void *(*area)(void *arg, int fd, size_t *ret_len);
	/* len bytes of fd lie in the area. */
	void (*received)(void *arg, int fd, size_t len);
	/* The same in two other steps, by an engine that has taken the bytes
	 * from the kernel already, so that it cannot be refused: where they
	 * are to be copied to, IO_TAKEN_MAX at least, and len of them are
	 * there.  This may come once after reading was turned off: they are to
	 * be kept then.  Should the process die after the first store of the
	 * second by which a successor knows that they are there, io_harvest()
	 * does not give them again; if before, it does. */
	void *(*taken_area)(void *arg, int fd);
	void (*taken)(void *arg, int fd, size_t len);
	/* What tells the client of fd from all others on that number, in other
	 * processes too; the low 40 bits count. */
	uint64_t (*tag)(void *arg, int fd);
	/* IO_MEMORY_BYTES on a page boundary, all zero at first; NULL: there is
	 * none.  Not written before the first io_wait(). */
	void *memory;
	/* fd sends no more: error 0 for an orderly end, else errno. */
	void (*ended)(void *arg, int fd, int error);
	/* fd was reset while it was not being read.  It is not waited for any
	 * more; io_client_pull() gives what it had sent before. */
	void (*broken)(void *arg, int fd);
	/* n bytes of an io_send() that gave 0 went out. */
	void (*sent)(void *arg, int fd, size_t n);
	/* After a send that did not take everything: fd takes more now. */
	void (*writable)(void *arg, int fd);
	/* A watched descriptor is ready. */
	void (*watched)(
		void *arg, unsigned token, bool readable, bool writable);
};

struct io_engine {
	const char *name;
	/* 0 or -errno.  fds receives what the engine opened, -1 for the rest:
	 * a successor closes them. */
	int (*open)(struct io *io, int fds[IO_ENGINE_FDS]);
	void (*close)(struct io *io);
	int (*listener_add)(
		struct io *io, unsigned listener, int fd, bool exclusive);
	void (*listener_del)(struct io *io, int fd);
	int (*watch)(struct io *io, int fd, unsigned token, bool in, bool out);
	int (*client_add)(struct io *io, int fd, bool read);
	void (*client_read)(struct io *io, int fd, bool on);
	void (*client_del)(struct io *io, int fd);
	/* io_send() sends at once, and this is called when the socket took less
	 * than it was given: writable() is to be told. */
	void (*fell_short)(struct io *io, int fd);
	/* Or these two, for one that hands many sends over together. */
	void (*send)(
		struct io *io, int fd, const struct iovec *iov, unsigned n);
	void (*flush)(struct io *io);
	bool (*pull)(struct io *io, int fd); /* NULL: io_receive() */
	int (*wait)(struct io *io, int timeout_ms);
};

/* For io_send() below; what is in it is the engine's. */
struct io {
	bool gathers;
	unsigned fd_limit;
	const struct io_engine *engine;
	void *state;
	struct io_handler h;
};

/* Engines by name, NULL when there is none such. */
const struct io_engine *io_engine_find(const char *name);

/* Make one for descriptors below fd_limit.  0 or -errno. */
int io_open(struct io **ret, const struct io_engine *engine, unsigned fd_limit,
	const struct io_handler *handler, int fds[IO_ENGINE_FDS]);
void io_close(struct io **io);

/* Why an engine did not open: what the latest io_open() that failed was refused
 * (static memory); the return value says how. */
const char *io_refusal(void);

/* Accept on a listening socket; exclusive when other processes wait on the very
 * same socket. */
int io_listener_add(struct io *io, unsigned listener, int fd, bool exclusive);
void io_listener_del(struct io *io, int fd);

/* Accept what waits now, at most a bounded number; then drained() if nothing
 * was left. */
void io_listener_drain(struct io *io, unsigned listener, int fd);

/* Be told of a descriptor that is no client; in and out false: no more. */
int io_watch(struct io *io, int fd, unsigned token, bool in, bool out);

/* A client's socket, to be read at once or not before io_client_read(true). */
int io_client_add(struct io *io, int fd, bool read);
void io_client_read(struct io *io, int fd, bool on);
void io_client_del(struct io *io, int fd);

/* Receive once, now: received() or ended().  False: there was nothing. */
bool io_client_pull(struct io *io, int fd);

/* Send what the kernel takes now, at the latest in the next io_flush(): at most
 * one until then.  When it did not take everything, the next before writable()
 * is mostly in vain; writable() comes once all the same.  The array is copied,
 * the bytes stay until then; io_client_del() takes back what was not handed
 * over.  Returns how many bytes went out, which is 0 for all sends that are
 * left to io_flush().  A broken connection tells nothing here: its end is told
 * by reading. */
static inline size_t io_send(
	struct io *io, int fd, const struct iovec *iov, unsigned n);

/* Does io_send() leave it to io_flush()?  If not, what follows from a send is
 * better done at once, while its session is in the cache. */
bool io_gathers(const struct io *io);

/* Hand over to the kernel what io_send() was given; sent() comes from here, for
 * each at most once.  io_send() does it too when more than IO_SENDS wait. */
void io_flush(struct io *io);

/* A process before this one may have taken bytes from the kernel and not
 * handled them: they come now, by taken() and ended(), in their order; noted:
 * those that it had in hand are known to the handler.  Before the first
 * io_wait().  0, or -errno: they are lost. */
int io_harvest(struct io *io, bool noted);

/* May there be such bytes?  And did that process receive by a call of its own
 * when it ended, so that the kernel's count says what lies in the area? */
bool io_has_taken(const struct io *io);
bool io_took_directly(const struct io *io);

/* One turn of waiting: at most timeout_ms (-1: no limit).  0 or -errno. */
int io_wait(struct io *io, int timeout_ms);

/* The rest is of io_send(). */

/* Several pieces in one call. */
ssize_t io_send_pieces(int fd, const struct iovec *iov, unsigned n);

/* Less went out than was given; done is -1 with errno, or what did.  Returns
 * what io_send() does. */
size_t io_fell_short(struct io *io, int fd, ssize_t done);

/* For tests, whatever sends: 0, or an errno that this send has; how much of the
 * first piece is sent; and that it was. */
static inline int
io_send_error(void)
{
	return FAULT_ERR(io_send);
}

static inline size_t
io_send_length(size_t len)
{
	return FAULT_SHORT(io_send_length, len);
}

static inline void
io_has_sent(void)
{
	FAULT(io_sent);
}

/* -1 with errno, or how much went out.  Less than the first piece, if a test
 * has it so, is one piece. */
static inline ssize_t
io_send_now(int fd, const struct iovec *iov, unsigned n)
{
	int error = io_send_error();
	size_t len;

	if (error != 0) {
		errno = error;
		return -1;
	}
	len = io_send_length(iov->iov_len);
	if (n == 1 || len < iov->iov_len)
		return send(
			fd, iov->iov_base, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return io_send_pieces(fd, iov, n);
}

/* Inline: each return from a function that has called the kernel is one that
 * the CPU does not foresee any more, which costs as much as all that is done
 * here. */
static inline size_t
io_send(struct io *io, int fd, const struct iovec *iov, unsigned n)
{
	size_t want = 0;
	ssize_t done;

	if (io->gathers) {
		io->engine->send(io, fd, iov, n);
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		want += iov[i].iov_len;
	done = io_send_now(fd, iov, n);
	io_has_sent();
	return (size_t)done == want ? want : io_fell_short(io, fd, done);
}

#endif
