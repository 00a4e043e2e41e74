/* commands_private.h - what the files of commands.h share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_COMMANDS_PRIVATE_H
#define BANTER_MASTER_COMMANDS_PRIVATE_H

#include "master/commands.h"
#include "master/words.h"

#include <stdint.h>

#define COMMANDS_TIME_LEN 32

struct clients_ask;
struct waiter;

struct commands {
	struct master *master;
	uint64_t last_tag;
	struct clients_ask *clients; /* those that run */
	struct waiter *waiters; /* reload, kick, stop and rooms that wait */
};

/* A verb.  words->word[0] is its name. */
typedef void commands_verb_fn(struct commands *c, struct control_request *r,
	const struct words *words);

commands_verb_fn commands_status, commands_metrics, commands_clients,
	commands_rooms, commands_kick, commands_reload, commands_upgrade,
	commands_reopen, commands_stop, commands_drain, commands_undrain,
	commands_ban, commands_unban, commands_bans;

/* The number that words->word[at] is: 0, or -EINVAL. */
int commands_number(const struct words *words, unsigned at, uint64_t *ret);

/* "--NAME N" at words->word[*at]: 1: taken, *at moved on; 0: it is something
 * else; -EINVAL: N is no number. */
int commands_option(const struct words *words, unsigned *at, const char *name,
	uint64_t *ret);

/* "2026-11-20T20:12:46Z"; "" for 0. */
const char *commands_time(uint64_t wall_ms, char out[COMMANDS_TIME_LEN]);

const char *commands_slot_state(enum command_slot_state state);

/* Log who asked for what. */
void commands_log(const struct control_request *r, const char *what);

/* Requests that wait in clients.c and waiter.c: end them. */
void commands_clients_end(struct commands *c);
void commands_waiters_end(struct commands *c);

#endif
