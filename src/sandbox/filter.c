/* What is not on the list is refused and kills nobody.  An unknown call gives
 * ENOSYS: a C library that was upgraded tries new calls and falls back, and
 * would not on EPERM.  Whoever has taken a worker over gains as little by a
 * refusal as by a death, while a death that a library brings about would blame
 * a client, for each of its lines.
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox/filter.h"

#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In a program that is made before the process is there; no pid is so high. */
#define PID_TO_COME 0x7fbad91du

/* To make one takes half a millisecond, for which clients would wait when a
 * worker takes over: so its keeper has made it. */
static struct made {
	enum sandbox_role role;
	uint32_t action;
	const struct calls_engine *engine;
	struct sock_fprog program;
} made;

static bool
has_call(const struct calls *calls, int number)
{
	for (size_t i = 0; i < calls->n; i++)
		if (calls->call[i].number == number)
			return true;
	return false;
}

static int
allow(scmp_filter_ctx f, const struct calls *calls)
{
	for (size_t i = 0; i < calls->n; i++) {
		const struct call *c = &calls->call[i];
		int rc = seccomp_rule_add_array(
			f, SCMP_ACT_ALLOW, c->number, c->n_args, c->arg);

		if (rc < 0 && rc != -EEXIST)
			return rc;
	}
	return 0;
}

/* abort() and raise(): to nobody else. */
static int
allow_own_signals(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)PID_TO_COME, 0));
}

static int
forbid(scmp_filter_ctx f, const struct calls *role, const struct calls *engine)
{
	for (size_t i = 0; i < calls_forbidden.n; i++) {
		int number = calls_forbidden.call[i].number;
		int rc;

		if (number == SCMP_SYS(tgkill) || has_call(role, number) ||
			(engine != NULL && has_call(engine, number)))
			continue;
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), number, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static uint32_t
default_action(enum sandbox_mode mode)
{
	if (mode == SANDBOX_LOG)
		return SCMP_ACT_LOG;
	return trap_is_wanted() ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS);
}

static int
fill(scmp_filter_ctx f, uint32_t action, const struct calls *role,
	const struct calls *engine)
{
	int rc = allow(f, role);

	if (rc == 0 && engine != NULL)
		rc = allow(f, engine);
	if (rc == 0)
		rc = allow_own_signals(f);
	if (rc == 0 && action == SCMP_ACT_ERRNO(ENOSYS))
		rc = forbid(f, role, engine);
	/* A thread's maker tries it with all signals blocked: no trap then. */
	if (rc == 0 && action == SCMP_ACT_TRAP)
		rc = seccomp_rule_add(
			f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

/* The program as bytes, for whoever loads it. */
static int export(scmp_filter_ctx f, struct sock_fprog *ret)
{
	int fd = memfd_create("banter-filter", MFD_CLOEXEC);
	int rc = fd == -1 ? -errno : seccomp_export_bpf(f, fd);
	size_t len = 0;
	char *p = rc == 0 ? fd_read_file(fd, &len) : NULL;

	fd_close(&fd);
	if (rc < 0)
		return rc;
	if (p == NULL || len == 0)
		return -EIO;
	ret->filter = (struct sock_filter *)(void *)p;
	ret->len = (unsigned short)(len / sizeof *ret->filter);
	return 0;
}

static int
make(enum sandbox_role role, uint32_t action, const struct calls *engine,
	struct sock_fprog *ret)
{
	scmp_filter_ctx f = seccomp_init(action);
	int rc;

	if (f == NULL)
		return -ENOMEM;
	/* A tree of comparisons: the kernel takes it in half of the time. */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = fill(f, action,
		role == SANDBOX_WORKER ? &calls_worker : &calls_parser, engine);
	if (rc == 0)
		rc = export(f, ret);
	seccomp_release(f);
	return rc;
}

int
filter_prepare(enum sandbox_role role, enum sandbox_mode mode,
	const struct calls_engine *engine)
{
	uint32_t action = default_action(mode);
	int rc;

	if (made.program.filter != NULL && made.role == role &&
		made.action == action && made.engine == engine)
		return 0;
	free(made.program.filter);
	made = (struct made){ role, action, engine, { 0, NULL } };
	rc = make(role, action, engine != NULL ? &engine->calls : NULL,
		&made.program);
	return rc;
}

/* Once in it there is no other way to find out whom abort() is about. */
static void
put_pid(struct sock_fprog *program)
{
	unsigned n = 0;

	for (unsigned i = 0; i < program->len; i++)
		if (program->filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
			program->filter[i].k == PID_TO_COME) {
			program->filter[i].k = (uint32_t)getpid();
			n++;
		}
	must(n == 1);
}

int
filter_enter(enum sandbox_role role, enum sandbox_mode mode,
	const struct calls_engine *engine, uint64_t *state)
{
	int rc;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == -1 && errno == EINVAL)
		return 0; /* a kernel without it */
	rc = filter_prepare(role, mode, engine);
	if (rc < 0)
		return rc;
	put_pid(&made.program);
	if (made.action == SCMP_ACT_TRAP)
		trap_install(role);
	/* The kernel's log is told of what is refused. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_LOG, &made.program) == -1)
		return -errno;
	*state |= SANDBOX_SECCOMP |
		  (mode == SANDBOX_LOG ? SANDBOX_SECCOMP_LOG : 0u);
	return 0;
}
