/* The output of the text protocol: events to lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "proto/charset.h"
#include "proto/proto.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(text_encode, .timeout = 20);

#define FFFD UTF8_REPLACEMENT

static char mem[PROTO_EVENT_CAP];

static struct slice
encode(const struct event *e, const struct charset *cs, uint32_t variant)
{
	struct proto_options o = { .line_max = 4096, .charset = cs };
	struct buf out = buf_over(mem, sizeof mem);

	protocol_text.encode(e, &o, variant, &out);
	cr_assert(!out.over);
	return buf_slice(&out);
}

static struct event
event(enum event_type type, const char *room, const char *nick,
	const char *text)
{
	return (struct event){ .type = type,
		.time_ms = UINT64_C(1700000000999), /* 22:13:20 UTC */
		.room = slice_str(room),
		.nick = slice_str(nick),
		.text = slice_str(text) };
}

struct row {
	enum event_type type;
	const char *room, *nick, *text, *list;
	uint64_t number;
	bool on;
	const char *out;
};

static const struct row rows[] = {
	{ EVENT_SAY, "lobby", "ann", "hi", "", 0, false, "[lobby] <ann> hi\n" },
	{ EVENT_SAY, "lobby", "ann", "* error: you are banned", "", 0, false,
		"[lobby] <ann> * error: you are banned\n" },
	/* A protocol with longer messages cannot forge a line either. */
	{ EVENT_SAY, "lobby", "ann", "a\n* bob has left.\r\n\nb\n", "", 0,
		false,
		"[lobby] <ann> a\n[lobby] <ann> * bob has left.\n"
		"[lobby] <ann> b\n" },
	{ EVENT_ACTION, "lobby", "ann", "waves", "", 0, false,
		"[lobby] * ann waves\n" },
	{ EVENT_RAW, "lab", "meter", "25.3\r\n26\xFF\n", "", 0, false,
		"[lab] <meter> 25.3\n[lab] <meter> 26" FFFD "\n" },
	{ EVENT_PRIVATE, "", "ann", "psst", "", 0, false,
		"[private] <ann> psst\n" },
	{ EVENT_PRIVATE_SENT, "", "bob", "psst\nx", "", 0, false,
		"* to bob: psst\n* to bob: x\n" },
	{ EVENT_WELCOME, "", "guest7", "NAME", "", 0, false,
		"* Welcome to NAME. You are guest7.\n" },
	{ EVENT_MOTD, "", "", "Be kind.", "", 0, false, "* Be kind.\n" },
	{ EVENT_JOINED, "lobby", "", "", "ann\nbob\nguest4\n", 3, false,
		"* In lobby with 3 others: ann, bob, guest4.\n" },
	{ EVENT_JOINED, "lobby", "", "", "ann\n", 1, false,
		"* In lobby with 1 other: ann.\n" },
	{ EVENT_JOINED, "lobby", "", "Hello", "", 0, false,
		"* In lobby alone.\n* Topic of lobby: Hello\n" },
	{ EVENT_JOINED, "lobby", "", "", "ann\nbob\n", 19, false,
		"* In lobby with 19 others: ann, bob and 17 more.\n" },
	{ EVENT_JOINED, "lobby", "", "", "", 19, false,
		"* In lobby with 19 others.\n" },
	{ EVENT_JOIN, "den", "bob", "", "", 0, false,
		"* bob has joined den.\n" },
	{ EVENT_PARTED, "den", "", "lobby", "", 0, false,
		"* You have left den. You talk in lobby now.\n" },
	{ EVENT_PARTED, "den", "", "", "", 0, false,
		"* You have left den. You are in no room; /join ROOM to "
		"talk.\n" },
	{ EVENT_PART, "den", "bob", "", "", 0, false, "* bob has left den.\n" },
	{ EVENT_QUIT, "", "bob", "so long", "", 0, false,
		"* bob has left: so long\n" },
	{ EVENT_QUIT, "", "bob", "a\n* x", "", 0, false,
		"* bob has left: a\xE2\x90\x8A* x\n" },
	{ EVENT_QUIT, "", "bob", "", "", 0, false, "* bob has left.\n" },
	{ EVENT_NICK_IS, "", "ann", "", "", 0, false, "* You are ann.\n" },
	{ EVENT_NICK, "", "guest7", "ann", "", 0, false,
		"* guest7 is now ann.\n" },
	{ EVENT_TOPIC, "den", "ann", "News", "", 0, false,
		"* ann has set the topic of den: News\n" },
	{ EVENT_TOPIC, "den", "ann", "", "", 0, false,
		"* ann has removed the topic of den.\n" },
	{ EVENT_TOPIC_IS, "den", "", "News", "", 0, false,
		"* Topic of den: News\n" },
	{ EVENT_TOPIC_IS, "den", "", "", "", 0, false,
		"* den has no topic; /topic TEXT sets one.\n" },
	{ EVENT_WHO, "den", "", "", "ann\nbob\n", 2, false,
		"* In den (2): ann, bob\n" },
	{ EVENT_WHO, "den", "", "", "ann\n", 18, false,
		"* In den (18): ann\n* In den (18): and 17 more\n" },
	{ EVENT_ROOMS, "", "", "", "lobby 12 Be kind\nden 1 \n", 2, false,
		"* lobby (12): Be kind\n* den (1)\n" },
	{ EVENT_ROOMS, "", "", "", "den 1 \n", 18, false,
		"* den (1)\n* and 17 more; /rooms PREFIX lists those that "
		"begin so.\n" },
	{ EVENT_ROOMS, "", "", "", "", 0, false, "* No rooms to list.\n" },
	{ EVENT_LIMIT, "", "line_bytes", "4096", "", 0, false,
		"* limit line_bytes: 4096\n" },
	{ EVENT_HELP, "", "", "nick", "", 0, false,
		"* /nick [NAME]: tell your nick, or take another.\n" },
	{ EVENT_MISSED, "", "", "", "", 12, false, "* 12 messages missed\n" },
	{ EVENT_MISSED, "den", "", "", "", 1, false,
		"* 1 message missed in den\n" },
	{ EVENT_IDLE, "", "", "", "", 60, false,
		"* Idle: this connection closes in 60 seconds; any line keeps "
		"it open.\n" },
	{ EVENT_CLOSING, "", "", "the server stops", "", 0, false,
		"* Closing: the server stops\n" },
	{ EVENT_HINT, "", "", "", "", 0, false,
		"* Type to talk. /nick NAME, /help, /quit.\n" },
	{ EVENT_NONE, "", "", "", "", 0, false, "" },
	{ EVENT_SAY, "lobby", "ann", "\n\n", "", 0, false, "" },
};

