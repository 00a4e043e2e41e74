/* Telnet commands in the input of the text protocol, and what telnet clients
 * send.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text_client.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(telnet, .timeout = 20);

Test(telnet, an_option_is_answered_once)
{
	static struct client k;

	client_init(&k, NULL, 4096);
	feed(&k, "\xFF\xFB\x01\xFF\xFD\x03\xFF\xFC\x01\xFF\xFE\x03\xFF\xF6",
		14);
	cr_assert(slice_eq_str(
		buf_slice(&k.reply), "\xFF\xFE\x01\xFF\xFC\x03* yes\r\n"));
	cr_assert_eq(protocol_text.variant(k.c.state), 1);
}

Test(telnet, subnegotiation_without_end)
{
	static struct client k;
	static char sb[600];

	memset(sb, 'x', sizeof sb);
	memcpy(sb, "\xFF\xFA\x18", 3);
	client_init(&k, NULL, 4096);
	feed(&k, sb, sizeof sb);
	feed_str(&k, "\nhi\n");
	cr_assert_not_null(memmem(k.log.p, k.log.len, "say()=hi;", 9));
	client_init(&k, NULL, 4096);
	feed(&k, sb, 500);
	feed(&k, "\xFF\xF0hi\n", 5);
	cr_assert(log_is(&k, "say()=hi;"));
}

/* Bytes of a file that has them as hexadecimal numbers. */
static size_t
read_hex(const char *name, char *out, size_t cap)
{
	const char *top = getenv("srcdir");
	char path[512], line[512];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/t/data/%s", top ? top : ".", name);
	f = fopen(path, "re");
	cr_assert_not_null(f, "%s", path);
	while (fgets(line, sizeof line, f)) {
		char *at = line, *end;

		if (*line == '#')
			continue;
		for (;; at = end) {
			unsigned long b = strtoul(at, &end, 16);

			if (end == at)
				break;
			cr_assert(b < 256 && n < cap);
			out[n++] = (char)b;
		}
	}
	fclose(f);
	return n;
}

Test(telnet, telnet_clients)
{
	static const struct {
		const char *file, *log, *reply;
	} files[] = {
		{ "telnet-putty.bin.hex", "say()=hello;who();",
			"\xFF\xFE\x1F\xFF\xFE\x20\xFF\xFE\x18\xFF\xFE\x27"
			"\xFF\xFC\x01\xFF\xFE\x03\xFF\xFC\x03* yes\r\n" },
		{ "telnet-windows.bin.hex",
			"say()=hello;say()=\xC3\xBC"
			"ber;quit();",
			"\xFF\xFE\x18\xFF\xFE\x1F" },
	};
	static struct client k;
	char in[512];

	for (size_t i = 0; i < 2; i++) {
		size_t n = read_hex(files[i].file, in, sizeof in);

		for (size_t at = 0; at <= n; at++) {
			client_init(&k, NULL, 4096);
			feed(&k, in, at);
			feed(&k, in + at, n - at);
			cr_assert(log_is(&k, files[i].log), "%s %zu",
				files[i].file, at);
			cr_assert(slice_eq_str(
					  buf_slice(&k.reply), files[i].reply),
				"%s %zu", files[i].file, at);
			cr_assert_eq(protocol_text.variant(k.c.state), 1);
		}
	}
}
