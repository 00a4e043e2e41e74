/* log.h - what the administrator reads.
 *
 * A line is one write() (stderr, file) or one datagram (syslog), so that lines
 * of several processes never mix.  On a file and stderr without journal:
 *
 *   2026-11-20T20:12:46.123+00:00 banterd[PID] info: text
 *
 * Under systemd (JOURNAL_STREAM names stderr) the "<6>" prefix instead of the
 * time.  Events have the form event=NAME addr=A port=P ... nick="...": see
 * log_event().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOG_LOG_H
#define BANTER_LOG_LOG_H

#include "base/buf.h"
#include "base/pack.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_sink {
	LOG_SINK_STDERR,
	LOG_SINK_SYSLOG,
	LOG_SINK_FILE
};

/* Start logging.  path is for LOG_SINK_FILE (created 0640, appended to); for
 * LOG_SINK_SYSLOG it is the daemon's socket, NULL for /dev/log.  0 or -errno of
 * opening it; then nothing has changed.  Until it is called, lines go to
 * stderr.  A line that would have to wait is left out and counted. */
int log_open(enum log_sink sink, const char *path, enum log_level level);

/* The descriptor that is written to, to be kept across the fork; -1: none. */
int log_fd(void);

/* "banterd", "worker 1": shown as banterd[PID], worker 1[PID].  Copied. */
void log_set_name(const char *name);
void log_set_level(enum log_level level);
bool log_level_is_on(enum log_level level);

/* Open the file anew (logrotate has moved it).  0 or -errno: the old one stays.
 * The same number is kept, by dup3(). */
int log_reopen(void);

/* The same in a worker, with the descriptor that the master sent; takes it.
 * What is no plain file is closed: stderr and syslog need no reopening. */
void log_adopt(int *fd);

/* In a process that may connect to nothing: a lost connection to the system's
 * log is told by lost(arg), at most once a second, to somebody who can
 * log_heal() it. */
void log_confine(void (*lost)(void *arg), void *arg);

/* Connect to the system's log anew, for all processes that share the socket. */
void log_heal(void);

/* For another image of this program, that finds the descriptor open: it goes on
 * with the same sink, and keeps the descriptor to itself.  False: damaged, and
 * nothing has changed. */
void log_save(struct pack *p);
bool log_restore(struct unpack *u);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* At most `burst` lines of this source in ten seconds; then one line says how
 * many were left out.  For what clients can cause. */
struct log_limit {
	const char *what; /* "refused connections" */
	unsigned burst;
	uint64_t start_ms, n, dropped;
};
bool log_limit_pass(struct log_limit *limit);

/* Append what a client chose: quoted, with \" \\ \xNN escapes, no byte below
 * 0x20 or above 0x7e unescaped but valid UTF-8 letters, cut at 200 bytes. */
void log_quote(struct buf *b, struct slice s);

#endif
