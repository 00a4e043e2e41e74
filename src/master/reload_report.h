/* reload_report.h - which keys a reload changes, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_REPORT_H
#define BANTER_MASTER_RELOAD_REPORT_H

#include "base/buf.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* Lines "KEY applied" or "KEY pending restart" for what differs between was and
 * is.  engine_waits: there are workers with another one than `is` says. */
void reload_report(const struct conf *was, const struct conf *is,
	bool engine_waits, struct buf *report);

/* The keys that differ from what the daemon was started with and wait for a
 * restart, joined by ", "; cut to cap. */
void reload_pending(const struct conf *boot, const struct conf *is,
	bool engine_waits, char *ret, size_t cap);

/* Each line of a report in the log, as an error or a notice. */
void reload_log(struct slice text, bool bad);

#endif
