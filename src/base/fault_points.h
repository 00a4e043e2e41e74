/* fault_points.h - every point at which a fault may strike: one table.
 *
 * X(name, who, kind, file, what)
 *
 *	who    MASTER, KEEPER, WORKER: the process that passes it
 *	kind   POINT: a place in the code
 *	       CALL: a system call, which may be left out and fail instead
 *	       LENGTH: how much a system call may move
 *	file   where it is, under src/
 *	what   what it is around
 *
 * A point stands in exactly one place of the sources; t/lint/12-faults.t holds
 * the table and the sources together, and tests walk through it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_FAULT_POINTS_H
#define BANTER_BASE_FAULT_POINTS_H

/* clang-format off */
#define FAULT_POINTS(X) \
X(hub_recv, MASTER, CALL, "master/hub.c", "recv() of a batch from a slot") \
X(hub_received, MASTER, POINT, "master/hub.c", "a batch was received, not yet numbered") \
X(hub_numbered, MASTER, POINT, "master/hub.c", "its number is stored, its frames are not handled") \
X(hub_frame, MASTER, POINT, "master/hub.c", "before the registry sees a frame") \
X(hub_appended, MASTER, POINT, "master/hub.c", "a frame is in the relay log") \
X(hub_send, MASTER, CALL, "master/hub.c", "send() of a batch to a slot") \
X(hub_sent, MASTER, POINT, "master/hub.c", "a batch was sent, the cursor not moved") \
X(lines_pair, MASTER, CALL, "master/slot.c", "socketpair() of a slot's lines") \
X(spawn_send, MASTER, CALL, "master/slot.c", "send() of SPAWN to a keeper") \
X(spawn_sent, MASTER, POINT, "master/slot.c", "SPAWN was sent") \
X(keeper_fork, MASTER, CALL, "master/keeper_fork.c", "fork() of a keeper") \
X(keeper_child, KEEPER, POINT, "master/keeper_fork.c", "a keeper's first step") \
X(keeper_read, MASTER, CALL, "master/supervise.c", "recv() of what a keeper says") \
X(worker_pidfd, MASTER, CALL, "master/supervise.c", "pidfd_open() of a new worker") \
X(worker_gone, MASTER, POINT, "master/supervise.c", "a death is told, nothing done about it") \
X(worker_ready, MASTER, POINT, "master/supervise.c", "READY has come, nothing done about it") \
X(link_send, MASTER, CALL, "master/ctl_link.c", "send() of a command on ctl") \
X(link_recv, MASTER, CALL, "master/ctl_link.c", "recv() of an answer on ctl") \
X(reload_asked, MASTER, POINT, "master/reload.c", "PREPARE was sent to a slot, not yet to the next") \
X(reload_commit, MASTER, POINT, "master/reload.c", "all have prepared, nothing is in force") \
X(reload_told, MASTER, POINT, "master/reload.c", "COMMIT was sent to a slot, not yet to the next") \
X(keeper_clone, KEEPER, CALL, "keeper/keeper.c", "clone() of a worker") \
X(keeper_cloned, KEEPER, POINT, "keeper/keeper.c", "the worker runs, the master is not told") \
X(keeper_pidfd, KEEPER, CALL, "keeper/keeper.c", "pidfd_open() of a worker") \
X(keeper_reaped, KEEPER, POINT, "keeper/keeper.c", "the worker is reaped, the death not noted") \
X(keeper_report, KEEPER, CALL, "keeper/keeper.c", "send() of a report to the master") \
X(worker_born, WORKER, POINT, "keeper/keeper.c", "a worker's first step") \
X(io_accept, WORKER, CALL, "io/io.c", "accept4()") \
X(io_accepted, WORKER, POINT, "io/io.c", "accepted, without a record") \
X(io_recv, WORKER, CALL, "io/io.c", "recv() from a client") \
X(io_recv_length, WORKER, LENGTH, "io/io.c", "what is received from a client at once") \
X(io_received, WORKER, POINT, "io/io.c", "received, not noted") \
X(io_send, WORKER, CALL, "io/io.c", "send() to a client") \
X(io_send_length, WORKER, LENGTH, "io/io.c", "what is sent to a client at once") \
X(io_sent, WORKER, POINT, "io/io.c", "sent, not noted") \
X(epoll_add, WORKER, CALL, "io/epoll.c", "epoll_ctl() that adds a descriptor") \
X(epoll_wait, WORKER, CALL, "io/epoll.c", "epoll_wait()")
/* clang-format on */

#endif
