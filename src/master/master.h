/* master.h - the process that reads the configuration, binds, supervises,
 * sequences and relays.
 *
 * What the verbs of the control socket see of it is in commands.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_MASTER_H
#define BANTER_MASTER_MASTER_H

#include "bus/slot.h"

#include <stdbool.h>
#include <stdint.h>

struct conf;

struct master_options {
	const char *conf_path;
	bool foreground;
	int ready_fd; /* -1: none; closed when all is said */
	char **argv;  /* as the process was given it, for an upgrade */
	/* Bytes of a slot's arena: the layer above knows the arena. */
	uint64_t (*arena_size)(const struct conf *conf, unsigned fd_limit);
	/* Of its layout.  Can workers of this image go on with one of another
	 * version, given memory for its conversion?  NULL: with none. */
	uint32_t arena_version;
	bool (*arena_can_convert)(uint32_t from);
};

/* sysexits(3), as the manual has them. */
enum master_exit {
	MASTER_EXIT_OK = 0,
	MASTER_EXIT_NO_WORKER = 1,
	MASTER_EXIT_UNAVAILABLE = 69, /* second instance, address in use */
	MASTER_EXIT_INTERNAL = 70,
	MASTER_EXIT_OS = 71,
	MASTER_EXIT_CREATE = 73,
	MASTER_EXIT_PERMISSION = 77,
	MASTER_EXIT_CONFIG = 78
};

/* Run the daemon until it is stopped.  The exit code.  Without foreground it
 * forks, and returns in the parent as soon as the daemon is ready or has
 * failed. */
int master_main(const struct master_options *o, slot_worker_fn *worker);

/* What another image of this program starts in an upgrade, with the memfd of
 * the running master's state.  Rehearse: 0, or an exit code with a line on
 * stderr; nothing is changed.  Resume: as master_main(), in the process of the
 * master before; go_back: because the newer image could not. */
int master_rehearse(
	const struct master_options *o, slot_worker_fn *worker, int memory);
int master_resume(const struct master_options *o, slot_worker_fn *worker,
	int *memory, bool go_back);

#endif
