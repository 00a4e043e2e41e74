/* SPDX-License-Identifier: MIT */
#include "registry_fake.h"

TestSuite(registry, .init = setup, .fini = teardown, .timeout = 20);

Test(registry, connect_joins_the_rooms_of_the_file)
{
	cr_assert_null(connect_from(1, 7, 1, false));
	expect("1:32:0:107 1:35:1:107");
	cr_assert_eq(last.flags, BUS_AUTO);
	cr_assert_null(connect_from(2, 5, 2, false));
	expect("2:32:0:205 2:35:1:205 1:48:1:205");
	cr_assert_null(connect_from(2, 6, 2, true));
	expect("2:32:0:206");
	cr_assert_eq(registry_clients(reg, 0), 3);
	cr_assert_eq(registry_clients(reg, 1), 1);
	cr_assert_eq(registry_clients(reg, 2), 2);
	cr_assert_not_null(connect_from(2, 6, 2, true));
}

Test(registry, connected_says_how_many_joins_follow)
{
	uint32_t n;

	conf.n_rooms = 3;
	strcpy(conf.room[1].name, "quiet");
	strcpy(conf.room[2].name, "LOBBY");
	conf.room[2].autojoin = true;
	registry_configure(reg, &conf);
	cr_assert_eq(registry_rooms(reg), 2);
	quiet_out = true;
	cr_assert_null(connect_from(1, 7, 1, false));
	cr_assert_eq(n_frames, 2);
	quiet_out = false;
	cr_assert_null(connect_from(1, 8, 1, true));
	memcpy(&n, last_body, sizeof n);
	cr_assert_eq(n, 0);
}

Test(registry, limits_of_clients)
{
	conf.max_clients = 3;
	conf.limits.clients_per_ip = 2;
	connect_from(1, 1, 1, true);
	connect_from(2, 1, 1, true);
	connect_from(1, 2, 1, true);
	expect_refused(REFUSAL_TOO_MANY_FROM_ADDRESS, 2, "");
	connect_from(1, 3, 2, true);
	cr_assert_eq(last.type, BUS_CONNECTED);
	connect_from(1, 4, 3, true);
	expect_refused(REFUSAL_SERVER_FULL, 3, "");
	/* What a refused one asks for meanwhile is nobody's violation. */
	cr_assert_null(request_str(BUS_NICK, 1, 4, "ann"));
	request_str(BUS_GONE, 2, 1, "");
	connect_from(1, 5, 1, true);
	cr_assert_eq(last.type, BUS_CONNECTED);
	struct registry_stats s = registry_stats(reg);

	cr_assert(s.refused_full == 1 && s.refused_address == 1);
}

Test(registry, exempt_and_local_clients_count_under_no_address)
{
	struct bus_connect local = { .local = 1, .raw = 1 };

	conf.limits.clients_per_ip = 1;
	conf.limits.exempt.n = 1;
	conf.limits.exempt.net[0] =
		(struct conf_net){ { [10] = 0xff, [11] = 0xff, [12] = 127 },
			104 };
	for (uint64_t n = 1; n < 10; n++) {
		request(BUS_CONNECT, 1, n, 0, 0,
			slice_of(&local, sizeof local));
		cr_assert_eq(last.type, BUS_CONNECTED);
		connect_from(2, n, 127 + 0x100 * (uint32_t)n, true);
		cr_assert_eq(last.type, BUS_CONNECTED);
	}
}

Test(registry, nicks)
{
	enter(1, 1);
	enter(2, 2);
	request_str(BUS_NICK, 1, 1, "Ann");
	cr_assert_eq(last.type, BUS_NICK_SET);
	cr_assert_eq(registry_session_by_nick(reg, slice_str("aNN")),
		session_id(1, 1));
	request_str(BUS_NICK, 2, 2, "ANN");
	expect_refused(REFUSAL_NICK_IN_USE, 32, "ANN");
	request_str(BUS_NICK, 2, 2, "server");
	expect_refused(REFUSAL_NICK_RESERVED, 32, "server");
	request_str(BUS_NICK, 2, 2, "a b");
	expect_refused(REFUSAL_NICK_INVALID, 32, "a b");
	request_str(BUS_NICK, 1, 1, "ANN");
	cr_assert_eq(last.type, BUS_NICK_SET);
	request_str(BUS_NICK, 1, 1, "bob");
	cr_assert_eq(registry_session_by_nick(reg, slice_str("ann")), 0);
	request_str(BUS_NICK, 2, 2, "ann");
	cr_assert_eq(last.type, BUS_NICK_SET);
	request_str(BUS_GONE, 2, 2, "");
	cr_assert_eq(registry_session_by_nick(reg, slice_str("ann")), 0);
}

