/* upgrade_private.h - an upgrade that is under way, for its own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_UPGRADE_PRIVATE_H
#define BANTER_MASTER_UPGRADE_PRIVATE_H

#include "master/upgrade.h"

/* Exit code of a child whose exec() of the new image failed. */
#define UPGRADE_NO_EXEC 127

enum upgrade_phase {
	UPGRADE_IDLE,
	UPGRADE_REHEARSING,
	UPGRADE_SLOTS
};

enum slot_step {
	STEP_NONE,
	STEP_PARKING,  /* CTL_PARK is sent, the worker's end awaited */
	STEP_EXECING,  /* KEEPER_EXEC is sent */
	STEP_STARTING, /* the new pair is on its way to READY */
	STEP_UNDOING   /* it is killed: until nobody holds its table */
};

struct upgrade {
	struct master *m;
	enum upgrade_phase phase;
	int image;     /* open installed file, or -1 */
	int old_image; /* the one before, while it may be gone back to */
	bool reload_later;
	char from[32]; /* version */
	master_upgrade_fn *done;
	void *arg;
	struct loop_timer timer;
	enum engine engine; /* of the workers to come */
	/* The rehearsal. */
	pid_t helper;
	int helper_out;
	bool helper_late;
	/* The slot whose turn it is. */
	struct slot *slot; /* NULL: none */
	unsigned next;     /* index */
	enum slot_step step;
	pid_t keeper; /* of the new pair; 0: none, or reaped */
	int line;     /* the master's end to it, or -1 */
	int worker_pidfd;
	pid_t worker;
	int arena; /* for it, when its layout is another; -1 */
	bool old_keeper_gone;
	char why[200]; /* STEP_UNDOING */
	/* "SLOT RESULT" lines. */
	char text[8192]; /* 64 slots with a word each */
	struct buf report;
};

/* The end of it, with an answer to who has asked. */
void upgrade_end(struct upgrade *u, int rc, const char *why);

/* Begin with the slots. */
void upgrade_slots_begin(struct upgrade *u);
/* Kill what is half done. */
void upgrade_slots_cancel(struct upgrade *u);
bool upgrade_slots_reaped(struct upgrade *u, pid_t pid, int status);

/* upgrade_undo.c: away from the slot whose turn it is. */
void upgrade_leave_slot(struct upgrade *u);
/* It stays as it was, as u->why says, and so do those after it: the end. */
void upgrade_give_in(struct upgrade *u);
/* The same when something new was started: that has to be gone first. */
void upgrade_undo(struct upgrade *u, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Something of it has ended: was it the last? */
void upgrade_check_undone(struct upgrade *u);
void upgrade_kill_new(struct upgrade *u);
/* A worker of the image before, over the same arena. */
void upgrade_start_again(struct slot *s);

#endif
