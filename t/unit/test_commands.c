/* The verbs over a master of three slots, whose answers the tests give.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test_commands.h"

#include "base/clock.h"
#include "bus/ctl.h"
#include "bus/engine.h"
#include "bus/wire.h"
#include "master/commands.h"
#include "master/control.h"
#include "master/loop.h"
#include "msg/session_id.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
set_up(void)
{
	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	loop = loop_new();
	commands = commands_new(NULL);
	banlist = banlist_new(dir);
	cr_assert_eq(control_open(loop, path, (gid_t)-1, commands_handle,
			     commands, &control),
		0);
	state[0] = state[1] = state[2] = COMMAND_SLOT_READY;
	page[0].accepted = 10;
	page[1].accepted = 5;
}

static void
tear_down(void)
{
	commands_free(&commands);
	banlist_free(&banlist);
	control_close(&control);
	loop_free(&loop);
	(void)rmdir(dir);
}

TestSuite(commands, .init = set_up, .fini = tear_down, .timeout = 30);

/* A page of n clients: nicks of letters, sessions from `first`. */
static int
answer(const struct asked *a, uint32_t n, uint32_t next)
{
	char mem[CTL_MAX];
	struct buf b = buf_over(mem, sizeof(mem));
	struct ctl_page p = { next, n };
	uint32_t i;

	buf_add(&b, &p, sizeof(p));
	for (i = 0; i < n; i++) {
		struct ctl_client client = { .session = a->first + i,
			.since_ms = 1795205566000,
			.idle_ms = 2500,
			.bytes_in = 1,
			.bytes_out = 2,
			.pending = 3,
			.address = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 },
			.port = 4711,
			.local = i == 1,
			.state_name = "chatting" };

		buf_add(&b, &client, sizeof(client));
		bus_put_str(&b, SLICE_LIT("ann"));
		bus_put_str(&b, SLICE_LIT("lobby,x"));
	}
	return commands_client_page(commands, a->slot, a->tag, buf_slice(&b));
}

/* Each slot has two pages: 2 clients, then 1. */
static void
answer_all(void)
{
	while (n_answered < n_asked) {
		const struct asked *a = &asked[n_answered++ % 256];

		if (a->type != CTL_CLIENTS || silent[a->slot - 1])
			continue;
		cr_assert_eq(
			a->first == 0 ? answer(a, 2, 70) : answer(a, 1, 0), 0);
	}
}

static int
ask(const char *line)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(send(fd, line, strlen(line), MSG_NOSIGNAL),
		(ssize_t)strlen(line));
	cr_assert_eq(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	return fd;
}

static const char *
hear(int fd)
{
	static char text[4 << 20];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) != 0) {
		if (n > 0) {
			len += (size_t)n;
			continue;
		}
		cr_assert_eq(errno, EAGAIN);
		cr_assert_geq(loop_run_once(loop, 10), 0);
		answer_all();
	}
	text[len] = '\0';
	(void)close(fd);
	return text;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		cr_assert_geq(loop_run_once(loop, 5), 0);
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

#define HAS(text, what) cr_assert(strstr(text, what), "%s in:\n%s", what, text)

Test(commands, status)
{
	const char *text;

	page[0].engine = ENGINE_POLL;
	page[1].engine = ENGINE_EPOLL;
	page[1].engine_refused = ENOSYS;
	text = hear(ask("status"));
	HAS(text, "=key\tvalue\nrow\tname\ttest\nrow\tversion\t");
	HAS(text, "\nrow\tsince\t1970-01-01T00:00:01Z\n");
	HAS(text, "\nrow\tpending_restart\tuser, run_dir\n");
	HAS(text, "\nrow\tclients\t33\n");
	HAS(text, "\nrow\tconfiguration\t7\n");
	HAS(text, "\nrow\t1\t101\t201\t5\tready\t2026-11-20T20:12:46Z\t0\t0\t0"
		  "\t1\t4\t\tpoll\t\n");
	HAS(text, "\tepoll (io_uring refused: Function not implemented)\t\n");
	HAS(text, "=of_slot\tdeaths\t");
	HAS(text, "=counter\ttotal\t1\t2\t3\nrow\taccepted\t15\t10\t5\t0\n");
	HAS(text, "\n.0 \n");
}

