/* notify.h - tell the service manager how we are, as sd_notify(3) does.
 *
 * Written by hand: it is one datagram, and libsystemd would be mapped into
 * every process.  Nothing happens when no manager has asked to be told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_NOTIFY_H
#define BANTER_BASE_NOTIFY_H

#include <stdbool.h>

/* Take NOTIFY_SOCKET out of the environment, so that no child speaks for us.
 * Once, at start.  False: nobody wants to be told, or its form is unknown. */
bool notify_open(void);

/* The address as NOTIFY_SOCKET had it, or "": for the next image of the
 * process, which gives it to notify_set().  False: it is none. */
#define NOTIFY_ADDRESS_LEN 109
void notify_address(char ret[NOTIFY_ADDRESS_LEN]);
bool notify_set(const char *address);

/* Say nothing more: in a child. */
void notify_forget(void);

/* Send "KEY=value" lines as one datagram, at most 1024 bytes.  1: sent; 0:
 * nobody wants to be told; -errno (it waits at most 250 ms). */
int notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1 with the time stamp that Type=notify-reload compares; end it with
 * READY=1, also after a reload that failed.  As notify_send(). */
int notify_reloading(void);

#endif
