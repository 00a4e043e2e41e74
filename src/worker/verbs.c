/* SPDX-License-Identifier: MIT */
#include "arena/tx.h"
#include "log/event.h"
#include "worker/mishap.h"
#include "worker/private.h"

#include <stdio.h>

#define REASON_MAX 256u /* bytes of a /quit that others are shown */

static void
tell(struct worker *w, const struct session *s, struct event e)
{
	output_tell(w, s, &e);
}

static struct slice
short_of(struct slice s, size_t max)
{
	return slice_of(s.p, s.len < max ? s.len : max);
}

static void
verb_time(struct worker *w, const struct session *s, const struct request *r)
{
	const struct protocol *p = kind_of(w, s)->protocol;

	if (r->has_text)
		arena_set(&w->arena, &s->proto_state,
			p->set_time(s->proto_state, r->on));
	tell(w, s,
		(struct event){ .type = EVENT_TIME_IS,
			.on = p->set_time(s->proto_state, true) ==
			      s->proto_state });
}

static void
tell_limit(struct worker *w, const struct session *s, const char *key,
	uint64_t value, const char *unit)
{
	char text[64];

	if (value == 0)
		(void)snprintf(text, sizeof text, "none");
	else
		(void)snprintf(text, sizeof text, "%llu%s",
			(unsigned long long)value, unit);
	tell(w, s,
		(struct event){ .type = EVENT_LIMIT,
			.nick = slice_str(key),
			.text = slice_str(text) });
}

static void
verb_limits(struct worker *w, const struct session *s)
{
	const struct conf_limits *l = &w->conf->limits;
	const struct {
		const char *key;
		uint64_t value;
		const char *unit;
	} row[] = {
		{ "max_clients", w->conf->max_clients, "" },
		{ "clients_per_ip", l->clients_per_ip, "" },
		{ "line_bytes", l->line_bytes, " bytes" },
		{ "rate", l->rate, " lines a second" },
		{ "burst", l->burst, " lines" },
		{ "output_bytes", l->output_bytes, " bytes" },
		{ "output_memory", l->output_memory, " bytes" },
		{ "idle_timeout", l->idle_timeout_s, " s" },
		{ "rooms", l->rooms, "" },
		{ "rooms_per_client", l->rooms_per_client, "" },
		{ "topic_bytes", l->topic_bytes, " bytes" },
		{ "announce_limit", l->announce_limit, " members" },
		{ "nick", NAME_MAX_LEN, " bytes" },
		{ "room", NAME_MAX_LEN, " bytes" },
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		tell_limit(w, s, row[i].key, row[i].value, row[i].unit);
}

static void
verb_refused(struct worker *w, const struct session *s, const struct request *r)
{
	struct event e = { .type = EVENT_REFUSED,
		.refusal = r->refusal,
		.text = r->target,
		.number = r->number };

	tell(w, s, e);
	if (r->refusal != REFUSAL_NOT_TEXT)
		return;
	count(w, malformed, 1);
	client_log(w, LOG_MALFORMED, s, "", "text", r->target);
	client_leave(w, s, SLICE_LIT("not the text protocol"), NULL);
}

void
verb_request(struct worker *w, const struct session *s, const struct request *r)
{
	switch (r->type) {
	case REQUEST_NONE:
		break;
	case REQUEST_TIME:
		verb_time(w, s, r);
		break;
	case REQUEST_LIMITS:
		verb_limits(w, s);
		break;
	case REQUEST_HELP:
		tell(w, s,
			(struct event){
				.type = EVENT_HELP, .text = r->target });
		break;
	case REQUEST_QUIT:
		client_leave(w, s, short_of(r->text, REASON_MAX),
			&(struct event){ .type = EVENT_CLOSING,
				.text = SLICE_LIT("goodbye") });
		break;
	case REQUEST_REFUSED:
		verb_refused(w, s, r);
		break;
	default:
		mishap_line(r->text);
		chat_request(w->chat, s, r);
		break;
	}
}

bool
verb_finish(struct worker *w, const struct session *s, uint64_t id)
{
	if (s->id == id && s->state == SESSION_FLUSHING)
		client_left(w, s);
	return s->id == id && is_open(s);
}
