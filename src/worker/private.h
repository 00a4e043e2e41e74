/* private.h - what the files of the worker share.
 *
 * One worker is one process, in which one thread at a time does anything that
 * is told of here.  A turn: wait and handle events, handle timers, send the
 * batch to the master, write to every client that has something pending.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_WORKER_PRIVATE_H
#define BANTER_WORKER_PRIVATE_H

#include "arena/arena.h"
#include "arena/record.h"
#include "base/map.h"
#include "base/slice.h"
#include "bus/bans.h"
#include "bus/ctl.h"
#include "bus/engine.h"
#include "bus/slot.h"
#include "bus/wire.h"
#include "chat/chat.h"
#include "conf/conf.h"
#include "io/io.h"
#include "msg/event.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct charset;
struct sync;
struct timers;

#define LOG_NOTES  4
#define FAULT_TEXT "the server had a fault, please connect again"

enum watch_token {
	WATCH_BUS,
	WATCH_CTL
};

/* An arena_kind made ready to use. */
struct kind {
	const struct protocol *protocol;
	struct proto_options options;
	struct charset *charset;
	const struct conf_listen *listen; /* of conf; NULL: it is gone */
	bool guarded; /* by networks: allow, deny, proxy_protocol */
};

/* Derived facts of a descriptor's session. */
struct derived {
	uint32_t last_ms;   /* low bits of the clock at its last input, or
			     * output when it is being closed */
	uint8_t armed;      /* bit per enum timer_kind */
	bool dirty, paused; /* is in those lists */
};

struct list {
	uint32_t *at;
	uint32_t n, cap;
};

#define SEND_GROUP IO_SENDS /* that an engine is given before io_flush() */

/* A send that the engine was given. */
struct sending {
	uint64_t id;
	int fd;
	uint32_t left; /* what remains in the queue when all of it goes out */
};

/* A pass of sends that is put off: gather.c. */
struct gathering {
	unsigned turns; /* in a row; 0: none is */
	uint64_t since_ns;
	uint64_t heard; /* how much had come then */
	bool enough;    /* somebody's queue is long */
};

struct worker {
	/* What each send looks at, which it finds in few lines of the cache. */
	struct io *io;
	struct slot_page *page;
	struct derived *fd; /* [fd_limit] */
	unsigned n_sending; /* in sending */
	struct arena arena;
	struct slot_env *env;
	uint64_t generation;
	int keeper_pidfd;
	unsigned fd_limit;  /* of the descriptor table and the arena */
	unsigned fd_usable; /* below this the engine can wait for them */
	struct chat *chat;
	enum engine engine; /* that was asked for */
	int engine_fd[IO_ENGINE_FDS];
	const struct conf *conf;
	bool conf_is_given; /* it is env->conf, and not yet the arena's */
	const struct conf *prepared; /* by CTL_PREPARE */
	uint64_t prepared_tag;
	struct kind kind[ARENA_KINDS];
	struct list flushing; /* memory of the list before dirty */
	struct list dirty;    /* descriptors with output of this turn */
	struct sending sending[SEND_GROUP];
	struct gathering gathering;
	uint64_t answered;   /* the last batch out when the last one came in */
	struct list paused;  /* not read because the bus is full */
	struct list ended;   /* ended while the bus was full */
	struct list unsound; /* found at start without a whole record, or
			      * without a socket */
	bool resume;         /* the two above can go on */
	struct timers *timers;
	struct map by_number; /* session number to descriptor */
	uint64_t now_ms;
	bool listening;         /* listeners are in the engine */
	uint64_t leave_at_ms;   /* when those that leave are closed */
	uint64_t accept_at_ms;  /* when to accept again; 0: now */
	uint64_t starved_at_ms; /* the last pause for want of descriptors */
	uint64_t want_at_ms;    /* when to look again whether a client waits */
	bool starving_logged;
	bool bus_full;
	bool bus_unheard; /* its frames wait for room in the other direction */
	uint64_t heard_turn; /* the latest one in which it was readable */
	bool bus_gone;       /* the master is gone */
	struct bans bans;
	bool has_bans;      /* the master has told them */
	uint64_t review_at; /* whether those inside may stay: the next record to
			     * be looked at */
	bool stopping;
	uint64_t stop_at_ms;
	int exit_code;    /* -1: go on */
	uint64_t sandbox; /* enum sandbox_state; 0: not entered yet */
	bool anew; /* something is needed that the sandbox forbids: a successor
		    * gets it before it enters its own */
	bool took_over;
	bool strays;         /* the table may have what no record names */
	struct list unnamed; /* descriptors: what that is, if strays */
	bool waits;          /* for CTL_GO */
	uint64_t skip_frame; /* by number: it has ended two workers; 0: none */
	struct sync *sync;   /* what the registry is still to be told */
	struct {
		uint64_t session; /* 0: nobody */
		bool mute;        /* to send to it may end us too */
		bool accepted;    /* what was accepted last: it has no record */
	} suspect;
	struct {
		int type, fd;
		uint64_t session;
		const char *what;
		char keys[64], value[256];
		size_t len;
	} note[LOG_NOTES]; /* events of the log, likewise */
	unsigned n_notes;
};

