/* SPDX-License-Identifier: MIT
 *
 *   caller                    child
 *     pipe, fork ------------>  signals, limits, conf_parse()
 *     read until the deadline <---- struct result
 *     reap; kill first when late
 *     seal what came
 *
 * The child closes its parent's descriptors and enters a sandbox first.  Those
 * who run the parser in their own process, for -t and -T, have none.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/xalloc.h"
#include "conf/private.h"
#include "sandbox/attempt.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MEMORY (UINT64_C(64) << 20)
#define KILL_WAIT_MS 1000 /* SIGKILL waits for a disk, we do not */

struct result {
	int rc;
	struct conf_report report;
	struct conf conf;
};

static void
reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Pages that the process has mapped already: those of its parent. */
static uint64_t
mapped_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	if (f)
		(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
limit(int what, uint64_t most)
{
	struct rlimit r = { most, most };

	(void)setrlimit(what, &r); /* a lower one of the system stays */
}

/* A parser that spins dies even when its parent is gone or stopped. */
static void
limit_child(unsigned timeout_ms)
{
	uint64_t mapped = mapped_bytes();

	limit(RLIMIT_CPU, timeout_ms / 1000 + 1);
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes on the way */
	if (mapped > 0)
		limit(RLIMIT_AS, mapped + CHILD_MEMORY);
#else
	(void)mapped;
#endif
}

#ifdef BANTER_TEST_FAULTS
/* The word may stand in a file, for the reloads of a running daemon. */
static const char *
fault_word(void)
{
	static char word[16];
	const char *fault = getenv("BANTER_TEST_CONF_FAULT");
	FILE *f = fault && *fault == '/' ? fopen(fault, "r") : NULL;

	if (f == NULL)
		return fault;
	word[0] = '\0';
	(void)!fgets(word, sizeof word, f);
	(void)fclose(f);
	return word;
}

static void
told_attempt(void *arg, const char *name, int error)
{
	conf_report_error(arg, "forbidden", 0, "%s %s", name,
		error == 0 ? "done" : strerrorname_np(error));
}

static void
test_forbidden(struct conf_report *report)
{
	const char *fault = fault_word();

	if (fault && !strcmp(fault, "forbidden"))
		attempt_all(getppid(), told_attempt, report);
}

static void
test_fault(void)
{
	const char *fault = fault_word();

	if (fault && !strcmp(fault, "crash"))
		(void)raise(SIGSEGV);
	while (fault && !strcmp(fault, "hang"))
		(void)pause();
}
#else
static void
test_forbidden(struct conf_report *report)
{
	(void)report;
}

static void
test_fault(void)
{
}
#endif

/* libconfuse has calls of exit(): none of the parent's handlers may run, none
 * of its stdio be written twice. */
static void
quit(void)
{
	_exit(1);
}

/* Whatever the files make of the parser, it can say something wrong and no
 * more. */
static int
confine(const char *path, int fd, struct conf_report *report)
{
	uint64_t state;
	int rc;

	if (fd > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0U, 0);
	rc = sandbox_enter(
		SANDBOX_PARSER, sandbox_mode_of(SANDBOX_ON), NULL, &state);
	if (rc < 0)
		conf_report_error(report, path, 0,
			"the parser's sandbox cannot be entered: %s",
			strerror(-rc));
	if (rc == 0)
		test_forbidden(report);
	return report->n_errors > 0 ? -EINVAL : 0;
}

static _Noreturn void
child(const char *path, int fd, pid_t parent, unsigned timeout_ms)
{
	struct result *r;

	(void)atexit(quit);
	(void)prctl(PR_SET_NAME, "banterd: conf");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	reset_signals();
	limit_child(timeout_ms);
	test_fault();
	r = xcalloc(1, sizeof(*r));
	r->rc = confine(path, fd, &r->report);
	if (r->rc == 0)
		r->rc = conf_parse(path, &r->conf, &r->report);
	_exit(fd_write_all(fd, r, sizeof(*r)) < 0);
}

static int
left_ms(uint64_t deadline)
{
	uint64_t now = clock_mono_ms();

	return now < deadline ? (int)(deadline - now) : 0;
}

/* 0, or -ETIMEDOUT. */
static int
wait_readable(int fd, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, left_ms(deadline));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* 0, -ETIMEDOUT, or -EPIPE when the child ended before it had said all. */
static int
receive(int fd, struct result *r, uint64_t deadline)
{
	size_t len = 0;

	while (len < sizeof(*r)) {
		int rc = wait_readable(fd, deadline);
		ssize_t n;

		if (rc < 0)
			return rc;
		n = read(fd, (char *)r + len, sizeof(*r) - len);
		if (n == -1 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			return -EPIPE;
		if (n > 0)
			len += (size_t)n;
	}
	return 0;
}

/* End the child if it has not ended by then, and reap it.  Its status, or 0
 * when somebody else has reaped it.  One that a dead disk holds in the kernel
 * is left behind. */
static int
reap(pid_t pid, uint64_t deadline)
{
	int fd = pidfd_open(pid, 0), status = 0;

	if (fd == -1 || wait_readable(fd, deadline) < 0) {
		(void)kill(pid, SIGKILL); /* not reaped: the pid is its own */
		if (fd >= 0)
			(void)wait_readable(fd, clock_mono_ms() + KILL_WAIT_MS);
	}
	while (waitpid(pid, &status, fd >= 0 ? WNOHANG : 0) == -1 &&
		errno == EINTR)
		;
	fd_close(&fd);
	return status;
}

static int
tell_failure(struct conf_report *report, const char *path, int rc, int status,
	unsigned timeout_ms)
{
	memset(report, 0, sizeof(*report));
	if (rc == -ETIMEDOUT)
		conf_report_error(report, path, 0,
			"the parser did not finish within %u ms and was "
			"stopped; expected files that can be read in this time",
			timeout_ms);
	else if (WIFSIGNALED(status))
		conf_report_error(report, path, 0,
			"the parser crashed with signal %d (%s); expected it "
			"to say what is wrong: please report this",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		conf_report_error(report, path, 0,
			"the parser ended without a result (exit code %d); "
			"expected one: please report this",
			WEXITSTATUS(status));
	return -EINVAL;
}

static int
take_result(struct result *r, int *ret_fd, struct conf_report *report)
{
	int fd;

	r->report.text[sizeof(r->report.text) - 1] = '\0';
	r->report.len = strlen(r->report.text);
	*report = r->report;
	if (r->rc < 0)
		return r->rc;
	fd = conf_map_seal(&r->conf);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

/* Forks; in the parent *ret_fd is the end to read from. */
static pid_t
start(const char *path, unsigned timeout_ms, int *ret_fd)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -errno;
	pid = fork();
	if (pid == 0) {
		fd_close(&ends[0]);
		child(path, ends[1], parent, timeout_ms);
	}
	if (pid == -1) {
		pid = -errno;
		fd_close(&ends[0]);
	}
	fd_close(&ends[1]);
	*ret_fd = ends[0];
	return pid;
}

int
conf_load(const char *path, unsigned timeout_ms, int *ret_fd,
	struct conf_report *report)
{
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	struct result *r;
	int fd = -1, rc, status;
	pid_t pid;

	*ret_fd = -1;
	memset(report, 0, sizeof(*report));
	pid = start(path, timeout_ms, &fd);
	if (pid < 0)
		return pid;
	r = xcalloc(1, sizeof(*r));
	rc = receive(fd, r, deadline);
	fd_close(&fd);
	status = reap(pid, rc == -ETIMEDOUT ? 0 : deadline);
	if (rc == 0)
		rc = take_result(r, ret_fd, report);
	else if (rc == -ETIMEDOUT || rc == -EPIPE)
		rc = tell_failure(report, path, rc, status, timeout_ms);
	free(r);
	return rc;
}
