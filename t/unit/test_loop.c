/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "master/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct ear {
	struct loop *loop;
	int end[2];
	unsigned heard;
	uint32_t events;
	struct ear *victim; /* deleted and closed when we hear something */
	int reused;         /* what has the victim's number then */
};

static void
ear_open(struct ear *e, struct loop *loop)
{
	*e = (struct ear){ .loop = loop, .reused = -1 };
	cr_assert_eq(pipe2(e->end, O_NONBLOCK | O_CLOEXEC), 0);
}

static void
count(void *arg, uint32_t events)
{
	struct ear *e = arg;

	e->heard++;
	e->events = events;
}

Test(loop, tells_events)
{
	struct loop *loop = loop_new();
	struct ear e;

	ear_open(&e, loop);
	cr_assert_eq(loop_add(loop, e.end[0], EPOLLIN, count, &e), 0);
	cr_assert_eq(loop_add(loop, e.end[0], EPOLLIN, count, &e), -EEXIST);
	cr_assert_eq(loop_run_once(loop, 0), 0);
	cr_assert_eq(write(e.end[1], "x", 1), 1);
	cr_assert_eq(loop_run_once(loop, -1), 1);
	cr_assert_eq(e.events, EPOLLIN);
	cr_assert_eq(loop_mod(loop, e.end[0], 0), 0);
	cr_assert_eq(loop_run_once(loop, 0), 0);
	(void)close(e.end[1]);
	cr_assert_eq(loop_run_once(loop, -1), 1);
	cr_assert_eq(e.events, EPOLLHUP);
	loop_del(loop, e.end[0]);
	loop_del(loop, e.end[0]);
	cr_assert_eq(loop_mod(loop, e.end[0], EPOLLIN), -ENOENT);
	cr_assert_eq(loop_run_once(loop, 0), 0);
	cr_assert_eq(loop_add(loop, -1, EPOLLIN, count, &e), -EBADF);
	loop_free(&loop);
	cr_assert_null(loop);
}

static void
kill_the_other(void *arg, uint32_t events)
{
	struct ear *e = arg, *v = e->victim;
	int fresh[2], number = v->end[0];

	count(e, events);
	loop_del(e->loop, number);
	(void)close(number);
	cr_assert_eq(pipe2(fresh, O_CLOEXEC), 0);
	cr_assert_eq(dup2(fresh[0], number), number);
	cr_assert_eq(loop_add(e->loop, number, EPOLLIN, count, &v->reused), 0);
	e->reused = number;
	v->victim = NULL;
	e->victim = NULL;
}

static void
kill_once(void *arg, uint32_t events)
{
	struct ear *e = arg;

	if (e->victim)
		kill_the_other(e, events);
	else
		count(e, events);
}

/* Both are ready in the same turn; whichever comes first deletes the other,
 * whose number goes to a new pipe at once. */
Test(loop, a_stale_event_reaches_nobody)
{
	struct loop *loop = loop_new();
	struct ear a, b;

	ear_open(&a, loop);
	ear_open(&b, loop);
	a.victim = &b;
	b.victim = &a;
	cr_assert_eq(loop_add(loop, a.end[0], EPOLLIN, kill_once, &a), 0);
	cr_assert_eq(loop_add(loop, b.end[0], EPOLLIN, kill_once, &b), 0);
	cr_assert_eq(write(a.end[1], "x", 1), 1);
	cr_assert_eq(write(b.end[1], "x", 1), 1);
	cr_assert_eq(loop_run_once(loop, -1), 1);
	cr_assert_eq(a.heard + b.heard, 1);
	loop_free(&loop);
}

static unsigned rung;
static unsigned order[8];
static struct loop *timer_loop;

struct bell {
	struct loop_timer timer;
	unsigned number;
	struct bell *silences;
	uint64_t again_ms; /* set itself to then; 0: not */
};

static void
ring(void *arg)
{
	struct bell *b = arg;

	order[rung++ % 8] = b->number;
	if (b->silences)
		loop_timer_clear(&b->silences->timer);
	if (b->again_ms)
		loop_timer_set(timer_loop, &b->timer, b->again_ms, ring, b);
}

static void
bell_set(struct bell *b, unsigned number, uint64_t at_ms)
{
	b->number = number;
	loop_timer_set(timer_loop, &b->timer, at_ms, ring, b);
}

Test(loop, timers_come_in_their_order)
{
	struct bell bell[4] = { 0 };
	uint64_t now = clock_mono_ms();

	timer_loop = loop_new();
	bell_set(&bell[0], 3, now + 30);
	bell_set(&bell[1], 1, now + 10);
	bell_set(&bell[2], 2, now + 20);
	bell_set(&bell[3], 9, now + 5);
	bell_set(&bell[3], 4, now + 40); /* moved */
	while (rung < 4)
		cr_assert_geq(loop_run_once(timer_loop, 5000), 0);
	cr_assert_geq(clock_mono_ms(), now + 40);
	cr_assert_lt(clock_mono_ms(), now + 2000);
	cr_assert_eq(order[0], 1);
	cr_assert_eq(order[1], 2);
	cr_assert_eq(order[2], 3);
	cr_assert_eq(order[3], 4);
	cr_assert_not(loop_timer_is_set(&bell[0].timer));
	loop_free(&timer_loop);
}

Test(loop, a_due_timer_can_be_cleared_by_another)
{
	struct bell bell[3] = { 0 };

	timer_loop = loop_new();
	bell[0].silences = &bell[1];
	bell_set(&bell[0], 1, 1);
	bell_set(&bell[1], 2, 1);
	bell_set(&bell[2], 3, 1);
	cr_assert_eq(loop_run_once(timer_loop, 0), 2);
	cr_assert_eq(order[1], 3);
	cr_assert_eq(loop_run_once(timer_loop, 0), 0);
	loop_free(&timer_loop);
}

Test(loop, a_timer_that_is_always_due_lets_the_turn_end, .timeout = 10)
{
	struct bell bell = { .again_ms = 1 };

	timer_loop = loop_new();
	bell_set(&bell, 1, 1);
	cr_assert_eq(loop_run_once(timer_loop, -1), 1);
	cr_assert_eq(loop_run_once(timer_loop, -1), 1);
	cr_assert(loop_timer_is_set(&bell.timer));
	loop_free(&timer_loop);
	cr_assert_not(loop_timer_is_set(&bell.timer));
}

Test(loop, waits_no_longer_than_asked)
{
	struct bell bell = { 0 };
	uint64_t now = clock_mono_ms();

	timer_loop = loop_new();
	bell_set(&bell, 1, now + 60000);
	cr_assert_eq(loop_run_once(timer_loop, 20), 0);
	cr_assert_geq(clock_mono_ms(), now + 19);
	cr_assert_lt(clock_mono_ms(), now + 5000);
	loop_free(&timer_loop);
}
