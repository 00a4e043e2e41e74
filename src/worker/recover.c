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

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define KILLS_BEFORE_LESS 3 /* SIGKILLs in a row: the OOM killer? */

/* The C library's struct tcp_info ends before the fields that count; both
 * headers cannot be had at once. */
#define LOOKS      1000 /* at counts that change meanwhile */
#define CLOSED     7    /* TCP_CLOSE */
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

static bool
ask_queue(int fd, unsigned long which, uint64_t *ret)
{
	int n = 0;

	if (ioctl(fd, which, &n) == -1)
		return false;
	*ret = (uint64_t)n;
	return true;
}

/* Bytes that write calls have handed to the kernel.  Not by tcpi_bytes_sent: a
 * segment that the local queue drops is counted there and stays unsent, so that
 * it is counted again (Linux 6.1, 6.18).  An acknowledgement that comes between
 * the two looks shows in the third. */
static bool
kernel_took(int fd, uint64_t *ret)
{
	struct tcp_info before, after;
	uint64_t unacked;

	for (unsigned i = 0; i < LOOKS; i++) {
		if (!ask_tcp(fd, &before) ||
			!ask_queue(fd, SIOCOUTQ, &unacked) ||
			!ask_tcp(fd, &after))
			return false;
		*ret = after.tcpi_bytes_acked + unacked;
		if (before.tcpi_bytes_acked == after.tcpi_bytes_acked)
			return true;
	}
	return false;
}

/* A FIN counts as a byte that came, read or not.  After a reset the socket's
 * error says whether there had been one; asking clears it, so the session has
 * to remember that it is broken. */
static bool
had_fin(const struct session *s, int fd, const struct tcp_info *t)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (t->tcpi_state != CLOSED)
		return t->tcpi_state == CLOSE_WAIT ||
		       t->tcpi_state == LAST_ACK || t->tcpi_state == CLOSING;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	arena_store(&s->flags, s->flags | SESSION_BROKEN);
	return error == EPIPE;
}

/* Bytes that read calls have had from the kernel.  What comes between the looks
 * shows as a difference of the two counts of what is unread. */
static bool
kernel_gave(const struct session *s, int fd, uint64_t *ret)
{
	struct tcp_info t;
	uint64_t unread, after;

	for (unsigned i = 0; i < LOOKS; i++) {
		if (!ask_queue(fd, SIOCINQ, &unread) || !ask_tcp(fd, &t) ||
			!ask_queue(fd, SIOCINQ, &after))
			return false;
		if (unread != after)
			continue;
		*ret = t.tcpi_bytes_received - unread - had_fin(s, fd, &t);
		return true;
	}
	return false;
}

/* A send may have gone out whose record did not.  UNIX sockets do not count: to
 * them it is repeated. */
static bool
settle_output(struct worker *w, const struct session *s, int fd)
{
	uint64_t n;

	if (s->q_bytes == 0 || s->flags & SESSION_LOCAL)
		return true;
	if (!kernel_took(fd, &n))
		return false;
	n -= s->tx_total;
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
	return (is_open(s) || s->flags & SESSION_PROXY) && s->held == 0 &&
	       !(s->flags & (SESSION_WAITING | SESSION_EOF | SESSION_BROKEN));
}

/* Without its socket it was cut between close() and the end of its record. */
static void
drop_unsound(struct worker *w)
{
	for (uint32_t i = 0; i < w->unsound.n; i++) {
		int fd = (int)w->unsound.at[i];
		const struct session *s = session_at(&w->arena, fd);

		if (has_its_socket(s, fd)) {
			log_error("the record of session %llx is damaged: it "
				  "is closed",
				(unsigned long long)s->id);
			(void)shutdown(fd, SHUT_WR);
			(void)close(fd);
		}
		client_forget(w, s);
	}
	w->unsound.n = 0;
}

/* Ended without a word, as soon as there is room on the bus. */
static void
give_up_on(struct worker *w, const struct session *s)
{
	arena_store(&s->flags, s->flags | SESSION_HOPELESS);
	output_dirty(w, session_fd(&w->arena, s));
}

