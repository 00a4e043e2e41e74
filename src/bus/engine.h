/* engine.h - the engines of io/ by number, as a slot's processes and images
 * tell each other of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BUS_ENGINE_H
#define BANTER_BUS_ENGINE_H

/* The numbers are for good: images of other versions know them. */
enum engine {
	ENGINE_UNKNOWN,
	ENGINE_EPOLL = 1,
	ENGINE_IO_URING = 2,
	ENGINE_POLL = 3,
	ENGINE_SELECT = 4,
	ENGINE_THREADS = 5
};

/* ENGINE_UNKNOWN when there is none of that name. */
enum engine engine_number(const char *name);

/* "" of a number that is not known. */
const char *engine_name(unsigned number);

/* Of the descriptors below fd_limit, those that it can wait for are below this:
 * FD_SETSIZE or fd_limit itself. */
unsigned engine_fd_limit(enum engine engine, unsigned fd_limit);

#endif
