/* SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "log/event.h"
#include "log/log.h"
#include "sandbox/sandbox.h"
#include "worker/mishap.h"
#include "worker/private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_RESERVE 512u /* bytes of one client in a page, at most */

static void
answer(struct worker *w, enum ctl_type type, uint64_t tag, const void *body,
	size_t len)
{
	/* The master always reads: a full ctl is a master that is gone, and
	 * its end is seen on the bus. */
	(void)ctl_send(w->env->ctl, type, tag, body, len, -1);
}

void
control_ready(struct worker *w)
{
	struct ctl_number sandbox = { w->sandbox };

	answer(w, CTL_READY, w->arena.head->conf_generation, &sandbox,
		sizeof sandbox);
}

void
control_want(struct worker *w)
{
	answer(w, CTL_WANT, 0, NULL, 0);
}

void
control_log_lost(void *worker)
{
	answer(worker, CTL_LOG_LOST, 0, NULL, 0);
}

void
control_poisoned(struct worker *w, const struct bus_frame *f)
{
	struct ctl_frame named = { f->sender, f->sequence, f->time_ms, f->room,
		f->type };

	answer(w, CTL_POISONED, 0, &named, sizeof named);
}

void
control_listener_done(struct worker *w, uint32_t address)
{
	struct ctl_listener l = { .address = address };

	answer(w, CTL_LISTENER_DONE, 0, &l, sizeof l);
}

static void
forget_prepared(struct worker *w, bool close_listeners)
{
	const struct arena_head *h = w->arena.head;
	int prepared;

	for (unsigned i = 0; close_listeners && i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &h->listener[i];
		int fd = l->fd;

		if (fd < 0 || !(l->flags & LISTENER_PREPARED))
			continue;
		arena_store(&l->fd, -1);
		fd_close(&fd);
	}
	conf_unmap(&w->prepared);
	prepared = (int)h->prepared_fd;
	arena_store(&h->prepared_fd, -1);
	fd_close(&prepared);
	w->prepared_tag = 0;
}

static void
do_prepare(struct worker *w, uint64_t tag, int *fd)
{
	static const char bad[] = "not a configuration of this version";

	forget_prepared(w, true);
	if (mishap_prepare(w->env->slot))
		fd_close(fd);
	w->prepared = *fd < 0 ? NULL : conf_map(*fd);
	if (w->prepared == NULL) {
		answer(w, CTL_PREPARED, tag, bad, sizeof bad - 1);
		return;
	}
	arena_store(&w->arena.head->prepared_fd, *fd);
	FAULT(prepare_kept);
	*fd = -1;
	w->prepared_tag = tag;
	answer(w, CTL_PREPARED, tag, NULL, 0);
}

static void
do_listener(struct worker *w, struct slice body, int *fd)
{
	struct ctl_listener l;

	if (!bus_get(&body, &l, sizeof l) || *fd < 0)
		return;
	/* A successor may find its predecessor's unread commands and then get
	 * them again. */
	for (unsigned i = 0; i < ARENA_LISTENERS; i++)
		if (w->arena.head->listener[i].fd >= 0 &&
			w->arena.head->listener[i].address == l.address)
			return;
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *p = &w->arena.head->listener[i];

		if (p->fd >= 0)
			continue;
		arena_store(&p->listen, l.listen);
		arena_store(&p->address, l.address);
		arena_store(&p->flags,
			LISTENER_PREPARED | (l.shared ? LISTENER_SHARED : 0));
		FAULT(listener_placed);
		arena_store(&p->fd, *fd);
		FAULT(listener_kept);
		*fd = -1;
		return;
	}
	log_error("no place for another listener: at most %d", ARENA_LISTENERS);
}

/* Which listen section of the new configuration has this address. */
static uint32_t
new_index(struct slice map, uint32_t address)
{
	struct ctl_listener l;

	while (bus_get(&map, &l, sizeof l))
		if (l.address == address)
			return l.listen;
	return UINT32_MAX;
}

static void
commit_listeners(struct worker *w, struct slice map)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];
		uint32_t at;

		if (l->fd < 0)
			continue;
		at = new_index(map, l->address);
		if (at == UINT32_MAX) {
			if (!(l->flags & LISTENER_LEAVING))
				accept_leave_later(w);
			/* What waits is accepted under the kind it had. */
			arena_set(&w->arena, &l->flags,
				l->flags | LISTENER_LEAVING |
					(w->kind[l->kind].guarded
							? LISTENER_GUARDED
							: 0));
			continue;
		}
		arena_set(&w->arena, &l->listen, at);
		FAULT(commit_listener);
		arena_set(&w->arena, &l->flags, l->flags & ~LISTENER_PREPARED);
	}
	config_listeners(w);
}

