/* Each slot is asked for one page at a time, a few slots at once, and none
 * while the peer has not read what is there: so an answer of any length takes
 * bounded memory, and a stopped worker costs one deadline.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "bus/ctl.h"
#include "bus/wire.h"
#include "master/commands_private.h"
#include "master/control.h"
#include "master/loop.h"
#include "msg/session_id.h"
#include "net/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ASKED_AT_ONCE 8
#define DEADLINE_MS   1000

enum slot_ask_state {
	ASK_NEXT, /* a page is to be asked for */
	ASK_SENT,
	ASK_DONE,
	ASK_SILENT,
	ASK_DIED
};

struct slot_ask {
	enum slot_ask_state state;
	uint32_t first;
	uint64_t tag, until_ms;
};

struct clients_ask {
	struct commands *commands;
	struct control_request *request;
	struct clients_ask *next, **link;
	struct loop_timer timer;
	uint64_t left; /* rows that may still be shown */
	unsigned n_slots, n_sent;
	struct slot_ask slot[SLOTS_MAX];
};

static void on_deadline(void *arg);

static struct control_request *
ask_end(struct clients_ask *a)
{
	struct control_request *r = a->request;

	loop_timer_clear(&a->timer);
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	free(a);
	return r;
}

static void
on_cancel(void *arg)
{
	(void)ask_end(arg);
}

void
commands_clients_end(struct commands *c)
{
	struct clients_ask *a, *next;

	for (a = c->clients; a; a = next) {
		next = a->next;
		control_finish(ask_end(a), CONTROL_REFUSED, "the server stops");
	}
}

static void
note(struct control_request *r, unsigned slot, const char *what)
{
	control_row(r);
	control_printf(r, "worker %u %s", slot, what);
	control_row_end(r);
}

static void
finish(struct clients_ask *a)
{
	struct control_request *r = a->request;
	bool table = false;
	unsigned i;

	for (i = 0; i < a->n_slots; i++) {
		enum slot_ask_state state = a->slot[i].state;

		if (state != ASK_SILENT && state != ASK_DIED)
			continue;
		if (!table)
			control_table(r, "note");
		table = true;
		note(r, i + 1,
			state == ASK_DIED
				? "was replaced meanwhile; not all of its "
				  "clients are shown"
				: "did not answer (stopped?)");
	}
	control_finish(ask_end(a), CONTROL_DONE, "%s", "");
}

static void
send_ask(struct clients_ask *a, unsigned slot)
{
	struct slot_ask *s = &a->slot[slot - 1];
	struct ctl_page page = { .first = s->first };
	struct commands *c = a->commands;

	s->tag = ++c->last_tag;
	s->until_ms = clock_mono_ms() + DEADLINE_MS;
	if (master_slot_ctl(c->master, slot, CTL_CLIENTS, s->tag, &page,
		    sizeof(page)) < 0) {
		s->state = ASK_SILENT;
		return;
	}
	s->state = ASK_SENT;
	a->n_sent++;
}

static void
set_deadline(struct clients_ask *a)
{
	uint64_t until_ms = UINT64_MAX;
	unsigned i;

	for (i = 0; i < a->n_slots; i++)
		if (a->slot[i].state == ASK_SENT &&
			a->slot[i].until_ms < until_ms)
			until_ms = a->slot[i].until_ms;
	if (until_ms == UINT64_MAX)
		loop_timer_clear(&a->timer);
	else
		loop_timer_set(master_loop(a->commands->master), &a->timer,
			until_ms, on_deadline, a);
}

/* Ask for what may be asked now, or end. */
static void
advance(void *arg)
{
	struct clients_ask *a = arg;
	bool waits = false;
	unsigned i;

	for (i = 0; i < a->n_slots && a->left > 0; i++) {
		if (a->slot[i].state != ASK_NEXT)
			continue;
		if (control_pending(a->request) >= CONTROL_OUT_LOW) {
			waits = true;
			break;
		}
		if (a->n_sent < ASKED_AT_ONCE)
			send_ask(a, i + 1);
	}
	if (waits)
		control_on_drain(a->request, advance, a);
	set_deadline(a);
	if (a->n_sent == 0 && !waits)
		finish(a);
}

static void
on_deadline(void *arg)
{
	struct clients_ask *a = arg;
	uint64_t now = clock_mono_ms();
	unsigned i;

	for (i = 0; i < a->n_slots; i++) {
		struct slot_ask *s = &a->slot[i];

		if (s->state != ASK_SENT || s->until_ms > now)
			continue;
		s->state = ASK_SILENT;
		a->n_sent--;
	}
	advance(a);
}

