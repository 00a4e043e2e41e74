/* What one image of the master saves and the next one restores: saved once more
 * it must be the same bytes, and it must act the same.
 *
 * SPDX-License-Identifier: MIT */
#include "registry_fake.h"

#include "base/fd.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "master/gap.h"
#include "master/listeners.h"
#include "master/registry_state.h"
#include "master/relay_state.h"

#include <unistd.h>

TestSuite(state, .timeout = 60);

static struct slice
bytes_of(const struct pack *p)
{
	return slice_of(p->p, p->len);
}

static bool
same(const struct pack *a, const struct pack *b)
{
	return slice_eq(bytes_of(a), bytes_of(b));
}

/* --- the registry ----------------------------------------------------------
 */

/* Instead of reg: what it has saved, restored. */
static struct pack
reborn(void)
{
	struct pack p = { 0 }, again = { 0 };
	struct unpack u;

	registry_save(reg, &p);
	registry_free(&reg);
	reg = registry_empty(64, emit, NULL);
	u = unpack_of(bytes_of(&p));
	cr_assert(registry_restore(reg, &u));
	cr_assert_eq(u.rest.len, 0);
	n_frames = 0;
	registry_configure(reg, &conf);
	cr_assert_eq(n_frames, 0, "nobody is told");
	registry_save(reg, &again);
	cr_assert(same(&p, &again));
	pack_fini(&again);
	return p;
}

static void
arrive(unsigned slot, uint64_t n, uint8_t ip)
{
	cr_assert_null(
		connect_from(slot, n, 0x0au | (uint32_t)ip << 24, false));
}

Test(state, an_empty_registry_is_as_a_new_one)
{
	struct pack p;

	setup();
	p = reborn();
	pack_fini(&p);
	cr_assert_eq(registry_rooms(reg), 1);
	arrive(1, 1, 1);
	cr_assert_eq(last.room, 1, "the room of the file kept its id");
	teardown();
}

Test(state, sessions_nicks_rooms_and_limits_go_on)
{
	struct pack p;

	setup();
	quiet_out = true;
	conf.limits.clients_per_ip = 2;
	for (uint64_t n = 1; n <= 5; n++)
		arrive(1, n, (uint8_t)n);
	arrive(2, 1, 1); /* the second of address 1 */
	request_str(BUS_NICK, 1, 1, "ann");
	request_str(BUS_NICK, 1, 3,
		"b\xc3\xb6"
		"b");
	request_str(BUS_JOIN, 1, 1, "deck");
	request_str(BUS_JOIN, 1, 2, "deck");
	request_str(BUS_JOIN, 1, 2, "galley");
	request_str(BUS_JOIN, 1, 4, "hold");
	/* Holes: a client and a room in the middle. */
	request_str(BUS_GONE, 1, 4, "bye");
	p = reborn();
	pack_fini(&p);

	cr_assert_eq(registry_clients(reg, 0), 5);
	cr_assert_eq(registry_clients(reg, 2), 1);
	cr_assert_eq(registry_session_by_nick(reg, slice_str("ANN")),
		session_id(1, 1));
	cr_assert_eq(registry_session_by_nick(reg, slice_str("b\xc3\xb6"
							     "b")),
		session_id(1, 3));
	cr_assert_eq(registry_rooms(reg), 3);
	n_frames = 0;
	arrive(2, 2, 1);
	cr_assert_eq(last.type, BUS_REFUSED, "a third of the address");
	request_str(BUS_JOIN, 1, 5, "DECK");
	cr_assert_eq(last.type, BUS_JOIN_EVENT, "those inside are told");
	cr_assert_eq(last.room, 2);
	request_str(BUS_JOIN, 1, 5, "new");
	cr_assert_eq(last.room, 5, "no id comes twice");
	teardown();
}

