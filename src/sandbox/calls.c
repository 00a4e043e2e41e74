/* The allow-lists.  A call that an engine needs and no other belongs into that
 * one's list at the end of this file.
 *
 * What has a pointer to what would have to be looked at cannot be allowed in
 * part: the kernel compares numbers only.  Hence clone() here and not clone3().
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* The kernel looks at the low half of an argument that is an int. */
#define INT  UINT64_C(0xffffffff)
#define FLAG UINT64_C(0)

/* A call; one whose argument N is exactly the int V; the same of a long; and
 * one whose argument N has none of the bits B. */
/* clang-format off */
#define ANY(name)  { SCMP_SYS(name), 0, { { 0 } } }
#define IS(name, n, v) \
	{ SCMP_SYS(name), 1, { { (n), SCMP_CMP_MASKED_EQ, INT, (v) } } }
#define IS_LONG(name, n, v) \
	{ SCMP_SYS(name), 1, { { (n), SCMP_CMP_EQ, (v), 0 } } }
#define NOT(name, n, bits) \
	{ SCMP_SYS(name), 1, { { (n), SCMP_CMP_MASKED_EQ, (bits), FLAG } } }
/* By both its names. */
#define FCNTL(command) IS(fcntl, 1, command), IS(fcntl64, 1, command)
#define LIST(a) { (a), sizeof(a) / sizeof *(a) }
/* clang-format on */

/* Read, write and close what is open already; time; memory without code.
 * sysinfo() is qsort()'s, which asks how much memory there is;
 * sched_getaffinity() says how many workers `workers = 0` means. */
#define COMMON                                                                \
 ANY(read), ANY(readv), ANY(pread64), ANY(write), ANY(writev), ANY(close),    \
	 ANY(lseek), ANY(_llseek), ANY(fstat), ANY(fstat64),                  \
	 IS(newfstatat, 3, AT_EMPTY_PATH), IS(fstatat64, 3, AT_EMPTY_PATH),   \
	 FCNTL(F_GETFD), FCNTL(F_GETFL), ANY(brk), ANY(munmap), ANY(mremap),  \
	 NOT(mmap, 2, PROT_EXEC), NOT(mmap2, 2, PROT_EXEC),                   \
	 NOT(mprotect, 2, PROT_EXEC), IS(madvise, 2, MADV_DONTNEED),          \
	 ANY(clock_gettime), ANY(clock_gettime64), ANY(clock_getres),         \
	 ANY(gettimeofday), ANY(time), ANY(getrandom), ANY(sysinfo),          \
	 ANY(sched_getaffinity), ANY(futex), ANY(futex_time64), ANY(getpid),  \
	 ANY(gettid), ANY(getppid), ANY(getuid), ANY(getuid32), ANY(geteuid), \
	 ANY(geteuid32), ANY(rt_sigaction), ANY(rt_sigprocmask),              \
	 ANY(rt_sigreturn), ANY(sigreturn), ANY(restart_syscall), ANY(exit),  \
	 ANY(exit_group)

static const struct call worker[] = {
	COMMON,
	/* Clients and lines; never a socket of its own. */
	ANY(recvfrom),
	ANY(recv),
	ANY(recvmsg),
	ANY(sendto),
	ANY(send),
	ANY(sendmsg),
#ifdef SYS_socketcall
	/* How, is in memory. */
	ANY(shutdown),
#else
	/* A listening socket that is shut down for reading is an unused one
	 * again, and to send with MSG_FASTOPEN connects that: which older
	 * kernels' Landlock does not see, nor any filter if a ring sends.  To
	 * look at the flags of each send would cost 2 % of it. */
	IS(shutdown, 1, SHUT_WR),
#endif
	ANY(accept4),
	ANY(getsockopt),
	ANY(getsockname),
	ANY(getpeername),
	IS(ioctl, 1, SIOCINQ),
	IS(ioctl, 1, SIOCOUTQ),
	FCNTL(F_GET_SEALS),
	/* A log file that was reopened takes the number of the one before. */
	IS(dup3, 2, O_CLOEXEC),
	/* Engines wait by their own calls; this is for one descriptor. */
	ANY(poll),
	ANY(ppoll),
	ANY(ppoll_time64),
	ANY(nanosleep),
	ANY(clock_nanosleep),
	ANY(clock_nanosleep_time64),
	/* The arena's pages. */
	IS(madvise, 2, MADV_REMOVE),
	IS(madvise, 2, MADV_DONTDUMP),
};

/* Its libraries open what they like to read; converters of character sets are
 * libraries that are loaded. */
static const struct call parser[] = {
	COMMON,
	NOT(openat, 2,
		O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)),
	NOT(open, 1,
		O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)),
	ANY(stat),
	ANY(stat64),
	ANY(lstat),
	ANY(lstat64),
	ANY(newfstatat),
	ANY(fstatat64),
	ANY(statx),
	ANY(access),
	ANY(faccessat),
	ANY(faccessat2),
	ANY(readlink),
	ANY(readlinkat),
	ANY(getdents64),
	ANY(getdents),
	ANY(getcwd),
	NOT(mmap, 2, PROT_WRITE),
	NOT(mmap2, 2, PROT_WRITE),
	IS(ioctl, 1, TCGETS),
	FCNTL(F_SETFD),
	ANY(fadvise64),
	ANY(pause),
};

