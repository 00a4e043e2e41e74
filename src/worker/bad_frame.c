/* Only for tests: what a worker that has been taken over might send.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "msg/session_id.h"
#include "worker/private.h"

#ifdef BANTER_TEST_FAULTS

# include <fcntl.h>
# include <signal.h>
# include <stddef.h>
# include <stdlib.h>
# include <sys/socket.h>
# include <sys/stat.h>
# include <unistd.h>

# define ROOM_OF_NOBODY 999999u

struct bad {
	struct bus_batch batch;
	struct bus_frame frame;
	char body[BUS_BATCH_MAX];
};

/* A GONE of nobody's session, with an empty reason: in order but for the
 * session, and each kind makes it worse in its own way. */
static size_t
well_formed(const struct worker *w, struct bad *b)
{
	memset(b, 0, sizeof *b);
	b->batch = (struct bus_batch){ .version = BUS_VERSION,
		.n_frames = 1,
		.number = w->arena.head->batch_out + 1 };
	b->frame = (struct bus_frame){ .version = BUS_VERSION,
		.type = BUS_GONE,
		.length = sizeof b->frame + 2,
		.sender = session_id(w->env->slot, 1) };
	return offsetof(struct bad, body) + 8;
}

static bool
is(struct slice kind, const char *name)
{
	return slice_eq_str(kind, name);
}

/* Bytes to send; 0: there is no such kind. */
static size_t
spoil(const struct worker *w, struct bad *b, struct slice kind)
{
	size_t len = well_formed(w, b);

	if (is(kind, "empty"))
		return sizeof b->batch / 2;
	if (is(kind, "short"))
		return sizeof b->batch + sizeof b->frame / 2;
	if (is(kind, "long"))
		return sizeof *b;
	if (is(kind, "length"))
		b->frame.length = UINT32_MAX;
	else if (is(kind, "version"))
		b->frame.version++;
	else if (is(kind, "count"))
		b->batch.n_frames = UINT32_MAX;
	else if (is(kind, "type"))
		b->frame.type = 200;
	else if (is(kind, "direction"))
		b->frame.type = BUS_CONNECTED;
	else if (is(kind, "slot"))
		b->frame.sender = session_id(w->env->slot == 1 ? 2 : 1, 1);
	else if (is(kind, "room"))
		b->frame.room = ROOM_OF_NOBODY;
	else if (is(kind, "number"))
		b->batch.number += 1000;
	else
		return 0;
	return len;
}

static bool
is_chosen(const struct worker *w)
{
	const char *slot = getenv("BANTER_TEST_BAD_FRAME");

	return slot && strtoul(slot, NULL, 10) == w->env->slot;
}

/* As keeper.h has it, which is no matter of a worker. */
struct said {
	uint32_t type;
	int32_t pid;
	uint64_t generation;
	int32_t status;
	uint32_t flags;
};

/* On the keeper's line, which is in this table too. */
static void
speak_for_keeper(const struct worker *w, struct slice kind)
{
	static const char *const name[] = { "keeper-spawned", "keeper-died",
		"keeper-failed", "keeper-here" };
	struct said said = { .pid = getppid(), .generation = w->generation };

	for (uint32_t i = 0; i < sizeof name / sizeof *name; i++) {
		said.type = 2 + i; /* KEEPER_SPAWNED */
		if (is(kind, name[i]))
			(void)!send(w->env->keeper_ctl, &said, sizeof said,
				MSG_NOSIGNAL);
	}
}

/* What nobody may say there, and an end of it. */
static void
spoil_line(const struct worker *w, struct slice kind)
{
	const struct said again = { 2, getpid(), w->generation, 0, 0 };
	int line = w->env->keeper_ctl;

	for (int i = 0; is(kind, "keeper-again") && i < 20; i++)
		(void)!send(line, &again, sizeof again, MSG_NOSIGNAL);
	if (is(kind, "keeper-short"))
		(void)!send(line, &again, sizeof again - 1, MSG_NOSIGNAL);
	if (is(kind, "keeper-empty"))
		(void)!send(line, &again, 0, MSG_NOSIGNAL);
	if (is(kind, "keeper-end"))
		(void)shutdown(line, SHUT_WR);
	if (is(kind, "keeper-closed"))
		(void)close(line);
}

/* So that the keeper does not see the end of this worker, which it is. */
static void
hide_end(const struct worker *w, struct slice kind)
{
	struct stat self, st;

	if (!is(kind, "keeper-pidfd") || fstat(w->keeper_pidfd, &self) == -1)
		return;
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != w->keeper_pidfd && fd != w->engine_fd[0] &&
			fstat(fd, &st) == 0 && st.st_dev == self.st_dev)
			(void)dup3(w->keeper_pidfd, fd, O_CLOEXEC);
	(void)raise(SIGKILL);
}

/* A client of a UNIX socket, who may send descriptors, on the number of the
 * keeper's line; for the rest of its life nobody else reads of it. */
static void
give_line_away(const struct worker *w, struct slice kind)
{
	if (!is(kind, "keeper-line"))
		return;
	for (uint64_t fd = 0; fd < w->arena.head->high_fd; fd++) {
		const struct session *s = session_at(&w->arena, (int)fd);

		if (s != NULL && s->flags & SESSION_LOCAL)
			(void)dup3((int)fd, w->env->keeper_ctl, O_CLOEXEC);
	}
	for (;;)
		(void)usleep(1000);
}

void
bad_frame_heed(const struct worker *w, const struct request *r)
{
	static struct bad bad;
	struct slice magic = SLICE_LIT("!bad ");
	size_t len;

	if (r->type != REQUEST_SAY || r->text.len <= magic.len ||
		memcmp(r->text.p, magic.p, magic.len) != 0 || !is_chosen(w))
		return;
	speak_for_keeper(w, slice_skip(r->text, magic.len));
	spoil_line(w, slice_skip(r->text, magic.len));
	hide_end(w, slice_skip(r->text, magic.len));
	give_line_away(w, slice_skip(r->text, magic.len));
	len = spoil(w, &bad, slice_skip(r->text, magic.len));
	/* The number of a batch that can be read counts as had. */
	if (len > sizeof bad.batch && len <= BUS_BATCH_MAX &&
		bad.batch.number == w->arena.head->batch_out + 1)
		arena_store(&w->arena.head->batch_out,
			w->arena.head->batch_out + 1);
	if (len > 0)
		(void)!send(w->env->bus, &bad, len, MSG_NOSIGNAL);
}

#endif