static void
random_step(uint64_t r, uint64_t *last_number)
{
	unsigned slot = 1 + (unsigned)(r % 3);
	uint64_t n = 1 + (r >> 8) % (last_number[slot] + 1);
	char name[16];

	(void)snprintf(name, sizeof name, "name-%u", (unsigned)(r >> 24) % 40);
	switch (r >> 40 & 7) {
	case 0:
	case 1:
		arrive(slot, ++last_number[slot], (uint8_t)(r >> 16));
		break;
	case 2:
		request_str(BUS_NICK, slot, n, name);
		break;
	case 3:
	case 4:
	case 5:
		request_str(BUS_JOIN, slot, n, name);
		break;
	case 6:
		request(BUS_PART, slot, n, 1 + (uint32_t)(r >> 16) % 40, 0,
			slice_of("", 0));
		break;
	default:
		request_str(BUS_GONE, slot, n, "");
		break;
	}
}

/* Restored and not, two registries answer alike ever after. */
Test(state, a_thousand_random_registries)
{
	uint64_t seed = 4711, numbers[4] = { 0 };

	setup();
	quiet_out = true;
	conf.limits.clients_per_ip = 5;
	for (unsigned round = 0; round < 1000; round++) {
		struct pack p;

		for (unsigned i = 0; i < 30; i++)
			random_step(hash_number(seed++), numbers);
		p = reborn();
		pack_fini(&p);
	}
	teardown();
}

/* As an image has it that let the slots' clients lie as they came. */
static void
interleave(struct pack *p)
{
	for (size_t at = 8; at + 8 <= p->len; at += 8) {
		uint64_t word, index;

		memcpy(&word, p->p + at, sizeof word);
		if (session_id_slot(word) < 1 || session_id_slot(word) > 2)
			continue;
		index = session_id_number(word) * 2 - session_id_slot(word);
		memcpy(p->p + at - 8, &index, sizeof index);
	}
}

Test(state, slots_that_lay_among_each_other_are_parted)
{
	struct pack p = { 0 };
	struct unpack u;

	setup();
	quiet_out = true;
	conf.limits.clients_per_ip = 0;
	for (uint64_t n = 1; n <= 300; n++) {
		arrive(1, n, 1);
		arrive(2, n, 1);
	}
	request_str(BUS_NICK, 2, 77, "ann");
	registry_save(reg, &p);
	interleave(&p);
	registry_free(&reg);
	reg = registry_empty(64, emit, NULL);
	u = unpack_of(bytes_of(&p));
	cr_assert(registry_restore(reg, &u));
	registry_configure(reg, &conf);
	pack_fini(&p);
	p = reborn();
	pack_fini(&p);
	cr_assert_eq(registry_clients(reg, 1), 300);
	cr_assert_eq(registry_clients(reg, 2), 300);
	cr_assert_eq(registry_session_by_nick(reg, slice_str("ann")),
		session_id(2, 77));
	registry_forget_slot(reg, 1, SLICE_LIT("bye"));
	cr_assert_eq(
		registry_stats(reg).looked_at, 3 * 128, "its own three pages");
	cr_assert_eq(registry_clients(reg, 0), 300);
	registry_forget_slot(reg, 2, SLICE_LIT("bye"));
	cr_assert_eq(registry_stats(reg).memory, 0);
	teardown();
}

/* Whatever is cut off or changed: refused or taken, but never more. */
Test(state, damaged_bytes_do_no_harm)
{
	struct pack p = { 0 };

	setup();
	quiet_out = true;
	arrive(1, 1, 1);
	arrive(2, 1, 2);
	request_str(BUS_NICK, 1, 1, "ann");
	request_str(BUS_JOIN, 1, 1, "deck");
	registry_save(reg, &p);
	for (size_t cut = 0; cut + 8 < p.len; cut += 8) {
		struct registry *r = registry_empty(64, emit, NULL);
		struct unpack u = unpack_of(slice_of(p.p, cut));

		/* What is missing at an end reads as zero. */
		(void)registry_restore(r, &u);
		cr_assert_leq(registry_clients(r, 0), 2);
		registry_free(&r);
	}
	for (size_t at = 0; at + 8 <= p.len; at += 8) {
		struct registry *r = registry_empty(64, emit, NULL);
		struct pack bad = { xmemdup0(p.p, p.len), p.len, p.len };
		struct unpack u = unpack_of(bytes_of(&bad));

		bad.p[at] = (char)(bad.p[at] ^ 0x41);
		(void)registry_restore(r, &u);
		registry_free(&r);
		pack_fini(&bad);
	}
	pack_fini(&p);
	teardown();
}

