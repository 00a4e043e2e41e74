/* What was refused, and what would be right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/utf8.h"
#include "proto/text_private.h"

/* Bytes of what a client has typed that are named back. */
#define TARGET_SHOWN 64
#define REASON_SHOWN 200

#define NAME_RULE                                                      \
 "letters, digits and _-[]{}^| are right, not beginning with a digit " \
 "or -"

/* %s: the target, %n: the number. */
static const char *const sentence[REFUSAL_N] = {
	[REFUSAL_UNKNOWN_COMMAND] = "no command %s; /help lists them, and "
				    "//text says a line that begins with a "
				    "slash",
	[REFUSAL_MISSING_ARGUMENT] = "%s needs more",
	[REFUSAL_BAD_ARGUMENT] = "%s cannot be used so",
	[REFUSAL_LINE_TOO_LONG] = "line too long, nothing of it was sent; at "
				  "most %n bytes a line are right",
	[REFUSAL_NICK_INVALID] = "%s cannot be a nick; " NAME_RULE,
	[REFUSAL_NICK_TOO_LONG] = "nick too long; at most %n bytes are right",
	[REFUSAL_NICK_RESERVED] = "the nick %s is reserved; choose another, "
				  "/nick NAME",
	[REFUSAL_NICK_IN_USE] = "the nick %s is in use; choose another, /nick "
				"NAME",
	[REFUSAL_NO_SUCH_NICK] = "nobody is called %s; /who lists who is in "
				 "the room",
	[REFUSAL_ROOM_INVALID] = "%s cannot be a room; " NAME_RULE
				 ", with dots, and not private, server or "
				 "guest7",
	[REFUSAL_ROOM_TOO_LONG] = "name of the room too long; at most %n bytes "
				  "are right",
	[REFUSAL_NO_SUCH_ROOM] = "no room %s; /rooms lists them",
	[REFUSAL_NOT_IN_ROOM] = "you are not in %s; /join %s first",
	[REFUSAL_ALREADY_IN_ROOM] = "you are in %s already; just type to talk",
	[REFUSAL_CREATE_ROOMS_OFF] = "no room %s, and new ones cannot be made "
				     "here; /rooms lists those that can be "
				     "joined",
	[REFUSAL_TOO_MANY_ROOMS] = "you may be in %n rooms at once; /part ROOM "
				   "first",
	[REFUSAL_ROOMS_FULL] = "this server has its %n rooms; join one of "
			       "those that /rooms lists",
	[REFUSAL_TOPIC_TOO_LONG] = "topic too long; at most %n bytes are right",
	[REFUSAL_NOT_TEXT] = "this is a chat server for lines of text, not for "
			     "%s; connect with nc or telnet",
	[REFUSAL_SERVER_FULL] = "all %n places are taken; try again later",
	[REFUSAL_TOO_MANY_FROM_ADDRESS] = "%n connections from one address are "
					  "the limit; close one of yours first",
	[REFUSAL_FLOOD] = "too many lines at once; send fewer a second, "
			  "/limits tells how many",
	[REFUSAL_DENIED] = "connections from your address are not let in "
			   "here; ask who runs this server",
	[REFUSAL_BANNED] = "your address is banned here; the reason: %s",
};

static const char *
sentence_of(const struct event *e)
{
	if (e->refusal == REFUSAL_NOT_IN_ROOM && e->text.len == 0)
		return "you are in no room; /join ROOM first";
	if (e->refusal == REFUSAL_BANNED && e->text.len == 0)
		return "your address is banned here; ask who runs this "
		       "server";
	/* The number may be one of a newer worker's refusals. */
	if ((unsigned)e->refusal >= REFUSAL_N || !sentence[e->refusal])
		return "that was refused; /help lists what can be asked";
	return sentence[e->refusal];
}

void
text_refusal(struct text_out *t, const struct event *e)
{
	bool of_command = e->refusal == REFUSAL_MISSING_ARGUMENT ||
			  e->refusal == REFUSAL_BAD_ARGUMENT;
	const char *usage = of_command ? text_usage(e->text) : NULL;
	/* The reason of a ban is the administrator's. */
	struct slice target = utf8_fit(e->text,
		e->refusal == REFUSAL_BANNED ? REASON_SHOWN : TARGET_SHOWN);

	text_begin(t);
	text_raw(t, "* error: ");
	text_fmt(t, sentence_of(e), target, e->number);
	if (of_command) {
		text_raw(t, "; ");
		text_raw(t, usage ? usage : "/help");
		text_raw(t, " is right");
	}
	text_end(t);
}
