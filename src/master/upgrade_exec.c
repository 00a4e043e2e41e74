/* SPDX-License-Identifier: MIT */
#include "master/upgrade.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/xalloc.h"
#include "master/hub.h"
#include "master/keeper_fork.h"
#include "master/privileges.h"
#include "master/state.h"
#include "master/upgrade_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

char *
upgrade_binary(void)
{
	char *path = realpath("/proc/self/exe", NULL);

	return path ? path : xmemdup0("", 0);
}

int
upgrade_open(const char *path, struct buf *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd == -1 || fstat(fd, &st) == -1) {
		rc = -errno;
		buf_printf(why,
			"%s cannot be opened: %s; expected the installed program "
			"there",
			path, strerror(-rc));
		fd_close(&fd);
		return rc;
	}
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
		buf_printf(why,
			"%s is not an executable file; expected the installed "
			"program there",
			path);
		fd_close(&fd);
		return -EACCES;
	}
	return fd;
}

static int
exec_fd(int image, char **argv)
{
	(void)syscall(SYS_execveat, image, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}

static int
state_memory(struct master *m, struct keep *k, bool last)
{
	state_save(m, k, last);
	return state_to_memory(k);
}

/* --resume N and the like, also abbreviated as getopt_long(3) allows, with
 * their numbers: of an image before. */
static bool
is_spent(const char *word, bool *ret_two)
{
	static const char *const spent[] = { "--resume", "--go-back",
		"--ready-fd" };
	size_t len = strcspn(word, "=");

	*ret_two = word[len] == '\0';
	for (unsigned i = 0; len > 2 && i < sizeof spent / sizeof *spent; i++)
		if (strncmp(word, spent[i], len) == 0)
			return true;
	return false;
}

/* -c, also behind other letters: the next word is its file, whatever that is
 * named. */
static bool
takes_word(const char *word)
{
	const char *c = strchr(word, 'c');

	return word[0] == '-' && word[1] != '-' && c && c[1] == '\0';
}

char **
upgrade_argv(char **argv)
{
	unsigned n = 0, to = 0;
	char **own;

	while (argv[n])
		n++;
	own = xcalloc(n + 3, sizeof *own);
	for (unsigned i = 0; i < n; i++) {
		bool two = false;

		if (i > 0 && is_spent(argv[i], &two)) {
			i += two;
			continue;
		}
		own[to++] = xmemdup0(argv[i], strlen(argv[i]));
		if (i > 0 && i + 1 < n && takes_word(argv[i])) {
			i++;
			own[to++] = xmemdup0(argv[i], strlen(argv[i]));
		}
	}
	return own;
}

/* As this process was started, and the memory: in front, for "--" ends the
 * options. */
static char **
next_argv(char **argv, const char *option, int memory)
{
	char number[16];
	char **next = upgrade_argv(argv);
	unsigned n = 0;

	while (next[n])
		n++;
	if (n > 1)
		memmove(&next[3], &next[1], (n - 1) * sizeof *next);
	(void)snprintf(number, sizeof number, "%d", memory);
	next[1] = xmemdup0(option, strlen(option));
	next[2] = xmemdup0(number, strlen(number));
	return next;
}

static void
argv_free(char **argv)
{
	for (unsigned i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* It writes a line to `out` and ends.  Nothing of the master's is open in it
 * but the memory of state, configuration and relay log, which it only reads. */
static _Noreturn void
rehearse(struct master *m, int image, int memory, int out)
{
	int keep[] = { image, memory, out, m->conf_fd, hub_relay_fd(m->hub),
		m->boot_fd };
	unsigned n = sizeof keep / sizeof *keep;
	char **argv = next_argv(m->options.argv, "--rehearse", memory);
	int rc;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(out, STDERR_FILENO);
	keeper_fork_close_others(keep, n - (m->boot_fd < 0));
	for (unsigned i = 0; i < n; i++)
		if (keep[i] >= 0 && keep[i] != image && keep[i] != out)
			(void)fd_set_cloexec(keep[i], false);
	privileges_forget();
	rc = exec_fd(image, argv);
	(void)dprintf(out, "it cannot be executed: %s\n", strerror(-rc));
	_exit(UPGRADE_NO_EXEC);
}

int
upgrade_rehearse(struct master *m, int image, pid_t *ret_pid, int *ret_out)
{
	struct keep k = { 0 };
	int memory = state_memory(m, &k, false), end[2] = { -1, -1 }, rc = 0;

	keep_fini(&k);
	if (memory < 0)
		return memory;
	if (pipe2(end, O_CLOEXEC | O_NONBLOCK) == -1)
		rc = -errno;
	if (rc == 0) {
		*ret_pid = fork();
		if (*ret_pid == 0)
			rehearse(m, image, memory, end[1]);
		if (*ret_pid == -1)
			rc = -errno;
	}
	fd_close(&end[1]);
	fd_close(&memory);
	*ret_out = end[0];
	if (rc < 0) {
		*ret_pid = 0;
		fd_close(ret_out);
	}
	return rc;
}

int
upgrade_exec(struct master *m, int image)
{
	struct keep k = { 0 };
	int memory = state_memory(m, &k, true), rc;
	char **argv;

	if (memory < 0) {
		keep_fini(&k);
		return memory;
	}
	argv = next_argv(m->options.argv, "--resume", memory);
	keep_open(&k, true);
	(void)fd_set_cloexec(memory, false);
	privileges_keep(true);
	rc = -FAULT_ERR(upgrade_exec);
	if (rc == 0)
		rc = exec_fd(image, argv);
	privileges_keep(false);
	keep_open(&k, false);
	keep_fini(&k);
	argv_free(argv);
	fd_close(&memory);
	return rc;
}

void
upgrade_exec_back(struct master *m, const int *memory)
{
	char **argv = next_argv(m->options.argv, "--go-back", *memory);

	/* This image has closed none of what it was left, and what it has
	 * opened itself the exec closes. */
	keep_open(&m->left, true);
	(void)fd_set_cloexec(*memory, false);
	privileges_keep(true);
	(void)exec_fd(m->upgrade->old_image, argv);
	argv_free(argv);
}
