/* The list that workers map: what is found in it, and what is no such list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/bans.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(bans, .timeout = 20);

static struct ban_entry
entry(const char *ip, unsigned bits, uint64_t until_ms)
{
	struct ban_entry e = { .bits = (uint8_t)bits, .until_ms = until_ms };

	cr_assert_eq(inet_pton(AF_INET6, ip, e.address), 1);
	return e;
}

static int
by_order(const void *a, const void *b)
{
	return bans_compare(a, b);
}

static const struct ban_entry *
find(const struct bans *b, const char *ip, uint64_t now_ms)
{
	struct ban_entry e = entry(ip, 128, 0);

	return bans_find(b, e.address, now_ms);
}

Test(bans, the_networks_that_an_address_is_in)
{
	struct ban_entry e[] = { entry("::ffff:10.0.0.0", 104, 0),
		entry("::ffff:192.0.2.7", 128, 500),
		entry("::ffff:192.0.2.0", 121, 1000),
		entry("2001:db8::", 33, 0), entry("::", 0, 2000),
		entry("2001:db8:8000::1", 128, 0) };
	struct bans b;
	int fd;

	qsort(e, 6, sizeof *e, by_order);
	fd = bans_seal(e, 6);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bans_map(&b, fd), 0);
	fd_close(&fd);
	cr_assert_eq(b.n, 6);
	cr_assert_eq(find(&b, "::ffff:10.255.0.1", 3000)->bits, 104);
	cr_assert_null(find(&b, "::ffff:11.0.0.1", 1), "::/0 is IPv6");
	cr_assert_eq(find(&b, "::1", 1999)->bits, 0);
	cr_assert_null(find(&b, "::1", 2000), "over");
	cr_assert_not_null(find(&b, "::ffff:192.0.2.7", 499));
	cr_assert_eq(find(&b, "::ffff:192.0.2.7", 600)->bits, 121,
		"one is over, the wider one is not");
	cr_assert_null(find(&b, "::ffff:192.0.2.128", 1));
	cr_assert_eq(find(&b, "2001:db8:7fff::1", 5000)->bits, 33);
	cr_assert_null(find(&b, "2001:db8:8000::2", 5000));
	cr_assert_not_null(find(&b, "2001:db8:8000::1", 5000));
	bans_unmap(&b);
	cr_assert_null(find(&b, "::1", 1), "there are none");
}

Test(bans, ten_thousand)
{
	struct ban_entry *e = calloc(10000, sizeof *e);
	struct bans b;
	int fd;

	for (uint32_t i = 0; i < 10000; i++) {
		e[i] = entry("::ffff:10.0.0.0", 128, 0);
		e[i].address[14] = (uint8_t)(i * 2 >> 8);
		e[i].address[15] = (uint8_t)(i * 2);
	}
	fd = bans_seal(e, 10000);
	cr_assert_eq(bans_map(&b, fd), 0);
	cr_assert_eq(b.n_lengths, 1);
	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t ip[16];

		memcpy(ip, e[0].address, 16);
		ip[14] = (uint8_t)(i >> 8);
		ip[15] = (uint8_t)i;
		cr_assert_eq(bans_find(&b, ip, 1) != NULL, i % 2 == 0, "%u", i);
	}
	bans_unmap(&b);
	fd_close(&fd);
	free(e);
}

Test(bans, what_is_no_list)
{
	struct ban_entry e[2] = { entry("::2", 128, 0), entry("::1", 128, 0) };
	struct bans b;
	int fd = bans_seal(e, 2);

	cr_assert_eq(bans_map(&b, fd), -EPROTO, "not in order");
	fd_close(&fd);
	e[1] = e[0];
	fd = bans_seal(e, 2);
	cr_assert_eq(bans_map(&b, fd), -EPROTO, "twice");
	fd_close(&fd);
	e[0].reason_len = BANS_REASON_MAX + 1;
	fd = bans_seal(e, 1);
	cr_assert_eq(bans_map(&b, fd), -EPROTO, "too long");
	fd_close(&fd);
	fd = fd_sealed("other", "BNTRBAN1\1\0\0\0\1\0\0\0", 16);
	cr_assert_eq(bans_map(&b, fd), -EPROTO, "of other entries");
	fd_close(&fd);
	fd = fd_memory("open", 4096, false);
	cr_assert_eq(bans_map(&b, fd), -EPROTO, "not sealed");
	fd_close(&fd);
	cr_assert_eq(bans_map(&b, -1), -EPROTO);
	cr_assert_null(b.at);
	fd = bans_seal(NULL, 0);
	cr_assert_eq(bans_map(&b, fd), 0, "none");
	fd_close(&fd);
}
