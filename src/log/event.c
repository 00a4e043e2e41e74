/* SPDX-License-Identifier: MIT */
#include "log/event.h"

#include "log/log.h"

#include <arpa/inet.h>

/* The names are read by programs: they never change. */
static struct event_kind {
	const char *name;
	enum log_level level;
	struct log_limit limit;
} kinds[] = {
	[LOG_CONNECT] = { "connect", LOG_LEVEL_INFO,
		{ .what = "connect events", .burst = 200 } },
	[LOG_JOIN] = { "join", LOG_LEVEL_INFO,
		{ .what = "join events", .burst = 200 } },
	[LOG_REFUSE] = { "refuse", LOG_LEVEL_NOTICE,
		{ .what = "refuse events", .burst = 50 } },
	[LOG_FLOOD] = { "flood", LOG_LEVEL_NOTICE,
		{ .what = "flood events", .burst = 50 } },
	[LOG_MALFORMED] = { "malformed", LOG_LEVEL_NOTICE,
		{ .what = "malformed events", .burst = 50 } },
	[LOG_KICK] = { "kick", LOG_LEVEL_NOTICE,
		{ .what = "kick events", .burst = 50 } },
	[LOG_SUSPECT] = { "suspect", LOG_LEVEL_WARNING,
		{ .what = "suspect events", .burst = 50 } },
	[LOG_CLOSE] = { "close", LOG_LEVEL_INFO,
		{ .what = "close events", .burst = 200 } },
};

static void
put_address(struct buf *b, const struct log_client *client)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *ip = client->address;
	char text[INET6_ADDRSTRLEN] = "?";

	if (client->local) {
		buf_str(b, "addr=local port=0");
		return;
	}
	if (!memcmp(ip, mapped, sizeof(mapped)))
		(void)inet_ntop(AF_INET, ip + 12, text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, ip, text, sizeof(text));
	buf_printf(b, "addr=%s port=%u", text, client->port);
}

static void
put_quoted(struct buf *b, const char *key, struct slice value)
{
	if (value.len == 0)
		return;
	buf_printf(b, " %s=", key);
	log_quote(b, value);
}

static void
emit(enum log_level level, const struct buf *b)
{
	if (level == LOG_LEVEL_WARNING)
		log_warning("%.*s", (int)b->len, b->p);
	else if (level == LOG_LEVEL_NOTICE)
		log_notice("%.*s", (int)b->len, b->p);
	else
		log_info("%.*s", (int)b->len, b->p);
}

void
log_event(enum log_event_type type, const struct log_client *client,
	const char *keys, struct slice nick, const char *what,
	struct slice value)
{
	struct event_kind *kind = &kinds[type];
	char mem[800];
	struct buf b = buf_over(mem, sizeof(mem));

	if (!log_level_is_on(kind->level) || !log_limit_pass(&kind->limit))
		return;
	buf_printf(&b, "event=%s ", kind->name);
	put_address(&b, client);
	if (keys[0])
		buf_printf(&b, " %s", keys);
	put_quoted(&b, "nick", nick);
	put_quoted(&b, what, value);
	emit(kind->level, &b);
}
