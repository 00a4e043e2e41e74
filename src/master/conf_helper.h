/* conf_helper.h - the process that reads the configuration for a reload.
 *
 * conf_load() waits for its parser; here somebody else does the waiting, so
 * that the relay never stops.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CONF_HELPER_H
#define BANTER_MASTER_CONF_HELPER_H

#include "conf/conf.h"

#include <sys/types.h>

struct conf_helper {
	pid_t pid; /* 0: none; to be reaped by the caller */
	int fd;    /* readable: conf_helper_take() */
};

/* 0 or -errno. */
int conf_helper_start(
	struct conf_helper *h, const char *path, unsigned timeout_ms);

/* What it found: as conf_load().  -EPIPE: it died. */
int conf_helper_take(
	struct conf_helper *h, int *ret_fd, struct conf_report *report);

/* Close the line and kill it if it still runs. */
void conf_helper_end(struct conf_helper *h);

#endif
