/* Starting is recovering: there is one way in.  Map the arena, roll back what
 * was cut, find who is to blame, rebuild what is derived, say READY, go on.  A
 * first start is that way over an empty arena.
 *
 * SPDX-License-Identifier: MIT */
#include "worker/worker.h"
#include "arena/convert.h"
#include "arena/heap.h"
#include "arena/tx.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/version.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "sandbox/sandbox.h"
#include "worker/mishap.h"
#include "worker/private.h"
#include "worker/recover.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define BEAT_MS      1000 /* the longest turn of an idle worker */
#define FULL_BEAT_MS 100  /* the same while clients may wait for a place */
#define GO_MS                                                                 \
 1500                  /* for the master to decide about an orphan: less than \
			* it waits for us */
#define ORPHAN_MS 2000 /* for goodbyes when the master is gone */

void
list_add(struct list *l, uint32_t v)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->at = xrealloc(l->at, l->cap, sizeof *l->at);
	}
	l->at[l->n++] = v;
}

uint64_t
worker_arena_size(const struct conf *conf, unsigned fd_limit)
{
	(void)conf;
	return arena_size(fd_limit);
}

static void
woke(void *arg)
{
	struct worker *w = arg;

	w->now_ms = clock_mono_ms();
}

static void
watched(void *arg, unsigned token, bool readable, bool writable)
{
	struct worker *w = arg;

	switch ((enum watch_token)token) {
	case WATCH_BUS:
		if (writable)
			uplink_send(w);
		if (readable)
			downlink_receive(w);
		break;
	case WATCH_CTL:
		control_receive(w);
		break;
	}
}

static uint64_t
session_tag(void *arg, int fd)
{
	const struct worker *w = arg;
	const struct session *s = session_at(&w->arena, fd);

	return s == NULL ? 0 : s->id;
}

_Static_assert(ARENA_ENGINE_BYTES == 0 || ARENA_ENGINE_BYTES == IO_MEMORY_BYTES,
	"what the arena has for an engine");

/* Slower, but it serves. */
static int
open_instead(struct worker *w, const struct io_handler *h, int rc)
{
	log_warning("the engine \"io_uring\" is refused (%s: %s), \"epoll\" is "
		    "used instead; see ENGINES in banterd.conf(5)",
		io_refusal(), strerror(-rc));
	w->page->engine = ENGINE_EPOLL;
	w->page->engine_refused = (uint64_t)-rc;
	return io_open(
		&w->io, io_engine_find("epoll"), w->fd_limit, h, w->engine_fd);
}

static int
open_engine(struct worker *w)
{
	const struct io_handler h = {
		.arg = w,
		.woke = woke,
		.may_accept = accept_may,
		.accepted = accept_client,
		.starved = accept_starved,
		.drained = accept_drained,
		.area = input_area,
		.received = input_received,
		.taken_area = input_taken_area,
		.taken = input_taken,
		.tag = session_tag,
		.memory = ARENA_ENGINE_BYTES == 0 ? NULL : w->arena.engine,
		.ended = client_ended,
		.broken = client_broken,
		.sent = flush_sent,
		.writable = output_writable,
		.watched = watched,
	};
	const struct io_engine *engine = io_engine_find(engine_name(w->engine));
	int rc;

	if (engine == NULL)
		return -EINVAL;
	w->page->engine = w->engine;
	w->page->engine_refused = 0;
	/* Until it is noted nothing names what it opens. */
	arena_store(&w->arena.head->fd_in_flight, 1);
	rc = io_open(&w->io, engine, w->fd_limit, &h, w->engine_fd);
	if (rc < 0 && w->engine == ENGINE_IO_URING)
		rc = open_instead(w, &h, rc);
	if (rc < 0)
		return rc;
	(void)io_watch(w->io, w->env->bus, WATCH_BUS, true, false);
	return io_watch(w->io, w->env->ctl, WATCH_CTL, true, false);
}

static int
open_page(struct worker *w)
{
	void *p = mmap(NULL, sizeof *w->page, PROT_READ | PROT_WRITE,
		MAP_SHARED, w->env->page, 0);

	if (p == MAP_FAILED)
		return -errno;
	w->page = p;
	w->page->heartbeat_ms = clock_mono_ms();
	(void)snprintf(w->page->version, sizeof w->page->version, "%s",
		banter_version);
	w->page->clients = 0;
	w->page->pending = 0;
	return 0;
}

static unsigned
descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		return 1024;
	return l.rlim_cur > 1048576 ? 1048576 : (unsigned)l.rlim_cur;
}

