/* core.h - what the files of the master core share.
 *
 * The core owns the processes, their lines and the listeners; what travels
 * between clients is the hub's, what an administrator asks is commands.h's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CORE_H
#define BANTER_MASTER_CORE_H

#include "bus/engine.h"
#include "bus/slot.h"
#include "conf/conf.h"
#include "master/backoff.h"
#include "master/commands.h"
#include "master/keep.h"
#include "master/listeners.h"
#include "master/loop.h"
#include "master/master.h"
#include "master/quota.h"
#include "master/rundir.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct banlist;
struct control;
struct hub;
struct reload;
struct upgrade;

enum slot_phase {
	SLOT_DOWN,    /* no keeper: none yet, or waiting for its worker's end */
	SLOT_WAITING, /* before the next start */
	SLOT_STARTING, /* asked for, or not yet READY */
	SLOT_READY,
	SLOT_REFUSED, /* exit code 78: not started before a reload */
	SLOT_DRAINED  /* its last client has left, or it never had any: no
		       * worker, and the keeper is ending or gone */
};

/* Why a slot gets no new clients and ends with its last one; bits. */
enum slot_drain {
	DRAIN_SURPLUS = 1, /* `workers` is less than its number */
	DRAIN_BY_HAND = 2  /* banterctl drain */
};

/* Why a worker died. */
enum slot_death {
	SLOT_DEATH_KILLED,  /* SIGKILL that we did not send: the OOM killer? */
	SLOT_DEATH_CRASHED, /* SIGSEGV and the like */
	SLOT_DEATH_HUNG,    /* we ended it */
	SLOT_DEATH_BROKE,   /* it broke a protocol, and we killed it */
	SLOT_DEATH_EXITED,
	SLOT_DEATHS
};

/* What could not be sent because the worker does not read; bits. */
enum link_pending {
	LINK_ABORT = 1,
	LINK_COMMIT = 2,
	LINK_LOG = 4,
	LINK_QUOTA = 8,
	LINK_RECALL = 16,
	LINK_STOP = 32,
	LINK_DRAIN = 64,
	LINK_BANS = 128,
	LINK_PARK = 256
};

struct slot {
	struct master *m;
	unsigned number;          /* from 1 */
	int bus, ctl, keeper_ctl; /* the master's ends */
	bool bus_out;             /* waits to become writable */
	bool ctl_out;
	unsigned pending; /* enum link_pending */
	bool bans_unread; /* CTL_BANS was sent, CTL_BANS_HAD has not come */
	uint64_t abort_tag;
	uint64_t stop_ms;
	int page_fd;
	struct slot_page *page;

	pid_t keeper, worker;
	pid_t keeper_before;  /* what it has said may wait in the line */
	pid_t leaving_keeper; /* of the image before: ends by itself */
	uint32_t arena_version;
	enum engine engine; /* of its workers */
	int worker_pidfd;
	enum slot_phase phase;
	uint64_t generation, deaths;
	uint64_t deaths_by[SLOT_DEATHS];
	uint64_t violation_ms; /* of the latest one; 0: never */
	bool giving_up;        /* keeper and arena go with the worker */
	uint64_t poisoned;     /* generation that has named a frame */
	uint64_t since_ms;     /* wall clock: this worker's start */
	bool failed_first; /* died before READY in this start of the daemon */
	struct backoff backoff;
	struct loop_timer respawn, resync;
	uint64_t resync_tag; /* latest generation sent to this worker */

	unsigned drain;   /* enum slot_drain; drain.h */
	bool served;      /* this arena has had a worker that was READY */
	bool retiring;    /* the worker was told to end if it has no client */
	bool unshared;    /* the arena lacks shared listeners */
	uint64_t sandbox; /* of the worker; enum sandbox_state */
	bool parking;     /* the worker was told CTL_PARK */

	uint64_t alive_ms; /* monotonic: started, or seen running again */
	bool stopped;      /* state T or t */
	bool late;         /* misses heart-beats */
	uint64_t abort_ms; /* SIGABRT was sent then; 0: not */
	bool killed;       /* SIGKILL was sent */

