/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "master/control.h"
#include "master/loop.h"
#include "master/words.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/test_control.XXXXXX";
static char path[64];
static struct loop *loop;
static struct control *control;
static struct control_request *kept;
static unsigned n_handled, n_cancelled, n_drained;
static char got[CONTROL_LINE_MAX + 1];

static void
count_cancel(void *arg)
{
	(void)arg;
	n_cancelled++;
	kept = NULL;
}

static void
fill_more(void *arg)
{
	static const char text[] = "0123456789012345678901234567890123456789";
	unsigned i;

	n_drained++;
	for (i = 0; i < 100; i++) {
		control_row(arg);
		control_value(arg, slice_str(text));
		control_row_end(arg);
	}
	if (n_drained < 200)
		control_on_drain(arg, fill_more, arg);
	else
		control_finish(arg, CONTROL_DONE, "all");
}

static void
flood(struct control_request *r)
{
	char text[1024];
	unsigned i;

	memset(text, 'x', sizeof(text));
	for (i = 0; i < 2000; i++) {
		control_row(r);
		control_value(r, slice_of(text, sizeof(text)));
		control_row_end(r);
	}
	control_finish(r, CONTROL_DONE, "never seen");
}

static void
handle(void *arg, struct control_request *r, struct slice line)
{
	cr_assert_eq(arg, &n_handled);
	n_handled++;
	memcpy(got, line.p, line.len);
	got[line.len] = '\0';
	control_table(r, "a\tb");
	if (slice_eq_str(line, "wait")) {
		kept = r;
		control_on_cancel(r, count_cancel, NULL);
	} else if (slice_eq_str(line, "many")) {
		control_on_cancel(r, count_cancel, NULL);
		control_on_drain(r, fill_more, r);
	} else if (slice_eq_str(line, "flood")) {
		flood(r);
	} else {
		control_row(r);
		control_value(r, SLICE_LIT("x\ty\\z\n"));
		control_number(r, 42);
		control_row_end(r);
		control_finish(r, CONTROL_REFUSED, "no\nway");
	}
}

static void
set_up(void)
{
	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	loop = loop_new();
	cr_assert_eq(control_open(loop, path, (gid_t)-1, handle, &n_handled,
			     &control),
		0);
}

static void
tear_down(void)
{
	control_close(&control);
	loop_free(&loop);
	cr_assert_eq(access(path, F_OK), -1);
	(void)rmdir(dir);
}

TestSuite(control, .init = set_up, .fini = tear_down, .timeout = 30);

static int
dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
		(ssize_t)strlen(text));
}

static void
turn(void)
{
	cr_assert_geq(loop_run_once(loop, 10), 0);
}

/* Read up to the end of the file, at most chunk bytes a turn. */
static char *
hear(int fd, size_t chunk)
{
	static char text[4 << 20];
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, text + len,
			chunk < sizeof(text) - 1 - len ? chunk
						       : sizeof(text) - 1 - len,
			0);
		if (n > 0)
			len += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			break;
		turn();
	}
	text[len] = '\0';
	(void)close(fd);
	return text;
}

Test(control, answers)
{
	int fd = dial();

	say(fd, "status now\nrest is ignored\n");
	cr_assert_str_eq(
		hear(fd, 4096), "=a\tb\nrow\tx\\ty\\\\z\\n\t42\n.1 no way\n");
	cr_assert_str_eq(got, "status now");
}

Test(control, a_line_may_come_in_bytes_and_end_with_a_half_close)
{
	int fd = dial();
	const char *text = "status\n";

	for (; *text; text++) {
		say(fd, (char[]){ *text, 0 });
		turn();
	}
	(void)shutdown(fd, SHUT_WR);
	cr_assert(strstr(hear(fd, 1), ".1 no way\n"));
	cr_assert_str_eq(got, "status");
}

Test(control, an_unfinished_line_is_no_request)
{
	int fd = dial();

	say(fd, "stop");
	(void)shutdown(fd, SHUT_WR);
	cr_assert_str_empty(hear(fd, 4096));
	cr_assert_eq(n_handled, 0);
}

Test(control, a_long_line_is_refused)
{
	char text[CONTROL_LINE_MAX + 1];
	int fd = dial();

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	say(fd, text);
	say(fd, "more");
	cr_assert(!strncmp(hear(fd, 4096), ".64 ", 4));
	cr_assert_eq(n_handled, 0);
	text[CONTROL_LINE_MAX - 1] = '\n';
	fd = dial();
	say(fd, text);
	cr_assert(strstr(hear(fd, 4096), ".1 "));
	cr_assert_eq(strlen(got), CONTROL_LINE_MAX - 1);
}

Test(control, a_late_answer_and_a_peer_that_leaves)
{
	int fd = dial();
	pid_t pid;
	uid_t uid;

	say(fd, "wait\n");
	while (!kept)
		turn();
	control_peer(kept, &pid, &uid);
	cr_assert_eq(pid, getpid());
	cr_assert_eq(uid, getuid());
	turn();
	control_finish(kept, CONTROL_DONE, "%s", "");
	cr_assert_str_eq(hear(fd, 4096), "=a\tb\n.0 \n");
	cr_assert_eq(n_cancelled, 0);
	fd = dial();
	kept = NULL;
	say(fd, "wait\n");
	while (!kept)
		turn();
	(void)close(fd);
	while (n_cancelled == 0)
		turn();
	cr_assert_null(kept);
}

Test(control, closing_cancels_what_waits)
{
	int fd = dial();

	say(fd, "wait\n");
	while (!kept)
		turn();
	control_close(&control);
	cr_assert_eq(n_cancelled, 1);
	(void)close(fd);
}

