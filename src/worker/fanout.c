/* One event to all members of a room in this slot.  It is encoded once per
 * encoding in use; each member's queue gets a reference.  Nothing of a frame is
 * sent before its fan-out is complete, and a member whose q_word has the frame
 * was served already: by the run that a death cut, or through another of the
 * rooms that the event names.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "worker/private.h"

#define ENCODINGS 16

struct encoding {
	const struct kind *kind;
	uint32_t variant;
	block_ref ref;
	uint32_t len, n_refs;
};

struct fanout {
	struct worker *w;
	const struct event *e;
	uint32_t frame;
	struct encoding encoding[ENCODINGS];
	unsigned n;
};

static struct encoding *
encode(struct fanout *f, const struct kind *kind, uint32_t variant)
{
	struct encoding *enc;

	for (unsigned i = 0; i < f->n; i++) {
		enc = &f->encoding[i];
		if (enc->kind == kind && enc->variant == variant)
			return enc;
	}
	/* More encodings than places: the last one makes room. */
	enc = &f->encoding[f->n < ENCODINGS ? f->n++ : ENCODINGS - 1];
	if (enc->ref != 0) {
		heap_ref(&f->w->arena, enc->ref, enc->n_refs);
		heap_unref(&f->w->arena, enc->ref);
	}
	*enc = (struct encoding){ .kind = kind,
		.variant = variant,
		.ref = output_encode(f->w, kind, variant, f->e) };
	if (enc->ref != 0)
		enc->len = heap_block(&f->w->arena, enc->ref)->len;
	return enc;
}

static void
serve(struct fanout *f, const struct session *s, uint32_t room_id)
{
	struct worker *w = f->w;
	uint64_t limit = w->conf->limits.output_bytes;
	const struct kind *kind = kind_of(w, s);
	struct encoding *enc;

	if (queue_frame(s) == f->frame || s->state != SESSION_OPEN ||
		s->flags & (SESSION_BROKEN | SESSION_HOPELESS))
		return;
	enc = encode(f, kind, kind->protocol->variant(s->proto_state));
	if (enc->ref == 0)
		return;
	if (s->missed > 0 || queue_is_long(s) ||
		(limit != 0 && s->q_bytes + enc->len > limit) ||
		queue_push(&w->arena, s, enc->ref, enc->len, f->frame) < 0) {
		/* Once, also when the event names more of its rooms. */
		tx_begin(&w->arena);
		output_skip(w, s, room_id, 1);
		arena_set(&w->arena, &s->q_word,
			(uint64_t)f->frame << 32 | queue_tail(s));
		tx_commit(&w->arena);
		return;
	}
	FAULT(fanout_member);
	enc->n_refs++;
	w->page->pending += enc->len;
	gather_pushed(w, s);
	output_dirty(w, session_fd(&w->arena, s));
}

static void
finish(struct fanout *f)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < f->n; i++) {
		if (f->encoding[i].ref == 0)
			continue;
		n += f->encoding[i].n_refs;
		heap_ref(&f->w->arena, f->encoding[i].ref,
			f->encoding[i].n_refs);
		heap_unref(&f->w->arena, f->encoding[i].ref);
	}
	count(f->w, deliveries, n);
}

uint32_t
fanout_frame(const struct worker *w)
{
	/* 0 is what a new record has. */
	return (uint32_t)(w->arena.head->frame_in + 1) | 1u << 31;
}

static struct fanout
start(struct worker *w, const struct event *e)
{
	return (struct fanout){ .w = w, .e = e, .frame = fanout_frame(w) };
}

static void
serve_room(struct fanout *f, uint32_t room_id, uint64_t except)
{
	struct worker *w = f->w;
	uint32_t room = chat_room(w->chat, room_id), n;
	const uint32_t *fd;

	if (room == ARENA_NONE)
		return;
	fd = chat_members(w->chat, room, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct session *s = &w->arena.session[fd[i]];

		if (i + 4 < n)
			__builtin_prefetch(&w->arena.session[fd[i + 4]]);
		if (s->id != except)
			serve(f, s, room_id);
	}
}

void
fanout_room(struct worker *w, uint32_t room_id, const struct event *e,
	uint64_t except)
{
	struct fanout f = start(w, e);

	serve_room(&f, room_id, except);
	FAULT(fanout_served);
	finish(&f);
}

void
fanout_rooms(struct worker *w, const void *rooms, uint32_t n,
	const struct event *e, uint64_t except)
{
	struct fanout f = start(w, e);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id;

		memcpy(&id, (const char *)rooms + i * sizeof id, sizeof id);
		serve_room(&f, id, except);
	}
	finish(&f);
}
