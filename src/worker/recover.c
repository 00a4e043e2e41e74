/* The descriptor table is the keeper's too, so nothing was closed by a death:
 * clients and messages wait in the kernel's buffers.  Each session goes on at
 * the byte where the kernel says that the dead worker stopped.
 *
 * SPDX-License-Identifier: MIT */
#include "worker/recover.h"
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "base/fd.h"
#include "log/event.h"
#include "log/log.h"
#include "worker/private.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define KILLS_BEFORE_LESS 3 /* SIGKILLs in a row: the OOM killer? */

/* The C library's struct tcp_info ends before the fields that count; both
 * headers cannot be had at once. */
#define CLOSED     7 /* TCP_CLOSE */
#define CLOSE_WAIT 8
#define LAST_ACK   9
#define CLOSING    11

/* What the dead worker had on its descriptor may be closed and the number in
 * use for something else. */
static bool
has_its_socket(const struct session *s, int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 &&
	       cookie == s->cookie;
}

static bool
ask_tcp(int fd, struct tcp_info *ret)
{
	socklen_t len = sizeof *ret;

	*ret = (struct tcp_info){ 0 };
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) == 0 &&
	       len >= offsetof(struct tcp_info, tcpi_bytes_retrans) +
			       sizeof ret->tcpi_bytes_retrans;
}

/* Bytes that write calls have handed to the kernel. */
static uint64_t
kernel_took(const struct tcp_info *t)
{
	return t->tcpi_bytes_sent - t->tcpi_bytes_retrans +
	       t->tcpi_notsent_bytes;
}

/* Bytes that read calls have had from the kernel.  A FIN that came counts as
 * one, read or not. */
static uint64_t
kernel_gave(int fd, const struct tcp_info *t)
{
	int unread = 0;
	uint64_t fin = t->tcpi_state == CLOSE_WAIT ||
		       t->tcpi_state == LAST_ACK || t->tcpi_state == CLOSING ||
		       t->tcpi_state == CLOSED;
	uint64_t came = t->tcpi_bytes_received;

	if (ioctl(fd, SIOCINQ, &unread) == -1)
		return 0;
	return came - fin - (uint64_t)unread;
}

/* A send may have gone out whose record did not.  UNIX sockets do not count: to
 * them it is repeated. */
static bool
settle_output(struct worker *w, const struct session *s, int fd)
{
	struct tcp_info t;
	uint64_t n;

	if (s->q_bytes == 0 || s->flags & SESSION_LOCAL || !ask_tcp(fd, &t))
		return true;
	n = kernel_took(&t) - s->tx_total;
	if (n > s->q_bytes)
		return false;
	tx_begin(&w->arena);
	if (n > 0)
		queue_sent(&w->arena, s, n);
	FAULT(recover_settle);
	tx_commit(&w->arena);
	return true;
}

static bool
is_heard(const struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return true;
	return is_open(s) && s->held == 0 &&
	       !(s->flags & (SESSION_WAITING | SESSION_EOF | SESSION_BROKEN));
}

static void
drop_torn(struct worker *w, const struct session *s, int fd, bool has_socket)
{
	log_error("the record of session %llx is damaged: it is closed",
		(unsigned long long)s->id);
	client_forget(w, s);
	if (!has_socket)
		return;
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
}

static void
adopt(struct worker *w, const struct session *s, int fd)
{
	session_map_add(w, s);
	w->page->clients++;
	w->page->pending += s->q_bytes;
	w->fd[fd].last_ms = (uint32_t)w->now_ms;
	/* One that was reset has left the engine for good. */
	if (!(s->flags & SESSION_BROKEN))
		(void)io_client_add(w->io, fd, is_heard(s));
	if (s->q_bytes > 0 || s->missed > 0 || s->state == SESSION_FLUSHING ||
		s->flags & SESSION_HOPELESS)
		output_dirty(w, fd);
	if (s->state >= SESSION_FLUSHING)
		client_left(w, s);
}

void
recover_sessions(struct worker *w)
{
	for (uint64_t at = 0; at < w->arena.head->high_fd; at++) {
		int fd = (int)at;
		const struct session *s = session_at(&w->arena, fd);
		bool has_socket;

		if (s == NULL)
			continue;
		has_socket = has_its_socket(s, fd);
		FAULT(recover_session);
		if (s->state == SESSION_TORN)
			drop_torn(w, s, fd, has_socket);
		else if (!has_socket)
			client_forget(w, s); /* cut between close and free */
		else if (!settle_output(w, s, fd))
			drop_torn(w, s, fd, true);
		else
			adopt(w, s, fd);
	}
	timers_idle_all(w);
}

