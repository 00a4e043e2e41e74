/* The kernel's log drops entries when there are many, and not every place has
 * one to be read: so the tests ask the process itself.
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox/filter.h"

#ifdef BANTER_TEST_FAULTS
# include <errno.h>
# include <signal.h>
# include <stdio.h>
# include <stdlib.h>
# include <string.h>
# include <ucontext.h>
# include <unistd.h>

/* Where the result of a system call is has to be known: see set_result(). */
# if defined(__x86_64__) || defined(__aarch64__)
#  define HAS_RESULT true
# else
#  define HAS_RESULT false
# endif

static enum sandbox_role who;

static int
refusal(int number)
{
	for (size_t i = 0; i < calls_forbidden.n; i++)
		if (calls_forbidden.call[i].number == number)
			return EPERM;
	return ENOSYS;
}

static void
set_result(ucontext_t *c, int error)
{
# if defined(__x86_64__)
	c->uc_mcontext.gregs[REG_RAX] = -error;
# elif defined(__aarch64__)
	c->uc_mcontext.regs[0] = (unsigned long long)-(long long)error;
# else
	(void)c;
	(void)error;
# endif
}

/* Of the process itself, so that whatever it was doing has been left. */
static void
on_trap(int signal, siginfo_t *info, void *context)
{
	int e = errno, error = refusal(info->si_syscall);
	char line[160];
	int n = snprintf(line, sizeof line,
		"SANDBOX: %s %d: system call %d (%s) was refused\n",
		who == SANDBOX_WORKER ? "worker" : "parser", (int)getpid(),
		info->si_syscall,
		seccomp_syscall_resolve_num_arch(
			SCMP_ARCH_NATIVE, info->si_syscall));

	(void)signal;
	(void)!write(STDERR_FILENO, line, (size_t)n);
	set_result(context, error);
	errno = e;
}

bool
trap_is_wanted(void)
{
	const char *word = getenv("BANTER_TEST_SANDBOX");

	return HAS_RESULT && word != NULL && strcmp(word, "trap") == 0;
}

void
trap_install(enum sandbox_role role)
{
	struct sigaction a = { .sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER };
	sigset_t set;

	who = role;
	(void)sigaction(SIGSYS, &a, NULL);
	/* One that is blocked would kill. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGSYS);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}
#else
extern int trap_none;
#endif
