/* How a client ends.  The order is always: out of the engine, shutdown(),
 * close(), free the record.  With two descriptor tables open, as during an
 * upgrade, close() alone sends no FIN; and a record outlives its socket rather
 * than the other way round, because a socket without a record is taken for a
 * connection that nobody has greeted yet.  Only our side is ever shut down: the
 * sandbox allows no more, and a close() does the rest.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/must.h"
#include "log/event.h"
#include "log/log.h"
#include "worker/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK_MS   500u   /* between two looks at a client being closed */
#define GOODBYE_MS 2000u  /* for it to hang up, once all is sent */
#define STUCK_MS   10000u /* without taking a byte of what is pending */

static void
log_now(struct worker *w, int type, const struct session *s, const char *keys,
	const char *what, struct slice value)
{
	char mem[NAME_MAX_LEN + 1];
	uint8_t address[16];
	struct log_client c = { .address = address,
		.port = s->port,
		.local = s->flags & SESSION_LOCAL };

	session_address(&w->arena, s, address);
	log_event((enum log_event_type)type, &c, keys,
		chat_nick(w->chat, s, mem), what, value);
}

static void
log_later(struct worker *w, int type, const struct session *s, const char *keys,
	const char *what, struct slice value)
{
	unsigned at = w->n_notes;

	if (at == LOG_NOTES)
		return;
	w->note[at].type = type;
	w->note[at].fd = session_fd(&w->arena, s);
	w->note[at].session = s->id;
	w->note[at].what = what;
	(void)snprintf(w->note[at].keys, sizeof w->note[at].keys, "%s", keys);
	w->note[at].len = value.len < sizeof w->note[at].value
				  ? value.len
				  : sizeof w->note[at].value;
	if (value.len > 0)
		memcpy(w->note[at].value, value.p, w->note[at].len);
	w->n_notes++;
}

void
client_log(struct worker *w, int type, const struct session *s,
	const char *keys, const char *what, struct slice value)
{
	if (w->arena.in_transaction)
		log_later(w, type, s, keys, what, value);
	else
		log_now(w, type, s, keys, what, value);
}

void
client_log_all(struct worker *w)
{
	for (unsigned i = 0; i < w->n_notes; i++) {
		const struct session *s = session_at(&w->arena, w->note[i].fd);

		if (s != NULL && s->id == w->note[i].session)
			log_now(w, w->note[i].type, s, w->note[i].keys,
				w->note[i].what,
				slice_of(w->note[i].value, w->note[i].len));
	}
	w->n_notes = 0;
}

static void
log_close(struct worker *w, const struct session *s, struct slice reason)
{
	char keys[128];

	(void)snprintf(keys, sizeof keys,
		"bytes_in=%llu bytes_out=%llu seconds=%u",
		(unsigned long long)s->rx_total,
		(unsigned long long)s->tx_total,
		(unsigned)(clock_wall_ms() / 1000) - s->since_s);
	client_log(w, LOG_CLOSE, s, keys, "text", reason);
}

static void
tell(struct worker *w, const struct session *s, struct event e)
{
	output_tell(w, s, &e);
}

static void
tell_motd(struct worker *w, const struct session *s)
{
	struct slice text = slice_str(w->conf->motd_text);

	while (text.len > 0) {
		const char *lf = memchr(text.p, '\n', text.len);
		size_t len = lf ? (size_t)(lf - text.p) : text.len;

		tell(w, s,
			(struct event){ .type = EVENT_MOTD,
				.text = slice_of(text.p, len) });
		text = slice_skip(text, len + 1);
	}
}

/* Everything is said and joined: from now on the client is heard. */
static void
begin(struct worker *w, const struct session *s)
{
	arena_set(&w->arena, &s->flags, s->flags & ~SESSION_WAITING);
	tell(w, s, (struct event){ .type = EVENT_HINT });
}

static void
join_raw(struct worker *w, const struct session *s)
{
	const char *room = w->arena.head->kind[s->kind].room;
	struct claim c = {
		.type = CLAIM_JOIN, .quiet = true, .target = slice_str(room)
	};

	arena_set(&w->arena, &s->awaited, 1);
	uplink_claim(w, s, &c);
}

