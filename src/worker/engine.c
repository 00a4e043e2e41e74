/* The engine is that of the slot, not of the latest configuration: a worker
 * that replaces a dead one is to be like it.  The master says which, through
 * the keeper.
 *
 * select() cannot wait for a descriptor of FD_SETSIZE or above; to put one into
 * a set is to write behind it.  So this process may not even have one: accept()
 * then fails as it does whenever descriptors are short, which is handled.
 *
 * SPDX-License-Identifier: MIT */
#include "log/log.h"
#include "worker/private.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

static void
limit_descriptors(unsigned n)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur != n) {
		l.rlim_cur = n;
		if (setrlimit(RLIMIT_NOFILE, &l) == 0)
			return;
		log_warning("the limit of descriptors cannot become %u: %s", n,
			strerror(errno));
	}
}

static int
refuse(const struct worker *w, uint64_t fd, const char *whose)
{
	log_error("engine \"%s\" cannot wait for descriptor %u, which %s has: "
		  "it takes those below %u",
		engine_name(w->engine), (unsigned)fd, whose, w->fd_usable);
	return -EINVAL;
}

/* Of a worker with another engine, before an upgrade. */
static int
check_descriptors(const struct worker *w)
{
	const struct arena_head *h = w->arena.head;

	for (uint64_t fd = w->fd_usable; fd < h->high_fd; fd++)
		if (w->arena.session[fd].id != 0)
			return refuse(w, fd, "a client");
	/* One that came by a reload when there were many clients. */
	for (unsigned i = 0; i < ARENA_LISTENERS; i++)
		if (h->listener[i].fd >= (int64_t)w->fd_usable)
			return refuse(
				w, (uint64_t)h->listener[i].fd, "a listener");
	return 0;
}

int
engine_choose(struct worker *w)
{
	w->engine = (enum engine)w->env->engine;
	/* An image that knew of one engine only has handed it down. */
	if (w->engine == ENGINE_UNKNOWN)
		w->engine = engine_number(w->conf->engine);
	w->fd_usable = engine_fd_limit(w->engine, w->fd_limit);
	w->page->fd_limit = w->fd_usable;
	if (w->fd_usable < w->fd_limit)
		limit_descriptors(w->fd_usable);
	return check_descriptors(w);
}
