/* Who is to blame for a death.  The hand of the dead worker says what it was
 * doing, for whom.
 *
 * A crash (SIGSEGV and the like) is the doing of whom it served: that session
 * is closed at once; a frame is tried once more and then skipped.  A SIGKILL is
 * mostly an administrator's or the kernel's, so all is tried again; only what
 * is in hand at two of them with nothing done between, or at three in a row, is
 * suspected.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "base/fault.h"
#include "log/log.h"
#include "worker/private.h"
#include "worker/recover.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#define CRASHES_MAX 3
#define CRASHES_MS  10000u
#define KILLS_HERE  3

static bool
is_crash(int status)
{
	if (status < 0)
		return false;
	if (WIFEXITED(status)) /* a sanitizer, or our own mistake */
		return WEXITSTATUS(status) != 0 &&
		       WEXITSTATUS(status) < SLOT_EXIT_REFUSED;
	switch (WTERMSIG(status)) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGSYS:
	case SIGTRAP:
		return true;
	default:
		return false;
	}
}

static bool
is_kill(int status)
{
	return status == SLOT_DIED_UNKNOWN ||
	       (status >= 0 && WIFSIGNALED(status) && !is_crash(status));
}

static bool
is_session(uint64_t kind)
{
	return kind == HAND_INPUT || kind == HAND_FLUSH || kind == HAND_TIMER;
}

static void
suspect(struct worker *w, const struct arena_blame *now)
{
	w->suspect.session = now->session;
	/* What ended it while it was written to is not written to again. */
	w->suspect.mute = now->kind == HAND_FLUSH;
}

/* A frame has no session to close here: after the second death it is skipped.
 */
static void
crashed(struct worker *w, struct arena_blame *now)
{
	if (is_session(now->kind))
		suspect(w, now);
	w->suspect.accepted = now->kind == HAND_ACCEPT;
	if (now->kind != HAND_FRAME)
		return;
	now->frame_crashes =
		now->frame == now->position ? now->frame_crashes + 1 : 1;
	now->frame = now->position;
	if (now->frame_crashes >= 2)
		w->skip_frame = now->frame;
}

static void
count_crash(struct worker *w, struct arena_blame *now, bool idle)
{
	now->kills = 0;
	if (!idle || w->now_ms - now->crash_ms >= CRASHES_MS) {
		now->crashes = 0;
		now->crash_ms = w->now_ms;
	}
	now->crashes++;
}

static void
killed(struct worker *w, const struct arena_blame *was, struct arena_blame *now,
	bool idle)
{
	bool again = now->kind == was->kind && now->session == was->session &&
		     now->position == was->position;

	now->crashes = 0;
	now->kills = idle ? was->kills + 1 : 1;
	now->here = again ? was->here + 1 : 1;
	if (!is_session(now->kind))
		return;
	/* A place in the input is passed once: to be killed there three times
	 * is no chance, whatever was done for others between. */
	if ((again && idle) ||
		(now->kind == HAND_INPUT && now->here >= KILLS_HERE))
		suspect(w, now);
}

int
blame(struct worker *w)
{
	const struct arena_head *h = w->arena.head;
	struct arena_blame was = h->blame, now = was;
	bool idle = !was.serving || h->commits == was.served;
	int died = w->env->died;

	now.kind = h->in_hand_kind;
	now.session = h->in_hand_session;
	now.position = h->in_hand_position;
	if (is_crash(died)) {
		count_crash(w, &now, idle);
		crashed(w, &now);
	} else if (is_kill(died)) {
		killed(w, &was, &now, idle);
	}
	now.serving = 0;
	FAULT(blame_found);
	/* At once: what is noted and still in hand would count twice. */
	tx_begin(&w->arena);
	arena_copy(&w->arena, &h->blame, &now, sizeof now);
	FAULT(blame_noted);
	arena_set(&w->arena, &h->in_hand_kind, HAND_NONE);
	tx_commit(&w->arena);
	FAULT(blame_done);
	if (now.crashes < CRASHES_MAX)
		return 0;
	log_error("%d workers of this slot have crashed in a row and done "
		  "nothing between",
		CRASHES_MAX);
	return -ECANCELED;
}

void
blame_served(struct worker *w)
{
	arena_store(&w->arena.head->blame.served, w->arena.head->commits);
	arena_store(&w->arena.head->blame.serving, 1);
}
