/* Each adapter is shown a recorded conversation whole, byte by byte, and split
 * at every position.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define S(text) (text), sizeof(text) - 1

static const struct talk {
	const struct bench_adapter *adapter;
	struct bench_who who;
	const char *hello;
	size_t hello_len;
	const char *in;
	size_t in_len;
	/* Items as they come, "R" ready, "E text" refused, "B" bad, "M text";
	 * each with an LF behind it. */
	const char *items;
	const char *out;
	size_t out_len;
	const char *publish; /* of "hello" */
	size_t publish_len;
} talks[] = {
	{ &bench_banter, { .room = "bench", .member = true },
		S("/join bench\n"),
		S("* Welcome to test. You are guest1.\n"
		  "* In lobby with nobody else.\n"
		  "* Type to talk. /nick NAME, /help, /quit.\n"
		  "[lobby] <a> early\n"
		  "* In bench2 with nobody.\n* In bench with 3 others: b.\r\n"
		  "[bench] <guest2> a text\n\n[bench] * guest2 waves\n"
		  "* 3 messages missed in bench\n* error: no; do\n"
		  "[bench] <guest2> [x] <y> z\n"),
		"M  early\nR\nM  a text\nE * error: no; do\nM  [x] <y> z\n",
		S(""), S("hello\n") },
	{ &bench_banter, { .room = "b", .member = true, .own = true },
		S("/echo on\n/join b\n"),
		S("* Echo is on.\n* In b.\n* In b with 2 others.\n"), "R\n",
		S(""), S("hello\n") },
	{ &bench_line, { .room = "b" }, S(""),
		S("welcome\n~1\n\nname: ~2\r\nx\n"), "M ~1\nM name: ~2\n",
		S(""), S("hello\n") },
	{ &bench_raw, { .room = "b" }, S(""), S("~a\n~b\n"), "M ~a\nM ~b\n",
		S(""), S("hello\n") },
	{ &bench_irc, { .room = "bench", .id = 0xab },
		S("NICK b0000ab\r\nUSER bench 0 * :bench\r\n"),
		S(":irc 001 b0000ab :Welcome\r\n:irc 372 b0000ab :- 376\r\n"
		  "PING :12 3\r\n:irc 376 b0000ab :End\r\n"
		  ":b!~b@h JOIN :#bench\r\n:irc 353 b = #bench :b0000ab @x\r\n"
		  ":irc 366 b0000ab #bench :End\r\n"
		  ":x!~u@h PRIVMSG #bench :a text\r\n"
		  ":x!~u@h PRIVMSG #bench word\r\n"
		  ":irc 422 b :no\r\n:irc 404 b #bench :Cannot send\r\n"
		  "ERROR :Closing Link\r\n"),
		"R\nM a text\nM word\nE :irc 404 b #bench :Cannot send\n"
		"E ERROR :Closing Link\n",
		S("PONG :12 3\r\nJOIN #bench\r\n"),
		S("PRIVMSG #bench :hello\r\n") },
	{ &bench_irc, { .room = "bench7", .id = 7, .alone = true },
		S("NICK b000007\r\nUSER bench 0 * :bench\r\n"),
		S(":irc 422 b000007 :no\r\n:b000007!u@h PRIVMSG b000007 :x\r\n"),
		"R\nM x\n", S(""), S("PRIVMSG b000007 :hello\r\n") },
	{ &bench_mqtt, { .room = "bench", .id = 1, .member = true },
		S("\x10\x13\0\4MQTT\4\2\0\0\0\7"
		  "b000001"),
		S("\x20\2\0\0\x90\3\0\1\0\x30\x0a\0\5benchabc\xd0\0"
		  "\x31\x0a\0\5benchdef"),
		"R\nM abc\nM def\n", S("\x82\x0a\0\1\0\5bench\0"),
		S("\x30\x0c\0\5benchhello") },
	{ &bench_mqtt, { .room = "bench", .id = 1 },
		S("\x10\x13\0\4MQTT\4\2\0\0\0\7"
		  "b000001"),
		S("\x20\2\0\0"), "R\n", S(""), S("\x30\x0c\0\5benchhello") },
	{ &bench_mqtt, { .room = "bench", .id = 1 },
		S("\x10\x13\0\4MQTT\4\2\0\0\0\7"
		  "b000001"),
		S("\x20\2\0\5"), "E refused\n", S(""),
		S("\x30\x0c\0\5benchhello") },
	{ &bench_mqtt, { .room = "bench", .member = true },
		S("\x10\x13\0\4MQTT\4\2\0\0\0\7"
		  "b000000"),
		S("\x30\xff\xff\xff\xff\x7f"), "B\n", S(""),
		S("\x30\x0c\0\5benchhello") },
	{ &bench_nats, { .room = "bench", .member = true },
		S("CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":"
		  "false,\"lang\":\"c\",\"version\":\"1\"}\r\n"
		  "SUB bench 1\r\nPING\r\n"),
		S("INFO {\"max_payload\":1048576}\r\nPONG\r\nPING\r\n"
		  "MSG bench 1 6\r\na\r\ntxt\r\nMSG bench 1 re 2\r\nxx\r\n"
		  "PONG\r\n-ERR 'Stale Connection'\r\n"),
		"R\nM a\r\ntxt\nM xx\nE -ERR 'Stale Connection'\n",
		S("PONG\r\n"), S("PUB bench 5\r\nhello\r\n") },
	{ &bench_nats, { .room = "bench" },
		S("CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":"
		  "false,\"lang\":\"c\",\"version\":\"1\"}\r\nPING\r\n"),
		S("MSG bench 1 999999999999\r\n"), "B\n", S(""),
		S("PUB bench 5\r\nhello\r\n") },
	{ &bench_redis, { .room = "bench", .member = true },
		S("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"
		  "*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\nbench\r\n"),
		S("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n"
		  ">3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n"
		  ":4\r\n>3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$5\r\na\r\nbc\r\n"
		  "*2\r\n*1\r\n:1\r\n$-1\r\n_\r\n-ERR no\r\n"),
		"R\nM a\r\nbc\nE ERR no\n", S(""),
		S("*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$5\r\nhello\r\n") },
	{ &bench_redis, { .room = "bench" },
		S("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n"),
		S("%1\r\n$5\r\nproto\r\n:3\r\n+PONG\r\n?\r\n"), "R\nB\n", S(""),
		S("*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$5\r\nhello\r\n") },
};

