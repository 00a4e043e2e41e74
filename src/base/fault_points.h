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
X(keeper_read, MASTER, CALL, "master/supervise_keeper.c", "recv() of what a keeper says") \
X(worker_pidfd, MASTER, CALL, "master/supervise_keeper.c", "pidfd_open() of a new worker") \
X(worker_gone, MASTER, POINT, "master/supervise_death.c", "a death is told, nothing done about it") \
X(worker_ready, MASTER, POINT, "master/supervise.c", "READY has come, nothing done about it") \
X(link_send, MASTER, CALL, "master/ctl_link.c", "send() of a command on ctl") \
X(link_recv, MASTER, CALL, "master/ctl_link.c", "recv() of an answer on ctl") \
X(reload_asked, MASTER, POINT, "master/reload_slots.c", "PREPARE was sent to a slot, not yet to the next") \
X(listeners_begin, MASTER, CALL, "master/listeners.c", "listen() of what would have taken clients before the commit") \
X(reload_commit, MASTER, POINT, "master/reload_slots.c", "all have prepared, nothing is in force") \
X(reload_told, MASTER, POINT, "master/reload_slots.c", "COMMIT was sent to a slot, not yet to the next") \
X(upgrade_rehearsed, MASTER, POINT, "master/resume.c", "a rehearsal is about to say that all is well") \
X(upgrade_exec, MASTER, CALL, "master/upgrade_exec.c", "execveat() of the master") \
X(upgrade_map, MASTER, CALL, "master/state.c", "the configuration is of another layout") \
X(upgrade_hub, MASTER, CALL, "master/hub.c", "the relay log is restored, the registry is not") \
X(upgrade_restored, MASTER, CALL, "master/resume.c", "the state is restored, nothing is adopted") \
X(keeper_clone, KEEPER, CALL, "keeper/keeper.c", "clone() of a worker") \
X(keeper_cloned, KEEPER, POINT, "keeper/keeper.c", "the worker runs, the master is not told") \
X(keeper_pidfd, KEEPER, CALL, "keeper/keeper.c", "pidfd_open() of a worker") \
X(keeper_reaped, KEEPER, POINT, "keeper/keeper.c", "the worker is reaped, the death not noted") \
X(keeper_report, KEEPER, CALL, "keeper/keeper.c", "send() of a report to the master") \
X(reserve_clone, KEEPER, CALL, "keeper/reserve.c", "clone() of a keeper's reserve") \
X(reserve_born, KEEPER, POINT, "keeper/reserve.c", "a reserve's first step") \
X(upgrade_parked, MASTER, POINT, "master/upgrade_slots.c", "a worker has parked, its keeper is not asked yet") \
X(upgrade_execed, MASTER, POINT, "master/upgrade_slots.c", "another image's keeper is there, not yet asked for a worker") \
X(upgrade_gone, MASTER, POINT, "master/upgrade_slots.c", "GO was sent, the new worker is not yet the slot's") \
X(image_cloned, KEEPER, POINT, "keeper/image.c", "the clone that is to become another image") \
X(image_report, KEEPER, CALL, "keeper/image.c", "send() of its pid to the master") \
X(image_said, KEEPER, POINT, "keeper/image.c", "it has told the master, and not executed") \
X(image_exec, KEEPER, CALL, "keeper/image.c", "execveat() of the next image's keeper") \
X(image_resumed, KEEPER, POINT, "keeper/keeper.c", "another image's keeper, its line not yet read") \
X(worker_born, WORKER, POINT, "keeper/keeper.c", "a worker's first step") \
X(io_accept, WORKER, CALL, "io/io.c", "accept4()") \
X(io_accepted, WORKER, POINT, "io/io.c", "accepted, without a record") \
X(io_recv, WORKER, CALL, "io/io.c", "recv() from a client") \
X(io_recv_length, WORKER, LENGTH, "io/io.c", "what is received from a client at once") \
X(io_received, WORKER, POINT, "io/io.c", "received, not noted") \
X(io_send, WORKER, CALL, "io/io.h", "send() to a client") \
X(io_send_length, WORKER, LENGTH, "io/io.h", "what is sent to a client at once") \
X(io_sent, WORKER, POINT, "io/io.h", "sent, not noted") \
X(epoll_add, WORKER, CALL, "io/epoll.c", "epoll_ctl() that adds a descriptor") \
X(uring_setup, WORKER, CALL, "io/uring_setup.c", "io_uring_setup()") \
X(uring_add, WORKER, CALL, "io/uring.c", "a client is taken into the engine") \
X(uring_wait, WORKER, CALL, "io/uring.c", "io_uring_enter() that waits") \
X(uring_copied, WORKER, POINT, "io/uring_harvest.c", "a buffer is copied, nothing is noted") \
X(uring_handled, WORKER, POINT, "io/uring_harvest.c", "what a buffer had is handled, its completion is still there") \
X(uring_harvest, WORKER, POINT, "io/uring_harvest.c", "before a completion of the ring before is looked at") \
X(accept_record, WORKER, POINT, "worker/accept.c", "a connection has half of a record, uncommitted") \
X(accept_asked, WORKER, POINT, "worker/accept.c", "its CONNECT is in the batch, uncommitted") \
X(accept_done, WORKER, POINT, "worker/accept.c", "its record is committed, it is not in the engine") \
X(accept_added, WORKER, POINT, "worker/accept.c", "it is in the engine") \
X(access_refused, WORKER, POINT, "worker/access.c", "a connection is to be turned away, it was not told") \
X(access_closed, WORKER, POINT, "worker/access.c", "one of those inside was closed, not yet the next") \
X(proxy_part, WORKER, POINT, "worker/proxied.c", "part of a PROXY header is kept, uncommitted") \
X(proxy_whole, WORKER, POINT, "worker/proxied.c", "a PROXY header was read, uncommitted") \
X(input_kept, WORKER, POINT, "worker/input_pause.c", "what came while nobody is heard is kept, uncommitted") \
X(input_owned, WORKER, POINT, "worker/input_receive.c", "the receive area is a session's, nothing received") \
X(input_noted, WORKER, POINT, "worker/input_receive.c", "the length of what was received is noted") \
X(input_step, WORKER, POINT, "worker/input.c", "a line is in hand, before its transaction") \
X(input_read, WORKER, POINT, "worker/input.c", "a line was read and not acted upon, uncommitted") \
X(input_handled, WORKER, POINT, "worker/input.c", "a line was handled, uncommitted") \
X(input_done, WORKER, POINT, "worker/input.c", "a line was handled, committed") \
X(input_held, WORKER, POINT, "worker/input.c", "input is held back, uncommitted") \
X(input_flushed, WORKER, POINT, "worker/input.c", "an unfinished line was handled, uncommitted") \
X(input_over, WORKER, POINT, "worker/input_receive.c", "all that was received is handled") \
X(uplink_append, WORKER, POINT, "worker/uplink.c", "a frame lies behind the batch, which does not count it") \
X(seal_numbered, WORKER, POINT, "worker/uplink.c", "the batch has its number in its head, no copy") \
X(seal_copied, WORKER, POINT, "worker/uplink.c", "the sealed copy is there, not noted") \
X(seal_noted, WORKER, POINT, "worker/uplink.c", "the sealed copy is noted, uncommitted") \
X(seal_done, WORKER, POINT, "worker/uplink.c", "sealed, not sent") \
X(uplink_send, WORKER, CALL, "worker/uplink.c", "send() of a batch to the master") \
X(uplink_sent, WORKER, POINT, "worker/uplink.c", "a batch was sent, not noted") \
X(downlink_peek, WORKER, CALL, "worker/downlink.c", "recv() that looks at a batch") \
X(downlink_peeked, WORKER, POINT, "worker/downlink.c", "a batch was looked at") \
X(downlink_drop, WORKER, CALL, "worker/downlink.c", "recv() that takes a batch off the socket") \
X(downlink_dropped, WORKER, POINT, "worker/downlink.c", "a batch was taken off the socket") \
X(frame_begun, WORKER, POINT, "worker/downlink.c", "a frame is in hand") \
X(frame_handled, WORKER, POINT, "worker/downlink.c", "a frame was handled, uncommitted") \
X(frame_done, WORKER, POINT, "worker/downlink.c", "a frame was handled, committed") \
X(batch_handled, WORKER, POINT, "worker/downlink.c", "all frames are handled, the batch is not noted") \
X(batch_done, WORKER, POINT, "worker/downlink.c", "the batch is noted, not taken off the socket") \
X(fanout_member, WORKER, POINT, "worker/fanout.c", "one member has the message, the next ones do not") \
X(fanout_served, WORKER, POINT, "worker/fanout.c", "all members have it, blocks are not counted") \
X(output_flush, WORKER, POINT, "worker/flush.c", "a client's queue is in hand, nothing sent") \
X(output_noted, WORKER, POINT, "worker/flush.c", "what was sent is noted, uncommitted") \
X(output_done, WORKER, POINT, "worker/flush.c", "what was sent is noted, committed") \
X(queue_copied, WORKER, POINT, "arena/queue.c", "a longer queue is filled, the shorter one is in force") \
X(queue_grown, WORKER, POINT, "arena/queue.c", "a longer queue is in force, the shorter one not freed") \
X(queue_push, WORKER, POINT, "arena/queue.c", "an entry is behind the end of the queue") \
X(close_said, WORKER, POINT, "worker/client.c", "a client was said goodbye to, committed") \
X(close_half, WORKER, POINT, "worker/client.c", "our side is shut down, not noted") \
X(close_begun, WORKER, POINT, "worker/client.c", "a client is to be closed") \
X(close_shut, WORKER, POINT, "worker/client.c", "it is shut down, not closed") \
X(close_closed, WORKER, POINT, "worker/client.c", "it is closed, its record is there") \
X(close_freed, WORKER, POINT, "worker/client.c", "its record is free") \
X(turn_end, WORKER, POINT, "worker/worker.c", "the end of a turn") \
X(rollback_word, WORKER, POINT, "arena/arena.c", "one word is rolled back") \
X(takeover_mapped, WORKER, POINT, "worker/worker.c", "a used arena is rolled back, nobody is blamed") \
X(blame_found, WORKER, POINT, "worker/blame.c", "who is to blame is known, not noted") \
X(blame_noted, WORKER, POINT, "worker/blame.c", "the blame is noted, the hand not empty") \
X(blame_done, WORKER, POINT, "worker/blame.c", "the blame is noted, the hand empty") \
X(recount_counted, WORKER, POINT, "arena/recount.c", "the blocks are counted, the free ones not listed") \
X(start_engine, WORKER, POINT, "worker/worker.c", "the engine is open") \
X(recover_session, WORKER, POINT, "worker/recover.c", "a record that was found is looked at") \
X(recover_settle, WORKER, POINT, "worker/recover.c", "what the kernel sent is noted, uncommitted") \
X(start_ready, WORKER, POINT, "worker/worker.c", "before READY") \
X(start_said, WORKER, POINT, "worker/worker.c", "READY was sent") \
X(recover_closed, WORKER, POINT, "worker/recover.c", "who is suspected is closed") \
X(recover_harvested, WORKER, POINT, "worker/recover.c", "the ring of the worker before is empty, it is not closed") \
X(recover_received, WORKER, POINT, "worker/recover.c", "what lay in the receive area is handled") \
X(recover_resumed, WORKER, POINT, "worker/recover.c", "all sessions go on") \
X(recover_accept, WORKER, POINT, "worker/recover_fds.c", "an accepted connection was found that has no record") \
X(recover_sorted, WORKER, POINT, "worker/recover.c", "the descriptor table is in order") \
X(sync_told, WORKER, POINT, "worker/sync.c", "a list of sessions is in the batch") \
X(prepare_kept, WORKER, POINT, "worker/control.c", "a configuration is prepared, not answered") \
X(listener_placed, WORKER, POINT, "worker/control.c", "a new listener has a place, not its descriptor") \
X(listener_kept, WORKER, POINT, "worker/control.c", "a new listener is prepared") \
X(commit_listener, WORKER, POINT, "worker/control.c", "one listener is as in the new configuration") \
X(commit_listened, WORKER, POINT, "worker/control.c", "all are, the configuration is the old one") \
X(commit_noted, WORKER, POINT, "worker/control.c", "the new configuration is noted, uncommitted") \
X(commit_done, WORKER, POINT, "worker/control.c", "the new configuration is committed, the old one not closed") \
X(park_told, WORKER, POINT, "worker/control.c", "PARK has come") \
X(go_awaited, WORKER, POINT, "worker/worker.c", "READY of another image, before GO") \
X(go_told, WORKER, POINT, "worker/control.c", "GO has come") \
X(start_served, WORKER, POINT, "worker/worker.c", "serving begins") \
X(epoll_wait, WORKER, CALL, "io/epoll.c", "epoll_wait()") \
X(poll_wait, WORKER, CALL, "io/poll.c", "poll() of that engine") \
X(select_wait, WORKER, CALL, "io/select.c", "select()") \
X(thread_create, WORKER, CALL, "io/threads_reader.c", "pthread_create()")
/* clang-format on */

#endif
