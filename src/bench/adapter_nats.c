/* adapter_nats.c - the protocol of a NATS server's clients.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

/* What the server first says is answered before it comes: the order of the
 * lines is all that matters. */
static void
hello(struct bench_who *who, struct buf *out)
{
	buf_printf(out,
		"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":%s,"
		"\"lang\":\"c\",\"version\":\"1\"}\r\n",
		who->own ? "true" : "false");
	if (who->member)
		buf_printf(out, "SUB %s 1\r\n", who->room);
	buf_str(out, "PING\r\n");
}

/* The number at the end of "MSG room 1 64". */
static bool
length_of(struct slice line, size_t *ret)
{
	size_t at = line.len, unit = 1;

	*ret = 0;
	while (at > 0 && line.p[at - 1] >= '0' && line.p[at - 1] <= '9') {
		if (unit > ADAPTER_ITEM_MAX)
			return false;
		*ret += (size_t)(line.p[--at] - '0') * unit;
		unit *= 10;
	}
	return at < line.len && at > 0 && line.p[at - 1] == ' ' &&
	       *ret <= ADAPTER_ITEM_MAX;
}

static enum bench_item
message(struct slice line, struct slice *rest, struct slice *ret_text)
{
	size_t len;

	if (!length_of(line, &len))
		return BENCH_BAD;
	if (rest->len < len + 2)
		return BENCH_MORE;
	if (memcmp(rest->p + len, "\r\n", 2) != 0)
		return BENCH_BAD;
	*ret_text = slice_of(rest->p, len);
	*rest = slice_skip(*rest, len + 2);
	return BENCH_MESSAGE;
}

static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	struct slice rest = *in, line;
	enum bench_item item = BENCH_NOTHING;

	if (!bench_line_take(&rest, &line))
		return BENCH_MORE;
	*ret_text = line;
	if (bench_starts(line, SLICE_LIT("MSG "))) {
		item = message(line, &rest, ret_text);
		if (item == BENCH_MORE)
			return item;
	} else if (slice_eq(line, SLICE_LIT("PING"))) {
		buf_str(out, "PONG\r\n");
	} else if (slice_eq(line, SLICE_LIT("PONG"))) {
		item = who->step++ == 0 ? BENCH_READY : BENCH_NOTHING;
	} else if (bench_starts(line, SLICE_LIT("-ERR"))) {
		item = BENCH_REFUSED;
	} else if (!bench_starts(line, SLICE_LIT("INFO ")) &&
		   !bench_starts(line, SLICE_LIT("+OK"))) {
		item = BENCH_BAD;
	}
	*in = rest;
	return item;
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	buf_printf(out, "PUB %s %zu\r\n", who->room, text.len);
	buf_slice_add(out, text);
	buf_str(out, "\r\n");
}

const struct bench_adapter bench_nats = {
	.name = "nats",
	.own_choice = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
