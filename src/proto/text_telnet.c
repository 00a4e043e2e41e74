/* Telnet commands (RFC 854, RFC 855) are taken out of the input.  Every option
 * is refused, so that a client stays in the network virtual terminal's default
 * state; WONT and DONT are never answered, which is what keeps two ends from
 * answering each other for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/charset.h"
#include "proto/text_private.h"

enum {
	IAC = 0xFF,
	DONT = 0xFE,
	DO = 0xFD,
	WONT = 0xFC,
	WILL = 0xFB,
	SB = 0xFA,
	EL = 0xF8,
	EC = 0xF7,
	AYT = 0xF6,
	SE = 0xF0
};

/* A subnegotiation longer than this is none: its end may never come. */
#define SB_MAX 512

enum place {
	PLACE_TEXT,
	PLACE_COMMAND,
	PLACE_OPTION,
	PLACE_SB,
	PLACE_SB_IAC
};

static enum place
place_of(uint64_t state)
{
	return (enum place)(state >> 8 & 7);
}

static void
set_place(struct proto_client *c, enum place place)
{
	c->state = (c->state & ~(UINT64_C(7) << 8)) | (uint64_t)place << 8;
}

static unsigned char
verb_of(uint64_t state)
{
	return (unsigned char)(WILL + (state >> 11 & 3));
}

static void
set_verb(struct proto_client *c, unsigned char verb)
{
	c->state = (c->state & ~(UINT64_C(3) << 11)) | (uint64_t)(verb - WILL)
							       << 11;
}

static uint32_t
sb_count(uint64_t state)
{
	return state >> 16 & 0x3FF;
}

static void
set_sb_count(struct proto_client *c, uint32_t n)
{
	c->state = (c->state & ~(UINT64_C(0x3FF) << 16)) | (uint64_t)n << 16;
}

bool
text_telnet_pending(uint64_t state)
{
	return place_of(state) != PLACE_TEXT;
}

/* A command of n bytes is over.  Before a line's first byte it counts nothing:
 * a client that sends NOP to keep its line alive has not typed anything. */
static void
finish(struct proto_client *c, uint32_t n)
{
	set_place(c, PLACE_TEXT);
	set_sb_count(c, 0);
	c->state |= TEXT_TELNET;
	if (text_counted(c) > 0)
		text_count(c, n);
}

/* In windows-1251 or KOI8-R 0xFF is a letter, and "ya" before another letter
 * looks like a command.  Only an option, whose number is no letter, then shows
 * that the client does speak telnet. */
static bool
is_letter_here(const struct proto_client *c, const struct proto_options *o)
{
	return !(c->state & TEXT_TELNET) && charset_has_byte(o->charset, IAC);
}

static enum telnet_step
command(struct proto_client *c, unsigned char byte, struct buf *reply)
{
	finish(c, 2);
	switch (byte) {
	case AYT:
		/* Who sends this is a telnet client: CR LF. */
		buf_str(reply, "* yes\r\n");
		return TELNET_ANSWER;
	case EC:
		return TELNET_ERASE;
	case EL:
		return TELNET_CLEAR;
	default:
		return TELNET_TAKEN;
	}
}

static enum telnet_step
after_iac(struct proto_client *c, const struct proto_options *o,
	unsigned char byte, struct telnet_data *ret, struct buf *reply)
{
	bool ends_data = byte < SE || (byte < WILL && is_letter_here(c, o));

	if (ends_data || byte == IAC) {
		/* IAC IAC is the byte 255.  What follows otherwise is no
		 * command: somebody just sent that byte. */
		set_place(c, PLACE_TEXT);
		*ret = (struct telnet_data){ { (char)IAC }, 1, byte == IAC };
		if (ret->used && text_counted(c) > 0)
			text_count(c, 1);
		return TELNET_DATA;
	}
	if (byte >= WILL) {
		set_verb(c, byte);
		set_place(c, PLACE_OPTION);
		return TELNET_TAKEN;
	}
	if (byte == SB) {
		set_place(c, PLACE_SB);
		return TELNET_TAKEN;
	}
	return command(c, byte, reply);
}

static enum telnet_step
option(struct proto_client *c, unsigned char byte, struct telnet_data *ret,
	struct buf *reply)
{
	unsigned char verb = verb_of(c->state);
	unsigned char refuse = verb == WILL ? DONT : WONT;

	if (byte >= 0x80) {
		/* No option in use has such a number: these are bytes of
		 * something that is not telnet. */
		set_place(c, PLACE_TEXT);
		*ret = (struct telnet_data){ { (char)IAC, (char)verb }, 2,
			false };
		return TELNET_DATA;
	}
	finish(c, 3);
	if (verb != WILL && verb != DO)
		return TELNET_TAKEN;
	buf_add(reply, (char[]){ (char)IAC, (char)refuse, (char)byte }, 3);
	return TELNET_ANSWER;
}

static enum telnet_step
subnegotiation(struct proto_client *c, unsigned char byte)
{
	uint32_t n = sb_count(c->state) + 1;

	if (n > SB_MAX) {
		finish(c, n);
		return TELNET_NO;
	}
	set_sb_count(c, n);
	if (place_of(c->state) == PLACE_SB) {
		if (byte == IAC)
			set_place(c, PLACE_SB_IAC);
	} else if (byte == SE) {
		finish(c, n + 2);
	} else {
		set_place(c, PLACE_SB);
	}
	return TELNET_TAKEN;
}

enum telnet_step
text_telnet(struct proto_client *c, const struct proto_options *o,
	unsigned char byte, struct telnet_data *ret, struct buf *reply)
{
	switch (place_of(c->state)) {
	case PLACE_TEXT:
		if (byte != IAC)
			return TELNET_NO;
		set_place(c, PLACE_COMMAND);
		return TELNET_TAKEN;
	case PLACE_COMMAND:
		return after_iac(c, o, byte, ret, reply);
	case PLACE_OPTION:
		return option(c, byte, ret, reply);
	default:
		return subnegotiation(c, byte);
	}
}