static int
adopt(struct worker *w, const struct session *s, int fd)
{
	int rc = 0;

	session_map_add(w, s);
	w->page->clients++;
	w->page->pending += s->q_bytes;
	w->fd[fd].last_ms = (uint32_t)w->now_ms;
	/* One that was reset has left the engine for good. */
	if (!(s->flags & SESSION_BROKEN))
		rc = io_client_add(w->io, fd, is_heard(s));
	/* The image before has been able to wait for it, and can again. */
	if (rc < 0 && w->env->waits_for_go)
		return rc;
	if (rc < 0)
		give_up_on(w, s);
	if (s->q_bytes > 0 || s->missed > 0 || s->state == SESSION_FLUSHING ||
		s->flags & SESSION_HOPELESS)
		output_dirty(w, fd);
	if (s->state >= SESSION_FLUSHING)
		client_left(w, s);
	if (s->flags & SESSION_PROXY)
		proxied_await(w, s);
	return 0;
}

int
recover_sessions(struct worker *w)
{
	int rc = 0;

	for (uint64_t at = 0; at < w->arena.head->high_fd && rc == 0; at++) {
		int fd = (int)at;
		const struct session *s = session_at(&w->arena, fd);

		if (s == NULL)
			continue;
		FAULT(recover_session);
		if (s->state != SESSION_TORN && has_its_socket(s, fd) &&
			settle_output(w, s, fd))
			rc = adopt(w, s, fd);
		else
			list_add(&w->unsound, (uint32_t)fd);
	}
	timers_idle_all(w);
	return rc;
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
	if (!w->suspect.mute && s->state < SESSION_FLUSHING &&
		uplink_room(w, 128)) {
		client_quit(w, s, SLICE_LIT("server fault"), &e);
		return;
	}
	give_up_on(w, s);
}

/* What was received and not handled lies in the receive area. */
static void
finish_receive(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	const struct session *s = session_find(w, h->rx_session);
	uint64_t len = h->rx_len, done, gave;

	/* Also behind a PROXY header, when the registry is asked. */
	if (s == NULL || s->state >= SESSION_FLUSHING)
		return;
	if (len == 0 && io_took_directly(w->io) &&
		!(s->flags & SESSION_LOCAL) &&
		kernel_gave(s, session_fd(&w->arena, s), &gave))
		len = gave - h->rx_base;
	done = s->rx_total - h->rx_base;
	if (len <= ARENA_RX_BYTES && done < len)
		input_take_over(w, s, done, len - done);
}

static void
resume_all(struct worker *w)
{
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s == NULL || (!is_open(s) && !(s->flags & SESSION_PROXY)))
			continue;
		if (s->held != 0 || s->flags & (SESSION_EOF | SESSION_BROKEN))
			input_resume(w, s);
		else
			input_await_flush(w, s);
	}
}

/* Before anything is received, and before that ring is closed. */
static void
harvest(struct worker *w)
{
	int rc = io_harvest(w->io, w->arena.head->rx_len != 0);

	if (rc < 0)
		log_error("the ring of the worker before cannot be looked at: "
			  "what clients had just sent is lost: %s",
			strerror(-rc));
}

void
recover_go_on(struct worker *w)
{
	drop_unsound(w);
	close_suspect(w);
	if (w->arena.head->blame.kills >= KILLS_BEFORE_LESS)
		output_budget(w);
	FAULT(recover_closed);
	finish_receive(w);
	FAULT(recover_received);
	harvest(w);
	FAULT(recover_harvested);
	arena_store(&w->arena.head->rx_session, 0);
	recover_engine(w);
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
	int prepared;

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
	prepared = (int)h->prepared_fd;
	arena_store(&h->prepared_fd, -1);
	fd_close(&prepared);
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
recover_engine(struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	recover_close_engine(w);
	/* At once: with a number in both it would be closed twice. */
	tx_begin(&w->arena);
	for (int i = 0; i < IO_ENGINE_FDS; i++) {
		arena_set(&w->arena, &h->dead_engine_fd[i], h->engine_fd[i]);
		arena_set(&w->arena, &h->engine_fd[i], w->engine_fd[i]);
	}
	tx_commit(&w->arena);
}
