/* SPDX-License-Identifier: MIT */
#include "sandbox/sandbox.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_IT   0
#define REFUSED 1

typedef bool try_fn(void);

static int own_listener;
static in_port_t other_port;

/* A build with a sanitizer needs calls that nobody has listed. */
static bool
is_off(void)
{
	return sandbox_mode_of(SANDBOX_ON) == SANDBOX_OFF;
}

/* What becomes of it in a child that is confined. */
static int
confined(enum sandbox_role role, const char *engine, try_fn *try)
{
	pid_t pid = fork();
	uint64_t state;
	int status = 0;

	if (pid == 0) {
		if (sandbox_enter(role, SANDBOX_ON, engine, &state) < 0)
			_exit(70);
		_exit(try() ? IN_IT : REFUSED);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "killed by %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static bool
waits_by_epoll(void)
{
	struct epoll_event e;

	/* -1: the sandbox is entered when the engine is open. */
	return epoll_wait(-1, &e, 1, 0) == -1 && errno == EBADF;
}

static bool
waits_by_poll(void)
{
	return poll(NULL, 0, 0) == 0;
}

static bool
waits_by_select(void)
{
	struct timeval none = { 0, 0 };

	return select(0, NULL, NULL, NULL, &none) == 0;
}

static bool
waits_by_io_uring(void)
{
	return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) == -1 &&
	       errno != EPERM && errno != ENOSYS;
}

static bool
makes_a_ring(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL) != -1 || errno != EPERM;
}

static void *
run(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static bool
makes_threads(void)
{
	pthread_t t[8];
	int ran[8] = { 0 }, n = 0;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&t[i], NULL, run, &ran[i]) != 0)
			return false;
	for (int i = 0; i < 8; i++) {
		(void)pthread_join(t[i], NULL);
		n += ran[i];
	}
	return n == 8;
}

static bool
makes_a_process(void)
{
	return syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) != -1;
}

/* What a process does that goes on and ends in order. */
static bool
lives(void)
{
	char *p = malloc(1 << 20);

	if (p == NULL)
		return false;
	memset(p, 1, 1 << 20);
	free(p);
	(void)usleep(1);
	return getpid() > 0 && close(-1) == -1 && errno == EBADF;
}

static bool
reads_a_file(void)
{
	char c;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1;
}

static bool
writes_a_file(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0;
}

static bool
makes_a_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

/* A listening socket that is shut down for reading can be connected by sending.
 */
static bool
connects_by_sending(void)
{
	static const int how[] = { SHUT_WR, SHUT_RDWR, SHUT_RD };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = other_port };
	struct iovec iov = { (char *)"x", 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = &at,
		.msg_namelen = sizeof at };

	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		(void)shutdown(own_listener, how[i]);
		if (sendto(own_listener, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT,
			    (struct sockaddr *)&at, sizeof at) == 1 ||
			sendmsg(own_listener, &m,
				MSG_FASTOPEN | MSG_DONTWAIT) == 1 ||
			errno == EINPROGRESS)
			return true;
	}
	return false;
}

static int
listener(in_port_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = at.sin_port;
	return fd;
}

Test(sandbox, a_listening_socket_is_not_made_to_connect)
{
	in_port_t own_port;
	int other = listener(&other_port);

	own_listener = listener(&own_port);
	if (!is_off())
		cr_expect_eq(
			confined(SANDBOX_WORKER, "epoll", connects_by_sending),
			REFUSED);
	(void)close(other);
	(void)close(own_listener);
}

