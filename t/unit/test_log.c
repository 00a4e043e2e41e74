/* SPDX-License-Identifier: MIT */
#include "base/notify.h"
#include "log/event.h"
#include "log/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64], moved[64];

static void
set_up(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	(void)snprintf(moved, sizeof(moved), "%s/log.1", dir);
}

static void
tear_down(void)
{
	(void)unlink(path);
	(void)unlink(moved);
	(void)rmdir(dir);
}

TestSuite(log, .init = set_up, .fini = tear_down);

static char *
contents(const char *file)
{
	static char text[1 << 20];
	int fd = open(file, O_RDONLY);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd != -1)
		(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *
quoted(const char *s, size_t len)
{
	static char mem[512];
	struct buf b = buf_over(mem, sizeof(mem) - 1);

	log_quote(&b, slice_of(s, len));
	mem[b.len] = '\0';
	return mem;
}

Test(log, quotes)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "\"\"" }, { "ann", "\"ann\"" }, { "a b", "\"a b\"" },
		{ "x\" addr=192.0.2.9", "\"x\\\" addr=192.0.2.9\"" },
		{ "\\", "\"\\\\\"" },
		{ "a\nevent=kick", "\"a\\x0aevent=kick\"" },
		{ "\033[2J", "\"\\x1b[2J\"" }, { "\x7f", "\"\\x7f\"" },
		{ "J\xc3\xb6rg", "\"J\xc3\xb6rg\"" },
		{ "\xe4\xb8\xad", "\"\xe4\xb8\xad\"" }, { "\xff", "\"\\xff\"" },
		{ "\xc3", "\"\\xc3\"" },
		{ "\xe2\x80\xae", "\"\\xe2\\x80\\xae\"" }, /* U+202E */
		{ "\xc2\x9b", "\"\\xc2\\x9b\"" },          /* C1 CSI */
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_str_eq(quoted(rows[i].in, strlen(rows[i].in)),
			rows[i].out, "row %zu", i);
	cr_assert_str_eq(quoted("a\0b", 3), "\"a\\x00b\"");
}

Test(log, quotes_are_cut_and_closed)
{
	char long_text[1000];
	const char *q;

	memset(long_text, 0xff, sizeof(long_text));
	q = quoted(long_text, sizeof(long_text));
	cr_assert_eq(strlen(q), 200 + 5);
	cr_assert_str_eq(q + strlen(q) - 4, "...\"");
}

Test(log, line_form)
{
	char want[64];

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	log_info("one\ntwo\x01%s\n", " three");
	log_debug("not shown");
	(void)snprintf(
		want, sizeof(want), " banterd[%d] info: ", (int)getpid());
	cr_assert(strstr(contents(path), want));
	cr_assert(strstr(contents(path), "info: one two? three\n"));
	cr_assert_eq(contents(path)[4], '-');
	cr_assert_eq(contents(path)[10], 'T');
	cr_assert_not(strstr(contents(path), "not shown"));
	log_set_name("worker 1");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("not shown");
	log_error("bad");
	cr_assert(strstr(contents(path), " worker 1["));
	cr_assert_not(strstr(contents(path), "not shown"));
}

Test(log, errno_survives_a_line)
{
	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	errno = EXDEV;
	log_info("x");
	cr_assert_eq(errno, EXDEV);
}

Test(log, long_lines_are_cut_between_characters)
{
	char text[3000];
	const char *line;
	size_t i;

	for (i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xb6", 2);
	text[i] = '\0';
	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	log_info("%s", text);
	log_info("%s", text + 1);
	line = contents(path);
	cr_assert_leq(strcspn(line, "\n"), 1023);
	cr_assert_geq(strcspn(line, "\n"), 1015);
	cr_assert(strstr(line, "\xc3\xb6...\n"));
}

Test(log, open_failure_changes_nothing)
{
	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	cr_assert_eq(log_open(LOG_SINK_FILE, "/nonexistent/x", LOG_LEVEL_INFO),
		-ENOENT);
	cr_assert_eq(log_open(LOG_SINK_SYSLOG, moved, LOG_LEVEL_INFO), -ENOENT);
	log_info("still here");
	cr_assert(strstr(contents(path), "still here"));
}

Test(log, reopen_keeps_the_number)
{
	struct stat st;
	int fd;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	fd = log_fd();
	log_info("before");
	cr_assert_eq(rename(path, moved), 0);
	log_info("still the old one");
	cr_assert_eq(log_reopen(), 0);
	cr_assert_eq(log_fd(), fd);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	log_info("after");
	cr_assert(strstr(contents(path), "after"));
	cr_assert_not(strstr(contents(path), "before"));
	cr_assert(strstr(contents(moved), "still the old one"));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07137, 0);
}

