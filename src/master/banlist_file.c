/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "master/banlist_file.h"

#include "base/fd.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "master/banlist.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (BANLIST_MAX * (off_t)BANLIST_LINE)

int
banlist_file_read(const char *path, char **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	char *text;
	int rc = 0;

	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EMEDIUMTYPE;
	else if (st.st_size > FILE_MAX)
		rc = -EFBIG;
	text = rc < 0 ? NULL : fd_read_file(fd, &len);
	if (rc == 0 && text == NULL)
		rc = -errno;
	/* What could not be read would be lost when it is written over. */
	if (rc == 0 && (off_t)len != st.st_size)
		rc = -EIO;
	fd_close(&fd);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = xmemdup0(text, len);
	/* One that would end the text here makes its own line bad only. */
	for (size_t i = 0; i < len; i++)
		if ((*ret)[i] == '\0')
			(*ret)[i] = '\x01';
	free(text);
	return 0;
}

static int
write_beside(const char *beside, struct slice text)
{
	int fd = open(beside,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	int rc;

	if (fd == -1)
		return -errno;
	rc = fd_write_all(fd, text.p, text.len);
	if (rc == 0 && fsync(fd) == -1)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

/* Else the rename may be lost. */
static void
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = xmemdup0(path, slash ? (size_t)(slash - path) : 0);
	int fd = open(
		*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
	fd_close(&fd);
	free(folder);
}

int
banlist_file_write(const char *path, struct slice text)
{
	size_t len = strlen(path);
	char *beside = xcalloc(len + sizeof ".new", 1);
	int rc;

	memcpy(beside, path, len);
	memcpy(beside + len, ".new", sizeof ".new");
	rc = write_beside(beside, text);
	if (rc == 0 && rename(beside, path) == -1)
		rc = -errno;
	if (rc == 0)
		sync_folder(path);
	else
		(void)unlink(beside);
	free(beside);
	return rc;
}

bool
banlist_reason_ok(struct slice reason)
{
	if (reason.len > BANS_REASON_MAX || !utf8_valid(reason))
		return false;
	for (size_t i = 0; i < reason.len; i++)
		if ((unsigned char)reason.p[i] < 0x20 || reason.p[i] == 0x7f)
			return false;
	return true;
}

static bool
read_time(const char *text, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	time_t t = end && *end == '\0' ? timegm(&tm) : -1;

	*ret_ms = t < 0 ? 0 : (uint64_t)t * 1000;
	return t > 0;
}

static void
print_time(uint64_t ms, struct buf *b)
{
	time_t t = (time_t)(ms / 1000);
	char text[32];
	struct tm tm;

	if (ms == 0 || !gmtime_r(&t, &tm) ||
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buf_chr(b, '-');
	else
		buf_str(b, text);
}

const char *
banlist_parse(char *line, struct ban *ret)
{
	char *net = strsep(&line, " ");
	char *since = strsep(&line, " "), *until = strsep(&line, " ");
	char *by = strsep(&line, " "), *end;
	struct slice reason = slice_str(line ? line : "");

	*ret = (struct ban){ 0 };
	if (by == NULL)
		return "expected NETWORK SINCE UNTIL UID [REASON]";
	if (conf_net_parse(net, &ret->net) < 0)
		return "this is no network";
	if (!read_time(since, &ret->since_ms) ||
		(strcmp(until, "-") != 0 && !read_time(until, &ret->until_ms)))
		return "a time is not as 2026-11-20T20:12:46Z";
	errno = 0;
	ret->by = (uid_t)strtoul(by, &end, 10);
	if (errno != 0 || *by < '0' || *by > '9' || *end != '\0')
		return "the uid is no number";
	if (!banlist_reason_ok(reason))
		return "the reason is not text of at most 126 bytes";
	memcpy(ret->reason, reason.p, reason.len);
	return NULL;
}

void
banlist_print(const struct ban *ban, struct buf *b)
{
	conf_net_print(&ban->net, b);
	buf_chr(b, ' ');
	print_time(ban->since_ms, b);
	buf_chr(b, ' ');
	print_time(ban->until_ms, b);
	buf_printf(b, " %u", (unsigned)ban->by);
	if (*ban->reason)
		buf_printf(b, " %s", ban->reason);
}