static const struct call forbidden[] = {
	/* Files by their names. */
	ANY(open),
	ANY(openat),
	ANY(openat2),
	ANY(creat),
	ANY(unlink),
	ANY(unlinkat),
	ANY(rename),
	ANY(renameat),
	ANY(renameat2),
	ANY(mkdir),
	ANY(mkdirat),
	ANY(rmdir),
	ANY(link),
	ANY(linkat),
	ANY(symlink),
	ANY(symlinkat),
	ANY(mknod),
	ANY(mknodat),
	ANY(chmod),
	ANY(fchmod),
	ANY(fchmodat),
	ANY(chown),
	ANY(fchown),
	ANY(fchownat),
	ANY(truncate),
	ANY(chdir),
	ANY(fchdir),
	ANY(chroot),
	ANY(readlink),
	ANY(readlinkat),
	ANY(open_by_handle_at),
	ANY(name_to_handle_at),
	ANY(memfd_create),
	ANY(memfd_secret),
	/* Sockets of its own. */
	ANY(socket),
	ANY(socketpair),
	ANY(connect),
	ANY(bind),
	ANY(listen),
	/* Processes. */
	ANY(execve),
	ANY(execveat),
	ANY(fork),
	ANY(vfork),
	ANY(clone),
	ANY(unshare),
	ANY(setns),
	ANY(ptrace),
	ANY(process_vm_readv),
	ANY(process_vm_writev),
	ANY(process_madvise),
	ANY(kill),
	ANY(tkill),
	ANY(tgkill),
	ANY(rt_sigqueueinfo),
	ANY(rt_tgsigqueueinfo),
	ANY(pidfd_open),
	ANY(pidfd_getfd),
	ANY(pidfd_send_signal),
	ANY(prctl),
	ANY(prlimit64),
	ANY(setrlimit),
	ANY(setuid),
	ANY(setgid),
	ANY(setreuid),
	ANY(setregid),
	ANY(setresuid),
	ANY(setresgid),
	ANY(setgroups),
	ANY(capset),
	ANY(personality),
	ANY(seccomp),
	ANY(landlock_create_ruleset),
	ANY(landlock_restrict_self),
	/* The kernel. */
	ANY(mount),
	ANY(umount2),
	ANY(pivot_root),
	ANY(move_mount),
	ANY(fsopen),
	ANY(bpf),
	ANY(perf_event_open),
	ANY(userfaultfd),
	ANY(keyctl),
	ANY(add_key),
	ANY(request_key),
	ANY(init_module),
	ANY(finit_module),
	ANY(delete_module),
	ANY(kexec_load),
	ANY(kexec_file_load),
	ANY(reboot),
	ANY(swapon),
	ANY(swapoff),
	ANY(quotactl),
	ANY(sethostname),
	ANY(settimeofday),
	ANY(clock_settime),
	ANY(io_setup),
	ANY(io_uring_setup),
	ANY(io_uring_enter),
	ANY(io_uring_register),
};

const struct calls calls_worker = LIST(worker);
const struct calls calls_parser = LIST(parser);
const struct calls calls_forbidden = LIST(forbidden);

/* ---- engines ---------------------------------------------------------------
 *
 * The sandbox is entered when the engine is open: what only opening it needs is
 * not in its list. */

static const struct call of_epoll[] = {
	ANY(epoll_wait),
	ANY(epoll_pwait),
	ANY(epoll_pwait2),
	ANY(epoll_ctl),
};

static const struct call of_select[] = {
	ANY(select),
	ANY(_newselect),
	ANY(pselect6),
	ANY(pselect6_time64),
};

/* poll() is every worker's. */
static const struct call of_poll[] = {
	ANY(poll),
	ANY(ppoll),
};

/* Its rings go round all lists: what they may do has to be restricted when they
 * are made (IORING_REGISTER_RESTRICTIONS).  No further ring is. */
static const struct call of_io_uring[] = {
	ANY(io_uring_enter),
	ANY(io_uring_register),
};

/* As pthread_create() has it; clone3(), which it tries first, is unknown. */
#define THREAD_FLAGS                                                  \
 (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | \
	 CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |          \
	 CLONE_CHILD_CLEARTID)
#ifdef __s390x__
# define CLONE_FLAGS_ARG 1
#else
# define CLONE_FLAGS_ARG 0
#endif

static const struct call of_threads[] = {
	IS_LONG(clone, CLONE_FLAGS_ARG, THREAD_FLAGS),
	ANY(set_robust_list),
	ANY(rseq),
	ANY(set_tid_address),
	IS(madvise, 2, MADV_FREE),
	ANY(sched_getaffinity),
	ANY(sched_yield),
	ANY(eventfd2),
	IS(prctl, 0, PR_SET_NAME),
	ANY(epoll_wait),
	ANY(epoll_pwait),
	ANY(epoll_pwait2),
	ANY(epoll_ctl),
};

static const struct calls_engine engines[] = {
	{ .name = "epoll", .calls = LIST(of_epoll) },
	{ .name = "poll", .calls = LIST(of_poll) },
	{ .name = "select", .calls = LIST(of_select) },
	{ .name = "io_uring",
		.calls = LIST(of_io_uring),
		.locks_memory = true },
	{ .name = "threads", .calls = LIST(of_threads), .threads = true },
};

const struct calls_engine *
calls_engine(const char *name)
{
	for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
		if (strcmp(engines[i].name, name) == 0)
			return &engines[i];
	return NULL;
}