Test(sandbox, an_engine_has_its_own_calls_and_no_others)
{
	static const struct {
		const char *engine;
		try_fn *can, *cannot;
	} row[] = {
		{ "epoll", waits_by_epoll, waits_by_select },
		{ "epoll", lives, makes_threads },
		{ "epoll", waits_by_poll, waits_by_io_uring },
		{ "poll", waits_by_poll, waits_by_epoll },
		{ "poll", lives, makes_threads },
		{ "select", waits_by_select, waits_by_epoll },
		{ "io_uring", waits_by_io_uring, makes_a_ring },
		{ "io_uring", lives, makes_threads },
		{ "threads", makes_threads, makes_a_process },
		{ "threads", lives, waits_by_io_uring },
	};

	if (is_off())
		return;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		cr_expect_eq(
			confined(SANDBOX_WORKER, row[i].engine, row[i].can),
			IN_IT, "row %zu (%s)", i, row[i].engine);
		cr_expect_eq(
			confined(SANDBOX_WORKER, row[i].engine, row[i].cannot),
			REFUSED, "row %zu (%s)", i, row[i].engine);
		cr_expect_eq(confined(SANDBOX_WORKER, row[i].engine,
				     makes_a_process),
			REFUSED, "row %zu (%s)", i, row[i].engine);
	}
}

Test(sandbox, a_worker_reads_no_file_and_the_parser_writes_none)
{
	if (is_off())
		return;
	cr_expect_eq(confined(SANDBOX_WORKER, "epoll", reads_a_file), REFUSED);
	cr_expect_eq(confined(SANDBOX_PARSER, NULL, reads_a_file), IN_IT);
	cr_expect_eq(confined(SANDBOX_PARSER, NULL, writes_a_file), REFUSED);
	cr_expect_eq(
		confined(SANDBOX_WORKER, "epoll", makes_a_socket), REFUSED);
	cr_expect_eq(confined(SANDBOX_PARSER, NULL, makes_a_socket), REFUSED);
	cr_expect_eq(confined(SANDBOX_PARSER, NULL, makes_a_process), REFUSED);
}

/* What the keeper has made is used by the worker that it clones, whose pid it
 * did not know: abort() has to end that one. */
static bool
aborts(void)
{
	abort();
}

Test(sandbox, abort_ends_who_has_a_filter_that_was_prepared)
{
	pid_t pid;
	uint64_t state;
	int status = 0;

	if (is_off())
		return;
	sandbox_prepare(SANDBOX_ON, "epoll");
	for (int i = 0; i < 2; i++) {
		pid = fork();
		if (pid == 0) {
			struct rlimit none = { 0, 0 };

			(void)setrlimit(RLIMIT_CORE, &none);
			if (sandbox_enter(SANDBOX_WORKER, SANDBOX_ON, "epoll",
				    &state) < 0)
				_exit(70);
			(void)aborts();
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
			"status %x", (unsigned)status);
	}
}

Test(sandbox, without_a_list_for_an_engine_there_is_no_entry)
{
	uint64_t state;

	cr_expect_eq(sandbox_enter(SANDBOX_WORKER, SANDBOX_ON, "steam", &state),
		-EINVAL);
	cr_expect_eq(
		sandbox_enter(SANDBOX_WORKER, SANDBOX_OFF, "epoll", &state), 0);
	cr_expect(reads_a_file());
}

Test(sandbox, is_described)
{
	static const struct {
		uint64_t state;
		const char *text;
	} row[] = {
		{ 0, "" },
		{ SANDBOX_KNOWN, "off" },
		{ SANDBOX_KNOWN | SANDBOX_SANITIZER, "off (sanitizer)" },
		{ SANDBOX_KNOWN | SANDBOX_NO_NEW_PRIVS,
			"no seccomp, no Landlock" },
		{ SANDBOX_KNOWN | SANDBOX_NO_NEW_PRIVS | SANDBOX_SECCOMP |
				UINT64_C(7) * SANDBOX_LANDLOCK,
			"seccomp, Landlock 7" },
		{ SANDBOX_KNOWN | SANDBOX_NO_NEW_PRIVS | SANDBOX_SECCOMP |
				SANDBOX_SECCOMP_LOG,
			"seccomp (log), no Landlock" },
	};
	char text[SANDBOX_TEXT_LEN];

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		sandbox_text(row[i].state, text);
		cr_expect_str_eq(text, row[i].text, "%s", text);
	}
}
