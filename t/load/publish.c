/* SPDX-License-Identifier: MIT */
#include "account.h"
#include "base/clock.h"
#include "load.h"

#define LINE_CAP 2048
#define AHEAD    65536 /* bytes that may wait for the kernel */
#define HALVED   8     /* one line in so many */

/* How many lines publisher p should have sent by now.  In an open-ended load
 * each has its own moment, so that they do not all speak at once. */
static uint32_t
due(const struct load *l, unsigned p, uint64_t start_ns)
{
	double lines = (double)(clock_mono_ns() - start_ns) / 1e9 * l->o.rate;
	uint32_t most = l->o.until_eof ? UINT32_MAX : l->o.messages;

	if (l->o.until_eof)
		lines -= (double)p / l->o.publishers;
	if (l->o.rate <= 0 || lines + 1 >= most)
		return most;
	return lines < 0 ? 0 : (uint32_t)lines + 1;
}

static bool
is_halved(const struct load *l, unsigned p, uint32_t number)
{
	return l->o.mixed && p % 2 && number % HALVED == 0;
}

static bool
publish_line(struct load *l, struct client *c)
{
	char line[LINE_CAP];
	struct account_line what = { c->id, c->sent + 1, 0 };
	bool halved = is_halved(l, c->id, what.number), sent;
	size_t n;

	if (!halved)
		what.sent_ns = clock_mono_ns();
	n = account_write(l, what, line, sizeof(line));
	sent = halved ? conn_send_halves(l, c, line, n)
		      : conn_send(l, c, line, n);
	if (sent)
		account_sent(l, c);
	return sent;
}

static bool
is_done(const struct load *l, const struct client *c)
{
	if (c->state == CLIENT_CLOSED)
		return true;
	if (c->out_len || c->rest_len)
		return false;
	return l->o.until_eof ? l->ended : c->sent >= l->o.messages;
}

bool
publish_due(struct load *l, uint64_t start_ns)
{
	bool all = true;

	for (unsigned p = 0; p < l->o.publishers; p++) {
		struct client *c = &l->client[p];
		uint32_t want = l->ended ? 0 : due(l, p, start_ns);

		/* At most 64 in a row, so that all take part. */
		for (int i = 0;
			i < 64 && c->state == CLIENT_READY && c->sent < want &&
			c->out_len < AHEAD && !c->rest_len;
			i++)
			if (!publish_line(l, c))
				break;
		if (!is_done(l, c))
			all = false;
	}
	return all;
}
