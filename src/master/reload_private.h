/* reload_private.h - the reload that runs, for the files of reload.h only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_RELOAD_PRIVATE_H
#define BANTER_MASTER_RELOAD_PRIVATE_H

#include "base/buf.h"
#include "master/conf_helper.h"
#include "master/reload.h"

struct waiting;

enum reload_phase {
	RELOAD_IDLE,
	RELOAD_PARSING,
	RELOAD_PREPARING,
	RELOAD_SWITCHING /* it is in force, and nothing undoes it any more */
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
	unsigned n_wanted; /* slots by conf */
	/* Bit i: slot i + 1.  gone: whom we asked has died since. */
	uint64_t asked, answered, gone;
	uint64_t look_ms;  /* between two looks */
	uint64_t late_ms;  /* when the wait for the switch is over */
	struct buf report; /* what has changed, for people */
	char report_text[32768];
};

/* The slots' part, which ends in reload_finish(): bind what is new and ask all
 * of them for the configuration r->conf. */
void reload_prepare(struct reload *r);

/* All slots were told COMMIT: wait until they have switched, which ends in
 * reload_finish(). */
void reload_switch_wait(struct reload *r);

/* Is somebody left to wait for? */
void reload_switch_look(struct reload *r);

/* Wait no longer. */
void reload_switch_end(struct reload *r);

/* Undo what was prepared, and end so: for people, why. */
void reload_refuse(struct reload *r, int rc, struct slice why);
void reload_refuse_fmt(struct reload *r, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* It is over: whoever waits is answered, and the next begins if one is due.  rc
 * is 0 or -errno. */
void reload_finish(struct reload *r, int rc, struct slice report);

#endif
