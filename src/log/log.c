/* SPDX-License-Identifier: MIT */
#include "log/log.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Less than PIPE_BUF, so that a pipe takes a line whole; and what RFC 3164 says
 * a syslog daemon must take. */
#define LINE_MAX_BYTES 1024
#define LIMIT_MS       10000
#define SYSLOG_DAEMON  (3 << 3)

static const struct {
	const char *name;
	int syslog;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static struct {
	struct sink sink;
	enum log_sink target;
	enum log_level level;
	char path[256]; /* of the file, or of the syslog socket */
	char name[32];
	uint64_t lost;
} state = {
	.sink = { .kind = SINK_PLAIN, .fd = STDERR_FILENO, .poll = true },
	.level = LOG_LEVEL_INFO,
	.name = "banterd",
};

static int
open_sink(enum log_sink target, const char *path, struct sink *ret)
{
	switch (target) {
	case LOG_SINK_SYSLOG:
		return sink_syslog(ret, path);
	case LOG_SINK_FILE:
		return sink_file(ret, path);
	case LOG_SINK_STDERR:
		break;
	}
	return sink_stderr(ret);
}

int
log_open(enum log_sink target, const char *path, enum log_level level)
{
	struct sink sink;
	int rc;

	if (!path)
		path = target == LOG_SINK_SYSLOG ? "/dev/log" : "";
	if (strlen(path) >= sizeof(state.path))
		return -ENAMETOOLONG;
	rc = open_sink(target, path, &sink);
	if (rc < 0)
		return rc;
	sink_close(&state.sink);
	state.sink = sink;
	state.target = target;
	state.level = level;
	(void)snprintf(state.path, sizeof(state.path), "%s", path);
	return 0;
}

int
log_fd(void)
{
	return state.sink.fd;
}

void
log_set_name(const char *name)
{
	(void)snprintf(state.name, sizeof(state.name), "%s", name);
}

void
log_set_level(enum log_level level)
{
	state.level = level;
}

bool
log_level_is_on(enum log_level level)
{
	return level <= state.level;
}

int
log_reopen(void)
{
	struct sink sink;
	int rc;

	if (state.target != LOG_SINK_FILE)
		return 0;
	rc = sink_file(&sink, state.path);
	if (rc < 0)
		return rc;
	sink_replace(&state.sink, &sink.fd);
	return 0;
}

void
log_adopt(int *fd)
{
	struct stat st;

	if (fstat(*fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fd_close(fd);
		return;
	}
	sink_replace(&state.sink, fd);
	state.target = LOG_SINK_FILE;
}

void
log_confine(void (*lost)(void *arg), void *arg)
{
	sink_confine(lost, arg);
}

void
log_heal(void)
{
	if (state.sink.kind == SINK_SYSLOG)
		(void)sink_heal(&state.sink, state.path);
}

void
log_save(struct pack *p)
{
	pack_i64(p, state.sink.fd);
	pack_u64(p, state.sink.kind);
	pack_u64(p, (state.sink.own ? 1u : 0u) | (state.sink.poll ? 2u : 0u) |
			    (state.sink.journal ? 4u : 0u) |
			    (state.sink.torn ? 8u : 0u));
	pack_u64(p, state.target);
	pack_u64(p, state.level);
	pack_u64(p, state.lost);
	pack_str(p, state.path);
	pack_str(p, state.name);
}

bool
log_restore(struct unpack *u)
{
	int fd = (int)unpack_i64(u);
	uint64_t kind = unpack_u64(u), flags = unpack_u64(u);
	uint64_t target = unpack_u64(u), level = unpack_u64(u);

	if (kind > SINK_SYSLOG || target > LOG_SINK_FILE ||
		level > LOG_LEVEL_DEBUG)
		return false;
	state.sink = (struct sink){ .kind = (enum sink_kind)kind,
		.fd = fd,
		.own = flags & 1,
		.poll = flags & 2,
		.journal = flags & 4,
		.torn = flags & 8 };
	state.target = (enum log_sink)target;
	state.level = (enum log_level)level;
	state.lost = unpack_u64(u);
	unpack_str(u, state.path, sizeof(state.path));
	unpack_str(u, state.name, sizeof(state.name));
	if (state.sink.own)
		(void)fd_set_cloexec(fd, true);
	return !u->bad;
}

static void
put_time(struct buf *b)
{
	uint64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	char text[32];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return;
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "%s.%03u+00:00 ", text, (unsigned)(now % 1000));
}

/* RFC 3164 wants the time of the place, and a tag without blanks: so "worker 1"
 * goes into the text. */
static void
put_syslog_head(struct buf *b, enum log_level level)
{
	time_t seconds = (time_t)(clock_wall_ms() / 1000);
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%b %e %H:%M:%S", &tm);
	buf_printf(b,
		"<%d>%s banterd[%d]: ", SYSLOG_DAEMON | levels[level].syslog,
		text, (int)getpid());
	if (strcmp(state.name, "banterd") != 0)
		buf_printf(b, "%s: ", state.name);
}

static void
put_head(struct buf *b, enum log_level level)
{
	if (state.sink.kind == SINK_SYSLOG) {
		put_syslog_head(b, level);
		return;
	}
	if (state.sink.journal)
		buf_printf(b, "<%d>", levels[level].syslog);
	else
		put_time(b);
	buf_printf(b, "%s[%d] %s: ", state.name, (int)getpid(),
		levels[level].name);
}

/* One line is one line, whatever a file name or an error text contains. */
static void
make_printable(char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '\n' || p[i] == '\t')
			p[i] = ' ';
		else if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	}
}