Test(commands, metrics)
{
	const char *text = hear(ask("metrics"));

	HAS(text, "=text\nrow\t# TYPE banter_clients gauge\n");
	HAS(text, "\nrow\t# TYPE banter_accepted counter\n"
		  "row\t# HELP banter_accepted Connections accepted.\n"
		  "row\tbanter_accepted_total{slot=\"1\"} 10\n"
		  "row\tbanter_accepted_total{slot=\"2\"} 5\n"
		  "row\tbanter_accepted_total{slot=\"3\"} 0\n");
	HAS(text, "\nrow\tbanter_messages_total 99\n");
	HAS(text, "\nrow\t# EOF\n.0 \n");
}

Test(commands, clients)
{
	const char *text = hear(ask("clients"));

	HAS(text, "=state\taddress\tport\tnick\trooms\tsince\tidle\tin\tout\t"
		  "pending\tworker\n");
	HAS(text, "\nrow\tchatting\t192.0.2.1\t4711\tann\tlobby,x\t"
		  "2026-11-20T20:12:46Z\t2\t1\t2\t3\t1\n");
	HAS(text, "\nrow\tchatting\tlocal\t");
	cr_assert_eq(count(text, "row\tchatting"), 9);
	cr_assert_null(strstr(text, "=note"));
}

Test(commands, clients_of_one_worker_and_a_limit)
{
	const char *text = hear(ask("clients --worker 2"));

	cr_assert_eq(count(text, "row\tchatting"), 3);
	cr_assert_eq(count(text, "\t2\n"), 3);
	text = hear(ask("clients --limit 4"));
	cr_assert_eq(count(text, "row\tchatting"), 4);
	HAS(hear(ask("clients --worker 4")), ".1 there is no worker 4");
	HAS(hear(ask("clients --worker")), ".64 clients:");
	HAS(hear(ask("clients --limit x")), ".64 clients:");
	HAS(hear(ask("clients 5")), ".64 clients:");
}

Test(commands, a_silent_worker_is_named)
{
	uint64_t start = clock_mono_ms();
	const char *text;

	silent[1] = true;
	state[0] = COMMAND_SLOT_STOPPED;
	silent[2] = true; /* its socket is full */
	text = hear(ask("clients"));
	cr_assert_geq(clock_mono_ms() - start, 990);
	cr_assert_lt(clock_mono_ms() - start, 5000);
	HAS(text, "=note\nrow\tworker 1 did not answer (stopped?)\n"
		  "row\tworker 2 did not answer (stopped?)\n"
		  "row\tworker 3 did not answer (stopped?)\n.0 \n");
	/* Its answer comes after all. */
	cr_assert_eq(answer(&asked[0], 2, 0), 0);
}

Test(commands, a_worker_that_dies_is_named)
{
	int fd = ask("clients");

	turns(3);
	cr_assert_eq(n_asked, 3);
	commands_slot_gone(commands, 2);
	HAS(hear(fd), "=note\nrow\tworker 2 was replaced meanwhile");
}

Test(commands, a_page_that_is_wrong_is_a_violation)
{
	int fd = ask("clients");

	turns(3);
	cr_assert_eq(commands_client_page(
			     commands, 1, asked[0].tag, SLICE_LIT("short")),
		-EPROTO);
	asked[1].first = 0;
	cr_assert_eq(answer(&asked[1], 2, 70), 0);
	cr_assert_eq(n_asked, 4);
	cr_assert_eq(answer(&asked[3], 2, 70), -EPROTO); /* in circles */
	n_answered = 2;
	(void)hear(fd);
}

Test(commands, a_peer_that_leaves_is_forgotten)
{
	int fd = ask("clients");

	turns(3);
	(void)close(fd);
	turns(3);
	cr_assert_eq(answer(&asked[0], 2, 70), 0);
	cr_assert_eq(n_asked, 3);
	fd = ask("reload");
	turns(3);
	cr_assert(reload_fn);
	(void)close(fd);
	turns(3);
	reload_fn(reload_arg, 0, SLICE_LIT(""));
}

