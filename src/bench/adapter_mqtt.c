/* adapter_mqtt.c - MQTT 3.1.1, quality of service 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/adapter.h"

#include <stdio.h>

enum {
	CONNECT = 1,
	CONNACK = 2,
	PUBLISH = 3,
	SUBSCRIBE = 8,
	SUBACK = 9,
	PINGRESP = 13
};

static void
put_length(struct buf *out, size_t len)
{
	do {
		unsigned char byte = len & 127;

		len >>= 7;
		buf_chr(out, (char)(len ? byte | 128 : byte));
	} while (len);
}

static void
put_string(struct buf *out, const char *s)
{
	size_t len = strlen(s);

	buf_chr(out, (char)(len >> 8));
	buf_chr(out, (char)len);
	buf_add(out, s, len);
}

/* No keep-alive, so that nobody has to say PINGREQ; a clean session. */
static void
hello(struct bench_who *who, struct buf *out)
{
	static const char flags[] = { 4, 2, 0, 0 };
	char name[16];

	(void)snprintf(name, sizeof name, "%c%06x", who->run, who->id);
	buf_chr(out, (char)(CONNECT << 4));
	put_length(out, 6 + sizeof flags + 2 + strlen(name));
	put_string(out, "MQTT");
	buf_add(out, flags, sizeof flags);
	put_string(out, name);
}

static void
subscribe(const struct bench_who *who, struct buf *out)
{
	buf_chr(out, (char)(SUBSCRIBE << 4 | 2));
	put_length(out, 2 + 2 + strlen(who->room) + 1);
	buf_add(out, "\0\1", 2); /* the packet's number */
	put_string(out, who->room);
	buf_chr(out, 0);
}

static enum bench_item
connected(const struct bench_who *who, struct slice body, struct buf *out)
{
	if (body.len != 2)
		return BENCH_BAD;
	if (body.p[1] != 0)
		return BENCH_REFUSED;
	if (!who->member)
		return BENCH_READY;
	subscribe(who, out);
	return BENCH_NOTHING;
}

static enum bench_item
published(struct slice body, unsigned flags, struct slice *ret_text)
{
	size_t topic;

	if (body.len < 2)
		return BENCH_BAD;
	topic = (size_t)((unsigned char)body.p[0] << 8 |
			 (unsigned char)body.p[1]);
	/* Nobody has subscribed to more than quality of service 0. */
	if ((flags & 6) != 0 || body.len < 2 + topic)
		return BENCH_BAD;
	*ret_text = slice_skip(body, 2 + topic);
	return BENCH_MESSAGE;
}

/* The bytes of the header, or 0: more, or 6: not the protocol. */
static size_t
header(struct slice in, size_t *ret_len)
{
	*ret_len = 0;
	for (size_t i = 1; i < 5; i++) {
		if (i >= in.len)
			return 0;
		*ret_len |= (size_t)(in.p[i] & 127) << (7 * (i - 1));
		if ((in.p[i] & 128) == 0)
			return i + 1;
	}
	return 6;
}

static enum bench_item
next(struct bench_who *who, struct slice *in, struct slice *ret_text,
	struct buf *out)
{
	size_t len, head = header(*in, &len);
	unsigned first;
	struct slice body;

	if (head == 6 || len > ADAPTER_ITEM_MAX)
		return BENCH_BAD;
	if (head == 0 || in->len < head + len)
		return BENCH_MORE;
	first = (unsigned char)in->p[0];
	body = slice_of(in->p + head, len);
	*in = slice_skip(*in, head + len);
	*ret_text = slice_of("refused", 7);
	switch (first >> 4) {
	case CONNACK:
		return connected(who, body, out);
	case SUBACK:
		if (body.len != 3)
			return BENCH_BAD;
		return (body.p[2] & 128) ? BENCH_REFUSED : BENCH_READY;
	case PUBLISH:
		return published(body, first & 15, ret_text);
	case PINGRESP:
		return BENCH_NOTHING;
	default:
		return BENCH_BAD;
	}
}

static void
publish(const struct bench_who *who, struct slice text, struct buf *out)
{
	buf_chr(out, (char)(PUBLISH << 4));
	put_length(out, 2 + strlen(who->room) + text.len);
	put_string(out, who->room);
	buf_slice_add(out, text);
}

const struct bench_adapter bench_mqtt = {
	.name = "mqtt",
	.own = true,
	.hello = hello,
	.next = next,
	.publish = publish,
};