#define count(w, counter, n) ((w)->page->counter += (n))

void list_add(struct list *l, uint32_t v);

/* engine.c: how this worker waits.  engine_choose() goes before io_open(): 0,
 * or -EINVAL when it cannot go on with the descriptors that there are. */
int engine_choose(struct worker *w);

/* config.c: a configuration in force. */
int config_open(struct worker *w);
void config_apply(struct worker *w);
/* The one that was given with the image is the arena's from now on. */
void config_settle(struct worker *w);
/* Which kind of client each listener gives. */
void config_listeners(struct worker *w);
void config_kinds_open(struct worker *w);

/* accept.c: new connections. */
void accept_start(struct worker *w);
void accept_stop(struct worker *w);
void accept_review(struct worker *w); /* once per turn */
/* Some listeners are leaving from now on, or were when the worker before died.
 */
void accept_leave_later(struct worker *w);
/* Are there any, which a connection may come to yet? */
bool accept_is_leaving(const struct worker *w);
bool accept_may(void *arg, unsigned listener);
void accept_client(void *arg, unsigned listener, int fd,
	const struct sockaddr_storage *from, socklen_t len);
void accept_starved(void *arg, int error);
void accept_drained(void *arg, unsigned listener);

/* access.c: who may be here. */
bool access_is_proxy(
	const struct worker *w, uint16_t kind, const struct addr *from);
/* What an address is to be told when it is not let in; the text is borrowed. */
bool access_refuses(const struct worker *w, uint16_t kind, const uint8_t ip[16],
	struct event *ret);
/* Count such a refusal; "reason=..." for the log. */
const char *access_reason(struct worker *w, const struct event *e);
/* Close a new connection of that listener if its address is refused. */
bool access_turn_away(
	struct worker *w, unsigned listener, int fd, const struct addr *from);
/* CTL_BANS; fd is borrowed, -1: what there was stays. */
void access_bans(struct worker *w, int fd);
/* Look at everybody inside again, some per turn. */
void access_review_all(struct worker *w);
void access_review(struct worker *w);
bool access_is_reviewing(const struct worker *w);

/* proxied.c: who awaits a PROXY header. */
void proxied_await(struct worker *w, const struct session *s);
/* Inside a transaction: `in` follows what it `had`.  How much of it was taken.
 */
size_t proxied_input(struct worker *w, const struct session *s,
	struct slice had, struct slice in);
/* There is room on the bus again, or its input has ended. */
void proxied_resume(struct worker *w, const struct session *s);
/* It took too long, if it was read at all. */
void proxied_overdue(struct worker *w, const struct session *s);

/* client.c: from welcome to goodbye. */
void client_connected(
	struct worker *w, const struct session *s, uint32_t n_joins);
void client_joined_auto(struct worker *w, const struct session *s);
/* Tell it why, take it out of its rooms, close after its output is out: in a
 * transaction of its own. */
void client_quit(struct worker *w, const struct session *s, struct slice reason,
	const struct event *last);
/* The same inside the caller's transaction, and what has to follow the commit.
 */
void client_leave(struct worker *w, const struct session *s,
	struct slice reason, const struct event *last);
void client_left(struct worker *w, const struct session *s);
/* Nothing is pending any more for a session that is to be closed. */
void client_flushed(struct worker *w, const struct session *s);
void client_drop(struct worker *w, const struct session *s);
/* End it now, without goodbye; later, when the bus is full. */
void client_end(struct worker *w, const struct session *s, struct slice reason);
/* It has been said goodbye to: is it taking too long? */
void client_overdue(struct worker *w, const struct session *s);
void client_ended(void *arg, int fd, int error);
void client_broken(void *arg, int fd);
void client_retry_ended(struct worker *w);
/* A record without a socket, found at start. */
void client_forget(struct worker *w, const struct session *s);
/* An event of the log.  Inside a transaction it waits for client_log_all(). */
void client_log(struct worker *w, int type, const struct session *s,
	const char *keys, const char *what, struct slice value);
void client_log_all(struct worker *w);

/* input.c makes requests of bytes; input_receive.c: where they come from. */
void *input_area(void *arg, int fd, size_t *ret_len);
void input_received(void *arg, int fd, size_t len);
/* The same for bytes that cannot be refused any more. */
void *input_taken_area(void *arg, int fd);
void input_taken(void *arg, int fd, size_t len);
/* What the worker before had received and not handled: len bytes of the receive
 * area, from at on. */
void input_take_over(
	struct worker *w, const struct session *s, size_t at, size_t len);
/* input_resume.c: go on with what was held back. */
void input_resume(struct worker *w, const struct session *s);
/* input_end.c: the time of an unfinished line is over. */
void input_flush(struct worker *w, const struct session *s);
/* An unfinished line of such a client is taken for whole after a while. */
void input_await_flush(struct worker *w, const struct session *s);
/* input_pause.c: nobody is read now: the bus, or memory, is full. */
bool input_is_paused(const struct worker *w);
void input_pause_all_over(struct worker *w);

/* verbs.c: requests about the connection itself. */
void verb_request(
	struct worker *w, const struct session *s, const struct request *r);