/* A used arena: what its end was about. */
static int
look_back(struct worker *w)
{
	FAULT(takeover_mapped);
	w->strays = w->arena.head->fd_in_flight != 0;
	return blame(w);
}

/* The arena to work in, after an upgrade maybe one of another layout. */
static int
open_arena(struct worker *w, bool *ret_used)
{
	const struct slot_env *env = w->env;
	int fd = env->arena_new >= 0 ? env->arena_new : env->arena;
	int rc = 0;

	if (fd == env->arena_new && arena_is_empty(fd))
		rc = arena_convert(env->arena, fd, w->fd_limit);
	if (rc == 0)
		rc = arena_map(&w->arena, fd, arena_size(w->fd_limit),
			w->fd_limit, env->first_number, ret_used);
	if (rc == 0 && *ret_used)
		rc = look_back(w);
	return rc;
}

/* The system is told of in CTL_READY. */
static int
confine(struct worker *w)
{
	int rc = sandbox_enter(SANDBOX_WORKER,
		sandbox_mode_of((enum sandbox_mode)w->conf->sandbox),
		engine_name((unsigned)w->page->engine), &w->sandbox);

	if (rc == 0 && w->sandbox & SANDBOX_NO_NEW_PRIVS)
		log_confine(control_log_lost, w);
	if (rc < 0)
		log_error("the sandbox cannot be entered: %s", strerror(-rc));
	return rc;
}

/* All that has to be opened.  Of the arena, which the worker before may have
 * lost to somebody, only the head is read. */
static int
open_all(struct worker *w, bool *ret_used)
{
	int rc;

	w->fd_limit = descriptor_limit();
	w->fd = xcalloc(w->fd_limit, sizeof *w->fd);
	w->timers = timers_new();
	rc = open_page(w);
	if (rc == 0)
		rc = open_arena(w, ret_used);
	if (rc == 0)
		rc = config_open(w);
	if (rc < 0)
		return rc;
	recover_listeners(w);
	accept_leave_later(w);
	config_listeners(w);
	rc = engine_choose(w);
	if (rc == 0)
		rc = open_engine(w);
	if (rc == 0 && w->strays)
		recover_find_fds(w);
	return rc;
}

/* What is derived of the records, in the sandbox. */
static int
go_over_records(struct worker *w, bool used)
{
	const struct chat_sink sink = {
		.arg = w, .tell = output_tell, .claim = uplink_claim
	};
	int rc = used ? arena_recount(&w->arena) : 0;

	if (rc < 0)
		return rc;
	w->took_over = used;
	w->chat = chat_new(&w->arena, &sink);
	config_apply(w);
	FAULT(start_engine);
	/* What it adds to the engine may be threads: they are confined only
	 * when they come after their process. */
	return recover_sessions(w);
}

static int
begin(struct worker *w)
{
	bool used = false;
	int rc = open_all(w, &used);

	if (rc == 0)
		rc = confine(w);
	return rc < 0 ? rc : go_over_records(w, used);
}

void
worker_stop(
	struct worker *w, const char *why, uint64_t within_ms, int exit_code)
{
	const struct event e = { .type = EVENT_CLOSING,
		.text = slice_str(why) };

	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_at_ms = w->now_ms + within_ms;
	w->exit_code = -1 - exit_code; /* taken when all have left */
	accept_stop(w);
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s != NULL)
			client_quit(w, s, SLICE_LIT("server stopped"), &e);
	}
}

/* What could not go on while the bus was full. */
static void
resume(struct worker *w)
{
	if (w->paused.n > 0 && !input_is_paused(w))
		w->resume = true;
	if (!w->resume || w->bus_full)
		return;
	w->resume = false;
	client_retry_ended(w);
	input_pause_all_over(w);
}

static int
wait_ms(const struct worker *w)
{
	if ((w->resume && !w->bus_full) || access_is_reviewing(w))
		return 0;
	if (w->dirty.n > 0)
		return gather_wait_ms(w);
	return timers_wait_ms(w, w->listening ? BEAT_MS : FULL_BEAT_MS);
}

/* The master is gone: its ends stay readable for ever. */
static void
orphan(struct worker *w)
{
	(void)io_watch(w->io, w->env->bus, WATCH_BUS, false, false);
	(void)io_watch(w->io, w->env->ctl, WATCH_CTL, false, false);
	worker_stop(w, "the server has ended, goodbye", ORPHAN_MS, 70);
}

