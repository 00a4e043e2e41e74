/* SPDX-License-Identifier: MIT */
#include "master/hub.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "bus/wire.h"
#include "conf/conf.h"
#include "master/registry_state.h"
#include "master/relay_state.h"
#include "msg/session_id.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Bounds of one slot in one turn: what it may say, and what it is sent before
 * the others are read again. */
#define READ_BATCHES 16
#define SEND_ROUNDS  64

/* Of one call, which says by bringing fewer that there are no more.  Slots that
 * have little to say send one at a time: to ask again after each would be half
 * of all reads. */
#define BATCHES_AT_ONCE 2

/* More than a socket buffer can hold: to empty the socket of a dead worker ends
 * by itself, this ends it if somebody still writes. */
#define DROP_BATCHES 4096

struct hub {
	struct relay *relay;
	struct registry *registry;
	unsigned n_slots;
	int fd[SLOTS_MAX]; /* -1: closed */
	uint64_t blocked;  /* slots whose socket was full */
	uint64_t time_ms;  /* that frames are stamped with */
	struct hub_stats stats;
	char violation[160]; /* the first one of a read */
	_Alignas(8) char datagram[BATCHES_AT_ONCE][BUS_BATCH_MAX];
	size_t len[BATCHES_AT_ONCE]; /* as sent, even if it is too long */
};

static void
emit(void *arg, uint64_t mask, const struct bus_frame *f, struct slice body)
{
	struct hub *hub = arg;
	struct bus_frame out = *f;

	out.time_ms = hub->time_ms;
	relay_append(hub->relay, mask, &out, body);
	FAULT(hub_appended);
}

static struct hub *
hub_over(struct relay *relay, unsigned n_slots)
{
	struct hub *hub = xcalloc(1, sizeof *hub);

	hub->relay = relay;
	hub->n_slots = n_slots;
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		hub->fd[i] = -1;
	return hub;
}

struct hub *
hub_new(const struct conf *conf, unsigned n_slots)
{
	struct relay *relay = relay_new(conf->relay_log);
	struct hub *hub;

	if (!relay)
		return NULL;
	hub = hub_over(relay, n_slots);
	hub->registry = registry_new(conf, n_slots, emit, hub);
	return hub;
}

int
hub_relay_fd(const struct hub *hub)
{
	return relay_fd(hub->relay);
}

void
hub_save(struct hub *hub, struct pack *p)
{
	const struct hub_stats *s = &hub->stats;

	pack_u64(p, s->frames_in);
	pack_u64(p, s->batches_in);
	pack_u64(p, s->batches_out);
	pack_u64(p, s->bytes_in);
	pack_u64(p, s->bytes_out);
	relay_save(hub->relay, p);
	registry_save(hub->registry, p);
}

static bool
restore(struct hub *hub, int *relay_fd, struct unpack *u, bool rehearse)
{
	struct hub_stats *s = &hub->stats;

	s->frames_in = unpack_u64(u);
	s->batches_in = unpack_u64(u);
	s->batches_out = unpack_u64(u);
	s->bytes_in = unpack_u64(u);
	s->bytes_out = unpack_u64(u);
	hub->relay = relay_restore(relay_fd, u, rehearse);
	hub->registry = registry_empty(hub->n_slots, emit, hub);
	if (!rehearse && FAULT_ERR(upgrade_hub) != 0)
		return false;
	return hub->relay && registry_restore(hub->registry, u);
}

struct hub *
hub_restore(const struct conf *conf, unsigned n_slots, int *relay_fd,
	struct unpack *u, bool rehearse)
{
	struct hub *hub = hub_over(NULL, n_slots);

	if (!restore(hub, relay_fd, u, rehearse)) {
		hub_free(&hub);
		return NULL;
	}
	hub->time_ms = clock_wall_ms();
	registry_configure(hub->registry, conf);
	return hub;
}

void
hub_free(struct hub **hubp)
{
	struct hub *hub = *hubp;

	*hubp = NULL;
	if (!hub)
		return;
	registry_free(&hub->registry);
	relay_free(&hub->relay);
	free(hub);
}

void
hub_grow(struct hub *hub, unsigned n_slots)
{
	registry_grow(hub->registry, n_slots);
	hub->n_slots = n_slots;
}

void
hub_reconfigure(struct hub *hub, const struct conf *conf)
{
	registry_configure(hub->registry, conf);
}

void
hub_slot_open(struct hub *hub, unsigned slot, int bus_fd)
{
	must(slot >= 1 && slot <= hub->n_slots && bus_fd >= 0);
	hub->fd[slot - 1] = bus_fd;
	hub->blocked &= ~relay_bit(slot);
	relay_enter(hub->relay, slot);
}

void
hub_slot_close(struct hub *hub, unsigned slot)
{
	must(slot >= 1 && slot <= hub->n_slots);
	hub->fd[slot - 1] = -1;
	hub->blocked &= ~relay_bit(slot);
	relay_leave(hub->relay, slot);
}

