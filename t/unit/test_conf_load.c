/* SPDX-License-Identifier: MIT
 *
 * The parser in a child, and the memfd that it leads to.
 */
#include "base/xalloc.h"
#include "test_conf.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOAD_MS 5000

TestSuite(conf_load, .timeout = 20, .init = make_dir, .fini = remove_dir);

static unsigned
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	cr_assert(ne(ptr, d, NULL));
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void
no_children_left(void)
{
	cr_expect(eq(int, waitpid(-1, NULL, WNOHANG), -1));
	cr_expect(eq(int, errno, ECHILD));
}

Test(conf_load, load_gives_a_sealed_memfd)
{
	const struct conf *c;
	sigset_t all;
	int fd = -1;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	accept_text("name = x\nlisten a { port = 5 }");
	cr_assert(eq(int, conf_load(path, LOAD_MS, &fd, &report), 0));
	cr_expect(ne(int, fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, 0));
	cr_expect(eq(sz, (size_t)write(fd, "x", 1), (size_t)-1));
	c = conf_map(fd);
	cr_assert(ne(ptr, (void *)(uintptr_t)c, NULL));
	(void)close(fd);
	cr_expect(eq(int, memcmp(c, &conf, sizeof(conf)), 0));
	conf_unmap(&c);
	cr_expect(eq(ptr, (void *)(uintptr_t)c, NULL));
	conf_unmap(&c);
	no_children_left();
}

Test(conf_load, load_hands_over_the_report)
{
	int fd = 7;

	write_text("b.conf", "\nworkers = x");
	cr_expect(eq(int, conf_load(path, LOAD_MS, &fd, &report), -EINVAL));
	cr_expect(eq(int, fd, -1));
	cr_expect(eq(uint, report.n_errors, 1));
	cr_expect(ne(ptr, strstr(report.text, "b.conf:2: workers: 'x'"), NULL));
	write_text("b.conf", "room a { }");
	cr_expect(eq(int, conf_load(path, LOAD_MS, &fd, &report), 0));
	cr_expect(eq(uint, report.n_warnings, 1));
	(void)close(fd);
	no_children_left();
}

Test(conf_load, map_refuses_what_is_no_configuration)
{
	char *copy;
	size_t len;
	int fd = -1, plain;
	struct stat st;

	write_text("b.conf", "");
	cr_assert(eq(int, conf_load(path, LOAD_MS, &fd, &report), 0));
	cr_assert(eq(int, fstat(fd, &st), 0));
	len = (size_t)st.st_size;
	copy = xcalloc(len, 1);
	cr_assert(eq(sz, (size_t)pread(fd, copy, len, 0), len));
	for (size_t at = 0; at < len; at += at < 64 ? 1 : 4099) {
		copy[at] ^= 1;
		plain = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		cr_assert(eq(sz, (size_t)write(plain, copy, len), len));
		if (at == 0) /* right, but not sealed */
			cr_expect(eq(
				ptr, (void *)(uintptr_t)conf_map(plain), NULL));
		(void)fcntl(plain, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
		cr_expect(eq(ptr, (void *)(uintptr_t)conf_map(plain), NULL),
			"byte %zu", at);
		(void)close(plain);
		copy[at] ^= 1;
	}
	free(copy);
	(void)close(fd);
	cr_expect(eq(ptr, (void *)(uintptr_t)conf_map(-1), NULL));
	plain = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect(eq(ptr, (void *)(uintptr_t)conf_map(plain), NULL));
	(void)close(plain);
}

#ifdef BANTER_TEST_FAULTS
Test(conf_load, keys_of_earlier_releases_are_known)
{
	accept_text("test_old_name = x\nlimits { test_old_nets = {\"::1\"}\n"
		    "test_gone = 5 }");
	cr_expect(eq(str, conf.name, "x"));
	cr_expect(eq(u32, conf.limits.exempt.n, 1));
	cr_expect(eq(uint, report.n_warnings, 3));
	cr_expect(strstr(report.text,
			  "b.conf:1: warning: 'test_old_name' is "
			  "called 'name' since 0.1.0; expected") != NULL);
	cr_expect(strstr(report.text, "b.conf:3: warning: 'test_gone' has no "
				      "effect since 0.1.0; expected") != NULL);
	refuse_text("name = a\ntest_old_name = b",
		"b.conf:2: warning: 'test_old_name' is");
	cr_expect(
		strstr(report.text, "b.conf:2: 'name' is there twice") != NULL);
	refuse_text("test_gone = 5", "b.conf:1: there is no key 'test_gone'");
}

Test(conf_load, load_outlives_a_crash_of_the_parser)
{
	int fd = 7;

	write_text("b.conf", "");
	(void)setenv("BANTER_TEST_CONF_FAULT", "crash", 1);
	cr_expect(eq(int, conf_load(path, LOAD_MS, &fd, &report), -EINVAL));
	cr_expect(eq(int, fd, -1));
	cr_expect(eq(uint, report.n_errors, 1));
	cr_expect(ne(ptr,
			  strstr(report.text, "b.conf: the parser crashed with "
					      "signal 11"),
			  NULL),
		"%s", report.text);
	no_children_left();
}

Test(conf_load, load_ends_a_hanging_parser)
{
	struct timespec a, z;
	int fd = 7;

	write_text("b.conf", "");
	(void)setenv("BANTER_TEST_CONF_FAULT", "hang", 1);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	cr_expect(eq(int, conf_load(path, 200, &fd, &report), -EINVAL));
	(void)clock_gettime(CLOCK_MONOTONIC, &z);
	cr_expect(eq(int, fd, -1));
	cr_expect(z.tv_sec - a.tv_sec < 5);
	cr_expect(ne(ptr,
			  strstr(report.text, "b.conf: the parser did not "
					      "finish within 200 ms"),
			  NULL),
		"%s", report.text);
	no_children_left();
}
#endif

Test(conf_load, reloads_leak_no_descriptor)
{
	unsigned before;
	int fd;

	write_text("b.conf", "room a { autojoin = true }");
	write_text("bad.conf", "name = \"x\nuser");
	before = count_fds();
	for (int i = 0; i < 200; i++) {
		cr_assert(eq(int, conf_load(path, LOAD_MS, &fd, &report), 0));
		(void)close(fd);
		cr_assert(eq(int,
			conf_load(in_dir("bad.conf"), LOAD_MS, &fd, &report),
			-EINVAL));
		cr_assert(
			eq(int, conf_parse(in_dir("bad.conf"), &conf, &report),
				-EINVAL));
		cr_assert(eq(int, conf_parse(path, &conf, &report), 0));
	}
	cr_expect(eq(uint, count_fds(), before));
}
