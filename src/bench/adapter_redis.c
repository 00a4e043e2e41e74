/* adapter_redis.c - publish and subscribe of Redis.
 *
 * RESP3, because in RESP2 a connection that has subscribed cannot publish.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

/* Replies within replies that are looked into, and elements of one. */
#define DEPTH_MAX    8
#define ELEMENTS_MAX 1024

static void
put_bulk(struct buf *out, struct slice s)
{
	buf_printf(out, "$%zu\r\n", s.len);
	buf_slice_add(out, s);
	buf_str(out, "\r\n");
}

static void
hello(struct bench_who *who, struct buf *out)
{
	buf_str(out, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
	if (!who->member) {
		buf_str(out, "*1\r\n$4\r\nPING\r\n");
		return;
	}
	buf_str(out, "*2\r\n");
	put_bulk(out, SLICE_LIT("SUBSCRIBE"));
	put_bulk(out, slice_str(who->room));
}

/* The number of a line as "$12" or "*-1".  False: it is none, or too large. */
static bool
number_of(struct slice line, int *ret)
{
	bool minus = line.len > 1 && line.p[1] == '-';
	size_t at = 1 + minus;

	*ret = 0;
	for (; at < line.len; at++) {
		if (line.p[at] < '0' || line.p[at] > '9' ||
			*ret > (int)ADAPTER_ITEM_MAX)
			return false;
		*ret = *ret * 10 + (line.p[at] - '0');
	}
	if (minus)
		*ret = -*ret;
	return line.len > 1u + minus;
}

static bool
is_bulk(char kind)
{
	return kind == '$' || kind == '!' || kind == '=';
}

static bool
is_aggregate(char kind)
{
	return kind == '*' || kind == '>' || kind == '~' || kind == '%' ||
	       kind == '|';
}

/* Take a bulk string off behind its line. */
static enum bench_item
bulk(struct slice *in, int len, struct slice *ret)
{
	*ret = slice_of(in->p, 0);
	if (len < 0)
		return BENCH_NOTHING;
	if (in->len < (size_t)len + 2)
		return BENCH_MORE;
	if (memcmp(in->p + len, "\r\n", 2) != 0)
		return BENCH_BAD;
	*ret = slice_of(in->p, (size_t)len);
	*in = slice_skip(*in, (size_t)len + 2);
	return BENCH_NOTHING;
}

/* Take one element off; of an aggregate its beginning, and *ret_children is how
 * many follow, else -1.  BENCH_NOTHING: done. */
static enum bench_item
element(struct slice *in, struct slice *ret_text, int *ret_children)
{
	struct slice line;
	int n;

	if (!bench_line_take(in, &line))
		return BENCH_MORE;
	if (line.len == 0)
		return BENCH_BAD;
	*ret_text = slice_skip(line, 1);
	*ret_children = -1;
	if (is_bulk(line.p[0]))
		return number_of(line, &n) && n <= (int)ADAPTER_ITEM_MAX
			       ? bulk(in, n, ret_text)
			       : BENCH_BAD;
	if (!is_aggregate(line.p[0]))
		return memchr("+-:_,#(", line.p[0], 7) ? BENCH_NOTHING
						       : BENCH_BAD;
	if (!number_of(line, &n) || n > ELEMENTS_MAX)
		return BENCH_BAD;
	n = n < 0 ? 0 : n;
	*ret_children = line.p[0] == '%' || line.p[0] == '|' ? 2 * n : n;
	return BENCH_NOTHING;
}

/* Take a whole reply off.  BENCH_NOTHING: done.  *ret_kind is the first byte,
 * part[0 .. 2] are the first elements that are no aggregates at depth 1, or the
 * reply itself in part[0]. */
static enum bench_item
reply(struct slice *in, char *ret_kind, struct slice part[3])
{
	int left[DEPTH_MAX], depth = 0, children;
	unsigned parts = 0;
	struct slice text;

	*ret_kind = in->len ? in->p[0] : 0;
	do {
		enum bench_item item = element(in, &text, &children);

		if (item != BENCH_NOTHING)
			return item;
		if (children >= 0) {
			if (depth == DEPTH_MAX)
				return BENCH_BAD;
			left[depth++] = children;
		} else {
			if (depth <= 1 && parts < 3)
				part[parts++] = text;
			if (depth)
				left[depth - 1]--;
		}
		/* What is complete is an element of what it is in. */
		while (depth && left[depth - 1] == 0)
			if (--depth)
				left[depth - 1]--;
	} while (depth);
	return BENCH_NOTHING;
}

static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	struct slice rest = *in, part[3] = { { NULL, 0 } };
	char kind;
	enum bench_item item = reply(&rest, &kind, part);

	(void)out;
	if (item == BENCH_MORE)
		return item;
	*in = rest;
	if (item == BENCH_BAD)
		return item;
	*ret_text = part[0];
	if (kind == '>' && slice_eq(part[0], SLICE_LIT("message"))) {
		*ret_text = part[2];
		return BENCH_MESSAGE;
	}
	if (kind == '>' && slice_eq(part[0], SLICE_LIT("subscribe")))
		return BENCH_READY;
	if (kind == '+' && !who->member && slice_eq(part[0], SLICE_LIT("PONG")))
		return BENCH_READY;
	return kind == '-' || kind == '!' ? BENCH_REFUSED : BENCH_NOTHING;
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	buf_str(out, "*3\r\n$7\r\nPUBLISH\r\n");
	put_bulk(out, slice_str(who->room));
	put_bulk(out, text);
}

const struct bench_adapter bench_redis = {
	.name = "redis",
	.own = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
