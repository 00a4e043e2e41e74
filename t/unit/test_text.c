/* The input of the text protocol: bytes to requests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text_client.h"

#include "proto/charset.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(text, .timeout = 20);

struct row {
	const char *in;
	size_t len;
	const char *log;
};

#define ROW(in, log)      \
 {                        \
  in, sizeof(in) - 1, log \
 }
#define UNKNOWN(name) "refused(" name ")!1:0;"
#define MISSING(name) "refused(" name ")!2:0;"
#define BAD(name)     "refused(" name ")!3:0;"
#define NOT_TEXT(s)   "refused(" s ")!19:0;"

static const struct row rows[] = {
	ROW("hello\n", "say()=hello;"),
	ROW("hello\r\n", "say()=hello;"),
	ROW("hello\r\0world\n", "say()=hello;say()=world;"),
	ROW("hello", "say()=hello;"),
	ROW("\n\r\n  \n\t\n", ""),
	ROW("  as typed \n", "say()=  as typed ;"),
	ROW("a\rb\n", "say()=a\rb;"),
	ROW("\xEF\xBB\xBFhi\n", "say()=hi;"),
	ROW("\xEF\xBB\xBF\n", ""),
	ROW("\xEF\xBB\xBF/who\r\n", "who();"),
	ROW("gr\xC3\xBC\xC3\x9F\n", "say()=gr\xC3\xBC\xC3\x9F;"),
	ROW("x\xC3(y\n", "say()=x" FFFD "(y;"),
	ROW("x\xE2\x82\n", "say()=x" FFFD ";"),
	ROW("\xED\xA0\x80\n", "say()=" FFFD FFFD FFFD ";"),
	/* Erasing. */
	ROW("ab\x08"
	    "c\x7F\x7Fxyz\n",
		"say()=xyz;"),
	ROW("\xC3\xBC\x08u\n", "say()=u;"),
	ROW("a\xE2\x82\xAC\x7F\x7F\x7F"
	    "b\n",
		"say()=b;"),
	ROW("\x08\x08/whp\x7Fo\n", "who();"),
	/* Commands. */
	ROW("exit\n", "quit();"),
	ROW("exit\r\n", "quit();"),
	ROW("exit", "quit();"),
	ROW(" exit\n", "say()= exit;"),
	ROW("exit now\n", "say()=exit now;"),
	ROW("//x\n", "say()=/x;"),
	ROW(" //x \n", "say()=/x ;"),
	ROW("///\n", "say()=//;"),
	ROW("/help\n/HELP nick\n/help /Nick\n",
		"help();help(nick);help(nick);"),
	ROW("/help frob\n/help /frob\n", UNKNOWN("/frob") UNKNOWN("/frob")),
	ROW("/help a b\n", BAD("/help")),
	ROW("/nick\n/nick ann\n /NiCk \t ann  \n",
		"nick();nick(ann);nick(ann);"),
	ROW("/nick ann bob\n", BAD("/nick")),
	ROW("/join den\n/join #den\n", "join(den);join(#den);"),
	ROW("/join\n/join  \n/join a b\n",
		MISSING("/join") MISSING("/join") BAD("/join")),
	ROW("/part\n/part den\n", "part();part(den);"),
	ROW("/rooms\n/rooms d\n", "rooms();rooms(d);"),
	ROW("/who\n/who den\n", "who();who(den);"),
	ROW("/msg ann  hi  there\n", "msg(ann)=hi  there;"),
	ROW("/msg\n/msg ann\n/msg ann \n",
		MISSING("/msg") MISSING("/msg") MISSING("/msg")),
	ROW("/me waves  slowly \n", "me()=waves  slowly;"),
	ROW("/me\n/me \n", MISSING("/me") MISSING("/me")),
	ROW("/topic\n/topic a b\n/topic -\n/topic - a\n",
		"topic();topic()=a b;topic()=;topic()=- a;"),
	ROW("/echo\n/echo on\n/echo OFF\n/echo maybe\n",
		"echo();echo()+;echo()=;" BAD("/echo")),
	ROW("/time\n/time On\n/time off\n/time on off\n",
		"time();time()+;time()=;" BAD("/time")),
	ROW("/limits\n/limits x\n", "limits();" BAD("/limits")),
	ROW("/quit\n/quit so long\n", "quit();quit()=so long;"),
	ROW("/frob secret\n/ x\n/\n",
		UNKNOWN("/frob") UNKNOWN("/") UNKNOWN("/")),
	ROW("  /frob secret\n", UNKNOWN("/frob")),
	ROW("/nickname\n/nic\n", UNKNOWN("/nickname") UNKNOWN("/nic")),
	/* What is named back is short, and cut between characters. */
	ROW("/aaaaaaaaaabbbbbbbbbbcccccccccc\xC3\xBC\n",
		UNKNOWN("/aaaaaaaaaabbbbbbbbbbcccccccccc")),
	/* Telnet. */
	ROW("a\xFF\xFF"
	    "b\n",
		"say()=a" FFFD "b;"),
	ROW("a\xFFz\n", "say()=a" FFFD "z;"),
	ROW("a\xFF\n", "say()=a" FFFD ";"),
	ROW("ab\xFF\xF7"
	    "c\n",
		"say()=ac;"),
	ROW("ab\xFF\xF8"
	    "c\n",
		"say()=c;"),
	ROW("a\xFF\xF1\xFF\xF4\xFF\xF2\xFF\xF9"
	    "b\n",
		"say()=ab;"),
	ROW("a\xFF\xFA\x18\n\xFF\xFF\xF0\xFF\xF0"
	    "b\n",
		"say()=ab;"),
	ROW("a\xFF\xFB\x18\xFF\xFC\x18"
	    "b\r\xFF\xF1\n",
		"say()=ab;"),
	ROW("a\xFF\xFE\xFF\xFF"
	    "b\n",
		"say()=a" FFFD FFFD FFFD "b;"),
	/* What is not text, as the first bytes and later. */
	ROW("GET / HTTP/1.1\r\nHost: x\r\n\r\n", NOT_TEXT("HTTP")),
	ROW("PRI * HTTP/2.0\r\n\r\n", NOT_TEXT("HTTP")),
	ROW("POST /x HTTP/1.0", NOT_TEXT("HTTP")),
	ROW("GET / HTTP/1.1 now\n", "say()=GET / HTTP/1.1 now;"),
	ROW("hi\nGET / HTTP/1.1\n", "say()=hi;say()=GET / HTTP/1.1;"),
	ROW("\x16\x03\x01\x02\x00\x01\n", NOT_TEXT("TLS")),
	ROW("\x16\n\x16\x03\n", "say()=\x16;say()=\x16\x03;"),
};

