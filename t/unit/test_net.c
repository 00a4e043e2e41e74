/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "net/addr.h"
#include "net/listen.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const struct listen_options options = { .backlog = 128,
	.keepalive_idle_s = 61,
	.keepalive_interval_s = 11,
	.keepalive_count = 5,
	.user_timeout_ms = 120000 };

static void
ip_of(const char *text, uint8_t ret[16])
{
	char mapped[64];

	(void)snprintf(mapped, sizeof mapped, "%s%s",
		strchr(text, ':') ? "" : "::ffff:", text);
	cr_assert_eq(inet_pton(AF_INET6, mapped, ret), 1, "%s", text);
}

Test(addr, text_of_both_families)
{
	static const char *const text[] = { "192.0.2.1", "2001:db8::1", "::1",
		"0.0.0.0", "::" };
	char out[ADDR_TEXT_LEN];
	uint8_t ip[16];

	for (unsigned i = 0; i < sizeof text / sizeof *text; i++) {
		ip_of(text[i], ip);
		cr_assert_str_eq(addr_text(ip, out), text[i]);
	}
}

Test(addr, of_what_accept_gives)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET };
	struct sockaddr_in *in = (void *)&ss;
	struct addr a;
	uint8_t want[16];

	in->sin_port = htons(4711);
	in->sin_addr.s_addr = htonl(0xc0000201);
	a = addr_of(&ss, sizeof *in);
	ip_of("192.0.2.1", want);
	cr_assert_arr_eq(a.ip, want, 16);
	cr_assert_eq(a.port, 4711);
	cr_assert_not(a.local);
	a = addr_of(&ss, 2);
	cr_assert(a.local, "too short to be an address");
	ss = (struct sockaddr_storage){ .ss_family = AF_UNIX };
	cr_assert(addr_of(&ss, sizeof(sa_family_t)).local);
}

Test(addr, networks)
{
	static const struct {
		const char *ip, *net;
		unsigned bits;
		bool in;
	} row[] = {
		{ "127.0.0.1", "127.0.0.0", 104, true },
		{ "128.0.0.1", "127.0.0.0", 104, false },
		{ "192.0.2.127", "192.0.2.0", 96 + 25, true },
		{ "192.0.2.128", "192.0.2.0", 96 + 25, false },
		{ "2001:db8:1::1", "2001:db8::", 32, true },
		{ "2001:db9::1", "2001:db8::", 32, false },
		{ "2001:db8::1", "2001:db8::1", 128, true },
		{ "2001:db8::2", "2001:db8::1", 128, false },
		{ "::1", "2001:db8::1", 0, true },
		{ "::1", "127.0.0.0", 104, false },
		{ "192.0.2.1", "0.0.0.0", 96, true },
		{ "::1", "0.0.0.0", 96, false },
		{ "192.0.2.1", "::", 0, false },
		{ "2001:db8::1", "::", 0, true },
	};

	for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
		uint8_t ip[16], net[16];

		ip_of(row[i].ip, ip);
		ip_of(row[i].net, net);
		cr_assert_eq(addr_in_net(ip, net, row[i].bits), row[i].in,
			"%s in %s/%u", row[i].ip, row[i].net, row[i].bits);
	}
}

Test(addr, group_is_an_address_or_a_64)
{
	uint8_t a[16], b[16], ga[16], gb[16];

	ip_of("2001:db8:0:1::1", a);
	ip_of("2001:db8:0:1:ffff::2", b);
	addr_group(a, ga);
	addr_group(b, gb);
	cr_assert_arr_eq(ga, gb, 16);
	ip_of("2001:db8:0:2::1", b);
	addr_group(b, gb);
	cr_assert_neq(memcmp(ga, gb, 16), 0);
	ip_of("192.0.2.1", a);
	addr_group(a, ga);
	cr_assert_arr_eq(ga, a, 16);
}

Test(listen, resolve)
{
	struct listen_address a[2];

	cr_assert_eq(listen_resolve("127.0.0.1", 7788, a, 2), 1);
	cr_assert_str_eq(a[0].text, "127.0.0.1:7788");
	cr_assert_eq(listen_resolve("::1", 7788, a, 2), 1);
	cr_assert_str_eq(a[0].text, "[::1]:7788");
	cr_assert_eq(listen_resolve("/run/x", 0, a, 2), 1);
	cr_assert_str_eq(a[0].text, "/run/x");
	cr_assert_eq(listen_resolve("*", 1, a, 2), listen_has_ipv6() ? 2 : 1);
	cr_assert_str_eq(a[0].text, "0.0.0.0:1");
	cr_assert_eq(listen_resolve("*", 1, a, 1), 1);
	cr_assert_eq(listen_resolve("", 1, a, 2), -EINVAL);
	cr_assert_eq(listen_resolve("localhost", 1, a, 2), -EINVAL);
	cr_assert_eq(listen_resolve("127.0.0.1", 1, a, 0), -EINVAL);
}

