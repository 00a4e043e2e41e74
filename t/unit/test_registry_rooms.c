/* SPDX-License-Identifier: MIT */
#include "registry_fake.h"

TestSuite(registry_rooms, .init = setup, .fini = teardown, .timeout = 20);

Test(registry_rooms, joined_tells_the_others_and_the_topic)
{
	struct bus_joined j;

	connect_from(1, 7, 1, false);
	request_str(BUS_NICK, 1, 7, "ann");
	connect_from(2, 8, 1, false);
	request_str(BUS_NICK, 2, 8, "Bob");
	connect_from(3, 1, 1, true);
	conf.limits.announce_limit = 1;
	request_str(BUS_JOIN, 3, 1, "#Lobby");
	cr_assert_eq(last.type, BUS_JOINED);
	memcpy(&j, last_body, sizeof j);
	cr_assert_eq(j.n_others, 2);
	cr_assert(slice_eq(last_text(8, 0), SLICE_LIT("\5\0lobby\7\0Welcome"
						      "ann\nBob\n")));
}

Test(registry_rooms, a_list_of_others_is_bounded)
{
	quiet_out = true;
	conf.limits.clients_per_ip = 0;
	conf.limits.announce_limit = 1;
	for (uint64_t n = 1; n <= 1000; n++)
		connect_from(1, n, 1, false);
	connect_from(1, 1001, 1, false);
	cr_assert_eq(last.type, BUS_JOINED);
	unsigned names = 0;
	struct slice tail = last_text(8, 2);

	for (size_t i = 0; i < tail.len; i++)
		names += tail.p[i] == '\n';
	cr_assert_eq(names, 50);
	request_str(BUS_WHO, 1, 5, "lobby");
	struct bus_list l;

	memcpy(&l, last_body, sizeof l);
	cr_assert_eq(l.n_all, 1001);
	cr_assert_leq(last.length, 4096 + 100);
	cr_assert_eq(last_body[last.length - sizeof last - 1], '\n');
}

Test(registry_rooms, join_and_part)
{
	enter(1, 1);
	enter(1, 2);
	enter(2, 1);
	out_len = 0;
	request_str(BUS_JOIN, 1, 1, "Tea");
	expect("1:35:2:101");
	request_str(BUS_JOIN, 1, 1, "tea");
	expect_refused(REFUSAL_ALREADY_IN_ROOM, 0, "tea");
	request_str(BUS_JOIN, 2, 1, "#TEA");
	expect("2:35:2:201 1:48:2:201");
	request_str(BUS_JOIN, 1, 2, "tea");
	expect("1:35:2:102 3:48:2:102");
	request(BUS_PART, 1, 1, 2, 0, SLICE_LIT(""));
	expect("1:36:2:101 3:49:2:101");
	request(BUS_PART, 1, 1, 2, 0, SLICE_LIT(""));
	expect_refused(REFUSAL_NOT_IN_ROOM, 0, "Tea");
	request(BUS_PART, 1, 1, 99, 0, SLICE_LIT(""));
	expect_refused(REFUSAL_NOT_IN_ROOM, 0, "");
	request(BUS_PART, 1, 2, 2, 0, SLICE_LIT(""));
	expect("1:36:2:102 2:49:2:102");
	cr_assert_eq(registry_rooms(reg), 2);
	request(BUS_PART, 2, 1, 2, 0, SLICE_LIT(""));
	expect("2:36:2:201");
	cr_assert_eq(registry_rooms(reg), 1);
	request_str(BUS_JOIN, 1, 1, "tea");
	expect("1:35:3:101");
}

Test(registry_rooms, limits_of_rooms)
{
	char name[16], long_name[40] = { 0 };

	conf.limits.rooms = 5;
	conf.limits.rooms_per_client = 3;
	for (uint64_t n = 1; n <= 2; n++)
		enter(1, n);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "a%d", i);
		request_str(BUS_JOIN, 1, 1, name);
	}
	request_str(BUS_JOIN, 1, 1, "a3");
	expect_refused(REFUSAL_TOO_MANY_ROOMS, 3, "a3");
	request_str(BUS_JOIN, 1, 2, "b0");
	request_str(BUS_JOIN, 1, 2, "b1");
	expect_refused(REFUSAL_ROOMS_FULL, 5, "b1");
	request_str(BUS_JOIN, 1, 2, "a1");
	cr_assert_eq(last.type, BUS_JOIN_EVENT);
	conf.create_rooms = false;
	request_str(BUS_JOIN, 1, 2, "c");
	expect_refused(REFUSAL_CREATE_ROOMS_OFF, 0, "c");
	request_str(BUS_JOIN, 1, 2, "no room");
	expect_refused(REFUSAL_ROOM_INVALID, 0, "no room");
	memset(long_name, 'r', 33);
	request_str(BUS_JOIN, 1, 2, long_name);
	expect_refused(REFUSAL_ROOM_TOO_LONG, 32, long_name);
}

