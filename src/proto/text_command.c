/* A line to a request.  What each command takes is data, so that whoever acts
 * on a request starts with clean input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "proto/text_private.h"

#include <strings.h>

/* Bytes of an unknown command that are named back. */
#define COMMAND_SHOWN 32

enum args {
	ARGS_NONE,
	ARGS_WORD,      /* one word, the target */
	ARGS_WORD_TEXT, /* the target, and text after it */
	ARGS_TEXT,      /* everything is text */
	ARGS_TOPIC,     /* likewise; "-" is the empty text */
	ARGS_SWITCH,    /* on or off */
	ARGS_COMMAND    /* a command, with or without its slash */
};

struct command {
	const char *name;
	enum request_type type;
	enum args args;
	bool needed; /* an argument */
	const char *usage, *help;
};

static const struct command commands[] = {
	{ "help", REQUEST_HELP, ARGS_COMMAND, false, "/help [COMMAND]",
		"list the commands, or tell how one is used" },
	{ "nick", REQUEST_NICK, ARGS_WORD, false, "/nick [NAME]",
		"tell your nick, or take another" },
	{ "join", REQUEST_JOIN, ARGS_WORD, true, "/join ROOM",
		"enter a room and talk there from now on" },
	{ "part", REQUEST_PART, ARGS_WORD, false, "/part [ROOM]",
		"leave this room, or another" },
	{ "rooms", REQUEST_ROOMS, ARGS_WORD, false, "/rooms [PREFIX]",
		"list the rooms, or those that begin so" },
	{ "who", REQUEST_WHO, ARGS_WORD, false, "/who [ROOM]",
		"list who is in this room, or in another" },
	{ "msg", REQUEST_MSG, ARGS_WORD_TEXT, true, "/msg NICK TEXT",
		"tell one person something in private" },
	{ "me", REQUEST_ACTION, ARGS_TEXT, true, "/me TEXT",
		"say what you do: * ann waves" },
	{ "topic", REQUEST_TOPIC, ARGS_TOPIC, false, "/topic [TEXT | -]",
		"tell the room's topic, set it, or remove it" },
	{ "echo", REQUEST_ECHO, ARGS_SWITCH, false, "/echo [on | off]",
		"get your own messages back, or not" },
	{ "time", REQUEST_TIME, ARGS_SWITCH, false, "/time [on | off]",
		"put the time (UTC) before each line, or not" },
	{ "limits", REQUEST_LIMITS, ARGS_NONE, false, "/limits",
		"tell what this server allows" },
	{ "quit", REQUEST_QUIT, ARGS_TEXT, false, "/quit [REASON]",
		"leave; a bare exit does the same" },
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static bool
is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

static struct slice
skip_blanks(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_skip(s, 1);
	return s;
}

static struct slice
trim(struct slice s)
{
	s = skip_blanks(s);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Take the first word off the front of *s, and the blanks behind it. */
static struct slice
word(struct slice *s)
{
	struct slice w = { s->p, 0 };

	while (w.len < s->len && !is_blank(s->p[w.len]))
		w.len++;
	*s = skip_blanks(slice_skip(*s, w.len));
	return w;
}

static const struct command *
find(struct slice name)
{
	if (name.len > 0 && name.p[0] == '/')
		name = slice_skip(name, 1);
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strlen(commands[i].name) == name.len &&
			!strncasecmp(commands[i].name, name.p, name.len))
			return &commands[i];
	return NULL;
}

const char *
text_usage(struct slice command)
{
	const struct command *cmd = command.len > 0 ? find(command) : NULL;

	return cmd ? cmd->usage : NULL;
}

bool
text_command_at(unsigned n, const char **usage, const char **help)
{
	if (n >= N_COMMANDS)
		return false;
	*usage = commands[n].usage;
	*help = commands[n].help;
	return true;
}

static void
refuse(struct request *r, enum refusal why, struct slice command)
{
	*r = (struct request){ .type = REQUEST_REFUSED,
		.refusal = why,
		.target = utf8_fit(command, COMMAND_SHOWN) };
}

static bool
parse_switch(struct slice arg, struct request *r)
{
	r->has_text = arg.len > 0;
	r->on = arg.len == 2 && !strncasecmp(arg.p, "on", 2);
	return arg.len == 0 || r->on ||
	       (arg.len == 3 && !strncasecmp(arg.p, "off", 3));
}

/* /help of what is no command answers as the command itself would: with its
 * slash. */
static void
parse_help(struct slice arg, struct request *r)
{
	static char mem[COMMAND_SHOWN];
	struct buf named = buf_over(mem, sizeof mem);
	const struct command *cmd = find(arg);

	if (arg.len == 0)
		return;
	if (cmd) {
		r->target = slice_str(cmd->name);
		return;
	}
	if (arg.p[0] != '/')
		buf_chr(&named, '/');
	buf_slice_add(&named, utf8_fit(arg, buf_room(&named)));
	refuse(r, REFUSAL_UNKNOWN_COMMAND, buf_slice(&named));
}

static enum refusal
parse(const struct command *cmd, struct slice args, struct request *r)
{
	struct slice all = args;

	if (cmd->needed && args.len == 0)
		return REFUSAL_MISSING_ARGUMENT;
	switch (cmd->args) {
	case ARGS_NONE:
		break;
	case ARGS_WORD:
		r->target = word(&args);
		break;
	case ARGS_WORD_TEXT:
		r->target = word(&args);
		r->text = args;
		r->has_text = true;
		return args.len > 0 ? REFUSAL_NONE : REFUSAL_MISSING_ARGUMENT;
	case ARGS_TEXT:
	case ARGS_TOPIC:
		r->has_text = args.len > 0;
		if (cmd->args != ARGS_TOPIC || !slice_eq_str(all, "-"))
			r->text = args;
		return REFUSAL_NONE;
	case ARGS_SWITCH:
		return parse_switch(args, r) ? REFUSAL_NONE
					     : REFUSAL_BAD_ARGUMENT;
	case ARGS_COMMAND:
		parse_help(word(&args), r);
		break;
	}
	return args.len == 0 ? REFUSAL_NONE : REFUSAL_BAD_ARGUMENT;
}

/* line begins with the slash. */
static void
request_command(struct slice line, struct request *r)
{
	struct slice name = word(&line);
	const struct command *cmd = find(name);
	enum refusal why;

	if (!cmd) {
		refuse(r, REFUSAL_UNKNOWN_COMMAND, name);
		return;
	}
	r->type = cmd->type;
	why = parse(cmd, line, r);
	if (why != REFUSAL_NONE)
		refuse(r, why, name);
}

static void
request_say(struct slice text, struct request *r)
{
	r->type = REQUEST_SAY;
	r->text = text;
	r->has_text = true;
}

void
text_request(struct slice line, struct request *r)
{
	struct slice bare = trim(line);

	*r = (struct request){ 0 };
	if (bare.len == 0)
		return;
	if (slice_eq_str(line, "exit"))
		r->type = REQUEST_QUIT;
	else if (bare.p[0] != '/')
		request_say(line, r);
	else if (bare.len > 1 && bare.p[1] == '/')
		/* As typed behind the slash that is taken away, blanks at the
		 * end included. */
		request_say(slice_skip(line, (size_t)(bare.p - line.p) + 1), r);
	else
		request_command(bare, r);
}
