/* Events to lines.  People's words stand behind "[room] <nick> ", the server's
 * behind "* ": every line has its own prefix, so that no text looks like the
 * other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/text_private.h"

#define NEWLINE_SIGN "\xE2\x90\xA4" /* U+2424 */

/* A line "* ..." with %s and %n as text_fmt() has them. */
static void
server_line(struct text_out *t, const char *fmt, struct slice s, uint64_t n)
{
	text_begin(t);
	text_raw(t, "* ");
	text_fmt(t, fmt, s, n);
	text_end(t);
}

/* The same with two slices: fmt is about a, then_fmt about b. */
static void
server_line2(struct text_out *t, const char *fmt, struct slice a,
	const char *then_fmt, struct slice b)
{
	text_begin(t);
	text_raw(t, "* ");
	text_fmt(t, fmt, a, 0);
	text_fmt(t, then_fmt, b, 0);
	text_end(t);
}

static void
speaker(struct text_out *t, const struct event *e)
{
	text_begin(t);
	switch (e->type) {
	case EVENT_ACTION:
		text_fmt(t, "[%s] * ", e->room, 0);
		text_fmt(t, "%s ", e->nick, 0);
		break;
	case EVENT_PRIVATE:
		text_fmt(t, "[private] <%s> ", e->nick, 0);
		break;
	case EVENT_PRIVATE_SENT:
		text_fmt(t, "* to %s: ", e->nick, 0);
		break;
	default:
		text_fmt(t, "[%s] ", e->room, 0);
		text_fmt(t, "<%s> ", e->nick, 0);
		break;
	}
}

