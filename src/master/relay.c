/* SPDX-License-Identifier: MIT */
#include "master/relay.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "master/relay_private.h"
#include "msg/session_id.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What stays touched when there is little to do, and how long a rush must be
 * over before the rest is given back: to fault pages in again costs as much as
 * to fill them. */
#define REST_BYTES (32u << 10)
#define REST_MS    5000
#define PAGE       4096

static uint64_t
whole_pages(uint64_t size)
{
	if (size < RELAY_SIZE_MIN)
		size = RELAY_SIZE_MIN;
	return (size + PAGE - 1) / PAGE * PAGE;
}

struct relay *
relay_new(uint64_t size)
{
	struct relay *r = xcalloc(1, sizeof *r);
	void *mem;
	int e;

	size = whole_pages(size);
	r->fd = fd_memory("banter-relay", RELAY_STATE_SIZE + size, false);
	if (r->fd < 0) {
		e = -r->fd;
		goto fail;
	}
	mem = mmap(NULL, RELAY_STATE_SIZE + size, PROT_READ | PROT_WRITE,
		MAP_SHARED, r->fd, 0);
	if (mem == MAP_FAILED) {
		e = errno;
		goto fail;
	}
	/* Workers have no business with it, and a core dump of one would delay
	 * its successor by 75 ms. */
	(void)madvise(mem, RELAY_STATE_SIZE + size, MADV_DONTFORK);
	r->state = mem;
	r->ring = (char *)mem + RELAY_STATE_SIZE;
	r->state->version = RELAY_STATE_VERSION;
	r->state->size = size;
	return r;
fail:
	relay_free(&r);
	errno = e;
	return NULL;
}

void
relay_free(struct relay **rp)
{
	struct relay *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		gap_fini(&r->gap[i]);
	if (r->state)
		(void)munmap(r->state, RELAY_STATE_SIZE + r->state->size);
	fd_close(&r->fd);
	free(r);
}

void
relay_enter(struct relay *r, unsigned slot)
{
	r->state->entered |= relay_bit(slot);
}

void
relay_leave(struct relay *r, unsigned slot)
{
	r->state->entered &= ~relay_bit(slot);
	relay_skip(r, slot);
}

void
relay_skip(struct relay *r, unsigned slot)
{
	r->state->pending &= ~relay_bit(slot);
	gap_fini(&r->gap[slot - 1]);
}

static struct record *
record_at(const struct relay *r, uint64_t position)
{
	return (void *)(r->ring + position % r->state->size);
}

static uint64_t
to_ring_end(const struct relay *r, uint64_t position)
{
	return r->state->size - position % r->state->size;
}

/* Where the record after this one begins. */
static uint64_t
after(const struct relay *r, uint64_t position, const struct record *rec)
{
	if (rec->mask == 0)
		return position + to_ring_end(r, position);
	return position + sizeof rec->mask + bus_padded(rec->frame.length);
}

static uint64_t
lowest_cursor(const struct relay *r)
{
	uint64_t low = r->state->head;

	for (uint64_t m = r->state->pending; m; m &= m - 1) {
		uint64_t at = r->state->slot[__builtin_ctzll(m)].cursor;

		if (at < low)
			low = at;
	}
	return low;
}

/* The record at the tail goes.  Whoever still waits for it has its cursor right
 * there: cursors stand on records, and none is before the tail. */
static void
evict(struct relay *r)
{
	const struct record *rec = record_at(r, r->tail);
	uint64_t next = after(r, r->tail, rec);

	for (uint64_t m = r->state->pending; m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);

		if (r->state->slot[i].cursor != r->tail)
			continue;
		r->state->slot[i].cursor = next;
		if (rec->mask & relay_bit(i + 1))
			r->lost += gap_add(&r->gap[i], &rec->frame, i + 1);
	}
	r->tail = next;
}

static void
make_space(struct relay *r, uint64_t n)
{
	uint64_t end = r->state->head + n;

	if (end - r->tail <= r->state->size)
		return;
	r->tail = lowest_cursor(r);
	while (end - r->tail > r->state->size)
		evict(r);
}

static void
rewind_ring(struct relay *r)
{
	uint64_t used = r->state->head % r->state->size;

	if (used > 0)
		r->state->head += r->state->size - used;
	r->tail = r->state->head;
}

static void
write_record(struct relay *r, uint64_t mask, const struct bus_frame *f,
	struct slice body)
{
	uint64_t padded = bus_padded(f->length);
	struct record *rec = record_at(r, r->state->head);
	char *to = (char *)&rec->frame;
	uint64_t end = r->state->head % r->state->size + sizeof mask + padded;

	memset(to + padded - 8, 0, 8);
	memcpy(to, f, sizeof *f);
	if (body.len > 0)
		memcpy(to + sizeof *f, body.p, body.len);
	rec->mask = mask;
	r->state->head += sizeof mask + padded;
	if (end > r->touched)
		r->touched = end;
}

void
relay_append(struct relay *r, uint64_t mask, const struct bus_frame *f,
	struct slice body)
{
	uint64_t need = sizeof mask + bus_padded(f->length);
	uint64_t left;

	must(f->length == sizeof *f + body.len && f->length <= BUS_FRAME_MAX);
	mask &= r->state->entered;
	if (mask == 0)
		return;
	if (r->state->pending == 0)
		rewind_ring(r);
	left = to_ring_end(r, r->state->head);
	make_space(r, left < need ? left + need : need);
	if (left < need) {
		record_at(r, r->state->head)->mask = 0;
		r->state->head += left;
	}
	for (uint64_t m = mask & ~r->state->pending; m; m &= m - 1)
		r->state->slot[__builtin_ctzll(m)].cursor = r->state->head;
	r->state->pending |= mask;
	write_record(r, mask, f, body);
}