/* As the configuration wants it: it is entered once, and never left. */
static bool
in_sandbox(const struct worker *w)
{
	enum sandbox_mode mode =
		sandbox_mode_of((enum sandbox_mode)w->conf->sandbox);
	uint64_t state = w->sandbox;

	if (mode == SANDBOX_OFF)
		return !(state & SANDBOX_NO_NEW_PRIVS);
	return state & SANDBOX_NO_NEW_PRIVS &&
	       (!(state & SANDBOX_SECCOMP) ||
		       (mode == SANDBOX_LOG) ==
			       !!(state & SANDBOX_SECCOMP_LOG));
}

static void
do_commit(struct worker *w, uint64_t tag, struct slice map)
{
	const struct arena_head *h = w->arena.head;
	int old = (int)h->conf_fd;

	if (w->prepared == NULL || tag != w->prepared_tag)
		return;
	accept_stop(w);
	conf_unmap(&w->conf);
	w->conf = w->prepared;
	w->prepared = NULL;
	/* In one: the listeners name their sections of the configuration by
	 * number. */
	tx_begin(&w->arena);
	commit_listeners(w, map);
	FAULT(commit_listened);
	arena_set(&w->arena, &h->conf_fd, h->prepared_fd);
	arena_set(&w->arena, &h->prepared_fd, -1);
	arena_set(&w->arena, &h->conf_generation, tag);
	FAULT(commit_noted);
	tx_commit(&w->arena);
	FAULT(commit_done);
	(void)close(old);
	config_apply(w);
	timers_idle_all(w);
	access_review_all(w);
	if (w->anew || !in_sandbox(w)) {
		log_info("starting anew for the sandbox of the new "
			 "configuration");
		w->exit_code = SLOT_EXIT_PARKED;
	}
}

static void
do_recall(struct worker *w, uint64_t tag, uint64_t n)
{
	struct ctl_number kept = { .n = n };

	if (kept.n < w->page->clients)
		kept.n = w->page->clients;
	if (kept.n > w->arena.head->quota)
		kept.n = w->arena.head->quota;
	arena_store(&w->arena.head->quota, kept.n);
	w->page->quota = kept.n;
	answer(w, CTL_KEPT, tag, &kept, sizeof kept);
}

/* Others take what waits on a shared socket; on its own this worker goes on
 * accepting, because nobody else can. */
static void
close_shared(struct worker *w)
{
	for (unsigned i = 0; i < ARENA_LISTENERS; i++) {
		const struct arena_listener *l = &w->arena.head->listener[i];
		int fd = l->fd;

		if (fd < 0 || !(l->flags & LISTENER_SHARED) ||
			l->flags & (LISTENER_PREPARED | LISTENER_LEAVING))
			continue;
		io_listener_del(w->io, fd);
		arena_store(&l->fd, -1);
		fd_close(&fd);
	}
}

/* What the last client has said must be out as well; the master asks again. */
static void
do_drain(struct worker *w, bool end)
{
	const struct arena_head *h = w->arena.head;

	close_shared(w);
	if (end && w->page->clients == 0 && h->out_frames == 0 &&
		h->sealed_len == 0 && !accept_is_leaving(w))
		worker_stop(w, "the server is stopping, goodbye", 0, 0);
}

static const char *
state_name(const struct session *s)
{
	static const char *const name[] = { "free", "connecting", "open",
		"flushing", "closing" };

	if (s->state == SESSION_OPEN && s->missed > 0)
		return "skipping";
	if (s->state == SESSION_OPEN && s->held != 0)
		return "slowed";
	return s->state <= SESSION_CLOSING ? name[s->state] : "?";
}

static void
put_rooms(const struct worker *w, const struct session *s, struct buf *out)
{
	char mem[200];
	struct buf b = buf_over(mem, sizeof mem);
	const uint32_t *rooms = session_rooms(&w->arena, s);

	for (uint32_t i = 0; i < s->n_rooms; i++) {
		struct slice name = room_name(&w->arena, rooms[i]);

		if (buf_room(&b) < name.len + 8) {
			buf_str(&b, "...");
			break;
		}
		if (i > 0)
			buf_chr(&b, ',');
		buf_slice_add(&b, name);
	}
	bus_put_str(out, buf_slice(&b));
}

static void
put_client(const struct worker *w, const struct session *s, struct buf *out)
{
	char mem[NAME_MAX_LEN + 1];
	struct ctl_client c = { .session = s->id,
		.since_ms = (uint64_t)s->since_s * 1000,
		.idle_ms = w->now_ms - (uint64_t)s->active_s * 1000,
		.bytes_in = s->rx_total,
		.bytes_out = s->tx_total,
		.pending = s->q_bytes,
		.port = s->port,
		.local = s->flags & SESSION_LOCAL ? 1 : 0,
		.state = (uint8_t)s->state };

	session_address(&w->arena, s, c.address);
	(void)snprintf(c.state_name, sizeof c.state_name, "%s", state_name(s));
	buf_add(out, &c, sizeof c);
	bus_put_str(out, chat_nick(w->chat, s, mem));
	put_rooms(w, s, out);
}

