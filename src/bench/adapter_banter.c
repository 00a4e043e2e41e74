/* adapter_banter.c - banter's text protocol, as of banter-text(7).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

static void
hello(struct bench_who *who, struct buf *out)
{
	if (who->own)
		buf_str(out, "/echo on\n");
	buf_printf(out, "/join %s\n", who->room);
}

/* "* In ROOM ...", "* You are in ROOM already" and the like are notices; only
 * the first tells of this room. */
static enum bench_item
notice(const struct bench_who *who, struct slice line, struct slice *ret_text)
{
	size_t len = strlen(who->room);
	struct slice room;

	*ret_text = line;
	if (bench_starts(line, SLICE_LIT("* error: ")))
		return BENCH_REFUSED;
	if (!bench_starts(line, SLICE_LIT("* In ")))
		return BENCH_NOTHING;
	room = slice_skip(line, 5);
	if (!bench_starts(room, slice_of(who->room, len)) ||
		(room.len > len && room.p[len] != ' '))
		return BENCH_NOTHING;
	return BENCH_READY;
}

/* Without a timestamp, which nobody has asked for: "[room] <nick> text". */
static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	struct slice line;
	const char *gt;

	(void)out;
	if (!bench_line_take(in, &line))
		return BENCH_MORE;
	if (line.len == 0 || line.p[0] != '[')
		return notice(who, line, ret_text);
	gt = memchr(line.p, '>', line.len);
	if (!gt)
		return BENCH_NOTHING;
	*ret_text = slice_skip(line, (size_t)(gt - line.p) + 1);
	return BENCH_MESSAGE;
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	(void)who;
	buf_slice_add(out, text);
	buf_chr(out, '\n');
}

const struct bench_adapter bench_banter = {
	.name = "banter",
	.own_choice = true,
	.joins = true,
	.ends_in_lf = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
