/* A frame that has ended two workers of this slot, or that another slot has
 * named, is not handled.  It was sequenced, so its members are told that one
 * message is missing.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/queue.h"
#include "arena/tx.h"
#include "log/log.h"
#include "worker/private.h"

static bool
is_named(const struct arena_skip *k, const struct bus_frame *f)
{
	return k->sender != 0 && k->sender == f->sender &&
	       k->sequence == f->sequence && k->time_ms == f->time_ms &&
	       k->room == f->room && k->type == f->type;
}

bool
poison_is_skipped(const struct worker *w, const struct bus_frame *f)
{
	const struct arena_head *h = w->arena.head;

	if (w->skip_frame == h->frame_in + 1)
		return true;
	for (unsigned i = 0; h->n_skips > 0 && i < ARENA_SKIPS; i++)
		if (is_named(&h->skip[i], f))
			return true;
	return false;
}

static void
tell_one(struct worker *w, const struct session *s, uint32_t room_id)
{
	uint32_t room = chat_room(w->chat, room_id);
	struct event e = { .type = EVENT_MISSED,
		.number = 1,
		.room = room_name(&w->arena, room) };

	/* Behind others that were missed it is one more of them. */
	if (s->missed > 0 || queue_is_long(s))
		output_skip(w, s, room_id, 1);
	else
		output_tell(w, s, &e);
}

/* Once per member, as in a fan-out. */
static void
miss_one(struct worker *w, uint32_t room_id, uint64_t except)
{
	uint32_t room = chat_room(w->chat, room_id), n;
	uint32_t frame = fanout_frame(w);
	const uint32_t *fd;

	if (room == ARENA_NONE)
		return;
	fd = chat_members(w->chat, room, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct session *s = &w->arena.session[fd[i]];

		if (s->id == except || queue_frame(s) == frame)
			continue;
		tx_begin(&w->arena);
		tell_one(w, s, room_id);
		arena_set(&w->arena, &s->q_word,
			(uint64_t)frame << 32 | queue_tail(s));
		tx_commit(&w->arena);
	}
}

static void
miss_private(struct worker *w, uint64_t receiver)
{
	const struct session *s = session_find(w, receiver);
	uint32_t frame = fanout_frame(w);

	if (s == NULL || !is_open(s) || queue_frame(s) == frame)
		return;
	tx_begin(&w->arena);
	output_skip(w, s, 0, 1);
	arena_set(&w->arena, &s->q_word, (uint64_t)frame << 32 | queue_tail(s));
	tx_commit(&w->arena);
}

/* The master says so too, but not to a worker that has just died of it. */
static void
end_origin(struct worker *w, uint64_t session)
{
	const struct session *s = session_find(w, session);
	struct event e = { .type = EVENT_CLOSING,
		.text = SLICE_LIT("your message could not be shown") };

	if (s != NULL)
		client_quit(w, s, SLICE_LIT("server fault"), &e);
}

/* Whoever waits for it as an answer would wait for ever. */
static void
end_who_waits(struct worker *w, uint64_t session)
{
	const struct session *s = session_find(w, session);
	struct event e = { .type = EVENT_CLOSING,
		.text = slice_str(FAULT_TEXT) };

	if (s != NULL && s->flags & SESSION_WAITING)
		client_quit(w, s, SLICE_LIT("server fault"), &e);
}

void
poison_skip(struct worker *w, const struct bus_frame *f)
{
	log_error("a frame of type %u from session %llx has ended workers: it "
		  "is not shown",
		f->type, (unsigned long long)f->sender);
	count(w, frames_skipped, 1);
	/* Named by the other slots' workers already, or by us now. */
	if (w->skip_frame == w->arena.head->frame_in + 1)
		control_poisoned(w, f);
	if (f->type == BUS_SAY) {
		miss_one(w, f->room, f->flags & BUS_ECHO ? 0 : f->sender);
		end_origin(w, f->sender);
	} else if (f->type == BUS_PRIVATE)
		miss_private(w, f->sender); /* of whom it is the receiver */
	else if (downlink_is_answer(f->type))
		end_who_waits(w, f->sender);
}

void
poison_note(struct worker *w, const struct ctl_frame *named)
{
	const struct arena_head *h = w->arena.head;
	struct arena_skip k = { named->sender, named->sequence, named->time_ms,
		named->room, named->type };

	tx_begin(&w->arena);
	arena_copy(&w->arena, &h->skip[h->n_skips % ARENA_SKIPS], &k, sizeof k);
	arena_set(&w->arena, &h->n_skips, h->n_skips + 1);
	tx_commit(&w->arena);
}