Test(text_encode, sentences)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		struct event e = event(r->type, r->room, r->nick, r->text);
		struct slice got;

		e.list = slice_str(r->list);
		e.number = r->number;
		e.on = r->on;
		got = encode(&e, NULL, 0);
		cr_assert(slice_eq_str(got, r->out), "row %zu: %.*s", i,
			(int)got.len, got.p);
	}
}

Test(text_encode, every_event_has_lines)
{
	for (int type = EVENT_NONE + 1; type < EVENT_N; type++)
		for (uint32_t variant = 0; variant < 4; variant++) {
			struct event e = event(
				(enum event_type)type, "den", "ann", "text");
			struct slice got;

			e.refusal = REFUSAL_FLOOD;
			got = encode(&e, NULL, variant);
			cr_assert_gt(got.len, 3, "%d", type);
			cr_assert_eq(got.p[got.len - 1], '\n', "%d", type);
			cr_assert_eq(got.p[got.len - 2] == '\r', variant & 1,
				"%d", type);
			cr_assert_eq(!memcmp(got.p, "22:13:20 ", 9),
				variant >> 1, "%d", type);
		}
}

Test(text_encode, every_refusal_has_its_own_sentence)
{
	static char seen[REFUSAL_N + 1][256];

	for (int i = 1; i <= REFUSAL_N; i++) {
		struct event e = event(EVENT_REFUSED, "", "", "/join");
		struct slice got;

		e.refusal = (enum refusal)i;
		e.number = 4096;
		got = encode(&e, NULL, 0);
		cr_assert(!memcmp(got.p, "* error: ", 9) &&
			  got.len < sizeof seen[0]);
		/* What, and what would be right. */
		cr_assert_not_null(memchr(got.p, ';', got.len), "%d", i);
		cr_assert_eq(memchr(got.p, '\n', got.len), got.p + got.len - 1);
		memcpy(seen[i], got.p, got.len);
		for (int k = 1; k < i; k++)
			cr_assert_str_neq(seen[i], seen[k]);
		if (i == REFUSAL_MISSING_ARGUMENT || i == REFUSAL_BAD_ARGUMENT)
			cr_assert_not_null(strstr(seen[i], "/join ROOM"));
	}
	cr_assert_not_null(strstr(seen[REFUSAL_LINE_TOO_LONG], "4096"));
}

