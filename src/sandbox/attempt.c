/* SPDX-License-Identifier: MIT */
#include "sandbox/attempt.h"

#ifdef BANTER_TEST_FAULTS
# include <errno.h>
# include <fcntl.h>
# include <sched.h>
# include <signal.h>
# include <stdio.h>
# include <sys/ioctl.h>
# include <sys/mman.h>
# include <sys/prctl.h>
# include <sys/ptrace.h>
# include <sys/resource.h>
# include <sys/socket.h>
# include <sys/stat.h>
# include <sys/syscall.h>
# include <sys/un.h>
# include <sys/wait.h>
# include <unistd.h>

/* The master's group of listeners is steered by it. */
# ifndef SO_ATTACH_REUSEPORT_CBPF
#  define SO_ATTACH_REUSEPORT_CBPF 51
# endif
# define FDS 1024

struct attempts {
	attempt_fn *tell;
	void *arg;
	pid_t victim;
};

static void
told(const struct attempts *a, const char *name, long rc)
{
	a->tell(a->arg, name, rc == -1 ? errno : 0);
}

/* What gives a descriptor. */
static void
told_fd(const struct attempts *a, const char *name, long fd)
{
	told(a, name, fd);
	if (fd >= 0)
		(void)close((int)fd);
}

/* What gives a process. */
static void
told_process(const struct attempts *a, const char *name, long pid)
{
	if (pid == 0)
		_exit(0);
	told(a, name, pid);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0);
}

static int
a_listener(void)
{
	for (int fd = 0; fd < FDS; fd++) {
		int on = 0;
		socklen_t len = sizeof on;

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
			on)
			return fd;
	}
	return -1;
}

static void
try_files(const struct attempts *a)
{
# ifdef SYS_open
	told_fd(a, "open", syscall(SYS_open, "/etc/passwd", O_RDONLY));
# endif
	told_fd(a, "openat",
		syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
	told_fd(a, "openat_write",
		syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY));
	told(a, "unlinkat", unlinkat(AT_FDCWD, "/nonexistent", 0));
	told(a, "mkdirat", mkdirat(AT_FDCWD, "/proc/nonexistent", 0700));
	told(a, "chdir", chdir("/nonexistent"));
	told_fd(a, "memfd_create", memfd_create("attempt", MFD_CLOEXEC));
	told(a, "mount", syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

static void
try_sockets(const struct attempts *a)
{
	struct sockaddr_un nowhere = { .sun_family = AF_UNIX };
	int listener = a_listener();

	told_fd(a, "socket_inet", socket(AF_INET, SOCK_STREAM, 0));
	told_fd(a, "socket_unix", socket(AF_UNIX, SOCK_DGRAM, 0));
	told(a, "connect", connect(listener, (void *)&nowhere, sizeof nowhere));
	told(a, "bind", bind(listener, (void *)&nowhere, sizeof nowhere));
	told(a, "listen", listen(-1, 1));
	told(a, "setsockopt_cbpf",
		setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, NULL,
			0));
	told(a, "setsockopt_lock_filter",
		setsockopt(listener, SOL_SOCKET, SO_LOCK_FILTER, NULL, 0));
	told(a, "shutdown_rd", shutdown(listener, SHUT_RD));
	told(a, "shutdown_rdwr", shutdown(listener, SHUT_RDWR));
	told(a, "ioctl_tiocsti", ioctl(-1, TIOCSTI, NULL));
	told(a, "fcntl_setown", fcntl(-1, F_SETOWN, 0));
}

static void
try_processes(const struct attempts *a)
{
	char *const none[] = { NULL };

	told(a, "execve", execve("/nonexistent", none, none));
	told(a, "execveat",
		syscall(SYS_execveat, -1, "", none, none, AT_EMPTY_PATH));
	told_process(a, "clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	told_process(a, "clone_files",
		syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
# ifdef SYS_fork
	told_process(a, "fork", syscall(SYS_fork));
# endif
	told(a, "clone3", syscall(SYS_clone3, NULL, 0));
	told(a, "ptrace", ptrace(PTRACE_CONT, a->victim, 0, 0));
	told(a, "process_vm_readv",
		syscall(SYS_process_vm_readv, a->victim, NULL, 0, NULL, 0, 0));
	told(a, "kill", kill(a->victim, 0));
	told(a, "tgkill", syscall(SYS_tgkill, a->victim, a->victim, 0));
	told_fd(a, "pidfd_open", syscall(SYS_pidfd_open, a->victim, 0));
	told(a, "unshare", unshare(0));
	told(a, "setns", setns(-1, 0));
	told(a, "setuid", setuid(getuid()));
	told(a, "prctl_dumpable", prctl(PR_SET_DUMPABLE, 1));
	told(a, "prlimit", prlimit(0, RLIMIT_CORE, NULL, NULL));
}

static void
told_map(const struct attempts *a, const char *name, void *p)
{
	told(a, name, p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		(void)munmap(p, 4096);
}

static void
try_kernel(const struct attempts *a)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	told_map(a, "mmap_write_exec",
		mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	told(a, "mprotect_exec", mprotect(p, 4096, PROT_READ | PROT_EXEC));
	(void)munmap(p, 4096);
	told(a, "bpf", syscall(SYS_bpf, -1, NULL, 0));
	told(a, "keyctl", syscall(SYS_keyctl, -1, 0, 0, 0, 0));
	told(a, "perf_event_open",
		syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	told(a, "io_uring_setup", syscall(SYS_io_uring_setup, 0, NULL));
	told(a, "seccomp", syscall(SYS_seccomp, -1, 0, NULL));
}

void
attempt_all(pid_t victim, attempt_fn *tell, void *arg)
{
	const struct attempts a = { tell, arg, victim };

	try_files(&a);
	try_sockets(&a);
	try_processes(&a);
	try_kernel(&a);
}
#else
extern int attempt_none;
#endif
