/* commands.h - the verbs of the control socket.
 *
 * What an administrator asks for becomes rows, or a question to the slots, or
 * an act of the master core.  Nothing here waits: what takes time is kept with
 * its control_request until the core reports its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_COMMANDS_H
#define BANTER_MASTER_COMMANDS_H

#include "base/slice.h"
#include "bus/slot.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ban;
struct banlist;
struct commands;
struct conf;
struct conf_net;
struct control_request;
struct hub;
struct loop;
struct master;

/* The master is borrowed until commands_free(). */
struct commands *commands_new(struct master *master);

/* Requests that still wait are answered with "the server stops". */
void commands_free(struct commands **commands);

/* The control_handler_fn of the socket; arg is the struct commands. */
void commands_handle(
	void *arg, struct control_request *request, struct slice line);

/* The core calls these. */

/* CTL_CLIENT_PAGE from a slot.  -EPROTO: the worker broke the protocol. */
int commands_client_page(struct commands *commands, unsigned slot, uint64_t tag,
	struct slice body);

/* CTL_ADDRESS from a slot, likewise. */
int commands_address(
	struct commands *commands, uint64_t tag, struct slice body);

/* The slot's worker has died or been replaced: no page comes from it. */
void commands_slot_gone(struct commands *commands, unsigned slot);

/* The request behind the arg of the upgrade's done, or NULL: it has left. */
struct control_request *commands_asker(const void *arg);

/* In the next image: this request has asked for the upgrade. */
void commands_upgrade_wait(struct commands *commands,
	struct control_request *request,
	void (**ret_done)(void *, int, struct slice, const char *),
	void **ret_arg);

/* What the core provides to the verbs. */

enum command_slot_state {
	COMMAND_SLOT_STARTING,
	COMMAND_SLOT_READY,
	COMMAND_SLOT_STOPPED, /* state T or t in /proc */
	COMMAND_SLOT_HUNG,
	COMMAND_SLOT_BACKOFF,  /* waits before the next start */
	COMMAND_SLOT_REFUSED,  /* not started before a reload */
	COMMAND_SLOT_DRAINING, /* ready, for the clients that it has */
	COMMAND_SLOT_DRAINED,
	COMMAND_SLOT_GONE, /* there are fewer now; its counters stay */
	COMMAND_SLOT_STOPPING
};

/* In the order of enum slot_death. */
#define COMMAND_DEATHS 5

struct command_slot {
	enum command_slot_state state;
	pid_t keeper, worker; /* 0: none */
	uint64_t generation;
	uint64_t deaths;
	uint64_t deaths_by[COMMAND_DEATHS];
	uint64_t since_ms; /* wall clock: this worker's start; 0: none */
	uint64_t sandbox;  /* of this worker; enum sandbox_state */
	const struct slot_page *page; /* borrowed; NULL before it exists */
};

struct command_status {
	uint64_t since_ms; /* wall clock: this daemon's start */
	uint64_t conf_generation;
	uint64_t reloads, reloads_failed;
	uint64_t upgrades, upgrades_failed;
	unsigned n_slots;    /* the highest number that there ever was */
	unsigned n_workers;  /* slots that are not gone */
	const char *pending; /* keys that wait for a restart, joined by ", ";
			      * "" for none; borrowed */
};

void master_status(const struct master *master, struct command_status *ret);

/* slot from 1; false: there is none. */
bool master_slot_status(
	const struct master *master, unsigned slot, struct command_slot *ret);

const struct conf *master_conf(const struct master *master);
struct hub *master_hub(struct master *master);
struct loop *master_loop(struct master *master);

/* Send CTL_CLIENTS or CTL_KICK to a slot's worker.  0 or -errno. */
int master_slot_ctl(struct master *master, unsigned slot, unsigned ctl_type,
	uint64_t tag, const void *body, size_t len);

/* Reload.  done is called once, possibly before this returns: rc 0, or -errno
 * when the old configuration stays.  report has one line per changed key,
 * "KEY applied" or "KEY pending restart", or the file:line complaints; it is
 * borrowed for the call.  A reload that runs already is awaited, and another
 * one follows it. */
typedef void master_reload_fn(void *arg, int rc, struct slice report);
void master_reload(struct master *master, master_reload_fn *done, void *arg);

/* Upgrade to the installed program.  done is called once: rc 0, or -errno and
 * why.  report has a line "SLOT RESULT" for each slot that it came to; it may
 * be empty.  When it gets so far, it is the next image that calls: see
 * commands_upgrade_wait(). */
typedef void master_upgrade_fn(
	void *arg, int rc, struct slice report, const char *why);
void master_upgrade(struct master *master, master_upgrade_fn *done, void *arg);

/* 0, or -errno when a log file could not be opened: the old one stays. */
int master_reopen(struct master *master);

/* Give the slot no new clients, and end it with its last one.  0, -ENOENT: it
 * is none of those configured, -EALREADY, -EPERM: it is the last live one,
 * -EBUSY: the server starts or stops. */
int master_drain(struct master *master, unsigned slot);
/* Take it back.  0, -ENOENT, -EALREADY: nobody has drained it, -EBUSY. */
int master_undrain(struct master *master, unsigned slot);

/* Put a ban in force, in place of one of the same network.  1: it was replaced;
 * 0; -ENOSPC: the key bans allows no more.  *ret_saved: 0 or why the file could
 * not be written, -errno. */
int master_ban(struct master *master, const struct ban *ban, int *ret_saved);
/* 0 or -ENOENT, likewise. */
int master_unban(
	struct master *master, const struct conf_net *net, int *ret_saved);
const struct banlist *master_banlist(const struct master *master);

/* As SIGTERM. */
void master_stop(struct master *master);

#endif
