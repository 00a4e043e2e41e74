/* What is done for one slot costs nothing for the clients of the others; it is
 * the records looked at that are counted.
 *
 * SPDX-License-Identifier: MIT */
#include "msg/name.h"
#include "registry_fake.h"

#define SLOTS     52u
#define CLIENTS   1000000u
#define PER_FRAME 1000u

TestSuite(registry_slots, .init = setup, .fini = teardown, .timeout = 120);

static void
nobody_is_refused(void)
{
	conf.max_clients = 0;
	conf.limits.clients_per_ip = 0;
	quiet_out = true;
}

/* Numbers from 1 in each slot, the slots by turns. */
static void
fill(unsigned n_slots, uint32_t n)
{
	nobody_is_refused();
	for (uint32_t i = 0; i < n; i++)
		enter(1 + i % n_slots, 1 + i / n_slots);
	cr_assert_eq(registry_clients(reg, 0), n);
}

/* What the slot says after a takeover, as src/worker/sync.c does: its sessions
 * are first, first + step and so on. */
static void
sync_slot(unsigned slot, uint64_t first, uint64_t end, uint64_t step)
{
	static struct {
		struct bus_sync range;
		uint64_t id[PER_FRAME];
	} body;
	uint64_t next = session_id(slot, 1);

	while (next < session_id(slot, end)) {
		size_t n = 0;

		for (; first < end && n < PER_FRAME; first += step)
			body.id[n++] = session_id(slot, first);
		body.range.first = next;
		body.range.last = first < end ? body.id[n - 1]
					      : session_id(slot, end) - 1;
		next = body.range.last + 1;
		cr_assert_null(request(BUS_SYNC, slot, 1, 0, 0,
			slice_of(&body, sizeof body.range + n * 8)));
	}
}

static uint64_t
looked_at(void)
{
	static uint64_t before;
	uint64_t was = before;

	before = registry_stats(reg).looked_at;
	return before - was;
}

/* An upgrade of the master with a million clients: every slot says which
 * sessions it has. */
Test(registry_slots, a_million_sessions_are_gone_through_once)
{
	uint64_t n;

	fill(SLOTS, CLIENTS);
	cr_assert_lt(registry_stats(reg).memory, 38u * CLIENTS);
	(void)looked_at();
	for (unsigned slot = 1; slot <= SLOTS; slot++)
		sync_slot(slot, 1, CLIENTS / SLOTS + 2, 1);
	n = looked_at();
	cr_log_info("%llu records looked at", (unsigned long long)n);
	cr_assert_lt(n, CLIENTS * 2, "%llu", (unsigned long long)n);
	cr_assert_eq(registry_clients(reg, 0), CLIENTS);
}

Test(registry_slots, what_a_slot_has_lost_is_found_among_a_million)
{
	uint32_t each = CLIENTS / SLOTS, had;
	uint64_t n;

	fill(SLOTS, CLIENTS);
	(void)looked_at();
	had = registry_clients(reg, 7);
	/* Every third one is still there. */
	sync_slot(7, 1, each + 2, 3);
	cr_assert_eq(registry_clients(reg, 7), (had + 2) / 3);
	cr_assert_eq(registry_clients(reg, 0), CLIENTS - had + (had + 2) / 3);
	n = looked_at();
	cr_assert_lt(n, each * 2, "%llu", (unsigned long long)n);
	for (uint64_t i = 1; i <= had; i++) {
		char guest[NAME_MAX_LEN + 1];
		int len = name_guest(session_id(7, i), guest);

		cr_assert_eq(registry_session_by_nick(
				     reg, slice_of(guest, (size_t)len)),
			i % 3 == 1 ? session_id(7, i) : 0);
	}
	registry_forget_slot(reg, 8, SLICE_LIT("server fault"));
	cr_assert_eq(registry_clients(reg, 8), 0);
	n = looked_at();
	cr_assert_lt(n, each * 2, "%llu", (unsigned long long)n);
}

/* Where clients come and go each page holds old and new ones: a frame costs at
 * most the clients of its slot. */
Test(registry_slots, of_those_that_come_and_go_too)
{
	uint64_t newest = 2000, n;

	fill(4, 8000);
	for (uint64_t i = 1; i <= 2000; i += 2) {
		request_str(BUS_GONE, 2, i, "");
		enter(2, ++newest);
	}
	cr_assert_eq(registry_clients(reg, 2), 2000);
	(void)looked_at();
	sync_slot(2, 2, 2001, 2); /* of the new ones nothing is said */
	n = looked_at();
	cr_assert_eq(registry_clients(reg, 2), 2000);
	cr_assert_lt(n, 2 * 2100, "%llu", (unsigned long long)n);
}

/* A page that is empty serves whoever comes, and at the end nothing is left. */
Test(registry_slots, pages_go_from_slot_to_slot)
{
	size_t memory;

	fill(1, 100000);
	memory = registry_stats(reg).memory;
	for (unsigned slot = 2; slot <= 64; slot++) {
		for (uint64_t i = 2; i <= 100000; i++) {
			if (i % 63 + 2 != slot)
				continue;
			request_str(BUS_GONE, 1, i, "");
		}
	}
	cr_assert_eq(registry_clients(reg, 0), 1);
	for (uint64_t i = 1; i < 100000 - 64u * 128; i++)
		enter(2 + i % 63, i);
	cr_assert_leq(registry_stats(reg).memory, memory);
	for (unsigned slot = 1; slot <= 64; slot++)
		registry_forget_slot(reg, slot, SLICE_LIT("bye"));
	cr_assert_eq(registry_stats(reg).memory, 0);
	cr_assert_eq(registry_clients(reg, 0), 0);
}
