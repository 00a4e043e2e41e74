/* control_private.h - the connections of the control socket, for its own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CONTROL_PRIVATE_H
#define BANTER_MASTER_CONTROL_PRIVATE_H

#include "master/control.h"
#include "master/control_out.h"
#include "master/control_socket.h"
#include "master/loop.h"

enum state {
	READING,
	WAITING,
	WRITING
};

struct control_request {
	struct control *control;
	struct control_request *next, **link;
	enum state state;
	int fd;
	uint32_t events; /* that the loop watches for */
	struct loop_timer timer;
	char line[CONTROL_LINE_MAX];
	size_t line_len;
	struct control_out out;
	control_cancel_fn *cancel;
	void *cancel_arg;
	control_drain_fn *drain;
	void *drain_arg;
};

struct control {
	struct loop *loop;
	struct control_socket socket;
	struct loop_timer pause;
	control_handler_fn *handler;
	void *arg;
	struct control_request *requests;
	unsigned n_requests;
};

/* A connection that waits for nothing yet; NULL: it was closed. */
struct control_request *control_take_in(struct control *c, int fd);

/* Watch for what its state needs; after each change of it. */
void control_watch(struct control_request *r, bool progress);

loop_fn control_accept;

#endif