static int __attribute__((format(printf, 2, 3)))
violation(struct hub *hub, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (hub->violation[0] == '\0')
		(void)vsnprintf(hub->violation, sizeof hub->violation, fmt, ap);
	va_end(ap);
	return -EPROTO;
}

const char *
hub_violation(const struct hub *hub)
{
	return hub->violation;
}

/* The number of datagrams; a length of 0 is the end of file.  -errno.
 * Descriptors that somebody sends along are refused by the kernel for want of a
 * place for them. */
static int
receive(struct hub *hub, unsigned slot)
{
	struct iovec iov[BATCHES_AT_ONCE];
	struct mmsghdr msg[BATCHES_AT_ONCE];
	int n;

	for (unsigned i = 0; i < BATCHES_AT_ONCE; i++) {
		iov[i] = (struct iovec){ hub->datagram[i],
			sizeof hub->datagram[i] };
		msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i],
						   .msg_iovlen = 1 } };
	}
	do
		n = FAULT_CALL(hub_recv,
			recvmmsg(hub->fd[slot - 1], msg, BATCHES_AT_ONCE,
				MSG_DONTWAIT | MSG_TRUNC, NULL));
	while (n == -1 && errno == EINTR);
	/* Its process died with unread data in its socket: unix(7). */
	if (n == -1 && errno != ECONNRESET)
		return -errno;
	hub->len[0] = 0;
	for (int i = 0; i < n; i++)
		hub->len[i] = msg[i].msg_len;
	return n == -1 ? 1 : n;
}

/* f is the first frame, at where the second one begins. */
static int
take_frames(struct hub *hub, unsigned slot, struct slice datagram,
	const struct bus_frame *f, size_t at)
{
	bool damaged;

	for (; f; f = bus_next(datagram, &at, true, &damaged)) {
		const char *wrong;

		FAULT(hub_frame);
		wrong = registry_request(hub->registry, slot, f);

		if (wrong)
			return violation(hub, "slot %u: %s (type %u)", slot,
				wrong, f->type);
		hub->stats.frames_in++;
	}
	return 0;
}

static int
take_batch(struct hub *hub, unsigned slot, unsigned which)
{
	size_t len = hub->len[which];
	struct slice datagram = slice_of(hub->datagram[which], len);
	const struct bus_batch *b = (const void *)datagram.p;
	const struct bus_frame *first;
	bool damaged;
	size_t at = 0;

	FAULT(hub_received);
	hub->stats.batches_in++;
	hub->stats.bytes_in += len;
	if (len < sizeof *b || len > BUS_BATCH_MAX)
		return violation(
			hub, "slot %u: a batch of %zu bytes", slot, len);
	/* From here on it is had, even if it turns out to be wrong: the
	 * worker's successor sends it again and must not be killed for that. */
	switch (relay_number(hub->relay, slot, b->number)) {
	case RELAY_NUMBER_NEW:
		break;
	case RELAY_NUMBER_HAD:
		return 0;
	default:
		return violation(hub, "slot %u: batch %llu is out of turn",
			slot, (unsigned long long)b->number);
	}
	FAULT(hub_numbered);
	first = bus_next(datagram, &at, true, &damaged);
	if (!first)
		return violation(
			hub, "slot %u: damaged batch of %zu bytes", slot, len);
	return take_frames(hub, slot, datagram, first, at);
}

/* All of them, also behind one that is wrong: they are off the socket. */
static int
take_batches(struct hub *hub, unsigned slot, int n)
{
	int result = 0;

	for (int i = 0; i < n && result != -EPIPE; i++) {
		int rc = hub->len[i] == 0 ? -EPIPE
					  : take_batch(hub, slot, (unsigned)i);

		if (result == 0)
			result = rc;
	}
	return result;
}

int
hub_slot_read(struct hub *hub, unsigned slot)
{
	must(slot >= 1 && slot <= hub->n_slots && hub->fd[slot - 1] >= 0);
	hub->violation[0] = '\0';
	if (relay_overrun(hub->relay, slot))
		return violation(
			hub, "slot %u: too many answers wait for it", slot);
	hub->time_ms = clock_wall_ms();
	for (unsigned i = 0; i < READ_BATCHES; i += BATCHES_AT_ONCE) {
		int n = receive(hub, slot);
		int rc = n < 0 ? n : take_batches(hub, slot, n);

		if (n == -EAGAIN)
			return 0;
		if (rc < 0)
			return rc;
		if (n < BATCHES_AT_ONCE)
			return 0;
	}
	return 1;
}

/* Whoever goes on over the same arena counts them. */
static void
drop_batch(struct hub *hub, unsigned slot, int which)
{
	const struct bus_batch *b = (const void *)hub->datagram[which];

	if (hub->len[which] >= sizeof *b && b->version == BUS_VERSION)
		relay_number_dropped(hub->relay, slot, b->number);
}

