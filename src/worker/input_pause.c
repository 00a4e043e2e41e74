/* Who is not read because the bus, or memory, is full.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "base/must.h"
#include "worker/input_private.h"

#include <stdlib.h>
#include <string.h>

/* Held back input is memory too: beyond twice the budget nobody is read. */
bool
input_is_paused(const struct worker *w)
{
	uint64_t budget = w->conf->limits.output_memory;

	return w->bus_full ||
	       (budget != 0 && heap_used(&w->arena) > 2 * budget);
}

void
input_pause(struct worker *w, int fd)
{
	if (!w->fd[fd].paused)
		list_add(&w->paused, (uint32_t)fd);
	w->fd[fd].paused = true;
}

/* Nobody is to be heard now, or this client has to wait: it is kept behind what
 * is kept already, and counts as handled. */
void
input_keep(struct worker *w, const struct session *s, struct slice more)
{
	struct arena *a = &w->arena;
	struct slice rest = slice_skip(heap_slice(a, s->held), s->held_at);
	static char both[ARENA_RX_BYTES + IO_TAKEN_MAX];

	must(rest.len + more.len <= sizeof both);
	if (rest.len > 0)
		memcpy(both, rest.p, rest.len);
	memcpy(both + rest.len, more.p, more.len);
	tx_begin(a);
	session_hold(a, s, slice_of(both, rest.len + more.len), more.len);
	FAULT(input_kept);
	tx_commit(a);
}

/* The bus takes frames again. */
void
input_pause_all_over(struct worker *w)
{
	struct list again = w->paused;

	w->paused = (struct list){ NULL, 0, 0 };
	for (uint32_t i = 0; i < again.n; i++) {
		int fd = (int)again.at[i];
		const struct session *s = session_at(&w->arena, fd);

		w->fd[fd].paused = false;
		if (s != NULL && s->state >= SESSION_FLUSHING)
			io_client_read(w->io, fd, true);
		else if (s != NULL)
			input_resume(w, s);
	}
	free(again.at);
}
