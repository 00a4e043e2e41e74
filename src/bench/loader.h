/* loader.h - a process with its share of the clients.
 *
 * One epoll, one receive buffer for all, a few dozen bytes per client.  The
 * time of what is received is read once per turn of the loop and again after
 * every few receives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_LOADER_H
#define BANTER_BENCH_LOADER_H

#include "base/buf.h"
#include "bench/account.h"
#include "bench/adapter.h"
#include "bench/schedule.h"
#include "bench/shared.h"
#include "bench/target.h"

#include <sys/epoll.h>

/* Short connections that one loader has at a time. */
#define TRANSIENTS_MAX 4096

/* Keys of epoll that are no client. */
#define KEY_TRANSIENT UINT32_C(0x80000000)
#define KEY_WAKE      UINT32_C(0xffffffff)

#define RECEIVE_MAX (256u << 10)

/* What the server has not taken from one publisher. */
#define OUT_MAX (16u << 20)

enum conn_state {
	CONN_NONE,
	CONN_CONNECTING,
	CONN_CONNECTED, /* and not set up */
	CONN_READY,
	CONN_CLOSED
};

struct conn {
	int fd;
	uint32_t id;
	uint64_t start_ns; /* of its connect() */
	char *partial;     /* the beginning of an item */
	uint32_t partial_len, partial_cap;
	uint8_t state, step;
};

/* The publisher of local number i is client i. */
struct publisher {
	char *out; /* what the kernel has not taken */
	uint32_t out_len, out_cap, number;
	bool dirty; /* is in the list of those that may send */
};

struct loader {
	const struct bench_options *o;
	const struct plan *plan;
	const struct target *target;
	struct shared *s;
	char run; /* see adapter.h */
	struct loader_shared *me;
	unsigned index, first, n;
	struct conn *conn;
	struct publisher *publisher;
	unsigned n_publishers;
	struct account account;
	int epoll;
	uint64_t now_ns; /* of what is being received */
	char *in;        /* ADAPTER_ITEM_MAX + RECEIVE_MAX */
	char *text, *frame;
	size_t text_len, frame_cap;
	unsigned complaints;

	/* Setting up. */
	unsigned opened, pending;
	uint64_t open_ns, probe_ns, probe_gap_ns;

	/* The phase. */
	struct phase phase;
	uint32_t phase_number;
	bool begun, publishing;
	struct schedule schedule;
	struct schedule_entry next;
	bool has_next;
	uint64_t left; /* messages that are still to be sent, closed loop */
	unsigned *dirty, n_dirty;
	uint64_t sent, expected, delivered, bytes, ready;

	/* Those that come and go. */
	struct conn *transient;
	unsigned *free_transient, n_free;
	unsigned transients_at_once;
	bool transients_due;
	struct schedule transient_schedule;
	struct schedule_entry transient_next;
	uint64_t transient_count, transient_done;
};

/* Be the loader of this number: does not return. */
_Noreturn void loader_run(const struct bench_options *o, const struct plan *p,
	const struct target *target, struct shared *s, unsigned index);

/* End the process, with words for the director. */
_Noreturn void loader_fail(struct loader *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Tell of something that the server did wrong, the first times. */
void loader_complain(struct loader *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* conn.c: connections.  conn_open() gives -errno and is asked again later when
 * that is -EAGAIN; c->start_ns is the caller's. */
int conn_open(struct loader *l, struct conn *c, uint32_t id, uint32_t key);
void conn_close(struct conn *c);
struct bench_who conn_who(struct loader *l, const struct conn *c);
/* False: it is broken. */
bool conn_send(struct loader *l, struct conn *c, const char *p, size_t len);
bool conn_writable(struct loader *l, struct conn *c, uint32_t key);
/* Take what has come and hand on each item. */
typedef void conn_item_fn(struct loader *l, struct conn *c,
	enum bench_item item, struct slice text);
bool conn_readable(struct loader *l, struct conn *c, conn_item_fn *item);
void conn_watch(struct loader *l, const struct conn *c, uint32_t key, int op,
	uint32_t events);

static inline bool
conn_is_publisher(const struct loader *l, const struct conn *c)
{
	return c >= l->conn && c < l->conn + l->n_publishers;
}

/* receive.c: what clients are shown. */
void receive_event(struct loader *l, uint32_t key, uint32_t events);
void receive_finish(struct loader *l);

/* setup.c: open this loader's connections.  When it is to be called again, or
 * UINT64_MAX. */
uint64_t setup_step(struct loader *l, uint64_t now);
void setup_ready(struct loader *l, struct conn *c);

/* publish.c */
void publish_enter(struct loader *l);
uint64_t publish_due(struct loader *l); /* when the next is */
void publish_windows(struct loader *l);
void publish_opened(struct loader *l, unsigned publisher);
void publish_look(struct loader *l); /* somebody else opened a window */
bool publish_is_done(const struct loader *l);
void publish_probe(struct loader *l, struct conn *c);

/* transient.c */
void transient_open(struct loader *l);
void transient_enter(struct loader *l);
uint64_t transient_due(struct loader *l);
void transient_event(struct loader *l, uint32_t key, uint32_t events);
bool transient_is_done(const struct loader *l);

#endif
