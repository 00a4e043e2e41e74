/* A connection from a proxy is nobody's yet: it takes a place, but the registry
 * is asked only when its PROXY header has said whose it is.  Until then the
 * session has SESSION_PROXY and what came of the header in its line block, so
 * that a successor goes on at the same byte.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fault.h"
#include "log/event.h"
#include "net/proxy.h"
#include "worker/private.h"

#define HEADER_MS 5000u /* for all of it to come */

void
proxied_await(struct worker *w, const struct session *s)
{
	timers_set(w, s, TIMER_PROXY, w->now_ms + HEADER_MS);
}

/* A proxy is told nothing: it would send that on to somebody. */
static void
refuse(struct worker *w, const struct session *s)
{
	count(w, malformed, 1);
	client_log(w, LOG_MALFORMED, s, "", "text", SLICE_LIT("PROXY"));
	arena_set(&w->arena, &s->flags, s->flags & ~SESSION_PROXY);
	client_leave(w, s, SLICE_LIT("no PROXY header"), NULL);
}

static bool
is_refused(struct worker *w, const struct session *s, struct event *ret)
{
	uint8_t address[16];

	/* The section that trusted the proxy is gone, and its lists with it. */
	if (kind_of(w, s)->listen == NULL) {
		*ret = (struct event){ .type = EVENT_REFUSED,
			.refusal = REFUSAL_DENIED };
		return true;
	}
	session_address(&w->arena, s, address);
	return access_refuses(w, s->kind, address, ret);
}

static void
meet(struct worker *w, const struct session *s, const struct proxy_header *h)
{
	struct arena *a = &w->arena;
	struct event e;

	arena_set(a, &s->flags, s->flags & ~SESSION_PROXY);
	if (h->named) {
		session_set_address(a, s, h->ip);
		arena_set(a, &s->port, h->port);
	}
	if (is_refused(w, s, &e)) {
		output_tell(w, s, &e);
		client_log(
			w, LOG_REFUSE, s, access_reason(w, &e), "text", e.text);
		client_leave(w, s, slice_of(NULL, 0), NULL);
		return;
	}
	/* What follows the header waits for the registry's answer. */
	arena_set(a, &s->flags, s->flags | SESSION_KNOWN | SESSION_WAITING);
	uplink_connect(w, s);
}

size_t
proxied_input(struct worker *w, const struct session *s, struct slice had,
	struct slice in)
{
	char mem[PROXY_MAX];
	struct buf b = buf_over(mem, sizeof mem);
	struct proxy_header h;
	size_t n;
	int rc;

	buf_slice_add(&b, had);
	n = in.len < buf_room(&b) ? in.len : buf_room(&b);
	buf_add(&b, in.p, n);
	rc = proxy_parse(buf_slice(&b), &h);
	if (rc == 0) {
		if (arena_keep(&w->arena, &s->line, buf_slice(&b)) < 0)
			refuse(w, s);
		FAULT(proxy_part);
		return n;
	}
	(void)arena_keep(&w->arena, &s->line, slice_of(NULL, 0));
	if (rc < 0) {
		refuse(w, s);
		return n;
	}
	meet(w, s, &h);
	FAULT(proxy_whole);
	return (size_t)rc - had.len;
}

static void
give_up(struct worker *w, const struct session *s)
{
	if (s->state >= SESSION_FLUSHING || !(s->flags & SESSION_PROXY))
		return;
	tx_begin(&w->arena);
	refuse(w, s);
	tx_commit(&w->arena);
	client_log_all(w);
	client_left(w, s);
}

void
proxied_overdue(struct worker *w, const struct session *s)
{
	if (s->state >= SESSION_FLUSHING || !(s->flags & SESSION_PROXY))
		return;
	/* The rest of it may have come: it is we who do not read. */
	if (s->held != 0 || input_is_paused(w) ||
		w->fd[session_fd(&w->arena, s)].paused)
		proxied_await(w, s);
	else
		give_up(w, s);
}

void
proxied_resume(struct worker *w, const struct session *s)
{
	/* It waits for room on the bus. */
	if (s->held != 0)
		return;
	if (s->flags & (SESSION_EOF | SESSION_BROKEN))
		give_up(w, s);
	else
		io_client_read(w->io, session_fd(&w->arena, s), true);
}