#define TALKS (sizeof talks / sizeof talks[0])

struct listener {
	const struct bench_adapter *adapter;
	struct bench_who who;
	char kept[2048];
	size_t n_kept;
	char items_mem[2048], out_mem[2048];
	struct buf items, out;
	bool ended;
};

static void
listener_init(struct listener *l, const struct talk *t)
{
	*l = (struct listener){ .adapter = t->adapter, .who = t->who };
	l->who.run = 'b';
	l->items = buf_over(l->items_mem, sizeof l->items_mem);
	l->out = buf_over(l->out_mem, sizeof l->out_mem);
	t->adapter->hello(&l->who, &l->out);
	cr_assert_eq(l->out.len, t->hello_len);
	cr_assert_eq(memcmp(l->out.p, t->hello, t->hello_len), 0);
	l->out.len = 0;
}

static void
note(struct listener *l, enum bench_item item, struct slice text)
{
	static const char letter[] = { [BENCH_READY] = 'R',
		[BENCH_MESSAGE] = 'M',
		[BENCH_REFUSED] = 'E',
		[BENCH_BAD] = 'B' };

	if (item == BENCH_NOTHING)
		return;
	buf_chr(&l->items, letter[item]);
	if (item == BENCH_MESSAGE || item == BENCH_REFUSED) {
		buf_chr(&l->items, ' ');
		buf_slice_add(&l->items, text);
	}
	buf_chr(&l->items, '\n');
	l->ended = item == BENCH_BAD;
}

