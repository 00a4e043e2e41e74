/* The keeper sleeps in poll() on its line to the master and the pidfds of its
 * worker and its reserve.  It is woken by SIGCHLD too: a worker may put
 * something else in the place of its pidfd.  Everything that it opens is in the
 * table that it shares, so it opens as little as it can and closes it by
 * number.
 *
 * When it dies its reserve, which holds the table too, goes on as the keeper, a
 * child of the master like the one before.  The worker is no child of that one:
 * the master has it end its turn, and the next one is.
 *
 * SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/title.h"
#include "bus/engine.h"
#include "keeper/become.h"
#include "keeper/image.h"
#include "keeper/reserve.h"
#include "log/log.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLIND_MS 50 /* between two looks for the worker's end */
#define RETRY_MS 10 /* between two tries to say something */

struct keeper {
	struct slot_env *env;
	slot_worker_fn *worker;
	uint64_t generation;
	pid_t pid;        /* of the worker; 0: none */
	int pidfd;        /* of the worker */
	int self;         /* pidfd of the keeper, for others to watch */
	ino_t line;       /* keeper_ctl's, to know it by */
	sigset_t waiting; /* blocked while it sleeps: all but SIGCHLD */
	struct reserve reserve;
	bool succeeds; /* another keeper, and the master is not told yet */
	bool fork_only;
};

/* Growing a shared table waits for every CPU to pass a quiet state: stalls of
 * up to 15 ms were seen on Linux 6.18.  So it is grown once, before anybody
 * shares it. */
static void
size_table(void)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
		limit.rlim_cur == RLIM_INFINITY)
		return;
	fd = fcntl(STDERR_FILENO, F_DUPFD, (int)limit.rlim_cur - 1);
	fd_close(&fd);
}

static void
report(const struct keeper *k, enum keeper_message_type type, pid_t pid,
	int status)
{
	struct keeper_message m = { .type = type,
		.pid = pid,
		.generation = k->generation,
		.status = status };

	/* The slot stands still until the master knows, so want of memory is
	 * waited out.  A master that is gone cannot be told; poll() shows it
	 * next. */
	for (;;) {
		int rc = -FAULT_ERR(keeper_report);

		if (rc == 0)
			rc = keeper_send(k->env->keeper_ctl, &m, NULL, 0);
		if (rc == 0 || rc == -EPIPE || rc == -ECONNRESET)
			return;
		(void)poll(NULL, 0, RETRY_MS);
	}
}

