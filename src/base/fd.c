/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* Linux frees the number even on EINTR */
	*fd = -1;
}

static int
set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags == -1)
		return -errno;
	flags = on ? flags | flag : flags & ~flag;
	return fcntl(fd, set, flags) == -1 ? -errno : 0;
}

int
fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int
fd_set_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int
fd_memory(const char *name, size_t size, bool inherit)
{
	int fd = memfd_create(
		name, MFD_ALLOW_SEALING | (inherit ? 0 : MFD_CLOEXEC));

	if (fd == -1)
		return -errno;
	if (ftruncate(fd, (off_t)size) == -1) {
		int e = errno;

		(void)close(fd);
		return -e;
	}
	return fd;
}

int
fd_write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_sealed(const char *name, const void *p, size_t len)
{
	int fd = fd_memory(name, 0, false);
	int rc;

	if (fd < 0)
		return fd;
	rc = fd_write_all(fd, p, len);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				       F_SEAL_SEAL) == -1)
		rc = -errno;
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

char *
fd_read_file(int fd, size_t *ret_len)
{
	struct stat st;
	size_t len = 0;
	char *p;

	if (fstat(fd, &st) == -1)
		return NULL;
	p = xcalloc(1, (size_t)st.st_size + 1);
	while (len < (size_t)st.st_size) {
		ssize_t n = pread(
			fd, p + len, (size_t)st.st_size - len, (off_t)len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return p;
}
