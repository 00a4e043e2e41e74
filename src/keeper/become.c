/* SPDX-License-Identifier: MIT */
#include "keeper/become.h"

#include "base/fd.h"
#include "base/notify.h"
#include "base/title.h"
#include "log/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OOM_SCORE  "-500"
#define PIDFD_NAME "anon_inode:[pidfd]" /* pidfs on Linux 6.9 says so too */

/* Who must not be the first to go when memory is short.  Lowering needs a
 * capability that the master seldom has. */
static void
lower_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	(void)!write(fd, OOM_SCORE, sizeof OOM_SCORE - 1);
	fd_close(&fd);
}

int
become_keeper(const struct slot_env *env)
{
	char name[32];
	int self;

	/* After the change of user, which clears it.  A parent that died
	 * before this line is told by getppid(). */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != env->master)
		return -EPIPE;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	notify_forget();
	title_set("banterd: keeper %u", env->slot);
	(void)snprintf(name, sizeof name, "keeper %u", env->slot);
	log_set_name(name);
	lower_oom_score();
	self = pidfd_open(getpid(), 0);
	return self == -1 ? -errno : self;
}

static bool
is_pidfd(int dir_fd, const char *name)
{
	char text[sizeof PIDFD_NAME + 1];
	ssize_t n = readlinkat(dir_fd, name, text, sizeof text);

	return n == sizeof PIDFD_NAME - 1 &&
	       !memcmp(text, PIDFD_NAME, sizeof PIDFD_NAME - 1);
}

struct look {
	const struct slot_env *env;
	int keep[2];
};

typedef void found_fn(const struct look *look, int fd, bool pidfd);

static int
each_fd(found_fn *found, const struct look *look)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	if (!dir)
		return -1;
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && atoi(d->d_name) != dirfd(dir))
			found(look, atoi(d->d_name),
				is_pidfd(dirfd(dir), d->d_name));
	(void)closedir(dir);
	return 0;
}

/* What came with a KEEPER_EXEC: a line to another image's keeper, whose end
 * the master waits for, and the program. */
static bool
is_of_an_exec(const struct slot_env *env, int fd)
{
	struct stat st;
	int type = 0;
	socklen_t len = sizeof type;

	if (fd <= STDERR_FILENO || fd == env->log || fd == env->bus ||
		fd == env->ctl || fd == env->keeper_ctl || fstat(fd, &st) == -1)
		return false;
	if (S_ISREG(st.st_mode))
		return st.st_nlink > 0 && st.st_mode & S_IXUSR;
	return S_ISSOCK(st.st_mode) &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static void
close_left(const struct look *look, int fd, bool pidfd)
{
	if (fd != look->keep[0] && fd != look->keep[1] &&
		(pidfd || is_of_an_exec(look->env, fd)))
		(void)close(fd);
}

static void
let_through(const struct look *look, int fd, bool pidfd)
{
	(void)look;
	(void)fd_set_cloexec(fd, pidfd);
}

void
become_heir(const struct slot_env *env, int self, int reserve)
{
	const struct look look = { env, { self, reserve } };

	if (each_fd(close_left, &look) == -1)
		log_warning("/proc/self/fd cannot be read: descriptors of the "
			    "keeper before stay open");
}

int
become_heritable(void)
{
	return each_fd(let_through, NULL);
}
