/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(fault, .timeout = 20);

#ifdef BANTER_TEST_FAULTS
static const char *
init(const char *rules)
{
	(void)setenv("BANTER_FAULT", rules, 1);
	return fault_init();
}

Test(fault, nothing_asked)
{
	(void)unsetenv("BANTER_FAULT");
	cr_assert_null(fault_init());
	cr_assert_not(fault_armed);
	FAULT(io_received);
	cr_assert_eq(FAULT_ERR(link_send), 0);
	cr_assert_eq(FAULT_SHORT(io_send_length, 9), 9);
}

Test(fault, wrong_rules)
{
	static const char *const wrong[] = {
		"io_received",
		"io_received:kill",
		"io_received:kill:",
		"io_received:kill:0",
		"io_received:kill:x",
		"io_received:kill:1x",
		"io_received:kill:1@",
		"io_received:kill:1@0",
		"io_received:kill:1@2x",
		"io_received:smile:1",
		"no_such_point:kill:1",
		"io_received:EIO:1",
		"io_received:short:1",
		"io_recv:short:1",
		"io_recv:ENOTHING:1",
		"io_send_length:EIO:1",
		"io_received:kill:9999999999999999999999",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char with[160];
		const char *said;

		(void)snprintf(with, sizeof with, "io_recv:EIO:1,%s", wrong[i]);
		said = init(with);
		cr_assert_not_null(said, "%s", wrong[i]);
		cr_assert_eq(strncmp(said, wrong[i], strlen(said)), 0,
			"%s blames %s", wrong[i], said);
		cr_assert_not(fault_armed, "%s", wrong[i]);
	}
}

Test(fault, too_long)
{
	char with[160];

	(void)snprintf(with, sizeof with, "io_received:kill:%046d", 1);
	cr_assert_null(init(with), "63 bytes");
	(void)snprintf(with, sizeof with, "io_received:kill:%047d", 1);
	cr_assert_not_null(init(with), "64 bytes");
}

Test(fault, too_many_rules)
{
	char with[2048] = "io_received:kill:9";

	for (int i = 1; i < 32; i++)
		(void)strcat(with, ",io_received:kill:9");
	cr_assert_null(init(with));
	(void)strcat(with, ",io_received:kill:9");
	cr_assert_not_null(init(with));
}

Test(fault, strikes_at_the_count)
{
	cr_assert_null(init("link_send:EIO:2,link_recv:ENOBUFS:3+"));
	cr_assert_eq(FAULT_ERR(link_send), 0);
	cr_assert_eq(FAULT_ERR(link_send), EIO);
	cr_assert_eq(FAULT_ERR(link_send), 0, "once only");
	for (int i = 1; i < 7; i++)
		cr_assert_eq(
			FAULT_ERR(link_recv), i < 3 ? 0 : ENOBUFS, "%d", i);
}