void
client_connected(struct worker *w, const struct session *s, uint32_t n_joins)
{
	char mem[NAME_MAX_LEN + 1];

	arena_set(&w->arena, &s->state, SESSION_OPEN);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_WAITING);
	arena_set(&w->arena, &s->awaited, n_joins);
	client_log(w, LOG_CONNECT, s, "", "text", slice_of(NULL, 0));
	tell(w, s,
		(struct event){ .type = EVENT_WELCOME,
			.text = slice_str(w->conf->name),
			.nick = chat_nick(w->chat, s, mem) });
	tell_motd(w, s);
	if (s->flags & SESSION_RAW)
		join_raw(w, s);
	else if (n_joins == 0)
		begin(w, s);
	if (w->conf->limits.idle_timeout_s > 0)
		timers_set(w, s, TIMER_IDLE, w->now_ms + 500);
}

void
client_joined_auto(struct worker *w, const struct session *s)
{
	if (s->awaited == 0)
		return;
	arena_set(&w->arena, &s->awaited, s->awaited - 1);
	if (s->awaited == 0)
		begin(w, s);
}

/* The registry is told once that the session is gone. */
static void
leave(struct worker *w, const struct session *s, struct slice reason)
{
	struct claim c = { .type = CLAIM_GONE, .text = reason };

	chat_leave_all(w->chat, s);
	/* At a stop everybody leaves: nobody is left to be told. */
	if (!w->stopping && !w->bus_gone && s->flags & SESSION_KNOWN)
		uplink_claim(w, s, &c);
	/* A header that comes now is read away like anything else. */
	arena_set(&w->arena, &s->flags,
		s->flags & ~(SESSION_KNOWN | SESSION_PROXY));
}

void
client_leave(struct worker *w, const struct session *s, struct slice reason,
	const struct event *last)
{
	if (s->state >= SESSION_FLUSHING)
		return;
	log_close(w, s, reason);
	if (last != NULL)
		output_tell(w, s, last);
	leave(w, s, reason);
	(void)arena_keep(&w->arena, &s->held, slice_of(NULL, 0));
	(void)arena_keep(&w->arena, &s->line, slice_of(NULL, 0));
	arena_set(&w->arena, &s->missed, 0);
	arena_set(&w->arena, &s->state, SESSION_FLUSHING);
}

void
client_left(struct worker *w, const struct session *s)
{
	int fd = session_fd(&w->arena, s);

	io_client_read(w->io, fd, s->state == SESSION_CLOSING);
	w->fd[fd].last_ms = (uint32_t)w->now_ms;
	timers_set(w, s, TIMER_CLOSE, w->now_ms + CHECK_MS);
	output_dirty(w, fd);
}

void
client_quit(struct worker *w, const struct session *s, struct slice reason,
	const struct event *last)
{
	if (s->state >= SESSION_FLUSHING)
		return;
	tx_begin(&w->arena);
	client_leave(w, s, reason, last);
	tx_commit(&w->arena);
	FAULT(close_said);
	client_log_all(w);
	client_left(w, s);
}

void
client_drop(struct worker *w, const struct session *s)
{
	int fd = session_fd(&w->arena, s);

	must(s->state >= SESSION_FLUSHING);
	FAULT(close_begun);
	io_client_del(w->io, fd);
	(void)shutdown(fd, SHUT_WR);
	FAULT(close_shut);
	(void)close(fd);
	FAULT(close_closed);
	w->page->pending -= s->q_bytes;
	w->page->clients--;
	count(w, closed, 1);
	session_map_del(w, s);
	tx_begin(&w->arena);
	session_free(&w->arena, s);
	tx_commit(&w->arena);
	FAULT(close_freed);
	w->fd[fd] = (struct derived){ .dirty = w->fd[fd].dirty,
		.paused = w->fd[fd].paused };
}

/* The client may still be sending.  Closing with unread input makes the kernel
 * send a reset, which overtakes and destroys the goodbye (RFC 2525, 2.17): so
 * only our side is shut down, and its input is read away until it ends. */
