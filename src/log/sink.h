/* sink.h - where the bytes of a log line go.
 *
 * It never waits: what cannot be written at once is lost, and the caller
 * counts it.  All processes of the daemon share one sink through the fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOG_SINK_H
#define BANTER_LOG_SINK_H

#include "base/slice.h"

#include <stdbool.h>

enum sink_kind {
	SINK_PLAIN,  /* write(): a file, pipe or terminal */
	SINK_STREAM, /* stderr that is a socket */
	SINK_SYSLOG  /* datagrams */
};

struct sink {
	enum sink_kind kind;
	int fd;
	bool own;     /* closed when the sink is */
	bool poll;    /* may block: ask before each write */
	bool journal; /* lines begin with "<6>" */
	bool torn;    /* the last write ended within a line */
};

/* 0 or -errno; *ret is only changed on success. */
int sink_stderr(struct sink *ret);
int sink_file(struct sink *ret, const char *path);
int sink_syslog(struct sink *ret, const char *path);

void sink_close(struct sink *sink);

/* Put the open file of *fd behind the sink's number; takes *fd. */
void sink_replace(struct sink *sink, int *fd);

/* As log_confine() and log_heal(). */
void sink_confine(void (*lost)(void *arg), void *arg);
bool sink_heal(const struct sink *sink, const char *path);

/* Write a line, in one call.  path is that of sink_syslog(), for connecting
 * again.  False: it is lost. */
bool sink_write(struct sink *sink, struct slice line, const char *path);

#endif
