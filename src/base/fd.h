/* fd.h - file descriptors and sealed memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_FD_H
#define BANTER_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

/* Close *fd unless it is -1, and set it to -1. */
void fd_close(int *fd);

/* 0 or -errno. */
int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);

/* A memfd of size bytes, close-on-exec unless inherit.  The descriptor or
 * -errno. */
int fd_memory(const char *name, size_t size, bool inherit);

/* Copy len bytes into a new memfd and seal it against any change.  The
 * descriptor or -errno. */
int fd_sealed(const char *name, const void *p, size_t len);

/* Write all of p, going on after short writes and EINTR.  0 or -errno. */
int fd_write_all(int fd, const void *p, size_t len);

/* All that a plain file or memfd holds; free() it.  NULL with errno set. */
char *fd_read_file(int fd, size_t *ret_len);

#endif