void
client_flushed(struct worker *w, const struct session *s)
{
	if (s->state != SESSION_FLUSHING)
		return;
	if (s->flags & (SESSION_EOF | SESSION_BROKEN)) {
		client_drop(w, s);
		return;
	}
	(void)shutdown(session_fd(&w->arena, s), SHUT_WR);
	FAULT(close_half);
	arena_store(&s->state, SESSION_CLOSING);
	w->fd[session_fd(&w->arena, s)].last_ms = (uint32_t)w->now_ms;
	io_client_read(w->io, session_fd(&w->arena, s), true);
}

void
client_overdue(struct worker *w, const struct session *s)
{
	uint32_t still =
		(uint32_t)w->now_ms - w->fd[session_fd(&w->arena, s)].last_ms;

	if (s->state < SESSION_FLUSHING)
		return;
	if (still >= (s->state == SESSION_CLOSING ? GOODBYE_MS : STUCK_MS))
		client_drop(w, s);
	else
		timers_set(w, s, TIMER_CLOSE, w->now_ms + CHECK_MS);
}

static bool
can_end(struct worker *w, int fd)
{
	if (w->bus_gone || uplink_room(w, 128))
		return true;
	list_add(&w->ended, (uint32_t)fd);
	return false;
}

void
client_end(struct worker *w, const struct session *s, struct slice reason)
{
	if (s->state < SESSION_FLUSHING) {
		if (!can_end(w, session_fd(&w->arena, s)))
			return;
		log_close(w, s, reason);
		tx_begin(&w->arena);
		leave(w, s, reason);
		arena_set(&w->arena, &s->state, SESSION_FLUSHING);
		tx_commit(&w->arena);
	}
	client_drop(w, s);
}

/* What was received before the end still counts; answers are awaited. */
static void
end_of_input(struct worker *w, const struct session *s)
{
	tx_begin(&w->arena);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_EOF);
	tx_commit(&w->arena);
	input_resume(w, s);
}

void
client_ended(void *arg, int fd, int error)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	if (s == NULL)
		return;
	io_client_read(w->io, fd, false);
	if (s->state >= SESSION_FLUSHING && s->q_bytes > 0 && error == 0)
		arena_store(&s->flags, s->flags | SESSION_EOF);
	else if (s->state >= SESSION_FLUSHING)
		client_drop(w, s);
	else if (error != 0)
		client_end(w, s, SLICE_LIT("connection lost"));
	else
		end_of_input(w, s);
}

void
client_broken(void *arg, int fd)
{
	struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	if (s == NULL)
		return;
	if (s->state >= SESSION_FLUSHING) {
		client_drop(w, s);
		return;
	}
	/* Its lines that wait for their turn are still said; one that is not
	 * welcomed yet is ended when it is. */
	w->page->pending -= s->q_bytes;
	tx_begin(&w->arena);
	queue_clear(&w->arena, s);
	arena_set(&w->arena, &s->missed, 0);
	arena_set(&w->arena, &s->flags, s->flags | SESSION_BROKEN);
	tx_commit(&w->arena);
	input_resume(w, s);
}

void
client_retry_ended(struct worker *w)
{
	struct list again = w->ended;

	w->ended = (struct list){ NULL, 0, 0 };
	for (uint32_t i = 0; i < again.n; i++) {
		const struct session *s =
			session_at(&w->arena, (int)again.at[i]);

		if (s == NULL)
			continue;
		if (s->flags & SESSION_HOPELESS)
			output_dirty(w, (int)again.at[i]);
		else if (s->flags & (SESSION_BROKEN | SESSION_EOF))
			input_resume(w, s);
		else if (s->state >= SESSION_OPEN)
			/* Reads its end again. */
			io_client_read(w->io, (int)again.at[i], true);
	}
	free(again.at);
}

/* No word to the registry: it learns by the list of sessions that follows every
 * takeover, so this needs no room on the bus. */
void
client_forget(struct worker *w, const struct session *s)
{
	/* Or the one before died between close() and the end of the record. */
	if (s->state != SESSION_FLUSHING && s->state != SESSION_CLOSING) {
		log_close(w, s, SLICE_LIT("server fault"));
		count(w, fault_closed, 1);
	}
	count(w, closed, 1);
	tx_begin(&w->arena);
	chat_leave_all(w->chat, s);
	session_free(&w->arena, s);
	tx_commit(&w->arena);
}
