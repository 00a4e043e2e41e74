/* text_client.h - a client of the text protocol that notes its requests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_T_UNIT_TEXT_CLIENT_H
#define BANTER_T_UNIT_TEXT_CLIENT_H

#include "base/utf8.h"
#include "proto/proto.h"

#include <criterion/criterion.h>

#define FFFD UTF8_REPLACEMENT

struct client {
	struct proto_client c;
	struct proto_options o;
	char line[PROTO_LINE_CAP];
	char log_mem[65536], reply_mem[65536];
	struct buf log, reply;
	bool closed;
};

static inline void
client_init(struct client *k, const struct charset *cs, uint32_t line_max)
{
	memset(&k->c, 0, sizeof k->c);
	k->o = (struct proto_options){ line_max, cs };
	k->c.line = k->line;
	k->log = buf_over(k->log_mem, sizeof k->log_mem);
	k->reply = buf_over(k->reply_mem, sizeof k->reply_mem);
	k->closed = false;
}

static const char *const type_name[] = {
	[REQUEST_SAY] = "say",
	[REQUEST_ACTION] = "me",
	[REQUEST_NICK] = "nick",
	[REQUEST_JOIN] = "join",
	[REQUEST_PART] = "part",
	[REQUEST_ROOMS] = "rooms",
	[REQUEST_WHO] = "who",
	[REQUEST_MSG] = "msg",
	[REQUEST_TOPIC] = "topic",
	[REQUEST_ECHO] = "echo",
	[REQUEST_TIME] = "time",
	[REQUEST_LIMITS] = "limits",
	[REQUEST_HELP] = "help",
	[REQUEST_QUIT] = "quit",
	[REQUEST_REFUSED] = "refused",
};

/* One request as "type(target)" and, where it has them, "=text", "+" for on,
 * "!refusal:number". */
static inline void
note(struct client *k, enum proto_status status, const struct request *r)
{
	cr_assert(utf8_valid(r->target) && utf8_valid(r->text));
	if (status == PROTO_MALFORMED)
		k->closed = true;
	if (r->type == REQUEST_NONE) {
		cr_assert_eq(status, PROTO_DONE);
		return;
	}
	cr_assert(r->type < sizeof type_name / sizeof type_name[0]);
	cr_assert_eq(status == PROTO_DONE,
		r->type != REQUEST_REFUSED ||
			(r->refusal != REFUSAL_LINE_TOO_LONG &&
				r->refusal != REFUSAL_NOT_TEXT));
	buf_printf(&k->log, "%s(", type_name[r->type]);
	buf_slice_add(&k->log, r->target);
	buf_str(&k->log, ")");
	if (r->has_text) {
		buf_str(&k->log, r->on ? "+" : "=");
		buf_slice_add(&k->log, r->text);
	}
	if (r->type == REQUEST_REFUSED)
		buf_printf(&k->log, "!%d:%d", (int)r->refusal, (int)r->number);
	buf_str(&k->log, ";");
}

static inline void
feed(struct client *k, const char *p, size_t len)
{
	struct slice in = slice_of(p, len);

	while (!k->closed) {
		struct request r;
		char mem[64];
		struct buf reply = buf_over(mem, sizeof mem);
		enum proto_status status =
			protocol_text.input(&k->c, &k->o, &in, &r, &reply);

		cr_assert(!reply.over);
		cr_assert_leq(k->c.len, PROTO_LINE_CAP);
		buf_slice_add(&k->reply, buf_slice(&reply));
		if (status == PROTO_MORE)
			break;
		note(k, status, &r);
	}
	if (!k->closed)
		cr_assert_eq(in.len, 0);
}

static inline void
flush(struct client *k, bool at_end)
{
	struct request r;
	enum proto_status status;

	if (k->closed)
		return;
	status = protocol_text.flush(&k->c, &k->o, at_end, &r);
	if (status != PROTO_MORE)
		note(k, status, &r);
}

static inline void
feed_str(struct client *k, const char *s)
{
	feed(k, s, strlen(s));
}

static inline bool
log_is(const struct client *k, const char *s)
{
	return slice_eq_str(buf_slice(&k->log), s);
}

static inline void
feed_n(struct client *k, const char *unit, size_t len, unsigned times)
{
	while (times-- > 0)
		feed(k, unit, len);
}

#endif