Test(text_encode, a_ban_with_and_without_a_reason)
{
	struct event e = event(EVENT_REFUSED, "", "", "");
	char reason[127];

	e.refusal = REFUSAL_BANNED;
	cr_assert(slice_eq_str(encode(&e, NULL, 0),
		"* error: your address is banned here; ask who runs this "
		"server\n"));
	memset(reason, 'r', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	e.text = slice_str(reason);
	cr_assert_not_null(
		memmem(encode(&e, NULL, 0).p, 256, reason, strlen(reason)));
}

Test(text_encode, in_no_room_at_all)
{
	struct event e = event(EVENT_REFUSED, "", "", "");

	e.refusal = REFUSAL_NOT_IN_ROOM;
	cr_assert(slice_eq_str(encode(&e, NULL, 0),
		"* error: you are in no room; /join ROOM first\n"));
}

Test(text_encode, help_fits_a_screen)
{
	struct event e = event(EVENT_HELP, "", "", "");
	struct slice got = encode(&e, NULL, 3);
	unsigned lines = 0;

	while (got.len > 0) {
		const char *end = memchr(got.p, '\n', got.len);
		size_t n = (size_t)(end - got.p) + 1;

		cr_assert_leq(n - 2, 79);
		lines++;
		got = slice_skip(got, n);
	}
	cr_assert_leq(lines, 24);
}

Test(text_encode, nothing_steers_a_terminal)
{
	static const struct {
		const char *in, *out;
	} shown[] = {
		{ "a\tb", "a b" },
		{ "\x1B[2J", "\xE2\x90\x9B[2J" },
		{ "\x07\r\x7F", "\xE2\x90\x87\xE2\x90\x8D\xE2\x90\xA1" },
		{ "\xC2\x9B", FFFD },
		{ "\xD8\x9C\xE2\x80\x8E\xE2\x80\x8F\xE2\x80\xAA\xE2\x80\xAE",
			FFFD FFFD FFFD FFFD FFFD },
		{ "\xE2\x81\xA6\xE2\x81\xA9\xE2\x80\x8B\xE2\x80\x8D\xE2\x81\xA0",
			FFFD FFFD FFFD FFFD FFFD },
		{ "\xE2\x80\xA8\xE2\x80\xA9\xEF\xBB\xBF\xEF\xBF\xB9",
			FFFD FFFD FFFD FFFD },
		{ "\xF3\xA0\x80\x81", FFFD },
		{ "\xC2\xA0\xE2\x82\xAC", "\xC2\xA0\xE2\x82\xAC" },
	};

	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		struct event e = event(EVENT_NICK, "", shown[i].in, "");
		char want[128];
		struct buf b = buf_over(want, sizeof want);

		e.text = e.nick;
		buf_printf(&b, "* %s is now %s.\n", shown[i].out, shown[i].out);
		cr_assert(slice_eq(encode(&e, NULL, 0), buf_slice(&b)),
			"row %zu", i);
	}
}

/* A raw chunk at its limit is shown whole, in as many lines as fit or in one.
 */
Test(text_encode, many_newlines_become_one_line)
{
	static char text[4096];
	struct event e = event(EVENT_RAW, "lab", "meter", "");
	struct slice got;
	size_t n = 0;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 ? '\n' : 'a';
	e.text = slice_of(text, sizeof text);
	got = encode(&e, NULL, 3);
	for (size_t i = 0; i < got.len; i++)
		n += got.p[i] == 'a';
	cr_assert_eq(n, 2048 + 1); /* and the one of "lab" */
	cr_assert_eq(memchr(got.p, '\n', got.len), got.p + got.len - 1);
	memset(text, 0, sizeof text);
	got = encode(&e, NULL, 3);
	cr_assert_eq(got.len, strlen("22:13:20 [lab] <meter> \r\n") + 3 * 4096);
}