Test(registry, guests_are_known_by_their_session)
{
	char name[40];

	enter(1, 77);
	request_str(BUS_JOIN, 1, 77, "x");
	request_str(BUS_WHO, 1, 77, "x");
	struct slice nicks = last_text(8, 1);

	snprintf(name, sizeof name, "%.*s", (int)nicks.len - 1, nicks.p);
	cr_assert_eq(registry_session_by_nick(reg, slice_str(name)),
		session_id(1, 77), "%s", name);
	request_str(BUS_NICK, 1, 77, "ann");
	cr_assert_eq(registry_session_by_nick(reg, slice_str(name)), 0);
}

Test(registry, a_nick_is_told_once_to_the_slots_of_all_its_rooms)
{
	enter(1, 1);
	enter(2, 1);
	enter(3, 1);
	request_str(BUS_JOIN, 1, 1, "a");
	request_str(BUS_JOIN, 1, 1, "b");
	request_str(BUS_JOIN, 2, 1, "a");
	request_str(BUS_JOIN, 3, 1, "b");
	request_str(BUS_JOIN, 1, 1, "alone");
	out_len = 0;
	request_str(BUS_NICK, 1, 1, "ann");
	expect("1:34:0:101 6:50:0:101");
	uint32_t list[3];

	memcpy(list, last_body, sizeof list);
	cr_assert(list[0] == 2 && list[1] == 2 && list[2] == 3);
	request_str(BUS_NICK, 1, 1, "ann");
	expect("1:34:0:101");
}

Test(registry, a_session_of_another_slot_is_a_violation)
{
	struct bus_frame f = { .version = BUS_VERSION,
		.type = BUS_PART,
		.length = sizeof f,
		.room = 1,
		.sender = session_id(2, 1) };

	cr_assert_not_null(registry_request(reg, 1, &f));
	f.sender = session_id(1, 0);
	cr_assert_not_null(registry_request(reg, 1, &f));
	f.sender = session_id(1, 1);
	f.type = BUS_JOINED;
	cr_assert_not_null(registry_request(reg, 1, &f));
}

Test(registry, private_messages)
{
	enter(1, 1);
	enter(2, 1);
	request_str(BUS_NICK, 2, 1, "Bob");
	out_len = 0;
	two_strings(BUS_MSG, 1, 1, 0, "bob", "guest1", "psst");
	expect("2:40:0:201 1:39:0:101");
	cr_assert(slice_eq_str(last_text(0, 1), "psst"));
	cr_assert_eq(memcmp(last_body, "\3\0Bob", 5), 0);
	two_strings(BUS_MSG, 1, 1, 0, "carl", "guest1", "psst");
	expect_refused(REFUSAL_NO_SUCH_NICK, 0, "carl");
	request_str(BUS_GONE, 2, 1, "");
	two_strings(BUS_MSG, 1, 1, 0, "bob", "guest1", "psst");
	expect_refused(REFUSAL_NO_SUCH_NICK, 0, "bob");
}

Test(registry, gone_tells_every_room_once)
{
	for (uint64_t n = 1; n <= 3; n++)
		enter(1, n);
	enter(2, 1);
	request_str(BUS_JOIN, 1, 1, "a");
	request_str(BUS_JOIN, 1, 1, "b");
	request_str(BUS_JOIN, 1, 1, "alone");
	request_str(BUS_JOIN, 2, 1, "a");
	request_str(BUS_JOIN, 1, 2, "b");
	out_len = 0;
	request_str(BUS_GONE, 1, 1, "bye");
	expect("3:51:0:101");
	uint32_t list[3];

	memcpy(list, last_body, sizeof list);
	cr_assert(list[0] == 2 && list[1] + list[2] == 2 + 3);
	cr_assert_eq(registry_rooms(reg), 3);
	cr_assert_eq(registry_clients(reg, 1), 2);
	cr_assert_null(request_str(BUS_GONE, 1, 1, "bye"));
	expect("");
}

