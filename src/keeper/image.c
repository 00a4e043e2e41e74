/* SPDX-License-Identifier: MIT */
#include "keeper/image.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/pack.h"
#include "keeper/become.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAGIC     "BNTRKEEP"
#define EXIT_EXEC 127
#define RETRY_MS  10 /* between two tries to say something */

static void
fill(struct slot_env *env, const struct keeper_message *m, const int *fd)
{
	unsigned at = 1;

	env->keeper_ctl = fd[at++];
	env->arena_new = -1;
	env->waits_for_go = false;
	if (m->flags & KEEPER_ARENA)
		env->arena_new = fd[at++];
	if (m->flags & KEEPER_CONF) {
		env->conf = fd[at++];
		env->conf_generation = m->generation;
	}
}

static int
write_memory(const struct slot_env *env)
{
	struct pack p = { 0 };
	int fd;

	pack_str(&p, MAGIC);
	pack_u64(&p, SLOT_VERSION);
	pack_bytes(&p, env, sizeof *env);
	log_save(&p);
	fd = fd_sealed("banter-keeper", p.p, p.len);
	pack_fini(&p);
	return fd;
}

static _Noreturn void
fail(const char *what, int e)
{
	log_error("the new image: %s: %s", what, strerror(e));
	_exit(EXIT_EXEC);
}

/* The master waits for it, so want of memory is waited out. */
static void
say_here(int old_line)
{
	struct keeper_message here = { .type = KEEPER_EXECED, .pid = getpid() };

	for (;;) {
		int rc = -FAULT_ERR(image_report);

		if (rc == 0)
			rc = keeper_send(old_line, &here, NULL, 0);
		if (rc == 0 || rc == -EPIPE || rc == -ECONNRESET)
			return;
		(void)poll(NULL, 0, RETRY_MS);
	}
}

/* In the clone.  The table is still shared. */
static _Noreturn void
go_on_as(unsigned slot, int image, int memory, int old_line)
{
	char name[40], number[16];
	char *argv[] = { name, (char *)(uintptr_t) "--keeper", number, NULL };

	FAULT(image_cloned);
	say_here(old_line);
	FAULT(image_said);
	if (become_heritable() == -1)
		fail("/proc/self/fd", errno);
	(void)fd_set_cloexec(image, true);
	(void)fd_set_cloexec(old_line, true);
	(void)snprintf(name, sizeof name, "banterd: keeper %u", slot);
	(void)snprintf(number, sizeof number, "%d", memory);
	(void)FAULT_CALL(image_exec,
		syscall(SYS_execveat, image, "", argv, environ, AT_EMPTY_PATH));
	fail("it cannot be executed", errno);
}

int
image_start(const struct slot_env *env, const struct keeper_message *m,
	const int *fd)
{
	/* Until its exec the clone shares the table: it would miss what is
	 * closed here meanwhile. */
	const unsigned long flags =
		CLONE_FILES | CLONE_PARENT | CLONE_VFORK | SIGCHLD;
	struct slot_env next = *env;
	pid_t pid;
	int memory;

	fill(&next, m, fd);
	memory = write_memory(&next);
	if (memory < 0)
		return memory;
	pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (pid == 0)
		go_on_as(env->slot, fd[0], memory, env->keeper_ctl);
	fd_close(&memory);
	return pid == -1 ? -errno : 0;
}

int
image_read(int memory, struct slot_env *env, const char **why)
{
	size_t len = 0;
	char *p = fd_read_file(memory, &len);
	struct unpack u = unpack_of(slice_of(p, p ? len : 0));
	struct slice magic = unpack_bytes(&u);
	uint64_t version = unpack_u64(&u);
	struct slice from = unpack_bytes(&u);
	int rc = 0;

	memset(env, 0, sizeof *env);
	*why = "it is no memory of a keeper";
	if (!slice_eq_str(magic, MAGIC) || u.bad) {
		rc = -EBADMSG;
	} else if (version > SLOT_VERSION) {
		*why = "it was left by a newer version";
		rc = -EPROTO;
	} else {
		memcpy(env, from.p,
			from.len < sizeof *env ? from.len : sizeof *env);
		if (!log_restore(&u) || env->n_listeners > SLOT_LISTENERS_MAX)
			rc = -EBADMSG;
	}
	free(p);
	return rc;
}