	/* orphan.h */
	bool orphaned;      /* from the first sign of the keeper's death on */
	bool line_ended;    /* nobody holds the other end of keeper_ctl */
	pid_t old_keeper;   /* dead, not reaped; keeper is the new one, or 0 */
	uint64_t orphan_ms; /* deadline */
	bool alone;         /* neither keeper nor reserve: told once */
	bool end_known;     /* of the worker, with what follows */
	int end_status;
	bool end_ready;
};

enum stop_phase {
	STOP_NO,
	STOP_WORKERS,
	STOP_KEEPERS,
	STOP_DONE
};

struct master {
	struct master_options options;
	slot_worker_fn *worker;
	char *conf_path; /* absolute */
	const struct conf *conf, *boot;
	int conf_fd;
	int boot_fd;           /* of boot, when that is another than conf; -1 */
	uint64_t sandbox_told; /* the log was: this */
	bool conf_anew; /* conf was read from the file by an upgrade: older
			 * workers cannot read its memory */
	char *binary;   /* path of the installed program */
	uint64_t conf_generation, last_tag;
	enum engine engine; /* in force since the start or the latest upgrade:
			     * that of slots yet to be opened */
	char pending[2048]; /* keys, for people */
	uint64_t since_ms;
	struct rundir rundir;
	unsigned fd_limit;
	uint32_t slot_cap; /* clients by descriptors */

	struct loop *loop;
	struct hub *hub;
	struct control *control;
	struct commands *commands;
	unsigned n_inherited; /* sockets by LISTEN_FDS */
	struct listeners listeners;
	struct loop_timer leaving;
	struct reload *reload;
	uint64_t reloads, reloads_failed;
	struct upgrade *upgrade;
	bool upgrade_asked; /* by SIGUSR2, while a reload ran */
	/* While this image may still give the place back to the one before:
	 * what that has left open, and what of it is then closed. */
	struct keep left, unused;
	uint64_t upgrades, upgrades_failed;
	unsigned n_slots;  /* most that there ever were: see resize.h */
	unsigned n_wanted; /* as configured; the others drain */
	struct slot *slot; /* [CONF_WORKERS_MAX]: they never move */
	struct quota quota;
	struct loop_timer quota_timer;
	uint64_t steered; /* mask in force */
	struct banlist *banlist;
	int bans_fd;       /* it, sealed for the workers; -1: it could not be */
	bool bans_unsaved; /* the file is older */
	struct loop_timer ban_timer;
	struct loop_timer tick;
	uint64_t watchdog_ms, watchdog_at_ms;

	int signal_fd;
	bool ready;    /* told to the world */
	int report_fd; /* to the parent that waits, or -1 */
	enum stop_phase stop;
	struct loop_timer stop_timer;
	int exit_code;
};

/* master.c: run the loop until it is stopped, and end; the exit code. */
int master_serve(struct master *m);

/* ready.c: start-up is over, or has failed. */
void ready_check(struct master *m);
/* A daemon whose log goes elsewhere keeps nothing of who started it: 0 to 2. */
bool ready_lets_go(const struct master *m);

/* stop.c */
void stop_graceful(struct master *m);
void stop_now(struct master *m, int exit_code);
/* A worker or keeper has ended: is that all? */
void stop_step(struct master *m);

/* status.c: tell the service manager: the state ("READY=1", or "") and a line
 * for people, with `note` at its end unless it is NULL. */
void status_notify(struct master *m, const char *state, const char *note);
/* A reload is over, and why it was refused: the first line is told. */
void status_notify_refused(struct master *m, struct slice why);

/* share.c: quotas, as quota.h decides. */
void share_start(struct master *m);
void share_total(struct master *m);
void share_want(struct slot *s);
bool share_kept(struct slot *s, uint64_t kept);
void share_ready(struct slot *s);
void share_away(struct slot *s);
void share_grow(struct master *m, unsigned n_slots);
void share_drain(struct slot *s, bool drains);

#endif
