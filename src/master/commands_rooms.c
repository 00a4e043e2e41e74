/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "master/commands_private.h"
#include "master/control.h"
#include "master/hub.h"
#include "master/waiter.h"

/* Rooms shown before the loop goes on with chat. */
#define ROOMS_PER_TURN 256

static void
show_room(struct control_request *r, const struct hub_room *room)
{
	control_row(r);
	control_value(r, room->name);
	control_number(r, room->members);
	control_number(r, room->sequence);
	control_value(r, room->configured ? SLICE_LIT("yes") : SLICE_LIT("no"));
	control_value(r, room->topic);
	control_row_end(r);
}

/* A room that vanishes meanwhile moves the later ones up: one of them may be
 * left out of an answer of several turns. */
static void
show_some(void *arg)
{
	struct waiter *w = arg;
	struct hub *hub = master_hub(w->commands->master);
	struct hub_room room;
	unsigned n;

	for (n = 0; n < ROOMS_PER_TURN &&
		    control_pending(w->request) < CONTROL_OUT_LOW;
		n++) {
		if (w->left == 0 || !hub_room_at(hub, w->at, &room)) {
			control_finish(waiter_end(w), CONTROL_DONE, "%s", "");
			return;
		}
		show_room(w->request, &room);
		w->at++;
		w->left--;
	}
	control_on_drain(w->request, show_some, w);
}

void
commands_rooms(struct commands *c, struct control_request *r,
	const struct words *words)
{
	uint64_t limit = UINT32_MAX;
	unsigned at = 1;
	struct waiter *w;

	while (at < words->n)
		if (commands_option(words, &at, "--limit", &limit) != 1) {
			control_finish(r, CONTROL_USAGE,
				"rooms: expected rooms [--limit N]");
			return;
		}
	control_table(r, "room\tmembers\tsequence\tconfigured\ttopic");
	w = waiter_new(c, r);
	w->left = (uint32_t)limit;
	show_some(w);
}
