/* A connection is its request:
 *
 *   READING --newline--> WAITING --control_finish--> WRITING --sent--> freed
 *
 * It is freed by its own event or timer, or by control_close(), never by a call
 * of the handler: so a handler may finish a request from anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/control_private.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/must.h"
#include "base/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Out of descriptors: accepting is tried again after this time. */
#define ACCEPT_PAUSE_MS 1000

static void
listen_again(void *arg)
{
	struct control *c = arg;

	if (c->n_requests < CONTROL_CONNECTIONS)
		(void)loop_mod(c->loop, c->socket.fd, EPOLLIN);
}

static void
request_free(struct control_request *r)
{
	struct control *c = r->control;

	loop_timer_clear(&r->timer);
	loop_del(c->loop, r->fd);
	fd_close(&r->fd);
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	c->n_requests--;
	control_out_fini(&r->out);
	free(r);
	if (!loop_timer_is_set(&c->pause))
		listen_again(c);
}

/* The peer is gone or is dropped. */
static void
request_drop(struct control_request *r)
{
	control_cancel_fn *cancel = r->state == WAITING ? r->cancel : NULL;
	void *arg = r->cancel_arg;

	request_free(r);
	if (cancel)
		cancel(arg);
}

static void
on_idle(void *arg)
{
	request_drop(arg);
}

static void
wait_for(struct control_request *r, uint32_t events)
{
	if (r->events != events)
		(void)loop_mod(r->control->loop, r->fd, events);
	r->events = events;
}

/* Time runs while we wait for the peer, not while it waits for us. */
void
control_watch(struct control_request *r, bool progress)
{
	bool pending = control_out_pending(&r->out) > 0 || r->drain ||
		       r->state == WRITING;

	wait_for(r, r->state == READING ? EPOLLIN : pending ? EPOLLOUT : 0);
	if (r->events == 0)
		loop_timer_clear(&r->timer);
	else if (progress || !loop_timer_is_set(&r->timer))
		loop_timer_set(r->control->loop, &r->timer,
			clock_mono_ms() + CONTROL_IDLE_MS, on_idle, r);
}

/* The handler may finish the request, but it does not free it. */
static void
hand_over(struct control_request *r, size_t len)
{
	r->state = WAITING;
	loop_timer_clear(&r->timer);
	control_watch(r, false);
	r->control->handler(r->control->arg, r, slice_of(r->line, len));
}

static void
read_line(struct control_request *r)
{
	ssize_t n = recv(r->fd, r->line + r->line_len,
		sizeof(r->line) - r->line_len, MSG_DONTWAIT);
	char *end;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		request_drop(r);
		return;
	}
	end = memchr(r->line + r->line_len, '\n', (size_t)n);
	r->line_len += (size_t)n;
	if (end) {
		hand_over(r, (size_t)(end - r->line));
	} else if (r->line_len == sizeof(r->line)) {
		r->state = WAITING;
		control_finish(r, CONTROL_USAGE,
			"the request is longer than %d bytes",
			CONTROL_LINE_MAX);
	}
}

static void
call_drain(struct control_request *r)
{
	control_drain_fn *drain = r->drain;

	if (!drain || control_out_pending(&r->out) >= CONTROL_OUT_LOW)
		return;
	r->drain = NULL;
	control_watch(r, false);
	drain(r->drain_arg);
}

static void
write_some(struct control_request *r)
{
	long n = 0;

	if (control_out_pending(&r->out) > 0)
		n = control_out_send(&r->out, r->fd);
	if (n < 0 && n != -EAGAIN && n != -EINTR) {
		request_drop(r);
		return;
	}
	if (r->state == WRITING && control_out_pending(&r->out) == 0) {
		request_free(r);
		return;
	}
	control_watch(r, n > 0);
	call_drain(r);
}

static void
on_event(void *arg, uint32_t events)
{
	struct control_request *r = arg;

	/* A peer that has only ended its sending still reads: that is RDHUP,
	 * which is not asked for.  With a line unread, EPOLLIN goes first. */
	if (r->state == READING)
		read_line(r);
	else if (events & (EPOLLHUP | EPOLLERR))
		request_drop(r);
	else if (events & EPOLLOUT)
		write_some(r);
}

struct control_request *
control_take_in(struct control *c, int fd)
{
	struct control_request *r = xcalloc(1, sizeof(*r));

	r->control = c;
	r->fd = fd;
	r->events = EPOLLIN;
	if (loop_add(c->loop, fd, EPOLLIN, on_event, r) < 0) {
		fd_close(&r->fd);
		free(r);
		return NULL;
	}
	r->next = c->requests;
	r->link = &c->requests;
	if (r->next)
		r->next->link = &r->next;
	c->requests = r;
	c->n_requests++;
	return r;
}

