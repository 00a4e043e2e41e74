/* Bytes to lines.
 *
 * Runs of ordinary bytes are copied at once; LF, CR, BS, DEL and telnet
 * commands are looked at one by one.  What has been received of a line is
 * counted apart from what is left of it, so that neither erasing nor telnet
 * commands make a line endless.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "proto/charset.h"
#include "proto/text_private.h"

enum {
	BS = 0x08,
	DEL = 0x7F,
	IAC = 0xFF
};

#define COUNT_SHIFT 32
#define COUNT_MAX   0x3FFFu
#define COUNT_ONE   (UINT64_C(1) << COUNT_SHIFT)
#define BOM         "\xEF\xBB\xBF"

uint32_t
text_counted(const struct proto_client *c)
{
	return c->state >> COUNT_SHIFT & COUNT_MAX;
}

static void
set_counted(struct proto_client *c, uint32_t n)
{
	c->state &= ~(COUNT_MAX * COUNT_ONE);
	c->state |= n * COUNT_ONE;
}

void
text_count(struct proto_client *c, uint32_t n)
{
	uint32_t sum = text_counted(c) + n;

	set_counted(c, sum < COUNT_MAX ? sum : COUNT_MAX);
}

static uint32_t
limit_of(const struct proto_options *o)
{
	if (o->line_max == 0 || o->line_max > PROTO_LINE_CAP)
		return PROTO_LINE_CAP;
	return o->line_max;
}

static void
forget_line(struct proto_client *c)
{
	c->len = 0;
	set_counted(c, 0);
}

static enum proto_status
not_text(struct request *r, struct slice what)
{
	r->type = REQUEST_REFUSED;
	r->refusal = REFUSAL_NOT_TEXT;
	r->target = what;
	return PROTO_MALFORMED;
}

/* Bytes of "METHOD " at the front of line; 0 when there is no such word. */
static size_t
method_length(struct slice line)
{
	size_t n = 0;

	while (n < line.len && n < 20 && line.p[n] >= 'A' && line.p[n] <= 'Z')
		n++;
	return n >= 3 && n < line.len && line.p[n] == ' ' ? n + 1 : 0;
}

/* METHOD SP target SP HTTP/1.x (RFC 9112, section 3), or a later version that
 * speaks so at first. */
static bool
is_http(struct slice line)
{
	size_t method = method_length(line);
	struct slice rest = slice_skip(line, method), version;
	const char *blank;

	if (method == 0)
		return false;
	blank = memchr(rest.p, ' ', rest.len);
	if (!blank || blank == rest.p)
		return false;
	version = slice_skip(rest, (size_t)(blank - rest.p) + 1);
	return version.len == 8 && !memcmp(version.p, "HTTP/", 5) &&
	       version.p[6] == '.';
}

/* The beginning of a request whose target is longer than a line may be: what
 * follows must not be read as chat, for a web page can make browsers send it.
 */
static bool
is_long_http(struct slice line)
{
	size_t method = method_length(line);
	struct slice target = slice_skip(line, method);

	return method > 0 && target.len > 4 &&
	       (target.p[0] == '/' || !memcmp(target.p, "http", 4));
}

static enum proto_status
too_long(struct proto_client *c, const struct proto_options *o,
	struct request *r)
{
	bool first = !(c->state & TEXT_NOT_FIRST);

	if (first && is_long_http(slice_of(c->line, c->len)))
		return not_text(r, SLICE_LIT("HTTP"));
	forget_line(c);
	c->state |= TEXT_DISCARD | TEXT_NOT_FIRST;
	r->type = REQUEST_REFUSED;
	r->refusal = REFUSAL_LINE_TOO_LONG;
	r->number = limit_of(o);
	return PROTO_TOO_LONG;
}

static bool
is_tls(const struct proto_client *c)
{
	return !(c->state & TEXT_NOT_FIRST) && c->len >= 2 &&
	       !memcmp(c->line, "\x16\x03", 2);
}

/* Append to the line what the limit lets in. */
static enum proto_status
put(struct proto_client *c, const struct proto_options *o, const char *p,
	size_t n, struct request *r)
{
	uint32_t limit = limit_of(o), counted = text_counted(c);
	size_t room = counted < limit ? limit - counted : 0;
	size_t take = n < room ? n : room;

	if (c->state & TEXT_DISCARD)
		return PROTO_MORE;
	memcpy(c->line + c->len, p, take);
	c->len += (uint32_t)take;
	text_count(c, (uint32_t)take);
	if (is_tls(c))
		return not_text(r, SLICE_LIT("TLS"));
	return take < n ? too_long(c, o, r) : PROTO_MORE;
}

/* A CR that no LF followed is a character of the line, to be shown as one.  At
 * its beginning it is what was left of a line end that flush_after cut. */
static enum proto_status
put_cr(struct proto_client *c, const struct proto_options *o, struct request *r)
{
	if (!(c->state & TEXT_CR))
		return PROTO_MORE;
	c->state &= ~TEXT_CR;
	return text_counted(c) > 0 ? put(c, o, "\r", 1, r) : PROTO_MORE;
}

/* Make a request of the first n bytes of the line. */
static enum proto_status
complete(struct proto_client *c, const struct proto_options *o, size_t n,
	struct request *r)
{
	static char mem[TEXT_LINE_UTF8];
	struct buf text = buf_over(mem, sizeof mem);
	bool first = !(c->state & TEXT_NOT_FIRST);
	struct slice line;