static void
show_client(struct control_request *r, unsigned slot,
	const struct ctl_client *client, struct slice nick, struct slice rooms)
{
	char text[ADDR_TEXT_LEN], since[COMMANDS_TIME_LEN];

	control_row(r);
	control_value(r, slice_of(client->state_name,
				 strnlen(client->state_name,
					 sizeof(client->state_name))));
	control_value(
		r, slice_str(client->local ? "local"
					   : addr_text(client->address, text)));
	control_number(r, client->port);
	control_value(r, nick);
	control_value(r, rooms);
	control_value(r, slice_str(commands_time(client->since_ms, since)));
	control_number(r, client->idle_ms / 1000);
	control_number(r, client->bytes_in);
	control_number(r, client->bytes_out);
	control_number(r, client->pending);
	control_number(r, slot);
	control_row_end(r);
}

static int
show_page(struct clients_ask *a, unsigned slot, uint32_t n, struct slice body)
{
	while (n-- > 0) {
		struct ctl_client client;
		struct slice nick, rooms;

		if (!bus_get(&body, &client, sizeof(client)) ||
			!bus_get_str(&body, &nick) ||
			!bus_get_str(&body, &rooms))
			return -EPROTO;
		if (a->left == 0)
			continue;
		a->left--;
		show_client(a->request, slot, &client, nick, rooms);
	}
	return body.len == 0 ? 0 : -EPROTO;
}

static struct clients_ask *
find(struct commands *c, unsigned slot, uint64_t tag)
{
	struct clients_ask *a;

	for (a = c->clients; a; a = a->next)
		if (slot >= 1 && slot <= a->n_slots &&
			a->slot[slot - 1].state == ASK_SENT &&
			a->slot[slot - 1].tag == tag)
			return a;
	return NULL;
}

int
commands_client_page(
	struct commands *c, unsigned slot, uint64_t tag, struct slice body)
{
	struct clients_ask *a = find(c, slot, tag);
	struct slot_ask *s;
	struct ctl_page page;
	int rc = -EPROTO;

	if (!a) /* it came too late, or nobody waits for it any more */
		return 0;
	s = &a->slot[slot - 1];
	s->state = ASK_DIED;
	a->n_sent--;
	/* A page that leads back would go round for ever. */
	if (bus_get(&body, &page, sizeof(page)) &&
		(page.first == 0 || page.first > s->first))
		rc = show_page(a, slot, page.n, body);
	if (rc == 0) {
		s->state = page.first != 0 ? ASK_NEXT : ASK_DONE;
		s->first = page.first;
	}
	advance(a);
	return rc;
}

void
commands_slot_gone(struct commands *c, unsigned slot)
{
	struct clients_ask *a, *next;

	for (a = c->clients; a; a = next) {
		next = a->next; /* advance() may end it */
		if (slot < 1 || slot > a->n_slots ||
			a->slot[slot - 1].state != ASK_SENT)
			continue;
		a->slot[slot - 1].state = ASK_DIED;
		a->n_sent--;
		advance(a);
	}
}

static struct clients_ask *
ask_new(struct commands *c, struct control_request *r, unsigned n_slots)
{
	struct clients_ask *a = xcalloc(1, sizeof(*a));

	a->commands = c;
	a->request = r;
	a->n_slots = n_slots < SLOTS_MAX ? n_slots : SLOTS_MAX;
	a->next = c->clients;
	a->link = &c->clients;
	if (a->next)
		a->next->link = &a->next;
	c->clients = a;
	control_on_cancel(r, on_cancel, a);
	return a;
}

/* A worker that is known to be away is not waited for. */
static void
choose_slots(struct clients_ask *a, uint64_t only)
{
	struct command_slot s;
	unsigned i;

	for (i = 0; i < a->n_slots; i++) {
		if ((only != 0 && only != i + 1) ||
			!master_slot_status(a->commands->master, i + 1, &s) ||
			s.state == COMMAND_SLOT_GONE ||
			s.state == COMMAND_SLOT_DRAINED)
			a->slot[i].state = ASK_DONE;
		else if (s.worker <= 0 || s.state == COMMAND_SLOT_STOPPED)
			a->slot[i].state = ASK_SILENT;
	}
}

void
commands_clients(struct commands *c, struct control_request *r,
	const struct words *words)
{
	uint64_t limit = UINT64_MAX, only = 0;
	struct command_status status;
	struct clients_ask *a;
	unsigned at = 1;

	while (at < words->n)
		if (commands_option(words, &at, "--limit", &limit) != 1 &&
			commands_option(words, &at, "--worker", &only) != 1) {
			control_finish(r, CONTROL_USAGE,
				"clients: expected clients [--limit N] [--worker N]");
			return;
		}
	master_status(c->master, &status);
	if (only > status.n_slots) {
		control_finish(r, CONTROL_REFUSED,
			"there is no worker %u; expected 1 to %u",
			(unsigned)only, status.n_slots);
		return;
	}
	control_table(r,
		"state\taddress\tport\tnick\trooms\tsince\tidle\tin\tout\t"
		"pending\tworker");
	a = ask_new(c, r, status.n_slots);
	a->left = limit;
	choose_slots(a, only);
	advance(a);
}