static pid_t
clone_worker(const struct keeper *k)
{
	if (k->fork_only)
		return fork();
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

static void
use_new_arena(struct slot_env *env)
{
	struct stat st;

	env->arena = env->arena_new;
	env->arena_new = -1;
	if (fstat(env->arena, &st) == 0)
		env->arena_size = (uint64_t)st.st_size;
}

static void
use_engine(struct slot_env *env, uint32_t flags)
{
	uint32_t engine = (flags & KEEPER_ENGINE) >> KEEPER_ENGINE_SHIFT;

	if (engine != 0)
		env->engine = engine;
}

static _Noreturn void
work(struct keeper *k, pid_t keeper)
{
	fault_role("worker", k->env->slot);
	FAULT(worker_born);
	/* Said here, not by the keeper: that may be killed before it can, and
	 * then the master would know of no worker to wait for. */
	report(k, KEEPER_SPAWNED, getpid(), 0);
	/* Whoever succeeds the keeper says so to the master, which then has it
	 * clone a worker unless it knows of one.  What was said above was said
	 * before that, or nothing is begun here. */
	if (getppid() != keeper)
		_exit(SLOT_EXIT_PARKED);
	(void)signal(SIGCHLD, SIG_DFL);
	title_set("banterd: worker %u", k->env->slot);
	/* Without exit handlers: they are the master's. */
	_exit(k->worker(k->env, k->generation, k->self));
}

static void
spawn(struct keeper *k, uint64_t generation)
{
	pid_t self = getpid();

	k->generation = generation;
	k->pid = FAULT_CALL(keeper_clone, clone_worker(k));
	if (k->pid == 0)
		work(k, self);
	if (k->pid == -1) {
		k->pid = 0;
		report(k, KEEPER_FAILED, 0, errno);
		return;
	}
	FAULT(keeper_cloned);
	k->pidfd = FAULT_CALL(
		keeper_pidfd, (int)syscall(SYS_pidfd_open, k->pid, 0));
}

/* A keeper that died had not read the order for it, and the master, which
 * cannot know that, has given another. */
static void
drop_worker(struct keeper *k)
{
	if (k->pid == 0)
		return;
	(void)kill(k->pid, SIGKILL); /* not reaped yet */
	while (waitpid(k->pid, NULL, 0) == -1 && errno == EINTR)
		;
	fd_close(&k->pidfd);
	k->pid = 0;
}

/* A worker can close the line's number and accept a client on it.  There is no
 * way back, and nobody to go on in a table like that. */
static _Noreturn void
line_is_lost(struct keeper *k, const char *why)
{
	log_error("%s: the slot is given up", why);
	drop_worker(k);
	reserve_end(&k->reserve);
	_exit(1);
}

static ino_t
line_of(const struct slot_env *env)
{
	struct stat st;

	return fstat(env->keeper_ctl, &st) == -1 ? 0 : st.st_ino;
}

static void
check_line(struct keeper *k)
{
	if (line_of(k->env) != k->line)
		line_is_lost(k, "a worker has put something else in the place "
				"of this keeper's line to the master");
}

static void
reap(struct keeper *k)
{
	int status = 0;
	pid_t pid = k->pid == 0 ? -1 : waitpid(k->pid, &status, WNOHANG);

	if (pid != k->pid)
		return;
	FAULT(keeper_reaped);
	fd_close(&k->pidfd);
	k->pid = 0;
	k->env->died = status;
	k->env->died_ns = clock_mono_ns();
	check_line(k);
	report(k, KEEPER_DIED, pid, status);
}

static void
exec_image(
	const struct keeper *k, const struct keeper_message *m, const int *fd)
{
	int rc = -EBUSY;

	if (k->fork_only) /* its workers' sockets are theirs alone */
		rc = -ENOTSUP;
	else if (k->pid == 0 && fd[1] >= 0)
		rc = image_start(k->env, m, fd);
	if (rc < 0)
		report(k, KEEPER_REFUSED, 0, -rc);
}

/* False when the master is gone, or wants this to end. */
static bool
hear(struct keeper *k)
{
	struct keeper_message m;
	int fd[KEEPER_FDS];
	pid_t sender = 0;
	int rc;

	check_line(k);
	rc = keeper_recv(k->env->keeper_ctl, &m, fd, &sender);
	if (rc <= 0)
		return rc == -EAGAIN || rc == -EPROTO;
	if (sender != k->env->master)
		line_is_lost(k,
			"somebody who is not the master wants something of "
			"this keeper");
	if (m.type == KEEPER_SPAWN && m.generation != k->generation) {
		drop_worker(k);
		k->env->waits_for_go = m.flags & KEEPER_WAIT;
		use_engine(k->env, m.flags);
		spawn(k, m.generation);
	} else if (m.type == KEEPER_EXEC) {
		exec_image(k, &m, fd);
	} else if (m.type == KEEPER_ADOPT && k->env->arena_new >= 0) {
		(void)close(k->env->arena);
		use_new_arena(k->env);
	} else if (m.type == KEEPER_END) {
		if (k->pid > 0)
			(void)kill(k->pid, SIGKILL); /* not reaped yet */
		return false;
	}
	for (unsigned i = 0; i < KEEPER_FDS; i++)
		fd_close(&fd[i]);
	return true;
}

/* Without a master the worker ends by itself, or it was killed; it must be
 * reaped and must not find its keeper gone first. */
static int
see_off(struct keeper *k)
{
	reserve_end(&k->reserve);
	while (k->pid > 0 && waitpid(k->pid, NULL, 0) == -1 && errno == EINTR)
		;
	return 0;
}

/* In the reserve, with the memory that the keeper had when it cloned it. */
static void
succeed(struct keeper *k)
{
	k->pid = 0;
	k->pidfd = -1;
	k->succeeds = true;
	check_line(k);
	k->self = become_keeper(k->env);
	if (k->self < 0)
		_exit(1);
	/* KEEPER_ADOPT may have come since: the number of the arena before may
	 * be in use for something else by now. */
	if (k->env->arena_new >= 0)
		use_new_arena(k->env);
	k->env->died = SLOT_DIED_UNKNOWN;
	k->env->died_ns = clock_mono_ns();
}

/* Before the master hears of a successor that one has a reserve too, or who
 * kills keepers by their name in a row would find the slot without. */
static void
have_reserve(struct keeper *k)
{
	while (!k->fork_only && reserve_keep(&k->reserve, k->env->slot,
					k->env->keeper_ctl, k->self))
		succeed(k);
	if (!k->succeeds)
		return;
	k->succeeds = false;
	report(k, KEEPER_HERE, getpid(), 0);
	become_heir(k->env, k->self, k->reserve.pidfd);
}

static volatile sig_atomic_t child_ended;

static void
on_child(int signal)
{
	(void)signal;
	child_ended = 1;
}

static void
wake_for_children(struct keeper *k)
{
	const struct sigaction a = { .sa_handler = on_child,
		.sa_flags = SA_NOCLDSTOP };

	(void)sigaction(SIGCHLD, &a, NULL);
	(void)sigprocmask(SIG_BLOCK, NULL, &k->waiting);
	(void)sigdelset(&k->waiting, SIGCHLD);
}

static int
wait_ms(const struct keeper *k)
{
	int ms = k->fork_only ? -1 : reserve_wait_ms(&k->reserve);

	/* Without a pidfd (no descriptor was free) it has to look. */
	if (k->pid > 0 && k->pidfd < 0 && (ms == -1 || ms > BLIND_MS))
		ms = BLIND_MS;
	return ms;
}

static int
sleep_on(const struct keeper *k, struct pollfd *p, nfds_t n)
{
	int ms = wait_ms(k);
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	return ppoll(p, n, ms < 0 ? NULL : &t, &k->waiting);
}

static int
keep(struct keeper *k)
{
	for (;;) {
		struct pollfd p[3];

		have_reserve(k);
		p[0] = (struct pollfd){ k->env->keeper_ctl, POLLIN, 0 };
		p[1] = (struct pollfd){ k->pidfd, POLLIN, 0 };
		p[2] = (struct pollfd){ k->reserve.pidfd, POLLIN, 0 };
		child_ended = 0;
		if (sleep_on(k, p, 3) == -1 && errno != EINTR)
			return 1;
		if (child_ended || p[1].revents != 0 || k->pidfd < 0)
			reap(k);
		if (child_ended || p[2].revents != 0 || k->reserve.pidfd < 0)
			reserve_look(&k->reserve);
		if (p[0].revents != 0 && !hear(k))
			return see_off(k);
	}
}

static int
start(struct slot_env *env, slot_worker_fn *worker)
{
	struct keeper k = { .env = env,
		.worker = worker,
		.pidfd = -1,
		.line = line_of(env),
		.reserve = { .pidfd = -1 } };
	const char *fork_only = getenv("BANTER_TEST_FORK");

	wake_for_children(&k);
	k.fork_only = fork_only != NULL && *fork_only == '1';
	size_table();
	sandbox_prepare(
		(enum sandbox_mode)env->sandbox, engine_name(env->engine));
	k.self = become_keeper(env);
	return k.self < 0 ? 1 : keep(&k);
}

int
keeper_run(struct slot_env *env, slot_worker_fn *worker)
{
	return start(env, worker);
}

int
keeper_resume(int *memory, slot_worker_fn *worker)
{
	static struct slot_env env;
	const char *why;
	int rc = image_read(*memory, &env, &why);

	fd_close(memory);
	if (rc < 0) {
		(void)fprintf(stderr, "banterd: --keeper: %s\n", why);
		return SLOT_EXIT_REFUSED;
	}
	fault_role("keeper", env.slot);
	FAULT(image_resumed);
	return start(&env, worker);
}
