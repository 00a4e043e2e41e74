/* SPDX-License-Identifier: MIT */
#include "master/control_socket.h"

#include "base/fd.h"
#include "master/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd == -1 ? -errno : fd;
}

/* Does somebody listen there?  0: no; -EADDRINUSE: yes. */
static int
probe(const struct sockaddr_un *at)
{
	int fd = new_socket();
	int rc = 0;

	if (fd < 0)
		return fd;
	/* EAGAIN is a full queue, so a listener too. */
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ||
		errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

static int
remove_stale(const struct sockaddr_un *at)
{
	struct stat st;
	int rc;

	if (lstat(at->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	/* connect() says ECONNREFUSED for a plain file as well. */
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	rc = probe(at);
	if (rc < 0)
		return rc;
	return unlink(at->sun_path) == -1 && errno != ENOENT ? -errno : 0;
}

/* The file takes the socket's own mode, so that it is closed to others from its
 * first moment, without umask(2), which is the whole process's. */
static int
make_file(struct control_socket *s, gid_t gid)
{
	struct stat st;

	if (fchmod(s->fd, 0600) == -1 ||
		bind(s->fd, (const struct sockaddr *)&s->at, sizeof(s->at)) ==
			-1 ||
		lstat(s->at.sun_path, &st) == -1)
		return -errno;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (gid == (gid_t)-1)
		return 0;
	if (lchown(s->at.sun_path, (uid_t)-1, gid) == -1 ||
		chmod(s->at.sun_path, 0660) == -1)
		return -errno;
	return 0;
}

int
control_socket_open(struct control_socket *s, const char *path, gid_t gid)
{
	size_t len = strlen(path);
	int rc;

	*s = (struct control_socket){ .fd = -1 };
	if (len == 0 || len >= sizeof(s->at.sun_path))
		return len ? -ENAMETOOLONG : -EINVAL;
	s->at.sun_family = AF_UNIX;
	memcpy(s->at.sun_path, path, len);
	rc = remove_stale(&s->at);
	if (rc < 0)
		return rc;
	s->fd = new_socket();
	if (s->fd < 0)
		return s->fd;
	rc = make_file(s, gid);
	if (rc == 0 && listen(s->fd, 4 * CONTROL_CONNECTIONS) == -1)
		rc = -errno;
	if (rc < 0)
		control_socket_close(s);
	return rc;
}

void
control_socket_close(struct control_socket *s)
{
	struct stat st;

	if (s->ino != 0 && lstat(s->at.sun_path, &st) == 0 &&
		st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->at.sun_path);
	s->ino = 0;
	fd_close(&s->fd);
}

void
control_socket_save(const struct control_socket *s, struct keep *k)
{
	keep_fd(k, s->fd);
	pack_u64(&k->pack, s->dev);
	pack_u64(&k->pack, s->ino);
	pack_str(&k->pack, s->at.sun_path);
}

void
control_socket_restore(struct control_socket *s, struct kept *k)
{
	*s = (struct control_socket){ .fd = kept_fd(k) };
	s->dev = (dev_t)unpack_u64(&k->u);
	s->ino = (ino_t)unpack_u64(&k->u);
	s->at.sun_family = AF_UNIX;
	unpack_str(&k->u, s->at.sun_path, sizeof(s->at.sun_path));
}