	charset_decode(o->charset, slice_of(c->line, n), &text);
	line = buf_slice(&text);
	if (line.len >= 3 && !memcmp(line.p, BOM, 3))
		line = slice_skip(line, 3);
	c->state |= TEXT_NOT_FIRST;
	if (first && is_http(line))
		return not_text(r, SLICE_LIT("HTTP"));
	text_request(line, r);
	return PROTO_DONE;
}

static enum proto_status
end_line(struct proto_client *c, const struct proto_options *o,
	struct request *r)
{
	enum proto_status status;

	if (c->state & TEXT_CR)
		c->state |= TEXT_CRLF;
	c->state &= ~TEXT_CR;
	if (c->state & TEXT_DISCARD) {
		c->state &= ~TEXT_DISCARD;
		forget_line(c);
		return PROTO_MORE;
	}
	status = complete(c, o, c->len, r);
	forget_line(c);
	return status;
}

static void
erase(struct proto_client *c, const struct proto_options *o)
{
	struct slice line = slice_of(c->line, c->len);

	c->len -= (uint32_t)charset_last(o->charset, line);
}

/* Count n bytes that stay no part of the line. */
static enum proto_status
spend(struct proto_client *c, const struct proto_options *o, uint32_t n,
	struct request *r)
{
	if (c->state & TEXT_DISCARD)
		return PROTO_MORE;
	text_count(c, n);
	return text_counted(c) > limit_of(o) ? too_long(c, o, r) : PROTO_MORE;
}

static enum proto_status
take_erase(struct proto_client *c, const struct proto_options *o,
	struct request *r)
{
	enum proto_status status = put_cr(c, o, r);

	if (status != PROTO_MORE)
		return status;
	erase(c, o);
	return spend(c, o, 1, r);
}

/* One byte that is no part of a telnet command.  *ret_used is false when it
 * is to be given again. */
static enum proto_status
take_plain(struct proto_client *c, const struct proto_options *o,
	unsigned char byte, struct request *r, bool *ret_used)
{
	char ch = (char)byte;
	enum proto_status status;

	/* CR NUL is a CR alone (RFC 854), and what telnet clients send for the
	 * Enter key when they send characters. */
	if (byte == '\n' || (byte == '\0' && c->state & TEXT_CR))
		return end_line(c, o, r);
	if (byte == BS || byte == DEL)
		return take_erase(c, o, r);
	status = put_cr(c, o, r);
	if (status != PROTO_MORE) {
		*ret_used = false;
		return status;
	}
	if (byte == '\r') {
		c->state |= TEXT_CR;
		return PROTO_MORE;
	}
	return put(c, o, &ch, 1, r);
}

static enum proto_status
take_byte(struct proto_client *c, const struct proto_options *o,
	struct slice *in, struct request *r, struct buf *reply)
{
	unsigned char byte = (unsigned char)in->p[0];
	struct telnet_data data;
	bool used = true;
	enum proto_status status = PROTO_MORE;

	switch (text_telnet(c, o, byte, &data, reply)) {
	case TELNET_NO:
		status = take_plain(c, o, byte, r, &used);
		break;
	case TELNET_TAKEN:
		status = spend(c, o, 0, r);
		break;
	case TELNET_ANSWER:
		/* One answer a call: reply has room for no more. */
		status = spend(c, o, 0, r);
		if (status == PROTO_MORE)
			status = PROTO_DONE;
		break;
	case TELNET_ERASE:
		status = spend(c, o, 0, r);
		erase(c, o);
		break;
	case TELNET_CLEAR:
		status = spend(c, o, 0, r);
		c->len = 0;
		break;
	case TELNET_DATA:
		used = data.used;
		status = put_cr(c, o, r);
		if (status == PROTO_MORE)
			status = put(c, o, data.p, data.len, r);
		break;
	}
	if (used)
		*in = slice_skip(*in, 1);
	return status;
}

/* How many bytes at the front of in need no look at each. */
static size_t
ordinary_run(const struct proto_client *c, struct slice in)
{
	size_t n = 0;

	if (c->state & TEXT_CR || text_telnet_pending(c->state))
		return 0;
	while (n < in.len) {
		unsigned char b = (unsigned char)in.p[n];

		if (b == '\n' || b == '\r' || b == BS || b == DEL || b == IAC)
			break;
		n++;
	}
	return n;
}

enum proto_status
text_input(struct proto_client *c, const struct proto_options *o,
	struct slice *in, struct request *request, struct buf *reply)
{
	enum proto_status status = PROTO_MORE;

	*request = (struct request){ 0 };
	while (in->len > 0 && status == PROTO_MORE) {
		size_t run = ordinary_run(c, *in);

		if (run == 0) {
			status = take_byte(c, o, in, request, reply);
			continue;
		}
		status = put(c, o, in->p, run, request);
		*in = slice_skip(*in, run);
	}
	return status;
}

/* A pause ends an over-long message too where lines do not end otherwise, and
 * the beginning of a character waits for its rest. */
enum proto_status
text_flush(struct proto_client *c, const struct proto_options *o, bool at_end,
	struct request *request)
{
	struct slice line = slice_of(c->line, c->len);
	bool may_go_on = !at_end && !(c->state & TEXT_CR);
	size_t cut = may_go_on ? charset_cut(o->charset, line) : 0;
	enum proto_status status = PROTO_MORE;

	*request = (struct request){ 0 };
	c->state &= ~TEXT_DISCARD;
	if (line.len > cut) {
		status = complete(c, o, line.len - cut, request);
		memmove(c->line, c->line + line.len - cut, cut);
	}
	c->len = (uint32_t)cut;
	set_counted(c, c->len);
	return status;
}