static void
check(const struct client *k, const struct row *r, const char *how, size_t at)
{
	cr_assert(slice_eq_str(buf_slice(&k->log), r->log),
		"\"%s\" %s %zu gives \"%.*s\"", r->in, how, at, (int)k->log.len,
		k->log.p);
}

Test(text, however_it_is_cut_the_requests_are_the_same)
{
	static struct client k;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];

		for (size_t at = 0; at <= r->len; at++) {
			client_init(&k, NULL, 4096);
			feed(&k, r->in, at);
			feed(&k, r->in + at, r->len - at);
			flush(&k, true);
			check(&k, r, "split", at);
		}
		client_init(&k, NULL, 4096);
		for (size_t at = 0; at < r->len; at++)
			feed(&k, r->in + at, 1);
		flush(&k, true);
		check(&k, r, "bytewise", 0);
	}
}

Test(text, variant_follows_the_line_end_and_time)
{
	static struct client k;

	client_init(&k, NULL, 4096);
	cr_assert_eq(protocol_text.variant(0), 0);
	feed_str(&k, "a\n");
	cr_assert_eq(protocol_text.variant(k.c.state), 0);
	feed_str(&k, "a\r\n");
	cr_assert_eq(protocol_text.variant(k.c.state), 1);
	k.c.state = protocol_text.set_time(k.c.state, true);
	cr_assert_eq(protocol_text.variant(k.c.state), 3);
	feed_str(&k, "b\n");
	k.c.state = protocol_text.set_time(k.c.state, false);
	cr_assert_eq(protocol_text.variant(k.c.state), 1);
	cr_assert(log_is(&k, "say()=a;say()=a;say()=b;"));
}

Test(text, a_line_has_a_limit)
{
	static struct client k;
	static char want[8192];

	for (uint32_t max = 128; max <= 4096; max += 1984) {
		snprintf(want, sizeof want, "refused()!4:%u;say()=next;", max);
		client_init(&k, NULL, max);
		feed_n(&k, "x", 1, max);
		feed_str(&k, "\r\n");
		cr_assert_eq(k.log.len, max + strlen("say()=;"));
		k.log.len = 0;
		feed_n(&k, "xxxxxxx", 7, max);
		feed_str(&k, "\nnext\n");
		cr_assert(log_is(&k, want));
		/* Counted as received: erased bytes and telnet too. */
		k.log.len = 0;
		feed_n(&k, "x\x08", 2, max / 2 + 1);
		feed_str(&k, "\nnext\n");
		cr_assert(log_is(&k, want));
		k.log.len = 0;
		feed_str(&k, "x");
		feed_n(&k, "\xFF\xF1", 2, max);
		feed_str(&k, "\nnext\n");
		cr_assert(log_is(&k, want));
	}
	/* A client that keeps its line alive has typed nothing. */
	client_init(&k, NULL, 128);
	feed_n(&k, "\xFF\xF1", 2, 10000);
	feed_str(&k, "hi\n");
	cr_assert(log_is(&k, "say()=hi;"));
}

