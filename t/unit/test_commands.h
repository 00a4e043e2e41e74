/* test_commands.h - a master and a hub of three slots, made of variables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_TEST_COMMANDS_H
#define BANTER_TEST_COMMANDS_H

#include "bus/ctl.h"
#include "conf/conf.h"
#include "master/banlist.h"
#include "master/commands.h"
#include "master/hub.h"
#include "master/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 3

static char dir[] = "/tmp/test_commands.XXXXXX";
static char path[64];
static struct loop *loop;
static struct control *control;
static struct commands *commands;

static struct conf conf = { .name = "test", .max_clients = 100, .bans = 3 };
static struct slot_page page[SLOTS];
static enum command_slot_state state[SLOTS];
static uint64_t known_session;
static uint32_t n_rooms;
static bool stopping, silent[SLOTS];
static int reload_rc;
static const char *reload_report;
static master_upgrade_fn *upgrade_fn;
static void *upgrade_arg;
static master_reload_fn *reload_fn;
static void *reload_arg;
static char kick_reason[512];
static struct banlist *banlist;
static int ban_saved;

struct asked {
	unsigned slot, type;
	uint64_t tag, number;
	uint32_t first;
};
static struct asked asked[256];
static unsigned n_asked, n_answered;

void
master_status(const struct master *master, struct command_status *ret)
{
	(void)master;
	*ret = (struct command_status){ .since_ms = 1000,
		.conf_generation = 7,
		.n_slots = SLOTS,
		.n_workers = SLOTS,
		.pending = "user, run_dir" };
}

int
master_ban(struct master *master, const struct ban *ban, int *ret_saved)
{
	(void)master;
	*ret_saved = ban_saved;
	return banlist_add(banlist, ban, conf.bans);
}

int
master_unban(struct master *master, const struct conf_net *net, int *ret_saved)
{
	(void)master;
	*ret_saved = ban_saved;
	return banlist_del(banlist, net);
}

const struct banlist *
master_banlist(const struct master *master)
{
	(void)master;
	return banlist;
}

bool
master_slot_status(
	const struct master *master, unsigned slot, struct command_slot *ret)
{
	(void)master;
	if (slot < 1 || slot > SLOTS)
		return false;
	*ret = (struct command_slot){ .state = state[slot - 1],
		.keeper = 100 + (pid_t)slot,
		.worker = 200 + (pid_t)slot,
		.generation = 5,
		.deaths = 4,
		.since_ms = 1795205566000,
		.page = slot == 3 ? NULL : &page[slot - 1] };
	return true;
}

const struct conf *
master_conf(const struct master *master)
{
	(void)master;
	return &conf;
}

struct hub *
master_hub(struct master *master)
{
	(void)master;
	return NULL;
}

struct loop *
master_loop(struct master *master)
{
	(void)master;
	return loop;
}

int
master_slot_ctl(struct master *master, unsigned slot, unsigned type,
	uint64_t tag, const void *body, size_t len)
{
	struct asked *a = &asked[n_asked++ % 256];

	(void)master;
	*a = (struct asked){ .slot = slot, .type = type, .tag = tag };
	if (type == CTL_CLIENTS) {
		struct ctl_page p;

		cr_assert_eq(len, sizeof(p));
		memcpy(&p, body, sizeof(p));
		a->first = p.first;
	} else {
		memcpy(&a->number, body, sizeof(a->number));
		memcpy(kick_reason, (const char *)body + 8, len - 8);
	}
	return slot == 3 && silent[2] ? -EAGAIN : 0;
}

void
master_reload(struct master *master, master_reload_fn *done, void *arg)
{
	(void)master;
	reload_fn = done;
	reload_arg = arg;
	if (reload_report)
		done(arg, reload_rc, slice_str(reload_report));
}

int
master_reopen(struct master *master)
{
	(void)master;
	return reload_rc;
}

/* Slot 1 can be drained, 2 is the last live one, 3 is drained. */
static unsigned drained;

int
master_drain(struct master *master, unsigned slot)
{
	(void)master;
	if (slot != 1)
		return slot == 2 ? -EPERM : slot == 3 ? -EALREADY : -ENOENT;
	drained = slot;
	return 0;
}

int
master_undrain(struct master *master, unsigned slot)
{
	(void)master;
	if (slot != drained)
		return slot > SLOTS ? -ENOENT : -EALREADY;
	drained = 0;
	return 0;
}

void
master_upgrade(struct master *master, master_upgrade_fn *done, void *arg)
{
	(void)master;
	upgrade_fn = done;
	upgrade_arg = arg;
}

void
master_stop(struct master *master)
{
	(void)master;
	stopping = true;
}

uint32_t
hub_clients(const struct hub *hub, unsigned slot)
{
	(void)hub;
	return slot == 0 ? 33 : 11;
}

uint32_t
hub_rooms(const struct hub *hub)
{
	(void)hub;
	return n_rooms;
}

uint64_t
hub_session_by_nick(const struct hub *hub, struct slice nick)
{
	(void)hub;
	return slice_eq_str(nick, "ann") ? known_session : 0;
}

bool
hub_room_at(const struct hub *hub, uint32_t at, struct hub_room *ret)
{
	static char name[16];

	(void)hub;
	(void)snprintf(name, sizeof(name), "r%u", at);
	*ret = (struct hub_room){ slice_str(name), SLICE_LIT("a\ttopic"), 2, 9,
		at == 0 };
	return at < n_rooms;
}

struct hub_stats
hub_stats(const struct hub *hub)
{
	(void)hub;
	return (struct hub_stats){ .messages = 99 };
}

uint64_t
hub_slot_behind(const struct hub *hub, unsigned slot)
{
	(void)hub;
	return slot;
}

#endif