/* Mark the cut, not in the middle of a character. */
static void
end_cut_line(struct buf *b)
{
	if (b->len > b->cap - 3)
		b->len = b->cap - 3;
	while (b->len > 0 && ((unsigned char)b->p[b->len] & 0xc0) == 0x80)
		b->len--;
	buf_str(b, "...");
}

static bool
write_line(enum log_level level, const char *fmt, va_list ap)
{
	char mem[LINE_MAX_BYTES] = "";
	struct buf b = buf_over(mem, sizeof(mem) - 1);
	size_t head;

	put_head(&b, level);
	head = b.len;
	buf_vprintf(&b, fmt, ap);
	if (b.over)
		end_cut_line(&b);
	while (b.len > head && b.p[b.len - 1] == '\n')
		b.len--;
	make_printable(b.p + head, b.len - head);
	if (state.sink.kind != SINK_SYSLOG)
		b.p[b.len++] = '\n';
	return sink_write(&state.sink, buf_slice(&b), state.path);
}

__attribute__((format(printf, 2, 3))) static bool
write_own(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	bool done;

	va_start(ap, fmt);
	done = write_line(level, fmt, ap);
	va_end(ap);
	return done;
}

__attribute__((format(printf, 2, 0))) static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;

	if (level > state.level || state.sink.fd == -1)
		return;
	if (state.lost > 0 && write_own(LOG_LEVEL_WARNING,
				      "%" PRIu64 " lines lost", state.lost))
		state.lost = 0;
	if (state.lost > 0 || !write_line(level, fmt, ap))
		state.lost++;
	errno = saved; /* callers log on their way to returning it */
}

#define LOG_FUNCTION(name, level)      \
 void log_##name(const char *fmt, ...) \
 {                                     \
  va_list ap;                          \
                                       \
  va_start(ap, fmt);                   \
  log_line(level, fmt, ap);            \
  va_end(ap);                          \
 }

LOG_FUNCTION(error, LOG_LEVEL_ERROR)
LOG_FUNCTION(warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(info, LOG_LEVEL_INFO)
LOG_FUNCTION(debug, LOG_LEVEL_DEBUG)

bool
log_limit_pass(struct log_limit *limit)
{
	uint64_t now = clock_mono_ms();

	if (limit->start_ms == 0 || now - limit->start_ms >= LIMIT_MS) {
		if (limit->dropped > 0)
			log_notice("%" PRIu64 " more %s were not logged",
				limit->dropped, limit->what);
		limit->start_ms = now;
		limit->n = limit->dropped = 0;
	}
	if (limit->n >= limit->burst) {
		limit->dropped++;
		return false;
	}
	limit->n++;
	return true;
}