static size_t
fill_list(char *list, size_t cap, const char *line)
{
	size_t n = 0;

	while (n + strlen(line) <= cap) {
		memcpy(list + n, line, strlen(line));
		n += strlen(line);
	}
	return n;
}

Test(text_encode, long_lists_are_cut_and_say_so)
{
	static const char *const lines[] = { "a\n", "\xC3\xAC\n", "a 1 \n",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "a 1 a longer topic\n" };
	static const enum event_type types[] = { EVENT_WHO, EVENT_JOINED,
		EVENT_ROOMS };
	static char list[16384];
	struct charset *cs;

	cr_assert_eq(charset_open("GB18030", &cs), 0);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		for (size_t t = 0; t < 3; t++)
			for (uint32_t variant = 0; variant < 8; variant++) {
				struct event e = event(types[t], "den", "", "");
				size_t n =
					fill_list(list, sizeof list, lines[i]);
				struct slice got;

				e.list = slice_of(list, n);
				e.number = 100000;
				got = encode(&e, variant & 4 ? cs : NULL,
					variant & 3);
				cr_assert_eq(got.p[got.len - 1], '\n');
				cr_assert_not_null(
					memmem(got.p, got.len, " more", 5));
			}
	charset_close(&cs);
}

Test(text_encode, charset)
{
	struct event e = event(
		EVENT_SAY, "lobby", "ann", "\xE4\xB8\xAD\xE2\x82\xAC\x1B");
	struct charset *cs;

	cr_assert_eq(charset_open("GB2312", &cs), 0);
	cr_assert(slice_eq_str(
		encode(&e, cs, 1), "[lobby] <ann> \xD6\xD0??\r\n"));
	charset_close(&cs);
}

/* No byte below a blank but those of the line ends, and valid UTF-8. */
static void
check_output(struct slice got, bool crlf, size_t cap)
{
	cr_assert_leq(got.len, cap);
	cr_assert(utf8_valid(got));
	for (size_t i = 0; i < got.len; i++) {
		unsigned char b = (unsigned char)got.p[i];

		if (b == '\r' && crlf)
			cr_assert(i + 1 < got.len && got.p[i + 1] == '\n');
		else if (b == '\n')
			cr_assert(!crlf || (i > 0 && got.p[i - 1] == '\r'));
		else
			cr_assert(b >= 0x20 && b != 0x7F);
	}
	cr_assert(got.len == 0 || got.p[got.len - 1] == '\n');
}

Test(text_encode, fuzz)
{
	struct proto_options o = { .line_max = 4096 };
	unsigned seed = 9;

	for (unsigned round = 0; round < 100000; round++) {
		char in[96];
		size_t cap =
			round % 2 ? sizeof mem : (size_t)rand_r(&seed) % 400;
		struct buf out = buf_over(mem, cap);
		uint32_t variant = (uint32_t)rand_r(&seed) % 4;
		struct event e = { .number = (uint64_t)rand_r(&seed) % 9,
			.time_ms = (uint64_t)rand_r(&seed) << 10 };

		for (size_t i = 0; i < sizeof in; i++)
			in[i] = (char)(rand_r(&seed) % 3 ? rand_r(&seed)
							 : '\n');
		e.type = (enum event_type)(rand_r(&seed) % (EVENT_N + 2));
		e.refusal = (enum refusal)(rand_r(&seed) % (REFUSAL_N + 2));
		e.room = slice_of(in, 8);
		e.nick = slice_of(in + 8, 8);
		e.text = slice_of(in + 16, (size_t)rand_r(&seed) % 40);
		e.list = slice_of(in + 56, (size_t)rand_r(&seed) % 40);
		protocol_text.encode(&e, &o, variant, &out);
		check_output(buf_slice(&out), variant & 1, cap);
	}
}