/* --- gaps and the relay log -------------------------------------------------
 */

static void
put(struct relay *r, uint64_t mask, uint32_t room)
{
	static char body[1000];
	struct bus_frame f = { .version = BUS_VERSION,
		.type = BUS_SAY,
		.room = room,
		.sender = session_id(3, 1),
		.length = (uint32_t)(sizeof f + sizeof body) };

	relay_append(r, mask, &f, slice_of(body, sizeof body));
}

static struct relay *
relay_reborn(struct relay *r)
{
	struct pack p = { 0 }, again = { 0 };
	int fd = dup(relay_fd(r));
	struct unpack u;

	relay_save(r, &p);
	relay_free(&r);
	u = unpack_of(bytes_of(&p));
	r = relay_restore(&fd, &u, false);
	cr_assert_not_null(r);
	cr_assert_eq(u.rest.len, 0);
	relay_save(r, &again);
	cr_assert(same(&p, &again));
	pack_fini(&p);
	pack_fini(&again);
	return r;
}

static uint64_t
drain(struct relay *r, unsigned slot)
{
	static uint64_t number[3];
	uint64_t n = 0, same_slots;
	struct slice d;

	while (relay_pending(r) & relay_bit(slot) &&
		(d = relay_next(r, slot, &same_slots)).len > 0) {
		const struct bus_batch *b = (const void *)d.p;

		cr_assert_eq(b->number, ++number[slot]);
		n++;
		relay_given(r, slot);
	}
	return n;
}

Test(state, a_relay_log_with_a_gap_goes_on)
{
	struct relay *r = relay_new(RELAY_SIZE_MIN), *twin;
	uint64_t lost, behind, batches;

	for (unsigned s = 1; s <= 2; s++)
		relay_enter(r, s);
	for (unsigned i = 0; i < 500; i++) {
		put(r, 3, 1 + i % 7);
		if (i < 490)
			(void)drain(r, 2);
	}
	lost = relay_lost(r);
	behind = relay_behind(r, 1);
	cr_assert_gt(lost, 0);
	r = relay_reborn(r);
	cr_assert_eq(relay_lost(r), lost);
	cr_assert_eq(relay_behind(r, 1), behind);
	batches = drain(r, 1);
	cr_assert_gt(batches, 0);
	cr_assert_eq(relay_pending(r) & 1, 0);
	twin = r;
	relay_free(&twin);
}

Test(state, a_rehearsal_does_not_touch_the_log)
{
	struct relay *r = relay_new(RELAY_SIZE_MIN), *seen;
	struct pack p = { 0 }, after = { 0 };
	int fd = dup(relay_fd(r));
	struct unpack u;

	relay_enter(r, 1);
	put(r, 1, 1);
	relay_save(r, &p);
	u = unpack_of(bytes_of(&p));
	seen = relay_restore(&fd, &u, true);
	cr_assert_not_null(seen);
	put(seen, 1, 2);
	cr_assert_eq(relay_behind(seen, 1), 2);
	relay_free(&seen);
	cr_assert_eq(relay_behind(r, 1), 1);
	relay_save(r, &after);
	cr_assert(same(&p, &after));
	pack_fini(&p);
	pack_fini(&after);
	relay_free(&r);
}

/* --- listeners
 * ---------------------------------------------------------------- */