uint64_t
relay_pending(const struct relay *r)
{
	return r->state->pending;
}

/* Slots with the same cursor that have no gap to be told of first. */
static uint64_t
abreast(const struct relay *r, uint64_t cursor)
{
	uint64_t same = 0;

	for (uint64_t m = r->state->pending; m; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);

		if (r->state->slot[i].cursor == cursor &&
			gap_is_empty(&r->gap[i]))
			same |= relay_bit(i + 1);
	}
	return same;
}

/* Gather the frames of the slot.  Each record that is taken leaves only the
 * slots that take it too, each that is not only those that do not: they all can
 * be sent the one datagram that is built. */
static uint64_t
gather(struct relay *r, uint64_t bit, uint64_t position)
{
	uint64_t same = abreast(r, position);

	while (position < r->state->head) {
		const struct record *rec = record_at(r, position);
		const struct bus_frame *f = &rec->frame;

		if (rec->mask & bit) {
			if (!bus_writer_has_room(&r->writer, f->length))
				break;
			bus_writer_add(&r->writer, f, bus_body(f));
			same &= rec->mask;
		} else {
			same &= ~rec->mask;
		}
		position = after(r, position, rec);
	}
	r->built_end = position;
	return same;
}

struct slice
relay_next(struct relay *r, unsigned slot, uint64_t *ret_same)
{
	struct gap *g = &r->gap[slot - 1];
	uint64_t bit = relay_bit(slot);

	must(r->state->pending & bit);
	bus_writer_init(&r->writer, r->datagram);
	*ret_same = bit;
	r->built_of_gap = !gap_is_empty(g);
	if (r->built_of_gap)
		gap_fill(g, &r->writer);
	else
		*ret_same = gather(r, bit, r->state->slot[slot - 1].cursor);
	if (r->writer.n_frames == 0) {
		r->state->pending &= ~bit;
		return slice_of(NULL, 0);
	}
	return relay_sealed_for(r, slot);
}

struct slice
relay_sealed_for(struct relay *r, unsigned slot)
{
	return bus_writer_seal(
		&r->writer, r->state->slot[slot - 1].last_out + 1);
}

void
relay_given(struct relay *r, unsigned slot)
{
	r->state->slot[slot - 1].last_out++;
	if (r->built_of_gap)
		gap_filled(&r->gap[slot - 1]);
	else
		r->state->slot[slot - 1].cursor = r->built_end;
	if (r->state->slot[slot - 1].cursor == r->state->head &&
		gap_is_empty(&r->gap[slot - 1]))
		r->state->pending &= ~relay_bit(slot);
}

bool
relay_rest(struct relay *r, uint64_t now_ms)
{
	if (r->touched <= REST_BYTES)
		return false;
	if (r->state->pending || r->state->head % r->state->size > REST_BYTES)
		r->rush_ms = now_ms;
	if (r->state->pending)
		return false;
	rewind_ring(r);
	if (now_ms - r->rush_ms < REST_MS)
		return false;
	/* A hole in the memfd; it reads as zeros and nobody reads it. */
	if (madvise(r->ring + REST_BYTES, r->state->size - REST_BYTES,
		    MADV_REMOVE) == -1)
		return false;
	r->touched = REST_BYTES;
	return true;
}

enum relay_number
relay_number(struct relay *r, unsigned slot, uint64_t number)
{
	uint64_t *last = &r->state->slot[slot - 1].last_in;
	bool fresh = r->state->renumber & relay_bit(slot);

	if (number != *last + 1 && !(fresh && number == 1))
		return number <= *last ? RELAY_NUMBER_HAD : RELAY_NUMBER_SKIPS;
	*last = number;
	r->state->renumber &= ~relay_bit(slot);
	return RELAY_NUMBER_NEW;
}

void
relay_renumber(struct relay *r, unsigned slot)
{
	r->state->renumber |= relay_bit(slot);
}

void
relay_number_dropped(struct relay *r, unsigned slot, uint64_t number)
{
	if (number == r->state->slot[slot - 1].last_in + 1)
		r->state->slot[slot - 1].last_in = number;
}

bool
relay_overrun(struct relay *r, unsigned slot)
{
	bool over = r->gap[slot - 1].over;

	r->gap[slot - 1].over = false;
	return over;
}

static uint64_t
frames_kept(const struct gap *g)
{
	uint64_t n = g->n_counts;

	for (size_t at = g->kept_at; at < g->kept_len; n++) {
		const struct bus_frame *f = (const void *)(g->kept + at);

		at += bus_padded(f->length);
	}
	return n;
}

uint64_t
relay_behind(const struct relay *r, unsigned slot)
{
	uint64_t n = frames_kept(&r->gap[slot - 1]);

	if (!(r->state->pending & relay_bit(slot)))
		return 0;
	for (uint64_t at = r->state->slot[slot - 1].cursor;
		at < r->state->head;) {
		const struct record *rec = record_at(r, at);

		n += (rec->mask & relay_bit(slot)) != 0;
		at = after(r, at, rec);
	}
	return n;
}

uint64_t
relay_used(const struct relay *r)
{
	return r->state->head - lowest_cursor(r);
}

uint64_t
relay_size(const struct relay *r)
{
	return r->state->size;
}

uint64_t
relay_touched(const struct relay *r)
{
	return r->touched;
}

uint64_t
relay_lost(const struct relay *r)
{
	return r->lost;
}
