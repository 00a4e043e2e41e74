/* adapter_line.c - a plain server: what one sends, everybody gets.
 *
 * Such a server may put something before a line, as a name; what it says beside
 * that is no message of ours.  It never tells that somebody is in.  banter's
 * raw mode is one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

static void
hello(struct bench_who *who, struct buf *out)
{
	(void)who;
	(void)out;
}

static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	(void)who;
	(void)out;
	if (!bench_line_take(in, ret_text))
		return BENCH_MORE;
	return ret_text->len && memchr(ret_text->p, '~', ret_text->len)
		       ? BENCH_MESSAGE
		       : BENCH_NOTHING;
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	(void)who;
	buf_slice_add(out, text);
	buf_chr(out, '\n');
}

const struct bench_adapter bench_line = {
	.name = "line",
	.joins = true,
	.one_room = true,
	.probe = true,
	.ends_in_lf = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};

const struct bench_adapter bench_raw = {
	.name = "raw",
	.joins = true,
	.one_room = true,
	.probe = true,
	.ends_in_lf = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
