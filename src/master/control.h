/* control.h - the server of the control socket.
 *
 * A peer sends one line, `VERB [WORD ...]`, the words percent-encoded
 * (words.h), and reads until the end of file:
 *
 *   =COLUMN \t COLUMN ...    a table begins
 *   row \t VALUE \t ...      with \t, \n and \\ for tab, newline, backslash
 *   .CODE MESSAGE            the last line; CODE is banterctl's exit code
 *
 * The server knows no verb: a handler answers, at once or later.  Everything a
 * peer can grow is bounded, and none of them makes the master wait.  Who may
 * connect is decided by the socket's mode and group alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CONTROL_H
#define BANTER_MASTER_CONTROL_H

#include "base/slice.h"
#include "master/keep.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_CONNECTIONS 16  /* more wait in the socket's queue */
#define CONTROL_LINE_MAX    512 /* with its newline */
#define CONTROL_OUT_MAX     (1024 * 1024)
#define CONTROL_OUT_LOW     (64 * 1024)
#define CONTROL_IDLE_MS     10000

/* What the last line says, and what banterctl exits with. */
enum control_code {
	CONTROL_DONE = 0,
	CONTROL_REFUSED = 1,
	CONTROL_TIMEOUT = 4,
	CONTROL_USAGE = 64
};

struct control;
struct control_request;
struct loop;

/* Answer request, whose line (without its newline) is valid for the call.  The
 * handle stays valid until control_finish() or until the cancel function is
 * called, whichever is first; one of both always comes. */
typedef void control_handler_fn(
	void *arg, struct control_request *request, struct slice line);

/* Listen at path.  Mode 0660 and that group, or 0600 when gid is (gid_t)-1.  A
 * socket that nobody listens on is replaced.  0, -EADDRINUSE: somebody does;
 * -EEXIST: it is no socket; -EPERM: the group is not ours to give; -errno. */
int control_open(struct loop *loop, const char *path, gid_t gid,
	control_handler_fn *handler, void *arg, struct control **ret);

/* For the next image of the master.  Requests that wait are answered with
 * `busy` but for `asker` (may be NULL), which goes on waiting there.  Restored,
 * *ret_asker is that one, or NULL; false: damaged.  busy NULL: this is for a
 * rehearsal, and none is answered. */
void control_save(struct control *control, struct control_request *asker,
	const char *busy, struct keep *k);
bool control_restore(struct loop *loop, control_handler_fn *handler, void *arg,
	struct kept *k, struct control **ret,
	struct control_request **ret_asker);

/* Requests that wait are cancelled, of answers that are finished as much is
 * sent as the socket takes, and its file is removed when it is still ours. */
void control_close(struct control **control);

/* The peer went away, or was too slow: forget the request.  Not to be answered
 * by control_finish(). */
typedef void control_cancel_fn(void *arg);
void control_on_cancel(
	struct control_request *request, control_cancel_fn *fn, void *arg);

/* Call fn(arg) once, when less than CONTROL_OUT_LOW bytes wait for the peer; in
 * a later turn, never before this returns.  For answers of many rows. */
typedef void control_drain_fn(void *arg);
void control_on_drain(
	struct control_request *request, control_drain_fn *fn, void *arg);
size_t control_pending(const struct control_request *request);

/* Who asks, as the kernel says.  For the log; rights never depend on it. */
void control_peer(
	const struct control_request *request, pid_t *ret_pid, uid_t *ret_uid);

/* Begin a table; columns are separated by tabs. */
void control_table(struct control_request *request, const char *columns);

/* A row: row, one call per value, end. */
void control_row(struct control_request *request);
void control_value(struct control_request *request, struct slice value);
void control_printf(struct control_request *request, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void control_number(struct control_request *request, uint64_t value);
void control_row_end(struct control_request *request);

/* The end of the answer; takes the request.  The message is one line. */
void control_finish(struct control_request *request, enum control_code code,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
