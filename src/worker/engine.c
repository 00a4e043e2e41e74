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

/* Of a worker with another engine, before an upgrade. */
static int
check_clients(const struct worker *w)
{
	for (uint64_t fd = w->fd_usable; fd < w->arena.head->high_fd; fd++) {
		if (w->arena.session[fd].id == 0)
			continue;
		log_error("engine \"%s\" cannot wait for descriptor %u, which "
			  "a client has: it takes those below %u",
			engine_name(w->engine), (unsigned)fd, w->fd_usable);
		return -EINVAL;
	}
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
	return check_clients(w);
}
