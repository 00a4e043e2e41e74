/* reload_private.h - the reload that runs, for the files of reload.h only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_PRIVATE_H
#define BANTER_MASTER_RELOAD_PRIVATE_H

#include "master/conf_helper.h"
#include "master/reload.h"

struct waiting;

enum reload_phase {
	RELOAD_IDLE,
	RELOAD_PARSING,
	RELOAD_PREPARING
};

struct reload {
	struct master *m;
	enum reload_phase phase;
	bool again; /* somebody asked while one ran */
	struct waiting *now, *next;
	struct conf_helper helper;
	struct loop_timer timer, restart;
	struct conf_report complaints;
	const struct conf *conf; /* the new one */
	int conf_fd;
	uint64_t tag;
	unsigned n_wanted;        /* slots by conf */
	uint64_t asked, answered; /* bit i: slot i + 1 */
};

/* The slots' part, which ends in reload_finish(): bind what is new and ask all
 * of them for the configuration r->conf. */
void reload_prepare(struct reload *r);

/* Undo what was prepared, and end so: for people, why. */
void reload_refuse(struct reload *r, int rc, struct slice why);
void reload_refuse_fmt(struct reload *r, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* It is over: whoever waits is answered, and the next begins if one is due.  rc
 * is 0 or -errno. */
void reload_finish(struct reload *r, int rc, struct slice report);

#endif
