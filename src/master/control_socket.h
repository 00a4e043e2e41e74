/* control_socket.h - the listening UNIX socket of control.h and its file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CONTROL_SOCKET_H
#define BANTER_MASTER_CONTROL_SOCKET_H

#include "master/keep.h"

#include <sys/types.h>
#include <sys/un.h>

struct control_socket {
	int fd;
	struct sockaddr_un at;
	dev_t dev; /* of the file that we made */
	ino_t ino;
};

/* As control_open().  On failure nothing is left behind and fd is -1. */
int control_socket_open(struct control_socket *s, const char *path, gid_t gid);

/* The file is removed unless somebody has put another in its place. */
void control_socket_close(struct control_socket *s);

void control_socket_save(const struct control_socket *s, struct keep *k);
void control_socket_restore(struct control_socket *s, struct kept *k);

#endif
