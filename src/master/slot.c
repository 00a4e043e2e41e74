/* SPDX-License-Identifier: MIT */
#include "master/slot.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "bus/wire.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ctl_link.h"
#include "master/hub.h"
#include "master/keeper_fork.h"
#include "master/supervise.h"
#include "msg/session_id.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A whole page: a later image may write more words into it. */
#define PAGE_BYTES 4096

_Static_assert(sizeof(struct slot_page) <= PAGE_BYTES, "one page");

struct lines {
	int bus[2], ctl[2], keeper[2]; /* the master's end, the slot's */
	int arena;
};

static const struct lines no_lines = { { -1, -1 }, { -1, -1 }, { -1, -1 }, -1 };

void
slot_unset(struct slot *s, struct master *m, unsigned number)
{
	memset(s, 0, sizeof *s);
	s->m = m;
	s->number = number;
	s->bus = s->ctl = s->keeper_ctl = s->worker_pidfd = s->page_fd = -1;
}

/* A worker that makes it shorter would end the master at its next look. */
static int
seal_page(int fd)
{
	return fcntl(fd, F_ADD_SEALS,
		       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1
		       ? -errno
		       : 0;
}

static int
map_page(struct slot *s)
{
	void *p;

	p = mmap(NULL, sizeof *s->page, PROT_READ, MAP_SHARED, s->page_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	s->page = p;
	return 0;
}

int
slot_init(struct slot *s, struct master *m, unsigned number)
{
	int rc;

	if (s->page)
		return 0;
	slot_unset(s, m, number);
	s->page_fd = fd_memory("banter-page", PAGE_BYTES, false);
	if (s->page_fd < 0)
		return s->page_fd;
	rc = seal_page(s->page_fd);
	if (rc == 0)
		rc = map_page(s);
	if (rc < 0)
		fd_close(&s->page_fd);
	return rc;
}

void
slot_fini(struct slot *s)
{
	slot_close_lines(s);
	loop_timer_clear(&s->respawn);
	loop_timer_clear(&s->resync);
	fd_close(&s->worker_pidfd);
	fd_close(&s->page_fd);
	if (s->page)
		(void)munmap(s->page, sizeof *s->page);
	s->page = NULL;
}

static void
lines_close(struct lines *l, unsigned end)
{
	fd_close(&l->bus[end]);
	fd_close(&l->ctl[end]);
	fd_close(&l->keeper[end]);
}

static int
make_pair(int fd[2], bool roomy)
{
	int size = BUS_SNDBUF;

	if (FAULT_CALL(lines_pair,
		    socketpair(AF_UNIX,
			    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			    fd)) == -1)
		return -errno;
	for (unsigned i = 0; roomy && i < 2; i++)
		if (setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size,
			    sizeof size) == -1)
			return -errno;
	return 0;
}

static int
make_lines(struct lines *l, uint64_t arena_size)
{
	int on = 1;
	int rc = make_pair(l->bus, true);

	if (rc == 0)
		rc = make_pair(l->ctl, true);
	if (rc == 0)
		rc = make_pair(l->keeper, false);
	if (rc == 0 && setsockopt(l->ctl[0], SOL_SOCKET, SO_PASSCRED, &on,
			       sizeof on) == -1)
		rc = -errno;
	for (unsigned i = 0; rc == 0 && i < 2; i++)
		rc = keeper_know_senders(l->keeper[i]);
	if (rc < 0)
		return rc;
	l->arena = fd_memory("banter-arena", arena_size, false);
	if (l->arena < 0)
		return l->arena;
	return 0;
}

/* Where the numbers of sessions go on: never one twice in a slot. */
static uint64_t
first_number(const struct slot *s)
{
	uint64_t next = session_id_number(
		__atomic_load_n(&s->page->next_number, __ATOMIC_RELAXED));

	return next ? next + 1 : 1;
}

static void
fill_env(const struct slot *s, const struct lines *l, uint64_t arena_size,
	struct slot_env *env)
{
	memset(env, 0, sizeof *env);
	env->slot = s->number;
	env->bus = l->bus[1];
	env->ctl = l->ctl[1];
	env->keeper_ctl = l->keeper[1];
	env->arena = l->arena;
	env->arena_new = -1;
	env->page = s->page_fd;
	env->conf = s->m->conf_fd;
	env->conf_generation = s->m->conf_generation;
	env->log = log_fd();
	env->arena_size = arena_size;
	env->first_number = first_number(s);
	env->died = SLOT_DIED_FIRST;
	env->master = getpid();
	env->quota = s->m->quota.slot[s->number - 1].quota;
	env->engine = s->engine;
	env->sandbox = s->m->conf->sandbox;
	env->n_listeners = listeners_env(
		&s->m->listeners, s->number, s->drain != 0, env->listener);
}

static void
on_bus(void *arg, uint32_t events)
{
	struct slot *s = arg;
	int rc;

	if (!(events & ~(uint32_t)EPOLLOUT) || s->killed)
		return;
	rc = hub_slot_read(s->m->hub, s->number);
	if (rc == -EPROTO) {
		log_error("worker %u (pid %d) broke the bus protocol: %s; "
			  "killing it",
			s->number, (int)s->worker, hub_violation(s->m->hub));
		supervise_violation(s);
	} else if (rc == -EPIPE) {
		/* Keeper and worker are gone; their ends are told by other
		 * means.  After any other failure it stays readable. */
		loop_del(s->m->loop, s->bus);
	}
}

static void
on_keeper(void *arg, uint32_t events)
{
	(void)events;
	supervise_keeper_read(arg);
}

static int
watch_lines(struct slot *s)
{
	int rc = loop_add(s->m->loop, s->bus, EPOLLIN, on_bus, s);

	if (rc == 0)
		rc = ctl_link_open(s);
	if (rc == 0)
		rc = loop_add(s->m->loop, s->keeper_ctl, EPOLLIN, on_keeper, s);
	return rc;
}

void
slot_close_lines(struct slot *s)
{
	if (s->bus < 0)
		return;
	loop_del(s->m->loop, s->bus);
	loop_del(s->m->loop, s->keeper_ctl);
	ctl_link_close(s);
	hub_slot_close(s->m->hub, s->number);
	fd_close(&s->bus);
	fd_close(&s->ctl);
	fd_close(&s->keeper_ctl);
	s->bus_out = false;
}

static int
fork_keeper(struct slot *s, struct lines *l, uint64_t arena_size)
{
	static struct slot_env env; /* outlives this call in the child */
	pid_t pid;

	fill_env(s, l, arena_size, &env);
	pid = keeper_fork(s->m, &env);
	if (pid < 0)
		return (int)pid;
	s->keeper = pid;
	return 0;
}

int
slot_open(struct slot *s)
{
	struct lines l = no_lines;
	uint64_t size = s->m->options.arena_size(s->m->conf, s->m->fd_limit);
	int rc = make_lines(&l, size);

	s->engine = s->m->engine;
	if (rc == 0)
		rc = fork_keeper(s, &l, size);
	lines_close(&l, 1);
	fd_close(&l.arena);
	if (rc < 0) {
		lines_close(&l, 0);
		return rc;
	}
	s->line_ended = false;
	s->bus = l.bus[0];
	s->ctl = l.ctl[0];
	s->keeper_ctl = l.keeper[0];
	s->resync_tag = s->m->conf_generation;
	s->arena_version = s->m->options.arena_version;
	s->served = false;
	s->unshared = s->drain != 0;
	hub_slot_open(s->m->hub, s->number, s->bus);
	return watch_lines(s);
}

int
slot_adopt(struct slot *s)
{
	/* Not the bans, which are not there yet: without any, they are off. */
	unsigned pending = s->pending & ~(unsigned)LINK_BANS;
	int rc = map_page(s);

	if (rc < 0 || s->phase == SLOT_DRAINED)
		return rc;
	/* Dead already: its keeper tells. */
	s->worker_pidfd = s->worker ? pidfd_open(s->worker, 0) : -1;
	hub_slot_open(s->m->hub, s->number, s->bus);
	rc = watch_lines(s);
	if (rc == 0 && pending != 0)
		ctl_link_send(s, (enum link_pending)pending);
	return rc;
}

void
slot_swap_line(struct slot *s, int *line)
{
	loop_del(s->m->loop, s->keeper_ctl);
	fd_close(&s->keeper_ctl);
	s->keeper_ctl = *line;
	*line = -1;
	s->line_ended = false;
	(void)loop_add(s->m->loop, s->keeper_ctl, EPOLLIN, on_keeper, s);
}

int
slot_spawn(struct slot *s)
{
	struct keeper_message m = { .type = KEEPER_SPAWN,
		.generation = s->generation + 1,
		.flags = (uint32_t)s->engine << KEEPER_ENGINE_SHIFT };

	int rc = FAULT_ERR(spawn_send);

	if (rc == 0)
		rc = keeper_send(s->keeper_ctl, &m, NULL, 0);
	else
		rc = -rc;
	if (rc < 0)
		return rc;
	FAULT(spawn_sent);
	s->generation++;
	s->phase = SLOT_STARTING;
	s->alive_ms = clock_mono_ms();
	backoff_started(&s->backoff, s->alive_ms);
	return 0;
}

void
slot_kill_keeper(struct slot *s)
{
	/* Its reserve sees the end of the line and ends too. */
	(void)shutdown(s->keeper_ctl, SHUT_WR);
	(void)kill(s->keeper, SIGKILL); /* not reaped yet */
}

int
slot_signal(struct slot *s, int signal)
{
	if (s->worker_pidfd < 0)
		return -ESRCH;
	return pidfd_send_signal(s->worker_pidfd, signal, NULL, 0) == -1
		       ? -errno
		       : 0;
}