Test(registry, gone_from_very_many_rooms_takes_several_frames)
{
	char name[16];

	quiet_out = true;
	conf.limits.rooms = conf.limits.rooms_per_client = 0;
	enter(1, 1);
	enter(2, 1);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof name, "r%d", i);
		request_str(BUS_JOIN, 1, 1, name);
		request_str(BUS_JOIN, 2, 1, name);
	}
	n_frames = 0;
	request_str(BUS_NICK, 1, 1, "ann");
	cr_assert_eq(n_frames, 3);
	n_frames = 0;
	request_str(BUS_GONE, 1, 1, "bye");
	cr_assert_eq(n_frames, 2);
	request_str(BUS_GONE, 2, 1, "bye");
	cr_assert_eq(registry_rooms(reg), 1);
}

Test(registry, big_rooms_do_not_hear_who_comes_and_goes)
{
	conf.limits.announce_limit = 3;
	conf.limits.clients_per_ip = 0;
	for (uint64_t n = 1; n <= 3; n++)
		connect_from(1, n, 1, false);
	connect_from(2, 1, 1, false);
	out_len = 0;
	connect_from(2, 2, 1, false);
	expect("2:32:0:202 2:35:1:202");
	request_str(BUS_NICK, 2, 2, "ann");
	expect("2:34:0:202");
	request_str(BUS_GONE, 2, 2, "");
	expect("");
	request_str(BUS_GONE, 2, 1, "");
	expect("");
	request_str(BUS_GONE, 1, 3, "");
	expect("1:51:0:103");
	conf.limits.announce_limit = 0;
	connect_from(2, 3, 1, false);
	expect("2:32:0:203 2:35:1:203 1:48:1:203");
}

Test(registry, a_dead_slot_is_forgotten_and_the_others_told)
{
	quiet_out = true;
	conf.limits.clients_per_ip = 0;
	conf.limits.announce_limit = 50;
	for (uint64_t n = 1; n <= 20; n++)
		connect_from(1, n, 1, false);
	connect_from(2, 1, 1, false);
	request_str(BUS_JOIN, 1, 3, "own");
	n_frames = 0;
	registry_forget_slot(reg, 1, SLICE_LIT("lost"));
	cr_assert_eq(n_frames, 20);
	cr_assert_eq(last_mask, 2);
	cr_assert_eq(registry_clients(reg, 1), 0);
	cr_assert_eq(registry_rooms(reg), 1);
	for (uint64_t n = 1; n <= 60; n++)
		connect_from(1, n, 1, false);
	n_frames = 0;
	registry_forget_slot(reg, 1, SLICE_LIT("lost"));
	cr_assert_eq(n_frames, 0, "it was too big when it began");
	registry_forget_slot(reg, 2, SLICE_LIT("lost"));
	cr_assert_eq(registry_clients(reg, 0), 0);
	connect_from(1, 1, 1, false);
	cr_assert_eq(registry_clients(reg, 0), 1);
}

Test(registry, an_idle_guest_costs_little)
{
	enum {
		N = 100000
	};
	struct registry_room r;
	size_t each;

	quiet_out = true;
	for (uint32_t n = 1; n <= N; n++)
		connect_from(1 + n % 4, n, n * 2654435761u, false);
	cr_assert_eq(registry_clients(reg, 0), N);
	cr_assert(registry_room_at(reg, 0, &r));
	cr_assert_eq(r.members, N);
	/* and four bytes of the room's member array */
	each = registry_stats(reg).memory / N + 4;
	cr_log_info("%zu bytes a guest", each);
	cr_assert_lt(each, 75, "%zu", each);
	for (uint32_t n = 1; n <= N; n++)
		request_str(BUS_GONE, 1 + n % 4, n, "");
	cr_assert_eq(registry_stats(reg).memory, 0);
}