Test(fault, call_is_left_out)
{
	int calls = 0;

	cr_assert_null(init("io_recv:EMFILE:2"));
	errno = ENOENT;
	cr_assert_eq(FAULT_CALL(io_recv, ++calls), 1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(FAULT_CALL(io_recv, ++calls), -1);
	cr_assert_eq(errno, EMFILE);
	cr_assert_eq(calls, 1);
	cr_assert_eq(FAULT_CALL(io_recv, ++calls), 2);
}

Test(fault, lengths)
{
	cr_assert_null(init("io_send_length:short:2,io_recv_length:half:1+"));
	cr_assert_eq(FAULT_SHORT(io_send_length, 100), 100);
	cr_assert_eq(FAULT_SHORT(io_send_length, 100), 1);
	cr_assert_eq(FAULT_SHORT(io_send_length, 100), 100);
	cr_assert_eq(FAULT_SHORT(io_recv_length, 100), 50);
	cr_assert_eq(FAULT_SHORT(io_recv_length, 3), 1);
	cr_assert_eq(FAULT_SHORT(io_recv_length, 1), 1);
}

Test(fault, late_goes_on)
{
	struct timespec was, is;

	cr_assert_null(init("io_received:late:1"));
	(void)clock_gettime(CLOCK_MONOTONIC, &was);
	FAULT(io_received);
	(void)clock_gettime(CLOCK_MONOTONIC, &is);
	cr_assert_geq((is.tv_sec - was.tv_sec) * 1000 +
			      (is.tv_nsec - was.tv_nsec) / 1000000,
		FAULT_LATE_MS - 1);
	cr_assert_null(init("io_recv_length:late:1"));
	cr_assert_eq(FAULT_SHORT(io_recv_length, 100), 100);
}

Test(fault, slots)
{
	cr_assert_null(init("io_recv:EIO:2@3"));
	cr_assert_eq(FAULT_ERR(io_recv), 0, "the master has no slot");
	fault_role("worker", 2);
	cr_assert_eq(FAULT_ERR(io_recv), 0);
	cr_assert_eq(FAULT_ERR(io_recv), 0);
	fault_role("worker", 3);
	cr_assert_eq(FAULT_ERR(io_recv), 0, "others are not counted");
	cr_assert_eq(FAULT_ERR(io_recv), EIO);
}

static int
death_of_child(const char *action)
{
	char rule[64];
	int status = 0;
	pid_t pid;

	(void)snprintf(rule, sizeof rule, "io_received:%s:2", action);
	cr_assert_null(init(rule));
	pid = fork();
	if (pid == 0) {
		FAULT(io_received);
		FAULT(io_received);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status), "%s", action);
	/* Its successor goes on behind the count. */
	FAULT(io_received);
	return WTERMSIG(status);
}

Test(fault, deaths_are_once)
{
	cr_assert_eq(death_of_child("kill"), SIGKILL);
	cr_assert_eq(death_of_child("abort"), SIGABRT);
	cr_assert_eq(death_of_child("segv"), SIGSEGV);
}

Test(fault, stalls_until_killed)
{
	char report[] = "/tmp/banter-fault-XXXXXX";
	int fd = mkstemp(report), status = 0;
	char line[80] = "";
	pid_t pid;

	cr_assert_geq(fd, 0);
	(void)setenv("BANTER_FAULT_REPORT", report, 1);
	cr_assert_null(init("io_received:stall:1"));
	pid = fork();
	if (pid == 0) {
		fault_role("worker", 7);
		FAULT(io_received);
		_exit(0);
	}
	while (pread(fd, line, sizeof line - 1, 0) <= 0 || line[0] == '\0')
		(void)usleep(1000);
	cr_assert_eq(waitpid(pid, &status, WNOHANG), 0);
	(void)kill(pid, SIGABRT);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WTERMSIG(status), SIGABRT);
	(void)unlink(report);
	(void)close(fd);
	(void)snprintf(report, sizeof report, " %d ", (int)pid);
	cr_assert_eq(strncmp(line, "io_received ", 12), 0, "%s", line);
	cr_assert_not_null(strstr(line, report), "%s", line);
	cr_assert_not_null(strstr(line, " stall worker 7\n"), "%s", line);
}

Test(fault, counts_in_a_file_survive)
{
	char path[] = "/tmp/banter-fault-XXXXXX";
	int fd = mkstemp(path);
	uint64_t passed = 0;

	cr_assert_geq(fd, 0);
	(void)setenv("BANTER_FAULT_COUNTS", path, 1);
	cr_assert_null(init("link_send:EIO:2"));
	cr_assert_eq(FAULT_ERR(link_send), 0);
	cr_assert_null(fault_init());
	cr_assert_eq(FAULT_ERR(link_send), EIO);
	(void)unsetenv("BANTER_FAULT");
	cr_assert_null(fault_init());
	cr_assert_eq(FAULT_ERR(link_send), 0);
	cr_assert_eq(pread(fd, &passed, sizeof passed,
			     FAULT_AT_link_send * sizeof passed),
		sizeof passed);
	cr_assert_eq(passed, 3);
	(void)unlink(path);
	(void)close(fd);
	(void)setenv("BANTER_FAULT_COUNTS", "/nowhere/at/all", 1);
	cr_assert_str_eq(fault_init(), "BANTER_FAULT_COUNTS");
}
#endif
