/* SPDX-License-Identifier: MIT */
#include "master/loop.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More wait for the next turn; epoll hands them out in rotation. */
#define EVENTS_PER_TURN 64

struct watch {
	loop_fn *fn; /* NULL: not watched */
	void *arg;
	uint32_t generation;
};

struct loop {
	int epfd;
	struct watch *watch; /* by descriptor */
	size_t n_watch;
	uint32_t last_generation;
	struct loop_timer *timers; /* the earliest first */
};

struct loop *
loop_new(void)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct loop *loop;

	if (epfd == -1)
		return NULL;
	loop = xcalloc(1, sizeof(*loop));
	loop->epfd = epfd;
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	while ((*loop)->timers)
		loop_timer_clear((*loop)->timers);
	fd_close(&(*loop)->epfd);
	free((*loop)->watch);
	free(*loop);
	*loop = NULL;
}

int
loop_fd(const struct loop *loop)
{
	return loop->epfd;
}

static void
make_room(struct loop *loop, int fd)
{
	size_t n = loop->n_watch ? loop->n_watch : 64;

	while (n <= (size_t)fd)
		n *= 2;
	if (n == loop->n_watch)
		return;
	loop->watch = xrealloc(loop->watch, n, sizeof(*loop->watch));
	memset(loop->watch + loop->n_watch, 0,
		(n - loop->n_watch) * sizeof(*loop->watch));
	loop->n_watch = n;
}

static struct watch *
find(struct loop *loop, int fd)
{
	if (fd < 0 || (size_t)fd >= loop->n_watch || !loop->watch[fd].fn)
		return NULL;
	return &loop->watch[fd];
}

static int
control(struct loop *loop, int op, int fd, uint32_t events, uint32_t generation)
{
	struct epoll_event ev = { .events = events };

	ev.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd;
	return epoll_ctl(loop->epfd, op, fd, &ev) == -1 ? -errno : 0;
}

int
loop_add(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *arg)
{
	uint32_t generation = loop->last_generation + 1;
	int rc;

	must(fn);
	if (fd < 0)
		return -EBADF;
	rc = control(loop, EPOLL_CTL_ADD, fd, events, generation);
	if (rc != 0)
		return rc;
	make_room(loop, fd);
	loop->last_generation = generation;
	loop->watch[fd] = (struct watch){ fn, arg, generation };
	return 0;
}

int
loop_mod(struct loop *loop, int fd, uint32_t events)
{
	struct watch *w = find(loop, fd);

	if (!w)
		return -ENOENT;
	return control(loop, EPOLL_CTL_MOD, fd, events, w->generation);
}

void
loop_del(struct loop *loop, int fd)
{
	struct watch *w = find(loop, fd);

	if (!w)
		return;
	w->fn = NULL;
	(void)control(loop, EPOLL_CTL_DEL, fd, 0, 0);
}

void
loop_timer_clear(struct loop_timer *timer)
{
	if (!timer->link)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->next = NULL;
	timer->link = NULL;
}

static void
insert_before(struct loop_timer **link, struct loop_timer *timer)
{
	timer->next = *link;
	timer->link = link;
	if (timer->next)
		timer->next->link = &timer->next;
	*link = timer;
}

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms,
	loop_timer_fn *fn, void *arg)
{
	struct loop_timer **at = &loop->timers;

	must(fn);
	loop_timer_clear(timer);
	timer->at_ms = at_ms;
	timer->fn = fn;
	timer->arg = arg;
	while (*at && (*at)->at_ms <= at_ms)
		at = &(*at)->next;
	insert_before(at, timer);
}

static int
wait_ms(const struct loop *loop, int max_wait_ms)
{
	uint64_t now, left;

	if (!loop->timers)
		return max_wait_ms;
	now = clock_mono_ms();
	left = loop->timers->at_ms > now ? loop->timers->at_ms - now : 0;
	if (left > INT_MAX)
		left = INT_MAX;
	if (max_wait_ms >= 0 && left > (uint64_t)max_wait_ms)
		return max_wait_ms;
	return (int)left;
}

static int
dispatch(struct loop *loop, const struct epoll_event *ev)
{
	struct watch *w = find(loop, (int)(uint32_t)ev->data.u64);

	/* An earlier callback of this turn has deleted it, and perhaps a new
	 * descriptor bears its number. */
	if (!w || w->generation != ev->data.u64 >> 32)
		return 0;
	w->fn(w->arg, ev->events);
	return 1;
}

/* The due timers are taken into a list of their own first, so that one that
 * sets itself to the past cannot keep the turn from ending. */
static int
run_timers(struct loop *loop)
{
	uint64_t now = clock_mono_ms();
	struct loop_timer *due = NULL, **tail = &due, *t;
	int n = 0;

	while ((t = loop->timers) && t->at_ms <= now) {
		loop_timer_clear(t);
		insert_before(tail, t);
		tail = &t->next;
	}
	while ((t = due)) {
		loop_timer_clear(t);
		t->fn(t->arg);
		n++;
	}
	return n;
}

int
loop_run_once(struct loop *loop, int max_wait_ms)
{
	struct epoll_event ev[EVENTS_PER_TURN];
	int i, n, done = 0;

	n = epoll_wait(
		loop->epfd, ev, EVENTS_PER_TURN, wait_ms(loop, max_wait_ms));
	if (n == -1 && errno != EINTR)
		return -errno;
	for (i = 0; i < n; i++)
		done += dispatch(loop, &ev[i]);
	return done + run_timers(loop);
}