Test(text, over_long_first_line_of_http)
{
	static struct client k;

	client_init(&k, NULL, 128);
	feed_str(&k, "GET /");
	feed_n(&k, "x", 1, 1000);
	cr_assert(log_is(&k, NOT_TEXT("HTTP")));
	cr_assert(k.closed);
}

Test(text, a_pause_ends_a_chunk)
{
	static struct client k;

	client_init(&k, NULL, 128);
	flush(&k, false);
	feed_str(&k, "25.3");
	flush(&k, false);
	feed_str(&k, "a\xE2\x82");
	flush(&k, false);
	cr_assert_eq(k.c.len, 2);
	flush(&k, false);
	feed_str(&k, "\xAC"
		     "b\r");
	flush(&k, false);
	feed_str(&k, "\n/who");
	flush(&k, false);
	feed_str(&k, "c\r");
	flush(&k, false);
	feed_str(&k, "d\r");
	flush(&k, false);
	cr_assert(log_is(&k, "say()=25.3;say()=a;say()=\xE2\x82\xAC"
			     "b;"
			     "who();say()=c;say()=d;"));
	/* The count begins again; a long chunk ends with its pause. */
	k.log.len = 0;
	feed_n(&k, "x", 1, 128);
	flush(&k, false);
	feed_n(&k, "x", 1, 129);
	flush(&k, false);
	k.log.len = 0;
	feed_str(&k, "next");
	flush(&k, false);
	cr_assert(log_is(&k, "say()=next;"));
	/* At the end half a character is one that is broken. */
	k.log.len = 0;
	feed_str(&k, "a\xE2\x82");
	flush(&k, true);
	cr_assert(log_is(&k, "say()=a" FFFD ";"));
}

Test(text, charsets)
{
	static struct client k;
	struct charset *cs;

	cr_assert_eq(charset_open("GB18030", &cs), 0);
	client_init(&k, cs, 4096);
	feed_n(&k, "\xD6\xD0\xCE\xC4\x08\x08\xD6\xD0\n", 9, 1);
	feed_str(&k, "\x84\x31\x95\x33/nick \xCE\xC4\n\xD6");
	flush(&k, false);
	feed_str(&k, "\xD0\n");
	cr_assert(log_is(&k, "say()=\xE4\xB8\xAD;nick(\xE6\x96\x87);"
			     "say()=\xE4\xB8\xAD;"));
	charset_close(&cs);
	/* The Russian "ya" is the byte 0xFF. */
	cr_assert_eq(charset_open("WINDOWS-1251", &cs), 0);
	client_init(&k, cs, 4096);
	feed_str(&k, "\xFF\xF1\xED\xEE\n\xFF\xFB\x18\xFF\xF1!\n");
	cr_assert(log_is(&k, "say()=\xD1\x8F\xD1\x81\xD0\xBD\xD0\xBE;"
			     "say()=!;"));
	charset_close(&cs);
}

static char
fuzz_byte(unsigned *seed)
{
	static const char likely[] = "\n\n\r\0\x08\x7F\xFF\xFF\xFA\xF0\xFB\xFD"
				     "\xF6\xF7\xF8\x16\x03\xC3\xBC\xE2\x82\xAC"
				     "/// exitmesgnickGET HTTP";
	unsigned at = (unsigned)rand_r(seed);

	return at % 4 == 0 ? (char)rand_r(seed)
			   : likely[at % (sizeof likely - 1)];
}

/* feed() and note() assert what must always hold; and bytewise is as whole. */
Test(text, fuzz)
{
	static struct client k, bytewise;
	struct charset *cs;
	unsigned seed = 5;

	cr_assert_eq(charset_open("GB18030", &cs), 0);
	for (unsigned round = 0; round < 100000; round++) {
		const struct charset *set = round % 4 == 0 ? cs : NULL;
		char in[64];
		size_t n = (size_t)rand_r(&seed) % sizeof in;

		for (size_t i = 0; i < n; i++)
			in[i] = fuzz_byte(&seed);
		client_init(&k, set, 16 + round % 32);
		client_init(&bytewise, set, 16 + round % 32);
		feed(&k, in, n);
		for (size_t i = 0; i < n; i++)
			feed(&bytewise, in + i, 1);
		flush(&k, round & 1);
		flush(&bytewise, round & 1);
		cr_assert(slice_eq(buf_slice(&k.log), buf_slice(&bytewise.log)),
			"round %u", round);
		cr_assert(slice_eq(buf_slice(&k.reply),
				  buf_slice(&bytewise.reply)),
			"round %u", round);
		cr_assert_eq(k.closed, bytewise.closed);
		cr_assert(k.closed || k.c.state == bytewise.c.state);
		cr_assert(k.closed || k.c.len == bytewise.c.len);
	}
	charset_close(&cs);
}
