/* adapter_irc.c - IRC as of RFC 2812, as much as a client in one channel needs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

/* Not longer than nine characters, which every server takes. */
static void
put_nick(const struct bench_who *who, struct buf *out)
{
	buf_printf(out, "%c%06x", who->run, who->id);
}

static void
hello(struct bench_who *who, struct buf *out)
{
	buf_str(out, "NICK ");
	put_nick(who, out);
	buf_str(out, "\r\nUSER bench 0 * :bench\r\n");
}

/* Cut the next word off. */
static struct slice
word(struct slice *line)
{
	const char *space = line->len ? memchr(line->p, ' ', line->len) : NULL;
	size_t len = space ? (size_t)(space - line->p) : line->len;
	struct slice w = slice_of(line->p, len);

	*line = slice_skip(*line, len);
	while (line->len && line->p[0] == ' ')
		*line = slice_skip(*line, 1);
	return w;
}

enum {
	STEP_GREETED = 1,
	STEP_IN
};

static enum bench_item
greeted(struct bench_who *who, struct buf *out)
{
	if (who->step != 0)
		return BENCH_NOTHING;
	who->step = STEP_GREETED;
	if (who->alone) {
		who->step = STEP_IN;
		return BENCH_READY;
	}
	buf_printf(out, "JOIN #%s\r\n", who->room);
	return BENCH_NOTHING;
}

/* 376 and 422: the message of the day ends, or there is none; 366: the names of
 * a channel end, and one is in.  400 to 599 are errors. */
static enum bench_item
numeric(struct bench_who *who, unsigned code, struct buf *out)
{
	if (code == 376 || code == 422)
		return greeted(who, out);
	if (code == 366 && who->step == STEP_GREETED) {
		who->step = STEP_IN;
		return BENCH_READY;
	}
	return code >= 400 && code <= 599 ? BENCH_REFUSED : BENCH_NOTHING;
}

static bool
is_numeric(struct slice command)
{
	for (size_t i = 0; i < command.len; i++)
		if (command.p[i] < '0' || command.p[i] > '9')
			return false;
	return command.len == 3;
}

static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	struct slice line, command;

	if (!bench_line_take(in, &line))
		return BENCH_MORE;
	*ret_text = line;
	if (line.len && line.p[0] == ':')
		(void)word(&line);
	command = word(&line);
	if (slice_eq(command, SLICE_LIT("PRIVMSG"))) {
		(void)word(&line);
		*ret_text = slice_skip(line, line.len && line.p[0] == ':');
		return BENCH_MESSAGE;
	}
	if (slice_eq(command, SLICE_LIT("PING"))) {
		buf_str(out, "PONG ");
		buf_slice_add(out, line);
		buf_str(out, "\r\n");
		return BENCH_NOTHING;
	}
	if (slice_eq(command, SLICE_LIT("ERROR")))
		return BENCH_REFUSED;
	if (is_numeric(command))
		return numeric(who,
			(unsigned)(command.p[0] - '0') * 100 +
				(unsigned)(command.p[1] - '0') * 10 +
				(unsigned)(command.p[2] - '0'),
			out);
	return BENCH_NOTHING;
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	buf_str(out, "PRIVMSG ");
	if (who->alone)
		put_nick(who, out);
	else
		buf_printf(out, "#%s", who->room);
	buf_str(out, " :");
	buf_slice_add(out, text);
	buf_str(out, "\r\n");
}

const struct bench_adapter bench_irc = {
	.name = "irc",
	.joins = true,
	.ends_in_lf = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
