/* loop.h - the master's event loop: descriptors and timers.
 *
 * One thread, one process: made after nothing is forked, and in a child closed,
 * never used.  Descriptors are level-triggered.  A callback may add and delete
 * anything, itself included, and may close what it has deleted: an event that
 * was already fetched never reaches the next user of the same number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_LOOP_H
#define BANTER_MASTER_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* events: EPOLLIN and the like, as epoll_wait(2) tells them. */
typedef void loop_fn(void *arg, uint32_t events);
typedef void loop_timer_fn(void *arg);

/* Embedded in its user's struct; zeroed means not set. */
struct loop_timer {
	struct loop_timer *next, **link;
	uint64_t at_ms;
	loop_timer_fn *fn;
	void *arg;
};

/* NULL with errno set. */
struct loop *loop_new(void);

/* Timers that are still set are cleared; descriptors stay open. */
void loop_free(struct loop **loop);

/* The epoll descriptor, for a child that must close it. */
int loop_fd(const struct loop *loop);

/* Watch fd.  0 or -errno (-EEXIST: it is watched; -EPERM: a plain file). */
int loop_add(
	struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *arg);

/* Watch it for other events; 0 leaves errors and hang-ups.  0 or -errno. */
int loop_mod(struct loop *loop, int fd, uint32_t events);

/* Stop watching fd: always before it is closed.  No callback comes after it.
 * Nothing happens when it is not watched. */
void loop_del(struct loop *loop, int fd);

/* Call fn(arg) once when clock_mono_ms() has reached at_ms.  A timer that is
 * set already is moved.  The timer must be cleared before its memory goes. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms,
	loop_timer_fn *fn, void *arg);
void loop_timer_clear(struct loop_timer *timer);

static inline int
loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->link != 0;
}

/* Wait for events or the next timer, at most max_wait_ms (-1: no limit), and
 * call everything that is due.  A timer that its callback sets to the past
 * comes in the next turn.  The number of callbacks made or -errno. */
int loop_run_once(struct loop *loop, int max_wait_ms);

#endif
