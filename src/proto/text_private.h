/* text_private.h - what the files of the text protocol share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_PROTO_TEXT_PRIVATE_H
#define BANTER_PROTO_TEXT_PRIVATE_H

#include "proto/proto.h"

/* What is remembered of a client, in proto_client.state:
 *
 *   bits  0-5   what it has shown or chosen, below
 *   bits  8-10  where in a telnet command the next byte is
 *   bits 11-12  WILL, WONT, DO or DONT, while its option is awaited
 *   bits 16-25  bytes of the subnegotiation being skipped
 *   bits 32-45  bytes of the unfinished line as received
 */
#define TEXT_CRLF      (UINT64_C(1) << 0) /* has ended a line in CR LF */
#define TEXT_TELNET    (UINT64_C(1) << 1) /* has sent a telnet command */
#define TEXT_TIME      (UINT64_C(1) << 2) /* wants the time before each line */
#define TEXT_NOT_FIRST (UINT64_C(1) << 3) /* its first line is over */
#define TEXT_DISCARD   (UINT64_C(1) << 4) /* drops the rest of a long line */
#define TEXT_CR        (UINT64_C(1) << 5) /* the last byte was a CR */

/* Bits of a variant. */
#define TEXT_VARIANT_CRLF 1u
#define TEXT_VARIANT_TIME 2u

/* Bytes of a line of PROTO_LINE_CAP in UTF-8: the worst is one byte that
 * becomes U+FFFD. */
#define TEXT_LINE_UTF8 (3 * PROTO_LINE_CAP)

/* text_telnet.c: the client's next byte, where telnet commands are concerned.
 */
enum telnet_step {
	TELNET_NO,     /* it is none: an ordinary byte */
	TELNET_TAKEN,  /* it was part of a command */
	TELNET_ANSWER, /* likewise, and reply has the answer */
	TELNET_ERASE,  /* EC */
	TELNET_CLEAR,  /* EL */
	TELNET_DATA    /* what looked like a command is data */
};

struct telnet_data {
	char p[2];
	size_t len;
	bool used; /* the byte itself was taken */
};

enum telnet_step text_telnet(struct proto_client *c,
	const struct proto_options *o, unsigned char byte,
	struct telnet_data *ret, struct buf *reply);

/* Is a telnet command under way? */
bool text_telnet_pending(uint64_t state);

/* Add n received bytes to the count of the unfinished line. */
void text_count(struct proto_client *c, uint32_t n);
uint32_t text_counted(const struct proto_client *c);

/* text_input.c */
enum proto_status text_input(struct proto_client *c,
	const struct proto_options *o, struct slice *in,
	struct request *request, struct buf *reply);
enum proto_status text_flush(struct proto_client *c,
	const struct proto_options *o, bool at_end, struct request *request);

/* text_command.c: make a request of a whole line of valid UTF-8, from which
 * the request borrows. */
void text_request(struct slice line, struct request *request);

/* How a command is used, "/nick [NAME]", given with or without its slash.  NULL
 * when there is none. */
const char *text_usage(struct slice command);

/* text_line.c: one line of output being made. */
struct text_out {
	const struct proto_options *options;
	uint32_t variant;
	uint64_t time_ms;
	struct buf *to;
	struct buf line; /* UTF-8; its memory is the module's */
	bool cut;        /* something did not fit */
};

void text_out_begin(struct text_out *t, const struct event *e,
	const struct proto_options *o, uint32_t variant, struct buf *to);

/* Append to the line.  text_fmt: %s is a slice of anybody's bytes, shown so
 * that they steer no terminal; %n a number; the rest is as it stands. */
void text_raw(struct text_out *t, const char *s);
void text_show(struct text_out *t, struct slice s);
void text_fmt(struct text_out *t, const char *fmt, struct slice s, uint64_t n);

/* Start a line (with the time, if wanted), and put it out with its newline. */
void text_begin(struct text_out *t);
void text_end(struct text_out *t);

/* text_refusal.c: what was refused and what would be right. */
void text_refusal(struct text_out *t, const struct event *e);

/* text_help.c: the lines of EVENT_HELP. */
void text_help(struct text_out *t, struct slice command);
/* The n-th command's usage and explanation; false behind the last. */
bool text_command_at(unsigned n, const char **usage, const char **help);

/* text_list.c: lines of many names. */
void text_joined(struct text_out *t, const struct event *e);
void text_who(struct text_out *t, const struct event *e);
void text_rooms(struct text_out *t, const struct event *e);

/* text_encode.c */
void text_encode(const struct event *e, const struct proto_options *o,
	uint32_t variant, struct buf *out);

#endif