Test(registry_rooms, quiet_members_come_and_go_unannounced)
{
	char mem[16];
	struct buf b = buf_over(mem, sizeof mem);

	connect_from(1, 1, 1, false);
	enter(2, 1);
	enter(2, 2);
	out_len = 0;
	bus_put_str(&b, SLICE_LIT("lobby"));
	request(BUS_JOIN, 2, 1, 0, BUS_QUIET, buf_slice(&b));
	request(BUS_JOIN, 2, 2, 0, BUS_QUIET, buf_slice(&b));
	expect("2:35:1:201 2:35:1:202");
	say(2, 1, 1);
	expect("3:10:1:201");
	request(BUS_PART, 2, 1, 1, 0, SLICE_LIT(""));
	request_str(BUS_GONE, 2, 2, "bye");
	expect("2:36:1:201");
}

Test(registry_rooms, say_is_numbered_and_goes_to_the_slots_of_the_room)
{
	connect_from(1, 1, 1, false);
	connect_from(64, 1, 1, false);
	enter(3, 1);
	request_str(BUS_JOIN, 3, 1, "other");
	out_len = 0;
	say(1, 1, 1);
	cr_assert_eq(last.sequence, 1);
	say(64, 1, 1);
	cr_assert_eq(last.sequence, 2);
	expect("8000000000000001:10:1:101 8000000000000001:10:1:6401");
	say(3, 1, 2);
	cr_assert_eq(last.sequence, 1);
	cr_assert_eq(last_mask, 4);
	/* A slot without members there, a room that is gone: crossed. */
	n_frames = 0;
	say(3, 1, 1);
	say(3, 1, 99);
	cr_assert_eq(n_frames, 0);
	cr_assert_eq(registry_stats(reg).messages, 3);
}

Test(registry_rooms, topics)
{
	struct registry_room r;
	char text[66] = { 0 };

	connect_from(1, 1, 1, false);
	connect_from(2, 1, 1, false);
	enter(3, 1);
	out_len = 0;
	two_strings(BUS_TOPIC, 1, 1, 1, NULL, "ann", "cake\nand tea");
	expect("3:52:1:101");
	cr_assert(registry_room_at(reg, 0, &r));
	cr_assert(slice_eq_str(r.topic, "cake and tea"));
	two_strings(BUS_TOPIC, 3, 1, 1, NULL, "ann", "x");
	expect_refused(REFUSAL_NOT_IN_ROOM, 0, "lobby");
	memset(text, 't', 65);
	two_strings(BUS_TOPIC, 1, 1, 1, NULL, "ann", text);
	expect_refused(REFUSAL_TOPIC_TOO_LONG, 64, "");
	two_strings(BUS_TOPIC, 1, 1, 1, NULL, "ann", "");
	cr_assert(registry_room_at(reg, 0, &r));
	cr_assert_eq(r.topic.len, 0);
}

Test(registry_rooms, lists_of_rooms)
{
	char name[40];
	struct bus_list l;

	conf.limits.rooms_per_client = 0;
	enter(1, 1);
	quiet_out = true;
	for (int i = 0; i < 900; i++) {
		snprintf(name, sizeof name, "%s-long-name-%d",
			i % 2 ? "Tea" : "cake", i);
		request_str(BUS_JOIN, 1, 1, name);
	}
	request_str(BUS_ROOMS, 1, 1, "");
	memcpy(&l, last_body, sizeof l);
	cr_assert_eq(l.n_all, 901);
	cr_assert_leq(last.length, 6144 + 64);
	cr_assert_gt(last.length, 6000);
	request_str(BUS_ROOMS, 1, 1, "#tea");
	memcpy(&l, last_body, sizeof l);
	cr_assert_eq(l.n_all, 450);
	cr_assert_eq(memcmp(last_body + 8, "Tea-long-name-1 1 \n", 19), 0);
	request_str(BUS_ROOMS, 1, 1, "CAKE-long-name-88");
	memcpy(&l, last_body, sizeof l);
	cr_assert_eq(l.n_all, 6, "88, 880, 882 ... 888");
	request_str(BUS_ROOMS, 1, 1, "lob");
	cr_assert(slice_eq_str(last_text(8, 0), "lobby 0 Welcome\n"));
	request_str(BUS_ROOMS, 1, 1, "lobbyy");
	cr_assert_eq(last_text(8, 0).len, 0);
	request_str(BUS_WHO, 1, 1, "nowhere");
	expect_refused(REFUSAL_NO_SUCH_ROOM, 0, "nowhere");
}