Test(commands, rooms)
{
	const char *text;

	n_rooms = 2;
	text = hear(ask("rooms"));
	cr_assert_str_eq(text, "=room\tmembers\tsequence\tconfigured\ttopic\n"
			       "row\tr0\t2\t9\tyes\ta\\ttopic\n"
			       "row\tr1\t2\t9\tno\ta\\ttopic\n.0 \n");
	n_rooms = 20000;
	text = hear(ask("rooms"));
	cr_assert_eq(count(text, "\nrow\t"), 20000);
	text = hear(ask("rooms --limit 300"));
	cr_assert_eq(count(text, "\nrow\t"), 300);
}

Test(commands, drain_and_undrain)
{
	HAS(hear(ask("drain")), ".64 drain: SLOT");
	HAS(hear(ask("drain one")), ".64 drain: SLOT");
	HAS(hear(ask("drain 1 2")), ".64 drain: too many words");
	HAS(hear(ask("drain 9")), ".1 there is no worker 9");
	HAS(hear(ask("drain 2")), ".1 worker 2 is the last one");
	HAS(hear(ask("drain 3")), ".1 worker 3 is as you want it already");
	HAS(hear(ask("drain 1")), ".0 worker 1 gets no new clients");
	cr_assert_eq(drained, 1);
	HAS(hear(ask("undrain")), ".64 undrain: SLOT");
	HAS(hear(ask("undrain 2")), ".1 worker 2 is as you want it already");
	HAS(hear(ask("undrain 1")), ".0 worker 1 gets new clients again");
	cr_assert_eq(drained, 0);
}

Test(commands, kick)
{
	int fd;

	HAS(hear(ask("kick bob")), ".1 nobody has the nick \"bob\"; expected");
	HAS(hear(ask("kick")), ".64 kick:");
	known_session = session_id(2, 77);
	fd = ask("kick ann too%20loud now");
	turns(3);
	cr_assert_eq(n_asked, 1);
	cr_assert_eq(asked[0].slot, 2);
	cr_assert_eq(asked[0].type, CTL_KICK);
	cr_assert_eq(asked[0].number, known_session);
	cr_assert_str_eq(kick_reason, "too loud now");
	known_session = 0;
	HAS(hear(fd), ".0 closed\n");
	known_session = session_id(1, 78);
	HAS(hear(ask("kick ann")), ".4 worker 1 was told");
}

static void
answer_address(uint64_t tag, uint64_t session, const char *ip, bool local)
{
	struct ctl_address a = { .session = session, .local = local };

	cr_assert_eq(inet_pton(AF_INET6, ip, a.address), 1);
	cr_assert_eq(
		commands_address(commands, tag, slice_of(&a, sizeof a)), 0);
}

Test(commands, kick_and_ban)
{
	const uint64_t ann = session_id(2, 77);
	int fd;

	known_session = ann;
	HAS(hear(ask("kick ann --ban")), ".64 how long:");
	HAS(hear(ask("kick ann --ban 5m")), ".64 how long:");
	HAS(hear(ask("kick ann --ban 1h a%0Ab")), ".64 the reason is");
	fd = ask("kick ann --ban 1h too loud");
	turns(3);
	cr_assert_eq(asked[0].type, CTL_ADDRESS_OF);
	cr_assert_eq(asked[0].number, ann);
	cr_assert_eq(commands_address(commands, asked[0].tag, SLICE_LIT("x")),
		-EPROTO);
	answer_address(asked[0].tag + 1, ann, "::1", false);
	answer_address(0, ann, "::1", false);
	cr_assert_eq(banlist_count(banlist), 0, "of other questions");
	answer_address(asked[0].tag, ann, "2001:db8::7", false);
	cr_assert_eq(banlist_count(banlist), 1);
	cr_assert_eq(banlist_at(banlist, 0)->net.bits, 64);
	cr_assert_str_eq(banlist_at(banlist, 0)->reason, "too loud");
	known_session = 0;
	HAS(hear(fd), ".0 closed; 2001:db8::/64 is banned until 2");

	known_session = ann;
	fd = ask("kick ann --ban 0");
	turns(3);
	answer_address(asked[1].tag, 0, "::1", false);
	HAS(hear(fd), ".1 nobody has that nick any more");
	fd = ask("kick ann --ban 0");
	turns(3);
	answer_address(asked[2].tag, ann, "::", true);
	HAS(hear(fd), ".1 it came by a UNIX socket");
	HAS(hear(ask("kick ann --ban 0")), ".4 worker 2 does not say");
	cr_assert_eq(banlist_count(banlist), 1);
}

