/* raw - an instrument's bytes, unchanged.
 *
 * Only a line that is exactly "exit" is not forwarded.  Bytes that may be the
 * beginning of one wait in the unfinished line until it is decided.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/charset.h"
#include "proto/proto.h"

/* The last byte was not a newline: no "exit" can begin here. */
#define RAW_MID_LINE UINT64_C(1)

/* Below this a chunk could not hold an exit line. */
#define RAW_CHUNK_MIN 16

enum match {
	MATCH_NO,
	MATCH_MAYBE,
	MATCH_YES
};

/* Does s begin with an exit line?  *ret_len is its length then. */
static enum match
match_exit(struct slice s, size_t *ret_len)
{
	static const char *const line[] = { "exit\n", "exit\r\n" };
	enum match best = MATCH_NO;

	for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
		size_t len = strlen(line[i]);
		size_t n = s.len < len ? s.len : len;

		if (memcmp(s.p, line[i], n) != 0)
			continue;
		*ret_len = len;
		if (n == len)
			return MATCH_YES;
		best = MATCH_MAYBE;
	}
	return best;
}

/* How many bytes at the front of s are surely not of an exit line; less than
 * s.len when one begins there, or may begin (*ret_match says which). */
static size_t
plain_bytes(
	struct slice s, bool mid_line, enum match *ret_match, size_t *ret_len)
{
	size_t at = 0;

	*ret_match = MATCH_NO;
	while (at < s.len) {
		struct slice rest = slice_skip(s, at);
		const char *lf;

		if (!mid_line) {
			*ret_match = match_exit(rest, ret_len);
			if (*ret_match != MATCH_NO)
				return at;
		}
		lf = memchr(rest.p, '\n', rest.len);
		if (!lf)
			return s.len;
		at += (size_t)(lf - rest.p) + 1;
		mid_line = false;
	}
	return at;
}

static size_t
chunk_max(const struct proto_options *o)
{
	if (o->line_max == 0 || o->line_max > PROTO_LINE_CAP)
		return PROTO_LINE_CAP;
	return o->line_max < RAW_CHUNK_MIN ? RAW_CHUNK_MIN : o->line_max;
}

/* What is held and what has come, in one piece. */
static struct slice
window(const struct proto_client *c, const struct proto_options *o,
	struct slice in)
{
	static char mem[PROTO_LINE_CAP];
	size_t room = chunk_max(o) - c->len;

	if (in.len > room)
		in.len = room;
	if (c->len == 0)
		return in;
	memcpy(mem, c->line, c->len);
	memcpy(mem + c->len, in.p, in.len);
	return slice_of(mem, c->len + in.len);
}

static enum proto_status
forward(struct proto_client *c, struct slice bytes, struct request *request)
{
	c->state &= ~RAW_MID_LINE;
	if (bytes.p[bytes.len - 1] != '\n')
		c->state |= RAW_MID_LINE;
	request->type = REQUEST_RAW;
	request->text = bytes;
	request->has_text = true;
	return PROTO_DONE;
}

static enum proto_status
raw_input(struct proto_client *c, const struct proto_options *o,
	struct slice *in, struct request *request, struct buf *reply)
{
	struct slice all = window(c, o, *in);
	size_t held = c->len, exit_len = 0, n;
	enum match match;

	(void)reply; /* instruments are told nothing */
	*request = (struct request){ 0 };
	if (in->len == 0)
		return PROTO_MORE;
	n = plain_bytes(all, c->state & RAW_MID_LINE, &match, &exit_len);
	if (n > 0) {
		/* held bytes are the beginning of an exit line and have no
		 * newline, so n is 0 or more than held. */
		*in = slice_skip(*in, n - held);
		c->len = 0;
		return forward(c, slice_of(all.p, n), request);
	}
	if (match == MATCH_YES) {
		*in = slice_skip(*in, exit_len - held);
		c->len = 0;
		request->type = REQUEST_QUIT;
		return PROTO_DONE;
	}
	memcpy(c->line, all.p, all.len);
	c->len = (uint32_t)all.len;
	*in = slice_skip(*in, all.len - held);
	return PROTO_MORE;
}

static enum proto_status
raw_flush(struct proto_client *c, const struct proto_options *o, bool at_end,
	struct request *request)
{
	static char mem[PROTO_LINE_CAP];
	struct slice held = slice_of(mem, c->len);

	(void)o;
	(void)at_end;
	*request = (struct request){ 0 };
	if (c->len == 0)
		return PROTO_MORE;
	memcpy(mem, c->line, c->len);
	c->len = 0;
	if (slice_eq_str(held, "exit") || slice_eq_str(held, "exit\r")) {
		request->type = REQUEST_QUIT;
		return PROTO_DONE;
	}
	return forward(c, held, request);
}

static void
raw_encode(const struct event *e, const struct proto_options *o,
	uint32_t variant, struct buf *out)
{
	(void)variant;
	if (e->type == EVENT_RAW) {
		buf_slice_add(out, e->text);
	} else if (e->type == EVENT_SAY) {
		charset_encode(o->charset, e->text, out);
		buf_chr(out, '\n');
	}
}

static uint32_t
raw_variant(uint64_t state)
{
	(void)state;
	return 0;
}

static uint64_t
raw_set_time(uint64_t state, bool on)
{
	(void)on;
	return state;
}

const struct protocol protocol_raw = {
	.name = "raw",
	.input = raw_input,
	.flush = raw_flush,
	.encode = raw_encode,
	.variant = raw_variant,
	.set_time = raw_set_time,
	.has_notices = false,
};