Test(state, listeners_keep_their_descriptors_numbers_and_names)
{
	static struct conf c = { .n_listen = 1 };
	static struct listeners ls, next;
	struct keep k = { 0 }, again = { 0 };
	struct kept kept = { 0 };
	char mem[256];
	struct buf why = buf_over(mem, sizeof mem);

	strcpy(c.listen[0].name, "text");
	strcpy(c.listen[0].address[0], "127.0.0.1");
	c.listen[0].n_addresses = 1;
	listeners_init(&ls, 3);
	cr_assert_eq(listeners_prepare(&ls, &c, 1, &why), 0);
	(void)listeners_commit(&ls, &c, &c, 7);
	listeners_save(&ls, &k);
	cr_assert_eq(k.n_fds, 3);

	listeners_init(&next, 3);
	kept.u = unpack_of(bytes_of(&k.pack));
	cr_assert(listeners_restore(&next, &kept));
	listeners_save(&next, &again);
	cr_assert(same(&k.pack, &again.pack));
	cr_assert_eq(listeners_fd(next.at[0], 2), listeners_fd(ls.at[0], 2));
	cr_assert_null(listeners_stranger(&next, &c));
	strcpy(c.listen[0].name, "other");
	cr_assert_str_eq(listeners_stranger(&next, &c), "text");
	/* It is not bound again: the same address would do. */
	strcpy(c.listen[0].name, "text");
	cr_assert_eq(listeners_prepare(&next, &c, 2, &why), 0);
	cr_assert_eq(next.n, 1);
	keep_fini(&k);
	keep_fini(&again);
	listeners_fini(&next);
}

/* --- packing
 * ------------------------------------------------------------------ */

Test(state, what_is_missing_reads_as_zero_and_what_is_too_long_as_bad)
{
	struct pack p = { 0 };
	struct unpack u, section;
	uint64_t tag;
	size_t at = pack_begin(&p, 9);

	pack_u64(&p, 7);
	pack_str(&p, "text");
	pack_end(&p, at);
	u = unpack_of(bytes_of(&p));
	cr_assert(unpack_section(&u, &tag, &section));
	cr_assert_eq(tag, 9);
	cr_assert_eq(unpack_u64(&section), 7);
	cr_assert(slice_eq_str(unpack_bytes(&section), "text"));
	cr_assert_eq(unpack_u64(&section), 0);
	cr_assert_eq(unpack_bytes(&section).len, 0);
	cr_assert_not(section.bad);
	cr_assert_not(unpack_section(&u, &tag, &section));
	u = unpack_of(slice_of(p.p, p.len - 1));
	cr_assert_not(unpack_section(&u, &tag, &section));
	cr_assert(u.bad);
	pack_fini(&p);
}

/* A later image writes more into each. */
Test(state, what_is_more_in_a_record_is_passed_over)
{
	struct pack p = { 0 };
	struct unpack u, record;

	for (unsigned i = 1; i <= 2; i++) {
		size_t at = pack_record(&p);

		pack_u64(&p, i);
		pack_u64(&p, 4711);
		pack_end(&p, at);
	}
	u = unpack_of(bytes_of(&p));
	for (unsigned i = 1; i <= 2; i++) {
		record = unpack_record(&u);
		cr_assert_eq(unpack_u64(&record), i);
	}
	cr_assert_eq(u.rest.len, 0);
	u = unpack_of(slice_of(p.p, p.len - 1));
	(void)unpack_record(&u);
	record = unpack_record(&u);
	cr_assert(record.bad && u.bad);
	pack_fini(&p);
}

/* An image that gives the place back may have closed one. */
Test(state, a_descriptor_that_is_gone_may_be_done_without)
{
	struct keep k = { 0 }, left = { 0 };
	struct kept kept = { .left = &left };
	int end[2];

	cr_assert_eq(pipe(end), 0);
	keep_fd(&k, end[0]);
	keep_fd(&k, end[1]);
	keep_fd(&k, end[1]);
	(void)close(end[1]);
	kept.u = unpack_of(bytes_of(&k.pack));
	cr_assert_eq(kept_fd(&kept), end[0]);
	cr_assert_eq(kept_fd_if_open(&kept), -1);
	cr_assert_not(kept.u.bad);
	cr_assert_eq(left.n_fds, 1);
	(void)kept_fd(&kept);
	cr_assert(kept.u.bad);
	keep_fini(&k);
	keep_close(&left);
	cr_assert_eq(close(end[0]), -1, "it is closed");
}