static int
claim(struct listen_address *a, const char *text)
{
	cr_assert_geq(listen_resolve(text, 0, a, 1), 1);
	return listen_claim(a, &options);
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

Test(listen, a_claimed_address_is_ours_alone)
{
	struct listen_address a, again;
	int fd = claim(&a, "127.0.0.1"), clone;

	cr_assert_geq(fd, 0);
	cr_assert_null(
		strstr(a.text, ":0"), "the port is filled in: %s", a.text);
	again = a;
	cr_assert_eq(listen_claim(&again, &options), -EADDRINUSE);
	clone = listen_clone(&a, &options);
	cr_assert_geq(clone, 0);
	cr_assert_eq(listen_claim(&again, &options), -EADDRINUSE);
	fd_close(&clone);
	fd_close(&fd);
}

Test(listen, clients_inherit_the_options)
{
	struct listen_address a;
	int fd = claim(&a, "127.0.0.1");
	int out = socket(AF_INET, SOCK_STREAM, 0), in;

	cr_assert_eq(connect(out, (struct sockaddr *)&a.ss, a.len), 0);
	in = accept(fd, NULL, NULL);
	cr_assert_geq(in, 0);
	cr_assert_neq(option(in, IPPROTO_TCP, TCP_NODELAY), 0);
	cr_assert_neq(option(in, SOL_SOCKET, SO_KEEPALIVE), 0);
	cr_assert_neq(option(in, SOL_SOCKET, SO_OOBINLINE), 0);
	cr_assert_eq(option(in, IPPROTO_TCP, TCP_KEEPIDLE), 61);
	cr_assert_eq(option(in, IPPROTO_TCP, TCP_KEEPCNT), 5);
	cr_assert_eq(option(in, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 65536);
	cr_assert_eq(option(in, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
	fd_close(&in);
	fd_close(&out);
	fd_close(&fd);
}

static const struct {
	const char *narrow, *wide;
} pair[] = { { "127.0.0.1", "*" }, { "::1", "::" } };

static bool
has_pair(unsigned i)
{
	return !strchr(pair[i].narrow, ':') || listen_has_ipv6();
}

/* Another one, on the port of a, which may have been narrowed or widened. */
static int
claim_beside(struct listen_address *ret, const char *text,
	const struct listen_address *a, bool quiet)
{
	struct listen_options o = options;

	o.beside = true;
	o.quiet = quiet;
	cr_assert_geq(
		listen_resolve(text, addr_of(&a->ss, a->len).port, ret, 1), 1);
	return listen_claim(ret, &o);
}

/* Does a connection to that address come to fd? */
static bool
comes_to(const struct listen_address *a, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int out = socket(a->ss.ss_family, SOCK_STREAM, 0);
	int in = -1;

	/* The end of the handshake may be on its way still. */
	if (connect(out, (const struct sockaddr *)&a->ss, a->len) == 0 &&
		poll(&p, 1, 5000) == 1)
		in = accept(fd, NULL, NULL);
	fd_close(&out);
	if (in < 0)
		return false;
	fd_close(&in);
	return true;
}

Test(listen, what_is_hidden_is_found_by_nobody)
{
	for (unsigned i = 0; i < 2; i++) {
		struct listen_address a, wide, again;
		int fd, out, in, wide_fd, again_fd;

		if (!has_pair(i))
			continue;
		fd = claim(&a, pair[i].narrow);
		wide_fd = claim_beside(&wide, pair[i].wide, &a, false);
		cr_assert_geq(wide_fd, 0);
		cr_assert(comes_to(&a, fd), "the narrower one is asked");
		out = socket(a.ss.ss_family, SOCK_STREAM, 0);
		cr_assert_eq(connect(out, (struct sockaddr *)&a.ss, a.len), 0);
		cr_assert_eq(listen_hide(fd), 0);
		cr_assert(comes_to(&a, wide_fd), "the other has it at once");
		in = accept(fd, NULL, NULL);
		cr_assert_geq(in, 0, "what came before is still there");
		again_fd = claim_beside(&again, pair[i].narrow, &a, false);
		cr_assert_geq(again_fd, 0);
		for (int n = 0; n < 20; n++)
			cr_assert(comes_to(&a, again_fd), "wanted back");
		fd_close(&again_fd);
		fd_close(&wide_fd);
		cr_assert_not(comes_to(&a, fd));
		cr_assert_eq(errno, ECONNREFUSED);
		fd_close(&in);
		fd_close(&out);
		fd_close(&fd);
	}
}

Test(listen, a_quiet_one_takes_nothing_away)
{
	for (unsigned i = 0; i < 2; i++) {
		struct listen_address wide, a;
		struct listen_options o = options;
		int wide_fd, fd, clone;

		if (!has_pair(i))
			continue;
		wide_fd = claim(&wide, pair[i].wide);
		fd = claim_beside(&a, pair[i].narrow, &wide, true);
		cr_assert_geq(fd, 0);
		o.quiet = true;
		clone = listen_clone(&a, &o);
		cr_assert_geq(clone, 0);
		cr_assert(comes_to(&a, wide_fd));
		cr_assert_eq(listen_begin(fd, &o), 0);
		cr_assert_eq(listen_steer(fd, 2, 2), 0);
		cr_assert_eq(listen_begin(clone, &o), 0);
		for (int n = 0; n < 20; n++)
			cr_assert(comes_to(&a, clone), "steered");
		fd_close(&clone);
		fd_close(&fd);
		fd_close(&wide_fd);
	}
}

#define GROUP 4
#define CALLS 80

/* Connect CALLS times; how many came to each socket. */
static void
spread(const struct listen_address *a, const int fd[GROUP], unsigned n[GROUP])
{
	memset(n, 0, GROUP * sizeof *n);
	for (unsigned i = 0; i < CALLS; i++) {
		int out = socket(AF_INET, SOCK_STREAM, 0);

		cr_assert_eq(
			connect(out, (struct sockaddr *)&a->ss, a->len), 0);
		for (unsigned k = 0; k < GROUP; k++) {
			int in = accept(fd[k], NULL, NULL);

			n[k] += in >= 0;
			fd_close(&in);
		}
		fd_close(&out);
	}
}

Test(listen, steering)
{
	static const uint64_t mask[] = { 1, 2, 8, 6, 9, 13, 15, 0 };
	struct listen_address a;
	int fd[GROUP];
	unsigned n[GROUP];

	fd[0] = claim(&a, "127.0.0.1");
	for (unsigned i = 1; i < GROUP; i++)
		fd[i] = listen_clone(&a, &options);
	for (unsigned i = 0; i < sizeof mask / sizeof *mask; i++) {
		uint64_t want = mask[i] ? mask[i] : 15;

		cr_assert_eq(listen_steer(fd[0], mask[i], GROUP), 0);
		spread(&a, fd, n);
		cr_assert_eq(n[0] + n[1] + n[2] + n[3], CALLS);
		for (unsigned k = 0; k < GROUP; k++)
			cr_assert_eq(n[k] > 0, want >> k & 1,
				"mask %u socket %u: %u", (unsigned)mask[i], k,
				n[k]);
	}
	cr_assert_eq(listen_steer(fd[0], 1, 0), -EINVAL);
	cr_assert_eq(listen_steer(fd[0], 1, 65), -EINVAL);
	for (unsigned i = 0; i < GROUP; i++)
		fd_close(&fd[i]);
}

/* A socket that nobody may accept on yet gets no connection, from the moment
 * of joining; also when the group had one socket. */
Test(listen, steering_before_the_others_join)
{
	for (unsigned first = 1; first < GROUP; first++) {
		struct listen_address a;
		int fd[GROUP];
		unsigned n[GROUP];

		fd[0] = claim(&a, "127.0.0.1");
		for (unsigned i = 1; i < first; i++)
			fd[i] = listen_clone(&a, &options);
		cr_assert_eq(listen_steer(fd[0], (1u << first) - 1, GROUP), 0);
		for (unsigned i = first; i < GROUP; i++)
			fd[i] = listen_clone(&a, &options);
		spread(&a, fd, n);
		for (unsigned k = 0; k < GROUP; k++)
			cr_assert_eq(n[k] > 0, k < first, "%u at first, %u: %u",
				first, k, n[k]);
		for (unsigned i = 0; i < GROUP; i++)
			fd_close(&fd[i]);
	}
}

/* Hand the listener to a process that ends with somebody in its queue. */
static void
ends_when_connected(int *fd)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct pollfd p = { .fd = *fd, .events = POLLIN };

		_exit(poll(&p, 1, 10000) != 1);
	}
	fd_close(fd);
}

Test(listen, unix_path)
{
	char dir[] = "/tmp/banter-net-XXXXXX", path[64], file[64];
	struct listen_address a, b;
	int fd, plain;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/sock", dir);
	(void)snprintf(file, sizeof file, "%s/file", dir);
	fd = claim(&a, path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(claim(&b, path), -EADDRINUSE, "somebody listens");
	cr_assert_eq(listen_clone(&a, &options), -EINVAL);
	fd_close(&fd);
	fd = claim(&b, path);
	cr_assert_geq(fd, 0, "a stale socket is replaced");
	ends_when_connected(&fd);
	fd = claim(&b, path);
	cr_assert_geq(fd, 0, "one that is about to end too");
	fd_close(&fd);
	plain = creat(file, 0600);
	fd_close(&plain);
	cr_assert_eq(claim(&b, file), -EADDRINUSE, "not ours to remove");
	cr_assert_eq(access(file, F_OK), 0);
	(void)unlink(file);
	(void)unlink(path);
	(void)rmdir(dir);
}
