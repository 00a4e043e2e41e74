/* SPDX-License-Identifier: MIT */
#include "master/waiter.h"

#include "base/xalloc.h"
#include "master/commands_private.h"

#include <stdlib.h>

static void
on_cancel(void *arg)
{
	struct waiter *w = arg;

	w->request = NULL;
	if (!w->held)
		(void)waiter_end(w);
}

struct waiter *
waiter_new(struct commands *c, struct control_request *r)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->commands = c;
	w->request = r;
	w->next = c->waiters;
	w->link = &c->waiters;
	if (w->next)
		w->next->link = &w->next;
	c->waiters = w;
	control_on_cancel(r, on_cancel, w);
	return w;
}

static void
unlink_waiter(struct waiter *w)
{
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
}

struct control_request *
waiter_end(struct waiter *w)
{
	struct control_request *r = w->request;

	loop_timer_clear(&w->timer);
	unlink_waiter(w);
	free(w);
	return r;
}

/* One that the core still holds is freed by its call back. */
static struct control_request *
waiter_leave(struct waiter *w)
{
	struct control_request *r = w->request;

	if (!w->held)
		return waiter_end(w);
	unlink_waiter(w);
	w->request = NULL;
	return r;
}

void
commands_waiters_end(struct commands *c)
{
	struct waiter *w, *next;

	for (w = c->waiters; w; w = next) {
		const char *done = w->at_stop;
		struct control_request *r;

		next = w->next;
		r = waiter_leave(w);
		if (r && done)
			control_finish(r, CONTROL_DONE, "%s", done);
		else if (r)
			control_finish(r, CONTROL_REFUSED, "the server stops");
	}
}
