/* PROXY headers: what they say, in pieces, and what is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/proxy.h"

#include "net/addr.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(proxy, .timeout = 20);

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(s)     SLICE_LIT(SIGNATURE s)

struct row {
	struct slice bytes;
	const char *ip; /* NULL: not named */
	unsigned port;
};

static const struct row good[] = {
	{ SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 4711 7788\r\n"),
		"192.0.2.7", 4711 },
	{ SLICE_LIT("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
		"0.0.0.0", 0 },
	{ SLICE_LIT("PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n"),
		"2001:db8::7", 65535 },
	{ SLICE_LIT("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7",
		1 },
	{ SLICE_LIT("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ SLICE_LIT("PROXY UNKNOWN ffff:f...f:ffff 1 2 3 4 5\r\n"), NULL, 0 },
	{ V2("\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x12\x67\x1e\x6c"), "192.0.2.7",
		4711 },
	{ V2("\x21\x11\0\x10\xc0\0\2\7\xc0\0\2\1\x12\x67\x1e\x6cmore"),
		"192.0.2.7", 4711 },
	{ V2("\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
	     "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\x1e\x6c"),
		"2001:db8::7", 4711 },
	{ V2("\x20\0\0\0"), NULL, 0 },
	{ V2("\x20\x11\0\3abc"), NULL, 0 },
	{ V2("\x21\0\0\0"), NULL, 0 },
	{ V2("\x21\0\0\3abc"), NULL, 0 },
};

Test(proxy, good_headers_at_every_length)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct slice all = good[i].bytes;
		char mem[128], text[ADDR_TEXT_LEN];
		struct proxy_header h;

		for (size_t n = 0; n < all.len; n++)
			cr_assert_eq(proxy_parse(slice_of(all.p, n), &h), 0,
				"row %zu, %zu bytes", i, n);
		memcpy(mem, all.p, all.len);
		memcpy(mem + all.len, "PROXY hello\n", 12);
		cr_assert_eq(proxy_parse(slice_of(mem, all.len + 12), &h),
			(int)all.len, "row %zu", i);
		cr_assert_eq(h.named, good[i].ip != NULL, "row %zu", i);
		if (!h.named)
			continue;
		cr_assert_str_eq(addr_text(h.ip, text), good[i].ip);
		cr_assert_eq(h.port, good[i].port, "row %zu", i);
	}
}

Test(proxy, what_is_none)
{
	static const struct slice bad[] = {
		SLICE_LIT("hello\n"),
		SLICE_LIT("PROXX"),
		SLICE_LIT("\r\nx"),
		SLICE_LIT("PROXY\r\n"),
		SLICE_LIT("PROXY \r\n"),
		SLICE_LIT("PROXY TCP4\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7  192.0.2.1 1 2\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 \r\n"),
		SLICE_LIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\0\r\n"),
		SLICE_LIT("PROXY TCP4 ::1 ::2 1 2\r\n"),
		SLICE_LIT("PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n"),
		SLICE_LIT("PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n"),
		SLICE_LIT("PROXY UNKNOWNS\r\n"),
		V2("\x11"),
		V2("\x22"),
		V2("\x2f"),
		V2("\x21\x11\2\x09"), /* 521 bytes */
		V2("\x21\x11\0\x0b\xc0\0\2\7\xc0\0\2\1\x12\x67\x1e"),
		V2("\x21\x12\0\0"),
		V2("\x21\x22\0\0"),
		V2("\x21\xff\0\0"),
	};
	struct proxy_header h;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(proxy_parse(bad[i], &h), -EPROTO, "row %zu", i);
}

Test(proxy, it_always_ends)
{
	static char mem[PROXY_MAX] = "PROXY ";
	struct proxy_header h;

	memset(mem + 6, 'x', sizeof mem - 6);
	cr_assert_eq(proxy_parse(slice_of(mem, 106), &h), 0);
	cr_assert_eq(proxy_parse(slice_of(mem, 107), &h), -EPROTO);
	memcpy(mem, SIGNATURE "\x21\x11\2\x08", 16);
	cr_assert_eq(proxy_parse(slice_of(mem, PROXY_MAX - 1), &h), 0);
	cr_assert_eq(proxy_parse(slice_of(mem, PROXY_MAX), &h), PROXY_MAX);
}
