/* There is one baton.  Who holds it may be in a callback, hence in a
 * transaction; the main thread has it always but while it waits in poll().  It
 * goes to who asked first: a mutex is unfair, and some busy clients would keep
 * the main thread from ever ending its turn.  So that one is asked for too: who
 * has handled something wakes it.
 *
 * SPDX-License-Identifier: MIT */
#include "base/must.h"
#include "io/threads_private.h"

void
threads_baton_init(struct threads_state *st)
{
	must(pthread_mutex_init(&st->lock, NULL) == 0 &&
		pthread_cond_init(&st->main.go, NULL) == 0);
	st->last = &st->first;
	st->held = true;
}

void
threads_baton_fini(struct threads_state *st)
{
	(void)pthread_cond_destroy(&st->main.go);
	(void)pthread_mutex_destroy(&st->lock);
}

void
threads_lock(struct threads_state *st)
{
	must(pthread_mutex_lock(&st->lock) == 0);
}

void
threads_unlock(struct threads_state *st)
{
	must(pthread_mutex_unlock(&st->lock) == 0);
}

void
threads_take_baton(struct threads_state *st, struct waiter *w)
{
	if (!st->held) {
		st->held = true;
		return;
	}
	w->next = NULL;
	w->has_it = false;
	*st->last = w;
	st->last = &w->next;
	while (!w->has_it)
		(void)pthread_cond_wait(&w->go, &st->lock);
}

void
threads_pass_baton(struct threads_state *st)
{
	struct waiter *w = st->first;

	if (w == NULL) {
		st->held = false;
		return;
	}
	st->first = w->next;
	if (st->first == NULL)
		st->last = &st->first;
	w->has_it = true;
	(void)pthread_cond_signal(&w->go);
}
