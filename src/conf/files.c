/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/xalloc.h"
#include "conf/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
open_regular(const char *path)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc = 0;

	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		rc = -EMEDIUMTYPE;
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}

/* st_size is not asked: it may grow, and is 0 in /proc. */
static int
read_most(int fd, char *p, size_t cap, size_t *ret_len)
{
	*ret_len = 0;
	while (*ret_len < cap) {
		ssize_t n = read(fd, p + *ret_len, cap - *ret_len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			break;
		*ret_len += (size_t)n;
	}
	return 0;
}

int
conf_files_slurp(const char *path, size_t max, char **ret, size_t *ret_len,
	bool *ret_cut)
{
	int fd = open_regular(path);
	char *text;
	int rc;

	if (fd < 0)
		return fd;
	text = xcalloc(max + 2, 1);
	rc = read_most(fd, text, max + 1, ret_len);
	fd_close(&fd);
	if (ret_cut)
		*ret_cut = *ret_len > max;
	else if (rc == 0 && *ret_len > max)
		rc = -EFBIG;
	if (rc < 0) {
		free(text);
		return rc;
	}
	if (*ret_len > max)
		*ret_len = max;
	text[*ret_len] = '\0';
	*ret = text;
	return 0;
}

const char *
conf_files_expect(int err)
{
	switch (err) {
	case ENOENT:
		return "expected a file of that name";
	case EACCES:
	case EPERM:
		return "expected a file that this user may read";
	case EFBIG:
		return "expected at most 1M";
	default:
		return "expected a regular file";
	}
}

void
conf_files_folder(const char *path, struct buf *b)
{
	const char *slash = strrchr(path, '/');

	if (slash)
		buf_add(b, path, (size_t)(slash - path) + 1);
	buf_str(b, "conf.d");
	buf_chr(b, '\0');
}

/* Byte order, whatever the locale says (alphasort() asks it). */
static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* As "*.conf" of a shell: no hidden files, which editors leave. */
static int
is_wanted(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 &&
	       !strcmp(e->d_name + len - 5, ".conf");
}

static char *
joined(const char *folder, const char *name)
{
	size_t n = strlen(folder), m = strlen(name);
	char *path = xcalloc(n + m + 2, 1);

	memcpy(path, folder, n);
	path[n] = '/';
	memcpy(path + n + 1, name, m);
	return path;
}

unsigned
conf_files_list(const char *path, char *files[CONF_FILES_MAX],
	struct conf_report *report)
{
	char folder[4096];
	struct buf b = buf_over(folder, sizeof(folder));
	struct dirent **entries = NULL;
	unsigned n = 0;
	int found;

	files[n++] = xmemdup0(path, strlen(path));
	conf_files_folder(path, &b);
	if (b.over)
		return n; /* longer than any path: opening the file says so */
	found = scandir(folder, &entries, is_wanted, by_bytes);
	if (found == -1 && errno != ENOENT)
		conf_report_error(report, folder, 0,
			"%s; expected a folder that this user may read",
			strerror(errno));
	if (found >= CONF_FILES_MAX)
		conf_report_error(report, folder, 0,
			"%d files; expected at most %d", found,
			CONF_FILES_MAX - 1);
	for (int i = 0; i < found; i++) {
		if (n < CONF_FILES_MAX)
			files[n++] = joined(folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return n;
}

/* Editors and dpkg leave files of other names on purpose; an administrator who
 * asks is told. */
void
conf_note_unread(const char *path, struct conf_report *report)
{
	char mem[4096];
	struct buf folder = buf_over(mem, sizeof(mem));
	struct dirent **entries = NULL;
	int found;

	conf_files_folder(path, &folder);
	found = folder.over ? 0 : scandir(mem, &entries, NULL, by_bytes);
	for (int i = 0; i < found; i++) {
		const char *name = entries[i]->d_name;
		char *file = joined(mem, name);

		if (!is_wanted(entries[i]) && strcmp(name, ".") != 0 &&
			strcmp(name, "..") != 0)
			conf_report_add(report, false, file, 0,
				slice_str("this is not read; expected a name "
					  "that ends in .conf and does not "
					  "begin with a dot"));
		free(file);
		free(entries[i]);
	}
	free(entries);
}