static void
do_clients(struct worker *w, uint64_t tag, struct slice body)
{
	static char mem[CTL_MAX - sizeof(struct ctl_head)];
	struct buf out = buf_over(mem, sizeof mem);
	struct ctl_page page = { 0 };
	uint64_t fd;

	if (!bus_get(&body, &page, sizeof page))
		return;
	fd = page.first;
	page = (struct ctl_page){ 0 };
	buf_add(&out, &page, sizeof page);
	for (; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s == NULL)
			continue;
		if (buf_room(&out) < PAGE_RESERVE) {
			page.first = (uint32_t)fd;
			break;
		}
		put_client(w, s, &out);
		page.n++;
	}
	memcpy(mem, &page, sizeof page);
	answer(w, CTL_CLIENT_PAGE, tag, mem, out.len);
}

static void
do_kick(struct worker *w, uint64_t session, struct slice reason)
{
	const struct session *s = session_find(w, session);
	struct event e = { .type = EVENT_CLOSING, .text = reason };

	if (s == NULL || s->state >= SESSION_FLUSHING)
		return;
	if (e.text.len == 0)
		e.text = SLICE_LIT("you were removed by an administrator");
	if (!uplink_room(w, reason.len + 64)) {
		log_warning("kick: the bus is full; try again");
		return;
	}
	client_log(w, LOG_KICK, s, "", "text", reason);
	client_quit(w, s, SLICE_LIT("kicked"), &e);
}

static void
do_address_of(struct worker *w, uint64_t tag, uint64_t session)
{
	const struct session *s = session_find(w, session);
	struct ctl_address a = { 0 };

	if (s != NULL && s->state < SESSION_FLUSHING) {
		a.session = s->id;
		a.local = s->flags & SESSION_LOCAL ? 1 : 0;
		session_address(&w->arena, s, a.address);
	}
	answer(w, CTL_ADDRESS, tag, &a, sizeof a);
}

static void
dispatch(struct worker *w, const struct ctl_head *h, struct slice body, int *fd)
{
	struct slice rest = body;
	struct ctl_number number = { 0 };
	struct ctl_frame named;

	switch ((enum ctl_type)h->type) {
	case CTL_PREPARE:
		do_prepare(w, h->tag, fd);
		break;
	case CTL_LISTENER:
		do_listener(w, body, fd);
		break;
	case CTL_COMMIT:
		do_commit(w, h->tag, body);
		break;
	case CTL_ABORT:
		forget_prepared(w, true);
		break;
	case CTL_LOG:
		log_adopt(fd);
		break;
	case CTL_QUOTA:
		if (!bus_get(&rest, &number, sizeof number))
			break;
		arena_store(&w->arena.head->quota, number.n);
		w->page->quota = number.n;
		break;
	case CTL_RECALL:
		if (bus_get(&rest, &number, sizeof number))
			do_recall(w, h->tag, number.n);
		break;
	case CTL_CLIENTS:
		do_clients(w, h->tag, body);
		break;
	case CTL_KICK:
		if (bus_get(&rest, &number, sizeof number))
			do_kick(w, number.n, rest);
		break;
	case CTL_PARK:
		FAULT(park_told);
		w->exit_code = SLOT_EXIT_PARKED;
		break;
	case CTL_GO:
		FAULT(go_told);
		w->waits = false;
		break;
	case CTL_SKIP:
		if (bus_get(&rest, &named, sizeof named))
			poison_note(w, &named);
		break;
	case CTL_STOP:
		(void)bus_get(&rest, &number, sizeof number);
		worker_stop(w, "the server is stopping, goodbye", number.n, 0);
		break;
	case CTL_DRAIN:
		if (bus_get(&rest, &number, sizeof number))
			do_drain(w, number.n == 1);
		break;
	case CTL_BANS:
		access_bans(w, *fd);
		answer(w, CTL_BANS_HAD, 0, NULL, 0);
		break;
	case CTL_ADDRESS_OF:
		if (bus_get(&rest, &number, sizeof number))
			do_address_of(w, h->tag, number.n);
		break;
	default:
		log_error("unknown command %u from the master", h->type);
		break;
	}
}

void
control_receive(struct worker *w)
{
	static _Alignas(8) char mem[CTL_MAX];
	struct ctl_head head;
	struct slice body;

	/* Descriptors come, and old ones go. */
	arena_store(&w->arena.head->fd_in_flight, 1);
	for (;;) {
		int fd = -1;
		int rc = ctl_recv(w->env->ctl, mem, true, &head, &body, &fd);

		if (rc == -EAGAIN || rc == -EINTR)
			return;
		if (rc == 0) {
			w->bus_gone = true;
			return;
		}
		if (rc < 0) {
			log_error("ctl: %s", strerror(-rc));
			return;
		}
		dispatch(w, &head, body, &fd);
		fd_close(&fd);
	}
}