static void
close_suspect(struct worker *w)
{
	const struct session *s = session_find(w, w->suspect.session);
	struct event e = { .type = EVENT_CLOSING,
		.text = SLICE_LIT("what you sent made the server fail") };

	if (s == NULL)
		return;
	client_log(w, LOG_SUSPECT, s, "", "text", slice_of(NULL, 0));
	count(w, suspects_closed, 1);
	if (!w->suspect.mute && uplink_room(w, 128)) {
		client_quit(w, s, SLICE_LIT("server fault"), &e);
		return;
	}
	/* Ended without a word, as soon as there is room on the bus. */
	arena_store(&s->flags, s->flags | SESSION_HOPELESS);
	output_dirty(w, session_fd(&w->arena, s));
}

/* What was received and not handled lies in the receive area. */
static void
finish_receive(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	const struct session *s = session_find(w, h->rx_session);
	uint64_t len = h->rx_len, done;
	struct tcp_info t;
	int fd;

	if (s == NULL || !is_open(s))
		return;
	fd = session_fd(&w->arena, s);
	if (len == 0 && !(s->flags & SESSION_LOCAL) && ask_tcp(fd, &t))
		len = kernel_gave(fd, &t) - h->rx_base;
	done = s->rx_total - h->rx_base;
	if (len <= ARENA_RX_BYTES && done < len)
		input_take_over(w, s, done, len - done);
}

static void
resume_all(struct worker *w)
{
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s == NULL || !is_open(s))
			continue;
		if (s->held != 0 || s->flags & (SESSION_EOF | SESSION_BROKEN))
			input_resume(w, s);
		else
			input_await_flush(w, s);
	}
}

void
recover_go_on(struct worker *w)
{
	close_suspect(w);
	if (w->arena.head->blame.kills >= KILLS_BEFORE_LESS)
		output_budget(w);
	FAULT(recover_closed);
	finish_receive(w);
	FAULT(recover_received);
	arena_store(&w->arena.head->rx_session, 0);
	resume_all(w);
	FAULT(recover_resumed);
	if (w->strays)
		recover_fds(w);
	FAULT(recover_sorted);
	sync_start(w);
}

static void
take_listeners(struct worker *w)
{
	for (unsigned i = 0; i < w->env->n_listeners; i++) {
		const struct slot_listener *from = &w->env->listener[i];
		const struct arena_listener *to = &w->arena.head->listener[i];

		arena_store(&to->listen, from->listen);
		arena_store(&to->address, from->address);
		arena_store(&to->flags, from->shared ? LISTENER_SHARED : 0);
		arena_store(&to->fd, from->fd);
	}
	arena_store(&w->arena.head->has_listeners, 1);
}

void
recover_listeners(struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	if (!h->has_listeners) {
		take_listeners(w);
		return;
	}
	/* What was prepared and not committed is prepared again by the master.
	 */
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		int fd = h->listener[i].fd;

		if (fd < 0 || !(h->listener[i].flags & LISTENER_PREPARED))
			continue;
		arena_store(&h->listener[i].fd, -1);
		(void)close(fd);
	}
	if (h->prepared_fd >= 0)
		(void)close((int)h->prepared_fd);
	arena_store(&h->prepared_fd, -1);
}

void
recover_close_engine(struct worker *w)
{
	for (int i = 0; i < IO_ENGINE_FDS; i++) {
		const int64_t *dead = &w->arena.head->dead_engine_fd[i];
		int fd = (int)*dead;

		/* First: a number that is closed may be used anew. */
		arena_store(dead, -1);
		fd_close(&fd);
	}
}

void
recover_engine(struct worker *w, const int fds[IO_ENGINE_FDS])
{
	const struct arena_head *h = w->arena.head;

	recover_close_engine(w);
	for (int i = 0; i < IO_ENGINE_FDS; i++) {
		arena_store(&h->dead_engine_fd[i], h->engine_fd[i]);
		arena_store(&h->engine_fd[i], fds[i]);
	}
}
