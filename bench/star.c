/* star.c - what the middle of the star costs: a hub and fake slots.
 *
 *	star [SECONDS [SLOTS BATCH]]
 *
 * Each slot is a process that publishes batches of frames of 128 bytes as fast
 * as its socket takes them and reads what it is sent; every slot has a member
 * in the one room.  The hub has CPU 0, the slots share CPU 1.  "msg/s" are
 * messages in; each goes out to every slot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"
#include "bus/wire.h"
#include "conf/conf.h"
#include "master/hub.h"
#include "msg/session_id.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES 128

static struct conf conf;

static void
die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* One CPU only: the figures are then of both together. */
	(void)sched_setaffinity(0, sizeof set, &set);
}

static double
cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct slice
fill(struct bus_writer *w, void *mem, unsigned slot, unsigned n)
{
	static const char body[FRAME_BYTES - sizeof(struct bus_frame)] =
		"\3\0ann";
	struct bus_frame f = { .version = BUS_VERSION,
		.type = BUS_SAY,
		.length = FRAME_BYTES,
		.room = 1,
		.sender = session_id(slot, 1) };

	bus_writer_init(w, mem);
	while (n-- > 0)
		bus_writer_add(w, &f, slice_of(body, sizeof body));
	return bus_writer_seal(w, 1);
}

static void
say_hello(int fd, unsigned slot)
{
	static _Alignas(8) char mem[BUS_BATCH_MAX];
	struct bus_connect c = { .local = 1 };
	struct bus_frame f = { .version = BUS_VERSION,
		.type = BUS_CONNECT,
		.length = sizeof f + sizeof c,
		.sender = session_id(slot, 1) };
	struct bus_writer w;
	struct slice d;

	bus_writer_init(&w, mem);
	bus_writer_add(&w, &f, slice_of(&c, sizeof c));
	d = bus_writer_seal(&w, 1);
	if (send(fd, d.p, d.len, 0) == -1)
		die("send");
}

/* Publish and read until the hub is gone. */
static _Noreturn void
run_slot(int fd, unsigned slot, unsigned batch)
{
	static _Alignas(8) char mem[BUS_BATCH_MAX], in[BUS_BATCH_MAX];
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT };
	struct bus_batch *head = (void *)mem;
	struct bus_writer w;
	struct slice d;
	int ep = epoll_create1(0);

	pin(1);
	say_hello(fd, slot);
	d = fill(&w, mem, slot, batch);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1)
		die("epoll_ctl");
	for (uint64_t number = 2;;) {
		if (epoll_wait(ep, &e, 1, -1) != 1)
			continue;
		if (e.events & (EPOLLHUP | EPOLLERR))
			_exit(0);
		for (int i = 0; i < 16 && (e.events & EPOLLIN); i++)
			if (recv(fd, in, sizeof in, 0) <= 0)
				break;
		head->number = number;
		if ((e.events & EPOLLOUT) &&
			send(fd, d.p, d.len, MSG_NOSIGNAL) > 0)
			number++;
	}
}

static pid_t
start_slot(struct hub *hub, int ep, unsigned slot, unsigned batch)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = slot };
	int p[2], size = BUS_SNDBUF;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0, p) == -1)
		die("socketpair");
	for (int i = 0; i < 2; i++)
		(void)setsockopt(
			p[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		/* The hub's ends of all slots so far: else nobody sees EOF. */
		if (close_range(3, (unsigned)p[1] - 1, 0) == -1)
			die("close_range");
		run_slot(p[1], slot, batch);
	}
	(void)close(p[1]);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == -1)
		die("epoll_ctl");
	hub_slot_open(hub, slot, p[0]);
	return pid;
}

static void
turns(struct hub *hub, int ep, uint64_t until_ns)
{
	while (clock_mono_ns() < until_ns) {
		struct epoll_event e[64];
		int n = epoll_wait(ep, e, 64, 10);

		for (int i = 0; i < n; i++)
			if (hub_slot_read(hub, e[i].data.u32) < 0) {
				fprintf(stderr, "%s\n", hub_violation(hub));
				exit(EXIT_FAILURE);
			}
		hub_turn_end(hub);
	}
}

static void
measure(double seconds, unsigned slots, unsigned batch)
{
	struct hub *hub = hub_new(&conf, slots);
	int ep = epoll_create1(EPOLL_CLOEXEC);
	pid_t pid[SLOTS_MAX];
	struct hub_stats a, b;
	double cpu, wall;

	if (!hub || ep == -1)
		die("hub");
	for (unsigned s = 1; s <= slots; s++)
		pid[s - 1] = start_slot(hub, ep, s, batch);
	pin(0);
	turns(hub, ep, clock_mono_ns() + 200000000);
	a = hub_stats(hub);
	wall = (double)clock_mono_ns();
	cpu = cpu_seconds();
	turns(hub, ep, (uint64_t)(wall + seconds * 1e9));
	wall = ((double)clock_mono_ns() - wall) / 1e9;
	cpu = cpu_seconds() - cpu;
	b = hub_stats(hub);
	b.messages -= a.messages;
	printf("slots %2u batch %2u: %8.0f msg/s, %9.0f slot-deliveries/s, hub CPU %.2f, %.2f us CPU per message, %.0f%% in gaps\n",
		slots, batch, (double)b.messages / wall,
		(double)(b.messages * slots - (b.gaps - a.gaps)) / wall,
		cpu / wall, cpu / (double)b.messages * 1e6,
		100.0 * (double)(b.gaps - a.gaps) /
			(double)(b.messages * slots));
	for (unsigned s = 0; s < slots; s++) {
		(void)kill(pid[s], SIGKILL);
		(void)waitpid(pid[s], NULL, 0);
	}
	hub_free(&hub);
	(void)close(ep);
	(void)close_range(3, ~0u, 0);
}

int
main(int argc, char **argv)
{
	static const unsigned slots[] = { 2, 50 }, batch[] = { 1, 16, 64 };
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;

	conf.relay_log = 32 << 20;
	conf.n_rooms = 1;
	memcpy(conf.room[0].name, "lobby", 6);
	conf.room[0].autojoin = true;
	conf.limits.announce_limit = 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3) {
		measure(seconds, (unsigned)atoi(argv[2]),
			(unsigned)atoi(argv[3]));
		return 0;
	}
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 3; k++)
			measure(seconds, slots[i], batch[k]);
	return 0;
}
