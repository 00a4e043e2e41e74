/* SPDX-License-Identifier: MIT */
#include "master/rundir.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_NAME     "banterd.pid"
#define PID_NEW_NAME "banterd.pid.new"

/* The folder, opened; *ret_made: it was not there. */
static int
open_folder(const char *path, mode_t mode, bool *ret_made)
{
	int fd;

	*ret_made = mkdir(path, mode) == 0;
	if (!*ret_made && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd == -1 ? -errno : fd;
}

/* What we have made is the daemon's.  What was there before belongs to whom the
 * administrator gave it. */
static int
make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	bool made;
	int fd = open_folder(path, mode, &made);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (made && fchmod(fd, mode) == -1)
		rc = -errno;
	if (rc == 0 && made && geteuid() == 0 && fchown(fd, uid, gid) == -1)
		rc = -errno;
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

int
rundir_make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	int fd = make_folder(path, mode, uid, gid);
	int rc = fd < 0 ? fd : 0;

	fd_close(&fd);
	return rc;
}

static pid_t
holder(int dir_fd)
{
	char text[32] = "";
	int fd = openat(dir_fd, PID_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);

	fd_close(&fd);
	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static int
take_lock(struct rundir *r, pid_t *ret_pid)
{
	int rc;

	/* The folder itself is locked: no file is left behind. */
	if (flock(r->dir_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	rc = -errno;
	if (rc == -EWOULDBLOCK)
		*ret_pid = holder(r->dir_fd);
	return rc;
}

int
rundir_open(struct rundir *r, const char *path, uid_t uid, gid_t gid,
	pid_t *ret_pid)
{
	int rc;

	*ret_pid = 0;
	*r = (struct rundir){ .dir_fd = -1 };
	(void)snprintf(r->path, sizeof r->path, "%s", path);
	r->dir_fd = make_folder(path, 0755, uid, gid);
	if (r->dir_fd < 0) {
		rc = r->dir_fd;
		r->dir_fd = -1;
		return rc;
	}
	rc = take_lock(r, ret_pid);
	if (rc < 0)
		fd_close(&r->dir_fd);
	return rc;
}

static int
write_pid_file(int dir_fd, const char *text, size_t len)
{
	int fd, rc;

	/* Of a start that was killed at this place. */
	(void)unlinkat(dir_fd, PID_NEW_NAME, 0);
	fd = openat(dir_fd, PID_NEW_NAME,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return -errno;
	rc = fd_write_all(fd, text, len);
	fd_close(&fd);
	if (rc == 0 && renameat(dir_fd, PID_NEW_NAME, dir_fd, PID_NAME) == -1)
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(dir_fd, PID_NEW_NAME, 0);
	return rc;
}

int
rundir_write_pid(struct rundir *r)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
	int rc;

	rc = write_pid_file(r->dir_fd, text, (size_t)len);
	r->has_pid_file = rc == 0;
	return rc;
}

void
rundir_close(struct rundir *r)
{
	if (r->has_pid_file)
		(void)unlinkat(r->dir_fd, PID_NAME, 0);
	r->has_pid_file = false;
	fd_close(&r->dir_fd);
}