/* Take a line off the front of *text, without its LF or CR LF. */
static struct slice
take_line(struct slice *text)
{
	const char *lf = memchr(text->p, '\n', text->len);
	size_t n = lf ? (size_t)(lf - text->p) : text->len;
	struct slice line = slice_of(text->p, n);

	*text = slice_skip(*text, n + 1);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Each line of the text with the speaker before it; empty ones say nothing. */
static void
say_lines(struct text_out *t, const struct event *e)
{
	struct slice text = e->text;

	while (text.len > 0) {
		struct slice line = take_line(&text);

		if (line.len == 0)
			continue;
		speaker(t, e);
		text_show(t, line);
		text_end(t);
	}
}

/* All of it as one line: an instrument may send so many newlines that the
 * prefixes alone would fill the event. */
static void
say_joined(struct text_out *t, const struct event *e)
{
	struct slice text = e->text;
	const char *sign = "";

	speaker(t, e);
	while (text.len > 0) {
		text_raw(t, sign);
		text_show(t, take_line(&text));
		sign = NEWLINE_SIGN;
	}
	text_end(t);
}

static void
say(struct text_out *t, const struct event *e)
{
	size_t len = t->to->len;

	say_lines(t, e);
	if (!t->cut)
		return;
	t->to->len = len;
	t->cut = false;
	say_joined(t, e);
}

static void
welcome(struct text_out *t, const struct event *e)
{
	server_line2(t, "Welcome to %s. ", e->text, "You are %s.", e->nick);
}

static void
motd(struct text_out *t, const struct event *e)
{
	server_line(t, "%s", e->text, 0);
}

static void
join(struct text_out *t, const struct event *e)
{
	server_line2(t, "%s has joined ", e->nick, "%s.", e->room);
}

static void
part(struct text_out *t, const struct event *e)
{
	server_line2(t, "%s has left ", e->nick, "%s.", e->room);
}

static void
parted(struct text_out *t, const struct event *e)
{
	server_line2(t, "You have left %s. ", e->room,
		e->text.len > 0 ? "You talk in %s now."
				: "You are in no room; /join ROOM to talk.",
		e->text);
}

static void
quit(struct text_out *t, const struct event *e)
{
	server_line2(t, "%s has left", e->nick, e->text.len > 0 ? ": %s" : ".",
		e->text);
}

static void
nick_is(struct text_out *t, const struct event *e)
{
	server_line(t, "You are %s.", e->nick, 0);
}

static void
nick(struct text_out *t, const struct event *e)
{
	server_line2(t, "%s is now ", e->nick, "%s.", e->text);
}

static void
topic_is(struct text_out *t, const struct event *e)
{
	if (e->text.len > 0)
		server_line2(t, "Topic of %s: ", e->room, "%s", e->text);
	else
		server_line(t, "%s has no topic; /topic TEXT sets one.",
			e->room, 0);
}

static void
topic(struct text_out *t, const struct event *e)
{
	bool set = e->text.len > 0;

	/* Nobody: the configuration has changed it. */
	if (e->nick.len == 0) {
		topic_is(t, e);
		return;
	}
	text_begin(t);
	text_fmt(t,
		set ? "* %s has set the topic of "
		    : "* %s has removed the topic of ",
		e->nick, 0);
	text_fmt(t, set ? "%s: " : "%s.", e->room, 0);
	text_show(t, e->text);
	text_end(t);
}

static void
echo_is(struct text_out *t, const struct event *e)
{
	server_line(t,
		e->on ? "Echo is on: you get your own messages back."
		      : "Echo is off: your own messages are not sent "
			"back to you.",
		e->text, 0);
}

static void
time_is(struct text_out *t, const struct event *e)
{
	server_line(t,
		e->on ? "Time is on: each line begins with the time, "
			"UTC."
		      : "Time is off.",
		e->text, 0);
}

static void
limit(struct text_out *t, const struct event *e)
{
	server_line2(t, "limit %s: ", e->nick, "%s", e->text);
}

static void
help(struct text_out *t, const struct event *e)
{
	text_help(t, e->text);
}

static void
missed(struct text_out *t, const struct event *e)
{
	text_begin(t);
	text_fmt(t,
		e->number == 1 ? "* %n message missed" : "* %n messages missed",
		e->room, e->number);
	text_fmt(t, e->room.len > 0 ? " in %s" : "", e->room, 0);
	text_end(t);
}

static void
flood(struct text_out *t, const struct event *e)
{
	server_line(t,
		"Too fast: your lines are read no faster than %n a "
		"second; none is lost.",
		e->text, e->number);
}

static void
idle(struct text_out *t, const struct event *e)
{
	server_line(t,
		"Idle: this connection closes in %n seconds; any line "
		"keeps it open.",
		e->text, e->number);
}

static void
closing(struct text_out *t, const struct event *e)
{
	server_line(
		t, e->text.len > 0 ? "Closing: %s" : "Closing.", e->text, 0);
}

static void
hint(struct text_out *t, const struct event *e)
{
	server_line(t, "Type to talk. /nick NAME, /help, /quit.", e->text, 0);
}

typedef void encode_fn(struct text_out *t, const struct event *e);

static encode_fn *const encoders[EVENT_N] = {
	[EVENT_SAY] = say,
	[EVENT_ACTION] = say,
	[EVENT_RAW] = say,
	[EVENT_PRIVATE] = say,
	[EVENT_PRIVATE_SENT] = say,
	[EVENT_WELCOME] = welcome,
	[EVENT_MOTD] = motd,
	[EVENT_JOINED] = text_joined,
	[EVENT_JOIN] = join,
	[EVENT_PARTED] = parted,
	[EVENT_PART] = part,
	[EVENT_QUIT] = quit,
	[EVENT_NICK_IS] = nick_is,
	[EVENT_NICK] = nick,
	[EVENT_TOPIC] = topic,
	[EVENT_TOPIC_IS] = topic_is,
	[EVENT_WHO] = text_who,
	[EVENT_ROOMS] = text_rooms,
	[EVENT_ECHO_IS] = echo_is,
	[EVENT_TIME_IS] = time_is,
	[EVENT_LIMIT] = limit,
	[EVENT_HELP] = help,
	[EVENT_MISSED] = missed,
	[EVENT_REFUSED] = text_refusal,
	[EVENT_FLOOD] = flood,
	[EVENT_IDLE] = idle,
	[EVENT_CLOSING] = closing,
	[EVENT_HINT] = hint,
};

void
text_encode(const struct event *e, const struct proto_options *o,
	uint32_t variant, struct buf *out)
{
	struct text_out t;

	if ((unsigned)e->type >= EVENT_N || !encoders[e->type])
		return;
	text_out_begin(&t, e, o, variant, out);
	encoders[e->type](&t, e);
}
