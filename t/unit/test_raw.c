/* SPDX-License-Identifier: MIT */
#include "proto/charset.h"
#include "proto/proto.h"

#include <criterion/criterion.h>

TestSuite(raw, .timeout = 20);

struct client {
	struct proto_client c;
	struct proto_options o;
	char line[PROTO_LINE_CAP];
	char got_mem[65536];
	struct buf got;
	size_t largest;
	bool quit;
};

static void
client_init(struct client *k, uint32_t line_max)
{
	*k = (struct client){ .o.line_max = line_max };
	k->c.line = k->line;
	k->got = buf_over(k->got_mem, sizeof k->got_mem);
}

static void
take(struct client *k, const struct request *r)
{
	if (r->type == REQUEST_QUIT) {
		k->quit = true;
		return;
	}
	cr_assert_eq(r->type, REQUEST_RAW);
	cr_assert_gt(r->text.len, 0);
	if (r->text.len > k->largest)
		k->largest = r->text.len;
	buf_slice_add(&k->got, r->text);
}

static void
feed(struct client *k, const char *p, size_t len)
{
	struct slice in = slice_of(p, len);

	while (!k->quit) {
		struct request r;
		char mem[64];
		struct buf reply = buf_over(mem, sizeof mem);
		enum proto_status status =
			protocol_raw.input(&k->c, &k->o, &in, &r, &reply);

		cr_assert_eq(reply.len, 0);
		cr_assert_leq(k->c.len, PROTO_LINE_CAP);
		if (status == PROTO_MORE)
			break;
		cr_assert_eq(status, PROTO_DONE);
		take(k, &r);
	}
	if (!k->quit)
		cr_assert_eq(in.len, 0);
}

static void
flush(struct client *k)
{
	struct request r;

	if (!k->quit &&
		protocol_raw.flush(&k->c, &k->o, true, &r) == PROTO_DONE)
		take(k, &r);
}

struct row {
	const char *in;
	size_t len;
	const char *out;
	size_t out_len;
	bool quit;
};

#define ROW(in, out, quit)                       \
 {                                               \
  in, sizeof(in) - 1, out, sizeof(out) - 1, quit \
 }
#define SAME(in) ROW(in, in, false)

static const struct row rows[] = {
	SAME(""),
	SAME("25.3\r\n26.1\r\n"),
	SAME("no newline"),
	SAME("\0\xFF\xFF\xFB\x01\r\0\n\n\x08\x7F/help\n"),
	SAME("example\n"),
	SAME("exit now\n"),
	SAME(" exit\n"),
	SAME("exit \n"),
	SAME("the exit\n"),
	SAME("exi\nexi\n"),
	SAME("EXIT\n"),
	SAME("exit\r \n"),
	SAME("exi"),
	SAME("exitexit\n"),
	ROW("exit", "", true),
	ROW("exit\n", "", true),
	ROW("exit\r\n", "", true),
	ROW("exit\r", "", true),
	ROW("12\nexit\n13\n", "12\n", true),
	ROW("12\nexi\nexit\r\n13\n", "12\nexi\n", true),
	ROW("12\nexit", "12\n", true),
};

static void
check(const struct client *k, const struct row *r, const char *how, size_t at)
{
	cr_assert(slice_eq(buf_slice(&k->got), slice_of(r->out, r->out_len)),
		"\"%s\" %s %zu", r->in, how, at);
	cr_assert_eq(k->quit, r->quit, "\"%s\" %s %zu", r->in, how, at);
}

Test(raw, however_it_is_cut_the_bytes_are_the_same)
{
	static struct client k;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];

		for (size_t at = 0; at <= r->len; at++) {
			client_init(&k, 4096);
			feed(&k, r->in, at);
			feed(&k, r->in + at, r->len - at);
			flush(&k);
			check(&k, r, "split", at);
		}
		client_init(&k, 4096);
		for (size_t at = 0; at < r->len; at++)
			feed(&k, r->in + at, 1);
		flush(&k);
		check(&k, r, "bytewise", 0);
	}
}

Test(raw, only_what_may_be_exit_is_held)
{
	static struct client k;

	client_init(&k, 4096);
	feed(&k, "12\nex", 5);
	cr_assert_eq(k.got.len, 3);
	cr_assert_eq(k.c.len, 2);
	feed(&k, "ample", 5);
	cr_assert_eq(k.got.len, 10);
	cr_assert_eq(k.c.len, 0);
	/* A pause in the middle of a line makes no line begin. */
	flush(&k);
	feed(&k, "exit\n", 5);
	cr_assert(!k.quit);
	feed(&k, "exit\n", 5);
	cr_assert(k.quit);
}

Test(raw, chunks_have_a_limit)
{
	static struct client k;
	static char in[20000];
	unsigned seed = 3;

	for (size_t i = 0; i < sizeof in; i++)
		in[i] = "exit\r\nA\xFF"[(unsigned)rand_r(&seed) % 8];
	memcpy(in, "exit", 4); /* not followed by a newline */
	in[4] = 'A';
	for (uint32_t max = 0; max <= 4096; max += 128) {
		static struct client whole;

		client_init(&k, max);
		client_init(&whole, 4096);
		feed(&k, in, sizeof in);
		flush(&k);
		feed(&whole, in, sizeof in);
		flush(&whole);
		cr_assert(slice_eq(buf_slice(&k.got), buf_slice(&whole.got)),
			"%u", max);
		cr_assert_leq(k.largest, max ? max : 4096);
	}
}

/* Bytes of any value, cut at random: unchanged up to the exit line. */
Test(raw, fuzz)
{
	static struct client k;
	unsigned seed = 11;

	for (unsigned round = 0; round < 100000; round++) {
		char in[48];
		size_t n = (size_t)rand_r(&seed) % sizeof in;

		for (size_t i = 0; i < n; i++)
			in[i] = "exit\r\nex"[rand_r(&seed) % 8];
		k.c = (struct proto_client){ .line = k.line };
		k.o.line_max = 128;
		k.got = buf_over(k.got_mem, sizeof k.got_mem);
		k.quit = false;
		for (size_t at = 0; at < n;) {
			size_t m = 1 + (size_t)rand_r(&seed) % (n - at);

			feed(&k, in + at, m);
			at += m;
		}
		flush(&k);
		cr_assert(k.quit || k.got.len == n);
		cr_assert(!memcmp(k.got.p, in, k.got.len));
		if (k.quit)
			cr_assert(
				!memcmp(in + k.got.len, "exit", 4) &&
				(k.got.len == 0 || in[k.got.len - 1] == '\n'));
	}
}

Test(raw, encode)
{
	struct proto_options o = { .line_max = 4096 };

	for (int type = 0; type < EVENT_N; type++) {
		struct event e = { .type = (enum event_type)type,
			.room = SLICE_LIT("lab"),
			.nick = SLICE_LIT("ann"),
			.text = SLICE_LIT("a\0\xFF") };
		char mem[64];
		struct buf out = buf_over(mem, sizeof mem);

		if (type == EVENT_SAY)
			e.text = SLICE_LIT("hello");
		protocol_raw.encode(&e, &o, 0, &out);
		if (type == EVENT_SAY)
			cr_assert(slice_eq_str(buf_slice(&out), "hello\n"));
		else if (type == EVENT_RAW)
			cr_assert(slice_eq(buf_slice(&out), e.text));
		else
			cr_assert_eq(out.len, 0, "%d", type);
	}
	cr_assert(!protocol_raw.has_notices);
	cr_assert_eq(protocol_raw.variant(protocol_raw.set_time(1, true)), 0);
}