/* As the loader does it: what is not taken comes again, with more. */
static void
hear(struct listener *l, const char *p, size_t len)
{
	struct slice in, text;

	memcpy(l->kept + l->n_kept, p, len);
	in = slice_of(l->kept, l->n_kept + len);
	while (!l->ended) {
		struct slice before = in;
		enum bench_item item =
			l->adapter->next(&l->who, &in, &text, &l->out);

		if (item == BENCH_MORE) {
			cr_assert_eq(in.len, before.len, "nothing is taken");
			break;
		}
		note(l, item, text);
	}
	l->n_kept = in.len;
	memmove(l->kept, in.p, in.len);
}

static void
check(const struct listener *l, const struct talk *t, const char *how)
{
	cr_assert_eq(l->items.len, strlen(t->items), "%s, %s: %.*s",
		t->adapter->name, how, (int)l->items.len, l->items.p);
	cr_assert_eq(memcmp(l->items.p, t->items, l->items.len), 0,
		"%s, %s: %.*s", t->adapter->name, how, (int)l->items.len,
		l->items.p);
	cr_assert_eq(l->out.len, t->out_len, "%s, %s", t->adapter->name, how);
	cr_assert_eq(memcmp(l->out.p, t->out, t->out_len), 0);
	cr_assert(l->ended || l->n_kept == 0, "%s, %s: all is taken",
		t->adapter->name, how);
}

static struct listener l;

Test(bench_adapter, shown_whole)
{
	for (const struct talk *t = talks; t < talks + TALKS; t++) {
		listener_init(&l, t);
		hear(&l, t->in, t->in_len);
		check(&l, t, "whole");
	}
}

Test(bench_adapter, shown_byte_by_byte)
{
	for (const struct talk *t = talks; t < talks + TALKS; t++) {
		listener_init(&l, t);
		for (size_t i = 0; i < t->in_len; i++)
			hear(&l, t->in + i, 1);
		check(&l, t, "byte by byte");
	}
}

Test(bench_adapter, split_everywhere)
{
	for (const struct talk *t = talks; t < talks + TALKS; t++) {
		for (size_t cut = 0; cut <= t->in_len; cut++) {
			char how[32];

			(void)snprintf(how, sizeof how, "split at %zu", cut);
			listener_init(&l, t);
			hear(&l, t->in, cut);
			hear(&l, t->in + cut, t->in_len - cut);
			check(&l, t, how);
		}
	}
}

Test(bench_adapter, publishes)
{
	for (const struct talk *t = talks; t < talks + TALKS; t++) {
		char mem[256];
		struct buf out = buf_over(mem, sizeof mem);
		struct bench_who who = t->who;

		who.run = 'b';
		t->adapter->publish(&who, SLICE_LIT("hello"), &out);
		cr_assert_eq(out.len, t->publish_len, "%s", t->adapter->name);
		cr_assert_eq(memcmp(mem, t->publish, out.len), 0, "%s",
			t->adapter->name);
	}
}

/* A length of two bytes in its header. */
Test(bench_adapter, mqtt_of_more_than_127_bytes)
{
	char mem[512], text[300];
	struct buf out = buf_over(mem, sizeof mem);
	struct bench_who who = { .room = "bench", .member = true };
	struct slice in, got;

	memset(text, 'x', sizeof text);
	bench_mqtt.publish(&who, slice_of(text, sizeof text), &out);
	in = buf_slice(&out);
	cr_assert_eq(bench_mqtt.next(&who, &in, &got, &out), BENCH_MESSAGE);
	cr_assert_eq(got.len, sizeof text);
	cr_assert_eq(in.len, 0);
}

Test(bench_adapter, is_found_by_its_name)
{
	static const char *const names[] = { "banter", "raw", "line", "irc",
		"mqtt", "nats", "redis" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		cr_assert_str_eq(bench_adapter_find(names[i])->name, names[i]);
	cr_assert_null(bench_adapter_find("smtp"));
}