Test(commands, ban_unban_bans)
{
	HAS(hear(ask("ban")), ".64 an address or a network is missing");
	HAS(hear(ask("ban 10.0.0.1/8")), ".64 10.0.0.1/8: has bits set");
	HAS(hear(ask("ban 10.0.0.0/8 --for")), ".64 how long:");
	HAS(hear(ask("ban 10.0.0.0/8")), ".0 10.0.0.0/8 is banned\n");
	HAS(hear(ask("ban 10.0.0.0/8 --for 1h x y")), "is banned until 2");
	HAS(hear(ask("ban 192.0.2.1")), ".0 192.0.2.1 is banned\n");
	ban_saved = -ENOSPC;
	HAS(hear(ask("ban ::1")), "NOT SAVED (No space left");
	ban_saved = 0;
	HAS(hear(ask("ban 192.0.2.2")), ".1 there are as many bans as");
	HAS(hear(ask("bans")), "row\t10.0.0.0/8\t2");
	HAS(hear(ask("unban 192.0.2.9")),
		".1 there is no ban of 192.0.2.9; expected");
	HAS(hear(ask("unban 10.1.0.0/16")), ", but one of 10.0.0.0/8");
	HAS(hear(ask("unban 0.0.0.0/0")), ", but one of ");
	HAS(hear(ask("unban 192.0.2.1")), ".0 192.0.2.1 is not banned any");
	cr_assert_eq(banlist_count(banlist), 2);
}

Test(commands, reload)
{
	reload_report = "limits.rate applied\nlisten text.port applied\n"
			"user pending restart\n";
	cr_assert_str_eq(hear(ask("reload")),
		"=key\teffect\nrow\tlimits.rate\tapplied\n"
		"row\tlisten text.port\tapplied\n"
		"row\tuser\tpending restart\n.0 reloaded; what is pending "
		"needs a restart, which closes all connections: `systemctl restart banterd`\n");
	reload_report = "worker 2 is late\nmotd applied\n/etc/x:3: odd\n";
	cr_assert_str_eq(hear(ask("reload")),
		"=key\teffect\nrow\tmotd\tapplied\n"
		"=note\nrow\tworker 2 is late\nrow\t/etc/x:3: odd\n"
		".0 reloaded\n");
	reload_report = "";
	HAS(hear(ask("reload")), ".0 reloaded; nothing has changed\n");
	reload_rc = -EINVAL;
	reload_report = "/etc/x:3: bad\n";
	HAS(hear(ask("reload")), "=note\nrow\t/etc/x:3: bad\n.1 refused; ");
}

Test(commands, reopen)
{
	HAS(hear(ask("reopen")), ".0 reopened\n");
	reload_rc = -EACCES;
	HAS(hear(ask("reopen")), ".1 the old log file stays: ");
}

Test(commands, stop_is_answered_at_the_end)
{
	int fd = ask("stop");
	int other = ask("reload");

	turns(5);
	cr_assert(stopping);
	commands_free(&commands);
	banlist_free(&banlist);
	control_close(&control);
	cr_assert_str_eq(hear(fd), ".0 stopped\n");
	HAS(hear(other), ".1 the server stops");
	/* The core tells everybody who waits, later. */
	reload_fn(reload_arg, -ESHUTDOWN, SLICE_LIT("the server stops"));
}

Test(commands, what_is_not_understood)
{
	HAS(hear(ask("dance")), ".64 unknown verb");
	HAS(hear(ask("status now")), ".64 status: too many words");
	HAS(hear(ask("a  b")), ".64 a request is words");
	HAS(hear(ask("")), ".64 a request is words");
}
