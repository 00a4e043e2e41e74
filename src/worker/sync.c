/* Everything that this slot has asked of the registry is on the bus in order,
 * so after an ordinary death the list says nothing new.  It mends what an arena
 * has lost with a damaged record.  Numbers of sessions never come again, so
 * each range stands for itself, whatever happens between two of them.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/xalloc.h"
#include "msg/session_id.h"
#include "worker/private.h"

#include <stdlib.h>

#define IDS_PER_FRAME 1000u

struct sync {
	uint64_t *id; /* ascending */
	uint32_t n, at;
	uint64_t next, last; /* of what is not told yet */
};

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void
sync_start(struct worker *w)
{
	struct sync *y = xcalloc(1, sizeof *y);

	y->id = xcalloc(w->page->clients + 1, sizeof *y->id);
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s != NULL && y->n < w->page->clients)
			y->id[y->n++] = s->id;
	}
	qsort(y->id, y->n, sizeof *y->id, compare);
	y->next = session_id(w->env->slot, 1);
	/* Those that come meanwhile are told by their own frames. */
	y->last = session_id(w->env->slot, w->arena.head->next_number - 1);
	w->sync = y;
}

/* Those of the next frame that are still there; what has ended meanwhile was
 * said before. */
static size_t
collect(struct worker *w, uint64_t *list)
{
	struct sync *y = w->sync;
	size_t n = 0;

	while (y->at < y->n && n < IDS_PER_FRAME) {
		const struct session *s = session_find(w, y->id[y->at++]);

		if (s != NULL && s->flags & SESSION_KNOWN)
			list[n++] = s->id;
	}
	return n;
}

void
sync_go_on(struct worker *w)
{
	static uint64_t list[IDS_PER_FRAME];
	struct sync *y = w->sync;
	struct bus_sync range;
	size_t n;

	if (y == NULL || w->bus_gone || w->stopping ||
		!uplink_room(w, sizeof range + sizeof list))
		return;
	range.first = y->next;
	n = collect(w, list);
	range.last = y->at < y->n ? list[n - 1] : y->last;
	if (y->at < y->n && n == 0)
		return;
	y->next = range.last + 1;
	uplink_sync(w, &range, list, n);
	FAULT(sync_told);
	if (y->at < y->n)
		return;
	free(y->id);
	free(y);
	w->sync = NULL;
}