/* What is finished and not yet sent goes out with the close. */
Test(control, closing_sends_what_is_finished)
{
	int fd = dial();
	char text[64] = "";

	say(fd, "wait\n");
	while (!kept)
		turn();
	control_finish(kept, CONTROL_DONE, "stopped");
	control_close(&control);
	cr_assert_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	cr_assert(strstr(text, ".0 stopped\n"));
	(void)close(fd);
}

Test(control, a_slow_reader_is_waited_for_in_bounded_memory)
{
	int fd = dial(), size = 4096;
	const char *text;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	say(fd, "many\n");
	turn();
	turn();
	turn();
	cr_assert_lt(n_drained, 200);
	text = hear(fd, 3000);
	cr_assert_eq(n_drained, 200);
	cr_assert_eq(strlen(text), strlen("=a\tb\n") + 20000 * 45 + 7);
	cr_assert_str_eq(text + strlen(text) - 7, ".0 all\n");
	cr_assert_eq(n_cancelled, 0);
}

Test(control, a_stuck_reader_holds_nobody_up)
{
	int stuck = dial(), fd = dial();
	unsigned i, before;

	say(stuck, "many\n");
	for (i = 0; i < 50; i++)
		turn();
	before = n_drained;
	cr_assert_lt(before, 200);
	say(fd, "x\n");
	cr_assert(strstr(hear(fd, 4096), ".1 no way\n"));
	cr_assert_eq(n_drained, before);
	(void)close(stuck);
	while (n_cancelled == 0)
		turn();
}

Test(control, an_answer_has_a_limit)
{
	int fd = dial();
	const char *text;

	say(fd, "flood\n");
	text = hear(fd, 1 << 16);
	cr_assert_leq(strlen(text), CONTROL_OUT_MAX + 100);
	cr_assert(strstr(text, "\n.1 the answer was too long"));
	cr_assert_null(strstr(text, "never seen"));
}

Test(control, many_connections_wait_for_their_place)
{
	int idle[CONTROL_CONNECTIONS], fd, i;

	for (i = 0; i < CONTROL_CONNECTIONS; i++)
		idle[i] = dial();
	for (i = 0; i < 2 * CONTROL_CONNECTIONS; i++)
		turn();
	fd = dial();
	say(fd, "x\n");
	for (i = 0; i < 5; i++)
		turn();
	cr_assert_eq(n_handled, 0);
	(void)close(idle[3]);
	cr_assert(strstr(hear(fd, 4096), ".1 no way\n"));
	for (i = 0; i < CONTROL_CONNECTIONS; i++)
		if (i != 3)
			(void)close(idle[i]);
}

Test(control, an_idle_peer_is_closed)
{
	uint64_t start = clock_mono_ms();
	int fd = dial();

	say(fd, "sta");
	cr_assert_str_empty(hear(fd, 4096));
	cr_assert_geq(clock_mono_ms() - start, CONTROL_IDLE_MS - 5);
}

Test(control, only_a_stale_socket_is_replaced)
{
	struct control *second = NULL;
	struct stat st;
	char other[80];
	int fd;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(control_open(loop, path, (gid_t)-1, handle, NULL, &second),
		-EADDRINUSE);
	cr_assert_null(second);
	cr_assert_eq(stat(path, &st), 0);
	(void)snprintf(other, sizeof(other), "%s/stale", dir);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", other);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)close(fd);
	cr_assert_eq(
		control_open(loop, other, getgid(), handle, NULL, &second), 0);
	cr_assert_eq(stat(other, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0660);
	cr_assert_eq(st.st_gid, getgid());
	control_close(&second);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	cr_assert_eq(control_open(loop, other, getgid(), handle, NULL, &second),
		-EEXIST);
	cr_assert_eq(unlink(other), 0);
	cr_assert_eq(control_open(loop, "", getgid(), handle, NULL, &second),
		-EINVAL);
	memset(other, 'a', sizeof(other));
	char long_path[200];
	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	cr_assert_eq(
		control_open(loop, long_path, getgid(), handle, NULL, &second),
		-ENAMETOOLONG);
}

Test(words, are_decoded)
{
	struct words w;

	cr_assert_eq(words_split(&w, SLICE_LIT("kick a%20b%25 %41%0a")), 0);
	cr_assert_eq(w.n, 3);
	cr_assert(slice_eq_str(w.word[0], "kick"));
	cr_assert(slice_eq_str(w.word[1], "a b%"));
	cr_assert(slice_eq_str(w.word[2], "A\n"));
}

Test(words, bad_lines_are_refused)
{
	static const char *const bad[] = { "", " ", "a ", " a", "a  b", "%",
		"a%4", "%4g", "%00", "a%" };
	char text[600];
	struct words w;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(words_split(&w, slice_str(bad[i])), -EINVAL,
			"\"%s\"", bad[i]);
	cr_assert_eq(words_split(&w, slice_of("a\0b", 3)), -EINVAL);
	for (i = 0; i < 2 * WORDS_MAX + 1; i++)
		text[i] = i % 2 ? ' ' : 'a';
	cr_assert_eq(words_split(&w, slice_of(text, 2 * WORDS_MAX - 1)), 0);
	cr_assert_eq(
		words_split(&w, slice_of(text, 2 * WORDS_MAX + 1)), -E2BIG);
	memset(text, 'a', sizeof(text));
	cr_assert_eq(words_split(&w, slice_of(text, sizeof(text))), -E2BIG);
	cr_assert_eq(words_split(&w, slice_of(text, 512)), 0);
}
