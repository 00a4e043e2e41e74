/* listeners.h - the addresses and their sockets: one per slot, or one for all.
 *
 * The master keeps every socket open while its address is configured, so that
 * what waits in the queue of a dead worker is accepted by its successor.  A
 * reload prepares, and then commits or aborts.
 *
 * Sockets join an address's group and never leave it: closing one would reset
 * what waits in its queue and give its place to another, and the steering
 * program counts places.  Those of slots that are no more stay, steered away
 * from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_LISTENERS_H
#define BANTER_MASTER_LISTENERS_H

#include "base/buf.h"
#include "bus/ctl.h"
#include "bus/slot.h"
#include "conf/conf.h"
#include "master/keep.h"
#include "net/inherit.h"
#include "net/listen.h"

#include <stdbool.h>
#include <stdint.h>

enum address_state {
	ADDRESS_NEW, /* of a configuration not yet committed */
	ADDRESS_LIVE,
	ADDRESS_LEAVING /* hidden; the slots empty its queues */
};

struct address {
	uint32_t number; /* never used again */
	uint32_t listen; /* index in conf.listen */
	uint32_t next_listen;
	bool kept; /* by the configuration being prepared */
	bool shared;
	bool inherited; /* the socket, and its file, are the supervisor's */
	bool dual;      /* [::] that takes IPv4 as well */
	bool quiet;     /* ADDRESS_NEW: listens from listeners_begin() on */
	bool hidden;    /* ADDRESS_LEAVING: no new connection finds it */
	enum address_state state;
	uint64_t since; /* the generation of the configuration it came with */
	uint64_t busy;  /* bit i: slot i + 1 has still to leave it */
	char name[CONF_NAME_LEN];
	struct listen_address asked, bound;
	unsigned n_fds;
	int fd[CONF_WORKERS_MAX]; /* by slot - 1, in the order of joining */
};

/* A listening socket from a supervisor that no address has taken yet. */
struct spare_socket {
	int fd;
	bool dual;
	struct listen_address at;
};

struct listeners {
	unsigned n_slots; /* sockets of a new address */
	uint64_t mask;    /* who gets new connections */
	unsigned n_spare;
	struct spare_socket spare[SLOT_LISTENERS_MAX];
	unsigned wrong; /* the section that listeners_prepare() failed at */
	uint32_t last_number;
	unsigned n;
	struct address *at[SLOT_LISTENERS_MAX];
};

void listeners_init(struct listeners *ls, unsigned n_slots);
void listeners_fini(struct listeners *ls); /* removes sockets' files */

/* Take n descriptors from INHERIT_FIRST_FD on; call before the first prepare.
 * What cannot be listened on is closed with a warning. */
void listeners_inherit(struct listeners *ls, unsigned n);
/* After it: close with a warning what no address of the configuration took. */
void listeners_drop_spare(struct listeners *ls);

/* Sockets that it would take to have n at every address that lives. */
unsigned listeners_missing(const struct listeners *ls, unsigned n);

/* Sockets for n slots at every address that lives, and later at every new one.
 * 0, or -errno with *why; what has joined by then stays for the next try. */
int listeners_grow(struct listeners *ls, const struct conf *conf, unsigned n,
	struct buf *why);

/* Bind what is new in conf.  0, or -errno with *why: then nothing has changed.
 */
int listeners_prepare(struct listeners *ls, const struct conf *conf,
	uint64_t generation, struct buf *why);
void listeners_abort(struct listeners *ls);
/* Before the commit: what is new and would have taken clients from what is to
 * go listens as well.  0, or -errno with *why: abort then. */
int listeners_begin(
	struct listeners *ls, const struct conf *conf, struct buf *why);
/* In place of what was.  True: some addresses are leaving now: nobody new comes
 * to them, and the slots of mask say when they are done. */
bool listeners_commit(struct listeners *ls, const struct conf *was,
	const struct conf *conf, uint64_t mask);

/* What a socket of that section is opened with.  0 or -ENOENT: its group does
 * not exist. */
int listeners_options(
	const struct conf *conf, unsigned listen, struct listen_options *ret);
/* Is it ::1 beside other addresses, on a machine without IPv6? */
bool listeners_is_spared(
	const struct conf_listen *l, const struct listen_address *want);
/* What an administrator can do about an errno of binding, behind "; expected ".
 */
void listeners_advice(const struct listen_address *a,
	const struct conf_listen *l, int rc, struct buf *why);
/* Give what is open the options of its next section. */
void listeners_adjust(
	struct address *a, const struct conf *was, const struct conf *conf);

/* A slot has left an address.  False: there never was such an address. */
bool listeners_done(struct listeners *ls, unsigned slot, uint32_t number);
void listeners_close_leaving(struct listeners *ls);

/* The slot's socket of an address. */
int listeners_fd(const struct address *a, unsigned slot);

/* Does a connection wait that only this slot can accept? */
bool listeners_wait(const struct listeners *ls, unsigned slot);

/* What a new keeper inherits; the count.  A slot that drains has no part in the
 * shared ones. */
unsigned listeners_env(const struct listeners *ls, unsigned slot, bool drains,
	struct slot_listener ret[SLOT_LISTENERS_MAX]);
/* Every address that lives (prepared: or will), for CTL_COMMIT; the count. */
unsigned listeners_map(const struct listeners *ls,
	struct ctl_listener ret[SLOT_LISTENERS_MAX]);

/* New connections go to slots whose bit is set; not 0. */
void listeners_steer(struct listeners *ls, uint64_t mask);

/* For the next image of the master; restored after listeners_init().  None may
 * be ADDRESS_NEW.  False: damaged. */
void listeners_save(const struct listeners *ls, struct keep *k);
bool listeners_restore(struct listeners *ls, struct kept *k);

/* The name of an address that conf has not, or not at the same place; NULL:
 * there is none. */
const char *listeners_stranger(
	const struct listeners *ls, const struct conf *conf);
bool listeners_are_leaving(const struct listeners *ls);

/* "LISTEN name address port" per address. */
void listeners_print(const struct listeners *ls, struct buf *b);

#endif