static void
turn(struct worker *w)
{
	uint64_t began = w->now_ms;
	int rc = io_wait(w->io, wait_ms(w));

	if (rc < 0) {
		log_error("waiting for events: %s", strerror(-rc));
		w->exit_code = 71;
	}
	if (w->now_ms - began >= BEAT_MS) {
		heap_trim(&w->arena);
		/* Tables that have grown out of the heap leave holes there. */
		(void)malloc_trim(0);
		recover_close_engine(w);
	}
	timers_run(w);
	if (w->bus_gone && !w->stopping)
		orphan(w);
	if (!w->bus_gone)
		uplink_send(w);
	resume(w);
	access_review(w);
	output_budget(w);
	if (!gather_more(w))
		flush_all(w);
	accept_review(w);
	FAULT(turn_end);
	sync_go_on(w);
	if (!w->bus_gone)
		uplink_send(w);
	if (w->strays && w->has_bans && !w->bus_full)
		recover_fds(w);
	arena_store(&w->arena.head->fd_in_flight, w->strays);
	count(w, turns, 1);
	w->page->heartbeat_ms = clock_mono_ms();
}

static bool
all_left(const struct worker *w)
{
	return w->page->clients == 0 || w->now_ms >= w->stop_at_ms;
}

/* The master decides between this worker and the image before it. */
static void
wait_for_go(struct worker *w)
{
	struct pollfd p[] = { { .fd = w->env->ctl, .events = POLLIN },
		{ .fd = w->keeper_pidfd, .events = POLLIN } };
	int limit_ms = -1;

	w->waits = true;
	FAULT(go_awaited);
	while (w->waits && w->exit_code < 0 && !w->bus_gone) {
		int n = poll(p, 2, limit_ms);

		if (n == 0)
			w->exit_code = 70;
		else if (n == -1 && errno != EINTR)
			w->exit_code = 71;
		else if (n > 0 && p[0].revents != 0)
			control_receive(w);
		else if (n > 0) {
			/* GO may be on its way, and then nobody else has the
			 * clients.  If not, the master ends us. */
			p[1].fd = -1;
			limit_ms = GO_MS;
		}
	}
}

static void
note_takeover(struct worker *w)
{
	uint64_t us = (clock_mono_ns() - w->env->died_ns) / 1000;

	count(w, takeovers, 1);
	w->page->takeover_us = us;
	log_notice("took over %llu clients, %llu us after the end of the "
		   "worker before",
		(unsigned long long)w->page->clients, (unsigned long long)us);
}

static int
serve(struct worker *w)
{
	FAULT(start_ready);
	control_ready(w);
	FAULT(start_said);
	if (w->env->waits_for_go)
		wait_for_go(w);
	if (w->exit_code < 0)
		config_settle(w);
	if (w->took_over && w->exit_code < 0) {
		/* A frame that another slot has named may be the next one. */
		control_receive(w);
		blame_served(w);
		recover_go_on(w);
		if (w->env->died != SLOT_DIED_FIRST)
			note_takeover(w);
	} else if (w->exit_code < 0) {
		recover_engine(w);
	}
	blame_served(w);
	FAULT(start_served);
	/* Before the first wait: with nothing else to do it would be over only
	 * after FULL_BEAT_MS, and connections that the dead worker has left in
	 * its queue would wait so long. */
	accept_review(w);
	while (w->exit_code < 0) {
		turn(w);
		if (w->stopping && all_left(w))
			return -1 - w->exit_code;
	}
	return w->exit_code;
}

static void
become_worker(const struct slot_env *env)
{
	char name[32];

	(void)snprintf(name, sizeof name, "banterd: wrk %u", env->slot);
	(void)prctl(PR_SET_NAME, name);
	(void)snprintf(name, sizeof name, "worker %u", env->slot);
	log_set_name(name);
	/* Signals are blocked since before the first fork; those that tell of
	 * our own mistakes cannot be. */
	(void)signal(SIGPIPE, SIG_IGN);
}

int
worker_run(struct slot_env *env, uint64_t generation, int keeper_pidfd)
{
	static struct worker w;
	int rc;

	w = (struct worker){ .env = env,
		.generation = generation,
		.keeper_pidfd = keeper_pidfd,
		.exit_code = -1 };
	become_worker(env);
	w.now_ms = clock_mono_ms();
	rc = mishap_start(env->slot);
	if (rc >= 0)
		return rc;
	rc = begin(&w);
	/* Before GO the image before can still go on with the clients. */
	if ((rc == -EPROTO || rc == -ECANCELED) && !env->waits_for_go) {
		recover_give_up(&w);
		return SLOT_EXIT_GIVEN_UP;
	}
	if (rc < 0) {
		log_error("cannot start: %s", strerror(-rc));
		return rc == -EINVAL ? SLOT_EXIT_REFUSED : 71;
	}
	return serve(&w);
}
