/* SPDX-License-Identifier: MIT */
#include "account.h"
#include "load.h"

#define LINE_CAP 2048
#define AHEAD    65536 /* bytes that may wait for the kernel */

static unsigned
due(const struct load *l, uint64_t start_ns)
{
	if (!l->o.rate)
		return l->o.messages;
	uint64_t n = (load_now_ns() - start_ns) * l->o.rate / 1000000000 + 1;
	return n < l->o.messages ? (unsigned)n : l->o.messages;
}

bool
publish_due(struct load *l, uint64_t start_ns)
{
	unsigned want = due(l, start_ns);
	bool all = true;
	char line[LINE_CAP];

	for (unsigned p = 0; p < l->o.publishers; p++) {
		struct client *c = &l->client[p];

		/* At most 64 in a row, so that all take part. */
		for (int i = 0; i < 64 && c->state == CLIENT_READY &&
				c->sent < want && c->out_len < AHEAD;
			i++) {
			size_t n = account_line(
				l, p, c->sent + 1, line, sizeof(line));

			if (!conn_send(l, c, line, n))
				break;
			c->sent++;
			l->t.sent++;
		}
		if (c->state != CLIENT_CLOSED &&
			(c->sent < l->o.messages || c->out_len))
			all = false;
	}
	return all;
}