void
control_accept(void *arg, uint32_t events)
{
	struct control *c = arg;
	struct control_request *r;
	int fd =
		accept4(c->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd == -1 && (errno == EMFILE || errno == ENFILE ||
				errno == ENOBUFS || errno == ENOMEM)) {
		(void)loop_mod(c->loop, c->socket.fd, 0);
		loop_timer_set(c->loop, &c->pause,
			clock_mono_ms() + ACCEPT_PAUSE_MS, listen_again, c);
	}
	if (fd == -1)
		return;
	r = control_take_in(c, fd);
	if (r)
		control_watch(r, true);
	if (c->n_requests == CONTROL_CONNECTIONS)
		(void)loop_mod(c->loop, c->socket.fd, 0);
}

int
control_open(struct loop *loop, const char *path, gid_t gid,
	control_handler_fn *handler, void *arg, struct control **ret)
{
	struct control *c = xcalloc(1, sizeof(*c));
	int rc = control_socket_open(&c->socket, path, gid);

	if (rc == 0)
		rc = loop_add(loop, c->socket.fd, EPOLLIN, control_accept, c);
	if (rc < 0) {
		control_socket_close(&c->socket);
		free(c);
		return rc;
	}
	c->loop = loop;
	c->handler = handler;
	c->arg = arg;
	*ret = c;
	return 0;
}

void
control_close(struct control **control)
{
	struct control *c = *control;
	struct control_request *r, *next;

	if (!c)
		return;
	for (r = c->requests; r; r = next) {
		next = r->next;
		/* "stopped" is finished just before this and not sent yet. */
		if (r->state == WRITING)
			(void)control_out_send(&r->out, r->fd);
		request_drop(r);
	}
	loop_timer_clear(&c->pause);
	loop_del(c->loop, c->socket.fd);
	control_socket_close(&c->socket);
	free(c);
	*control = NULL;
}

void
control_on_cancel(struct control_request *r, control_cancel_fn *fn, void *arg)
{
	must(r->state == WAITING);
	r->cancel = fn;
	r->cancel_arg = arg;
}

void
control_on_drain(struct control_request *r, control_drain_fn *fn, void *arg)
{
	must(r->state == WAITING);
	r->drain = fn;
	r->drain_arg = arg;
	control_watch(r, false);
}

size_t
control_pending(const struct control_request *r)
{
	return control_out_pending(&r->out);
}

void
control_peer(const struct control_request *r, pid_t *ret_pid, uid_t *ret_uid)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	(void)getsockopt(r->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	*ret_pid = cred.pid;
	*ret_uid = cred.uid;
}

void
control_table(struct control_request *r, const char *columns)
{
	must(r->state == WAITING);
	control_out_add(&r->out, SLICE_LIT("="));
	control_out_add(&r->out, slice_str(columns));
	control_out_add(&r->out, SLICE_LIT("\n"));
	control_watch(r, false);
}

void
control_row(struct control_request *r)
{
	must(r->state == WAITING);
	control_out_add(&r->out, SLICE_LIT("row"));
}

void
control_value(struct control_request *r, struct slice value)
{
	control_out_add(&r->out, SLICE_LIT("\t"));
	control_out_escaped(&r->out, value);
}

void
control_printf(struct control_request *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_value(r, slice_str(text));
}

void
control_number(struct control_request *r, uint64_t value)
{
	control_printf(r, "%" PRIu64, value);
}

void
control_row_end(struct control_request *r)
{
	control_out_add(&r->out, SLICE_LIT("\n"));
	control_watch(r, false);
}

static void
put_end(struct control_out *out, int code, const char *message)
{
	char text[16];

	(void)snprintf(text, sizeof(text), ".%d ", code);
	control_out_force(out, slice_str(text));
	control_out_force(out, slice_str(message));
	control_out_force(out, SLICE_LIT("\n"));
}

void
control_finish(
	struct control_request *r, enum control_code code, const char *fmt, ...)
{
	char message[512];
	va_list ap;
	char *p;

	must(r->state == WAITING);
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	for (p = message; *p; p++)
		if (*p == '\n')
			*p = ' ';
	r->state = WRITING;
	r->drain = NULL;
	if (r->out.over) /* the cut may lie within a row: end that first */
		control_out_force(&r->out, SLICE_LIT("\n"));
	if (r->out.over)
		put_end(&r->out, CONTROL_REFUSED,
			"the answer was too long and is cut");
	else
		put_end(&r->out, code, message);
	control_watch(r, true);
}