Test(registry_rooms, reload)
{
	static struct conf other;
	struct registry_room r;

	connect_from(1, 1, 1, false);
	other = conf;
	strcpy(other.room[0].topic, "New");
	strcpy(other.room[1].name, "second");
	other.n_rooms = 2;
	registry_configure(reg, &other);
	cr_assert(registry_room_at(reg, 0, &r));
	cr_assert(slice_eq_str(r.topic, "New") && r.configured);
	cr_assert(registry_room_at(reg, 1, &r));
	cr_assert(slice_eq_str(r.name, "second") && r.members == 0);
	cr_assert(!registry_room_at(reg, 2, &r));
	two_strings(BUS_TOPIC, 1, 1, 1, NULL, "ann", "mine");
	registry_configure(reg, &conf);
	cr_assert(registry_room_at(reg, 0, &r));
	cr_assert(slice_eq_str(r.topic, "mine"), "what a member set stays");
	cr_assert_eq(registry_rooms(reg), 1);
	conf.n_rooms = 0;
	registry_configure(reg, &conf);
	cr_assert_eq(registry_rooms(reg), 1, "somebody is in it");
	request_str(BUS_GONE, 1, 1, "");
	cr_assert_eq(registry_rooms(reg), 0);
}

/* Members and memberships point at each other: after any walk every list says
 * what a plain table says. */
Test(registry_rooms, random_joins_and_parts_agree_with_a_table)
{
	enum {
		C = 40,
		R = 12
	};
	static bool in[C][R], there[C];
	static uint32_t id[R];
	char name[8];

	quiet_out = true;
	conf.n_rooms = 0;
	conf.limits.clients_per_ip = 0;
	conf.limits.rooms_per_client = 0;
	registry_configure(reg, &conf);
	srand(11);
	for (int step = 0; step < 40000; step++) {
		unsigned c = (unsigned)rand() % C, room = (unsigned)rand() % R;
		unsigned slot = 1 + c % 5;

		snprintf(name, sizeof name, "r%u", room);
		if (!there[c]) {
			connect_from(slot, c + 1, c, true);
			there[c] = true;
		} else if (rand() % 50 == 0) {
			request_str(BUS_GONE, slot, c + 1, "");
			there[c] = false;
			memset(in[c], 0, sizeof in[c]);
		} else if (!in[c][room]) {
			n_frames = 0;
			conf.limits.announce_limit = 1;
			request_str(BUS_JOIN, slot, c + 1, name);
			cr_assert_eq(last.type, BUS_JOINED);
			id[room] = last.room;
			in[c][room] = true;
		} else {
			request(BUS_PART, slot, c + 1, id[room], 0,
				SLICE_LIT(""));
			in[c][room] = false;
		}
		uint64_t mask = 0;

		for (unsigned i = 0; i < C; i++)
			if (in[i][room])
				mask |= UINT64_C(1) << i % 5;
		last_mask = 0;
		for (unsigned i = 0; i < 5 && id[room]; i++)
			if (mask >> i & 1)
				say(i + 1, 1, id[room]);
		cr_assert_eq(last_mask, mask);
	}
}

static void
restart_with(unsigned n_slots)
{
	registry_free(&reg);
	reg = registry_new(&conf, n_slots, emit, NULL);
}

/* Rooms, those that are joined by themselves too, move when there are more
 * slots. */
Test(registry_rooms, more_slots_keep_the_rooms)
{
	restart_with(2);
	connect_from(1, 1, 1, false);
	connect_from(2, 1, 1, false);
	request_str(BUS_JOIN, 1, 1, "tea");
	request_str(BUS_JOIN, 2, 1, "tea");
	registry_grow(reg, 64);
	registry_grow(reg, 64);
	out_len = 0;
	connect_from(64, 1, 1, false);
	expect("8000000000000000:32:0:6401 8000000000000000:35:1:6401 "
	       "3:48:1:6401");
	request_str(BUS_JOIN, 64, 1, "TEA");
	cr_assert_eq(last_mask, 3);
	out_len = 0;
	say(64, 1, 2);
	cr_assert_eq(last_mask, UINT64_C(1) << 63 | 3);
	registry_forget_slot(reg, 1, SLICE_LIT("gone"));
	out_len = 0;
	say(64, 1, 2);
	cr_assert_eq(last_mask, UINT64_C(1) << 63 | 2);
	say(1, 1, 2);
	cr_assert_eq(last_mask, UINT64_C(1) << 63 | 2, "slot 1 has nobody");
}

Test(registry_rooms, more_slots_with_many_rooms)
{
	char name[16];

	restart_with(1);
	quiet_out = true;
	conf.limits.rooms = conf.limits.rooms_per_client = 0;
	enter(1, 1);
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof name, "r%u", i);
		request_str(BUS_JOIN, 1, 1, name);
	}
	for (unsigned n = 2; n <= 64; n += 31)
		registry_grow(reg, n);
	registry_grow(reg, 64);
	enter(64, 1);
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof name, "R%u", i);
		request_str(BUS_JOIN, 64, 1, name);
		cr_assert_eq(last.type, BUS_JOIN_EVENT, "%s", name);
		cr_assert_eq(last_mask, 1);
	}
	cr_assert_eq(registry_rooms(reg), 5001);
}