Test(log, adopts_a_descriptor)
{
	int fd, number;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	number = log_fd();
	fd = open(moved, O_WRONLY | O_APPEND | O_CREAT, 0600);
	log_adopt(&fd);
	cr_assert_eq(fd, -1);
	cr_assert_eq(log_fd(), number);
	log_info("in the other");
	cr_assert(strstr(contents(moved), "in the other"));
	cr_assert_str_empty(contents(path));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	log_adopt(&fd);
	cr_assert_eq(fd, -1);
	log_info("nothing has changed");
	cr_assert(strstr(contents(moved), "nothing has changed"));
}

#define WRITERS 8
#define LINES   200

static void
write_lines(int who)
{
	char text[400];
	int i;

	memset(text, 'a' + who, sizeof(text));
	text[300 + who] = '\0';
	for (i = 0; i < LINES; i++)
		log_info("<%s>", text);
	_exit(0);
}

Test(log, lines_of_several_processes_do_not_mix)
{
	int i, lines = 0;
	char *line, *rest;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	for (i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_lines(i);
	while (wait(NULL) != -1)
		;
	for (line = strtok_r(contents(path), "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest), lines++) {
		char *text = strchr(line, '<');

		cr_assert(text);
		cr_assert_eq(strspn(text + 1, (char[]){ text[1], 0 }),
			(size_t)(300 + text[1] - 'a'));
		cr_assert_str_eq(text + strlen(text) - 1, ">");
	}
	cr_assert_eq(lines, WRITERS * LINES);
}

static int
pipe_as_stderr(void)
{
	int end[2];

	cr_assert_eq(pipe2(end, O_CLOEXEC | O_NONBLOCK), 0);
	/* As a shell gives it: blocking. */
	cr_assert_eq(fcntl(end[1], F_SETFL, 0), 0);
	cr_assert_eq(dup2(end[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(end[1]);
	return end[0];
}

Test(log, a_full_pipe_is_not_waited_for, .timeout = 10)
{
	static char text[1 << 18];
	int end = pipe_as_stderr();
	ssize_t n;
	int i;

	cr_assert_eq(log_open(LOG_SINK_STDERR, NULL, LOG_LEVEL_INFO), 0);
	for (i = 0; i < 2000; i++)
		log_info("line %d %0200d", i, 0);
	n = read(end, text, sizeof(text) - 1);
	cr_assert_gt(n, 4096);
	cr_assert_eq(text[n - 1], '\n');
	while (read(end, text, sizeof(text) - 1) > 0)
		;
	log_info("again");
	n = read(end, text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert(strstr(text, " lines lost\n"), "%s", text);
	cr_assert(strstr(text, "info: again\n"));
	cr_assert_not(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
}

Test(log, a_broken_pipe_does_not_kill)
{
	int end = pipe_as_stderr();

	cr_assert_eq(log_open(LOG_SINK_STDERR, NULL, LOG_LEVEL_INFO), 0);
	(void)close(end);
	log_info("nobody reads");
}

Test(log, journal_lines_have_a_priority)
{
	int end = pipe_as_stderr();
	char text[256], stream[64];
	struct stat st;
	ssize_t n;

	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu",
		(unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	cr_assert_eq(log_open(LOG_SINK_STDERR, NULL, LOG_LEVEL_INFO), 0);
	log_warning("w");
	n = read(end, text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert(!strncmp(text, "<4>banterd[", 11), "%s", text);
	cr_assert(strstr(text, "] warning: w\n"));
}

static int
listen_datagrams(const char *at)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static const char *
datagram(int fd)
{
	static char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(log, syslog_is_found_again)
{
	int fd = listen_datagrams(path);
	const char *text;

	cr_assert_eq(log_open(LOG_SINK_SYSLOG, path, LOG_LEVEL_INFO), 0);
	log_set_name("worker 2");
	log_notice("hello");
	text = datagram(fd);
	cr_assert(!strncmp(text, "<29>", 4), "%s", text);
	cr_assert(strstr(text, " banterd["));
	cr_assert(strstr(text, "]: worker 2: hello"));
	(void)close(fd);
	(void)unlink(path);
	log_notice("lost");
	fd = listen_datagrams(path);
	log_notice("lost too: tried again once a second only");
	(void)poll(NULL, 0, 1100);
	log_notice("back");
	cr_assert(strstr(datagram(fd), "lines lost"));
	cr_assert(strstr(datagram(fd), "back"));
	(void)close(fd);
}

static void
note_loss(void *arg)
{
	(*(unsigned *)arg)++;
}

Test(log, who_may_not_connect_has_syslog_healed)
{
	int fd = listen_datagrams(path);
	unsigned lost = 0;

	cr_assert_eq(log_open(LOG_SINK_SYSLOG, path, LOG_LEVEL_INFO), 0);
	log_confine(note_loss, &lost);
	(void)close(fd);
	(void)unlink(path);
	fd = listen_datagrams(path);
	log_notice("lost");
	log_notice("lost too: told once a second only");
	cr_assert_eq(lost, 1);
	log_heal(); /* elsewhere, as the socket is shared */
	log_notice("back");
	cr_assert(strstr(datagram(fd), "2 lines lost"));
	cr_assert(strstr(datagram(fd), "back"));
	cr_assert_eq(lost, 1);
	log_confine(NULL, NULL);
	(void)close(fd);
}

Test(log, a_flood_is_limited)
{
	struct log_limit limit = { .what = "things", .burst = 3 };
	unsigned i, passed = 0;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	for (i = 0; i < 10; i++)
		passed += log_limit_pass(&limit);
	cr_assert_eq(passed, 3);
	cr_assert_eq(limit.dropped, 7);
	limit.start_ms -= 10001;
	cr_assert(log_limit_pass(&limit));
	cr_assert(strstr(contents(path), "7 more things were not logged\n"));
}

static const uint8_t v4[16] = {
	[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7
};
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

Test(log, events_cannot_be_forged)
{
	struct log_client client = { v4, 4711, false };
	const char *nick = "x\" addr=198.51.100.1 port=1\nevent=kick addr=";
	const char *text;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	log_event(LOG_REFUSE, &client, "reason=full", slice_str(nick), "text",
		SLICE_LIT("t"));
	text = contents(path);
	cr_assert(strstr(text, "notice: event=refuse addr=192.0.2.7 port=4711 "
			       "reason=full nick=\"x\\\" addr="),
		"%s", text);
	cr_assert(strstr(text, "\" text=\"t\"\n"));
	cr_assert_null(strstr(text, "\nevent"));
	client = (struct log_client){ v6, 9, false };
	log_event(LOG_CLOSE, &client, "", slice_of(NULL, 0), "", SLICE_LIT(""));
	cr_assert(strstr(
		contents(path), "info: event=close addr=2001:db8::1 port=9\n"));
	client.local = true;
	log_event(LOG_JOIN, &client, "", SLICE_LIT("ann"), "room",
		SLICE_LIT("lobby"));
	cr_assert(strstr(contents(path), "event=join addr=local port=0 "
					 "nick=\"ann\" room=\"lobby\"\n"));
}

Test(log, events_are_limited)
{
	struct log_client client = { v4, 1, false };
	unsigned i, n = 0;
	const char *at;

	cr_assert_eq(log_open(LOG_SINK_FILE, path, LOG_LEVEL_INFO), 0);
	for (i = 0; i < 100; i++)
		log_event(LOG_FLOOD, &client, "", SLICE_LIT("a"), "",
			SLICE_LIT(""));
	log_event(
		LOG_MALFORMED, &client, "", SLICE_LIT(""), "", SLICE_LIT("x"));
	for (at = contents(path); (at = strstr(at, "event=flood")); at++)
		n++;
	cr_assert_eq(n, 50);
	cr_assert(strstr(contents(path), "event=malformed"));
}

Test(notify, tells_the_manager)
{
	static const char name[] = "@banter-test-notify";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char at[64];

	cr_assert_not(notify_open());
	cr_assert_eq(notify_send("READY=1\n"), 0);
	(void)snprintf(at, sizeof(at), "%s-%d", name, (int)getpid());
	memcpy(sa.sun_path + 1, at + 1, strlen(at) - 1);
	cr_assert_eq(
		bind(fd, (struct sockaddr *)&sa,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				    strlen(at))),
		0);
	(void)setenv("NOTIFY_SOCKET", at, 1);
	cr_assert(notify_open());
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	cr_assert_eq(notify_send("READY=1\nSTATUS=%d clients\n", 3), 1);
	cr_assert_str_eq(datagram(fd), "READY=1\nSTATUS=3 clients\n");
	cr_assert_eq(notify_reloading(), 1);
	cr_assert(!strncmp(datagram(fd), "RELOADING=1\nMONOTONIC_USEC=", 27));
	notify_forget();
	cr_assert_eq(notify_send("READY=1\n"), 0);
	(void)close(fd);
}

Test(notify, unknown_forms_are_left_alone)
{
	(void)setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	cr_assert_not(notify_open());
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	cr_assert_eq(notify_send("READY=1\n"), 0);
}