static void
drop_batches(struct hub *hub, unsigned slot)
{
	int n = BATCHES_AT_ONCE;

	for (unsigned i = 0; i < DROP_BATCHES && n == BATCHES_AT_ONCE;
		i += BATCHES_AT_ONCE) {
		n = receive(hub, slot);
		for (int at = 0; at < n; at++)
			drop_batch(hub, slot, at);
		if (n > 0 && hub->len[n - 1] == 0)
			return;
	}
}

void
hub_slot_reset(struct hub *hub, unsigned slot, struct slice reason)
{
	must(slot >= 1 && slot <= hub->n_slots);
	if (hub->fd[slot - 1] >= 0)
		drop_batches(hub, slot);
	hub->time_ms = clock_wall_ms();
	registry_forget_slot(hub->registry, slot, reason);
	relay_skip(hub->relay, slot);
	relay_renumber(hub->relay, slot);
	hub->blocked &= ~relay_bit(slot);
}

/* Who has been read from may be sent to again. */
static void
unblock(struct hub *hub)
{
	struct pollfd p[SLOTS_MAX];
	nfds_t n = 0;

	for (uint64_t m = hub->blocked; m; m &= m - 1)
		p[n++] = (struct pollfd){ .fd = hub->fd[__builtin_ctzll(m)],
			.events = POLLOUT };
	if (n == 0 || poll(p, n, 0) <= 0)
		return;
	n = 0;
	for (uint64_t m = hub->blocked; m; m &= m - 1)
		if (p[n++].revents)
			hub->blocked &= ~(m & -m);
}

static void
send_datagram(struct hub *hub, unsigned slot)
{
	struct slice d = relay_sealed_for(hub->relay, slot);
	ssize_t n;

	do
		n = FAULT_CALL(hub_send, send(hub->fd[slot - 1], d.p, d.len,
						 MSG_DONTWAIT | MSG_NOSIGNAL));
	while (n == -1 && errno == EINTR);
	FAULT(hub_sent);
	if (n >= 0) {
		relay_given(hub->relay, slot);
		hub->stats.batches_out++;
		hub->stats.bytes_out += d.len;
	} else if (errno == EPIPE || errno == ECONNRESET) {
		/* Nobody holds the other end; reading says so. */
		relay_leave(hub->relay, slot);
	} else {
		hub->blocked |= relay_bit(slot);
	}
}

/* One datagram to each slot.  Slots that are owed the same are sent the same
 * bytes, built once. */
static void
send_round(struct hub *hub, uint64_t todo)
{
	while (todo) {
		unsigned slot = (unsigned)__builtin_ctzll(todo) + 1;
		uint64_t same;

		if (relay_next(hub->relay, slot, &same).len == 0) {
			todo &= ~relay_bit(slot);
			continue;
		}
		same &= todo;
		todo &= ~same;
		for (; same; same &= same - 1)
			send_datagram(hub, (unsigned)__builtin_ctzll(same) + 1);
	}
}

void
hub_turn_end(struct hub *hub)
{
	if (hub->blocked)
		unblock(hub);
	for (unsigned i = 0; i < SEND_ROUNDS; i++) {
		uint64_t todo = relay_pending(hub->relay) & ~hub->blocked;

		if (todo == 0)
			break;
		send_round(hub, todo);
	}
	/* Tables that have grown out of the heap leave it full of holes. */
	if (relay_rest(hub->relay, clock_mono_ms()))
		(void)malloc_trim(0);
}

bool
hub_slot_wants_write(const struct hub *hub, unsigned slot)
{
	return relay_pending(hub->relay) & relay_bit(slot);
}

uint32_t
hub_clients(const struct hub *hub, unsigned slot)
{
	return registry_clients(hub->registry, slot);
}

uint32_t
hub_rooms(const struct hub *hub)
{
	return registry_rooms(hub->registry);
}

uint64_t
hub_session_by_nick(const struct hub *hub, struct slice nick)
{
	return registry_session_by_nick(hub->registry, nick);
}

bool
hub_room_at(const struct hub *hub, uint32_t at, struct hub_room *ret)
{
	struct registry_room r;

	if (!registry_room_at(hub->registry, at, &r))
		return false;
	*ret = (struct hub_room){ r.name, r.topic, r.members, r.sequence,
		r.configured };
	return true;
}

struct hub_stats
hub_stats(const struct hub *hub)
{
	struct registry_stats reg = registry_stats(hub->registry);
	struct hub_stats s = hub->stats;

	s.messages = reg.messages;
	s.refused_full = reg.refused_full;
	s.refused_address = reg.refused_address;
	s.gaps = relay_lost(hub->relay);
	s.log_bytes = relay_used(hub->relay);
	s.log_size = relay_size(hub->relay);
	return s;
}

uint64_t
hub_slot_behind(const struct hub *hub, unsigned slot)
{
	return relay_behind(hub->relay, slot);
}
