/* reload_report.h - which keys a reload changes, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_REPORT_H
#define BANTER_MASTER_RELOAD_REPORT_H

#include "base/buf.h"
#include "conf/conf.h"

#include <stddef.h>

/* Lines "KEY applied" or "KEY pending restart" for what differs between was and
 * is; pending becomes the keys that differ from what the daemon was started
 * with and wait for a restart, joined by ", ". */
void reload_report(const struct conf *boot, const struct conf *was,
	const struct conf *is, struct buf *report, char *pending, size_t cap);

#endif