/* After the transaction, in which the session may have been said goodbye to.
 * True: it goes on. */
bool verb_finish(struct worker *w, const struct session *s, uint64_t id);

/* output.c: events to bytes, and those to queues. */
void output_tell(void *arg, const struct session *s, const struct event *e);
block_ref output_encode(struct worker *w, const struct kind *k,
	uint32_t variant, const struct event *e);
void output_bytes(
	struct worker *w, const struct session *s, struct slice bytes);
void output_dirty(struct worker *w, int fd);
void output_writable(void *arg, int fd);
void output_skip(
	struct worker *w, const struct session *s, uint32_t room, uint64_t n);
void output_budget(struct worker *w);

/* flush.c: queues to clients. */
void flush_all(struct worker *w);
void flush_sent(void *arg, int fd, size_t n);

/* gather.c: is more to be heard before what is pending is sent?  How long to
 * wait for it. */
bool gather_more(struct worker *w);
/* The session has been given output. */
void gather_pushed(struct worker *w, const struct session *s);
int gather_wait_ms(const struct worker *w);

/* fanout.c: one event to all members of rooms. */
/* The number of the frame in hand, as q_word has it. */
uint32_t fanout_frame(const struct worker *w);
void fanout_room(struct worker *w, uint32_t room_id, const struct event *e,
	uint64_t except);
void fanout_rooms(struct worker *w, const void *rooms, uint32_t n,
	const struct event *e, uint64_t except);

/* uplink.c: frames to the master. */
bool uplink_room(struct worker *w, size_t body_len);
void uplink_claim(void *arg, const struct session *s, const struct claim *c);
void uplink_connect(struct worker *w, const struct session *s);
void uplink_sync(struct worker *w, const struct bus_sync *range,
	const uint64_t *session, size_t n);
void uplink_send(struct worker *w);

#ifdef BANTER_TEST_FAULTS
/* bad_frame.c: "!bad KIND" makes the worker of slot BANTER_TEST_BAD_FRAME break
 * the bus protocol. */
void bad_frame_heed(const struct worker *w, const struct request *r);
#else
static inline void
bad_frame_heed(const struct worker *w, const struct request *r)
{
	(void)w;
	(void)r;
}
#endif

/* poison.c: frames that end workers. */
bool poison_is_skipped(const struct worker *w, const struct bus_frame *f);
/* Instead of acting on it: who would have been shown it is told that something
 * is missing.  In transactions of its own. */
void poison_skip(struct worker *w, const struct bus_frame *f);
/* Another slot has named it. */
void poison_note(struct worker *w, const struct ctl_frame *named);

/* sync.c: the registry is told which sessions this slot has, some per turn. */
void sync_start(struct worker *w);
void sync_go_on(struct worker *w);

/* downlink.c: frames from the master. */
void downlink_receive(struct worker *w);
/* Does the session that a frame of this type is for wait for it? */
bool downlink_is_answer(uint8_t type);

/* control.c: ctl. */
void control_receive(struct worker *w);
void control_ready(struct worker *w);
void control_want(struct worker *w);
void control_log_lost(void *worker);
void control_poisoned(struct worker *w, const struct bus_frame *f);
void control_listener_done(struct worker *w, uint32_t address);

/* worker.c: tell all why, and leave with that exit code when they are gone or
 * the time is over. */
void worker_stop(
	struct worker *w, const char *why, uint64_t within_ms, int exit_code);

/* session_map.c: sessions by identity. */
void session_map_add(struct worker *w, const struct session *s);
void session_map_del(struct worker *w, const struct session *s);
const struct session *session_find(const struct worker *w, uint64_t id);

/* timers.c */
enum timer_kind {
	TIMER_FLUSH,
	TIMER_FLOOD,
	TIMER_IDLE,
	TIMER_CLOSE,
	TIMER_PROXY
};
struct timers *timers_new(void);
void timers_set(struct worker *w, const struct session *s, enum timer_kind kind,
	uint64_t at_ms);
/* Milliseconds to the next one, at most max. */
int timers_wait_ms(const struct worker *w, int max);
void timers_run(struct worker *w);
/* idle_timeout may have been set: look at every session. */
void timers_idle_all(struct worker *w);

/* flood.c: the token bucket, and what becomes of who has emptied it. */
bool flood_has(const struct worker *w, const struct session *s);
void flood_pay(struct worker *w, const struct session *s);
/* True when the session goes on, slower. */
bool flood_slow_down(struct worker *w, const struct session *s);

static inline const struct kind *
kind_of(const struct worker *w, const struct session *s)
{
	return &w->kind[s->kind];
}

/* SESSION_OPEN and further, not yet saying goodbye. */
static inline bool
is_open(const struct session *s)
{
	return s->state == SESSION_OPEN;
}

#define in_hand(w, hand, session, position)                    \
 do {                                                          \
  arena_store(&(w)->arena.head->in_hand_session, (session));   \
  arena_store(&(w)->arena.head->in_hand_position, (position)); \
  arena_store(&(w)->arena.head->in_hand_kind, (hand));         \
 } while (0)

#endif
