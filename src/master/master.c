/* SPDX-License-Identifier: MIT */
#include "master/master.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "master/ban.h"
#include "master/control.h"
#include "master/core.h"
#include "master/daemonize.h"
#include "master/health.h"
#include "master/hub.h"
#include "master/privileges.h"
#include "master/reload.h"
#include "master/signals.h"
#include "master/slot.h"
#include "master/start.h"
#include "master/supervise.h"
#include "master/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CONTROL_NAME "control.sock"

static int
os_failed(const char *what, int rc)
{
	log_error("%s: %s", what, strerror(-rc));
	return MASTER_EXIT_OS;
}

static int
open_slots(struct master *m)
{
	m->slot = xcalloc(CONF_WORKERS_MAX, sizeof *m->slot);
	for (unsigned i = 0; i < m->n_slots; i++) {
		int rc = slot_init(&m->slot[i], m, i + 1);

		if (rc < 0)
			return os_failed("the page of a worker", rc);
	}
	return 0;
}

static int
open_loop(struct master *m)
{
	int rc;

	m->loop = loop_new();
	if (!m->loop)
		return os_failed("epoll", -errno);
	rc = signals_open(m);
	if (rc < 0)
		return os_failed("signalfd", rc);
	m->hub = hub_new(m->conf, m->n_slots);
	if (!m->hub)
		return os_failed("the relay log", -errno);
	m->reload = reload_new(m);
	m->upgrade = upgrade_new(m);
	return 0;
}

static int
control_failed(struct master *m, const char *path, int rc)
{
	switch (rc) {
	case -EPERM:
		start_complain(m, "control_group",
			"uid %u may not give the control socket to group '%s' "
			"(key control_group); expected it to be a member of "
			"that group (see control-group.conf among the "
			"examples)",
			(unsigned)geteuid(), m->conf->control_group);
		return MASTER_EXIT_PERMISSION;
	case -EEXIST:
		log_error("the control socket '%s' cannot be made: what is "
			  "there is no socket; expected nothing there",
			path);
		return MASTER_EXIT_CREATE;
	case -EADDRINUSE:
		log_error("the control socket '%s' cannot be made: another "
			  "server listens there; expected it to be stopped, "
			  "or another run_dir",
			path);
		return MASTER_EXIT_UNAVAILABLE;
	default:
		log_error("the control socket '%s' cannot be made: %s; "
			  "expected a folder that uid %u may write to",
			path, strerror(-rc), (unsigned)geteuid());
		return MASTER_EXIT_CREATE;
	}
}

static int
open_control(struct master *m)
{
	const char *group = m->conf->control_group;
	char path[sizeof m->rundir.path + sizeof "/" CONTROL_NAME];
	gid_t gid = (gid_t)-1;
	int rc = 0;

	if (*group)
		rc = privileges_group(group, &gid);
	if (rc < 0) {
		start_complain(m, "control_group",
			"there is no group '%s' (key control_group); expected "
			"one: `addgroup --system %s`",
			group, group);
		return MASTER_EXIT_CONFIG;
	}
	(void)snprintf(path, sizeof path, "%s/" CONTROL_NAME, m->rundir.path);
	m->commands = commands_new(m);
	rc = control_open(
		m->loop, path, gid, commands_handle, m->commands, &m->control);
	return rc == 0 ? 0 : control_failed(m, path, rc);
}

static int
start(struct master *m)
{
	int code = start_conf(m);

	if (code == 0)
		code = start_log(m);
	if (code == 0)
		code = start_user(m);
	if (code == 0)
		code = start_limits(m);
	if (code == 0)
		code = open_loop(m);
	if (code == 0)
		code = open_slots(m);
	if (code == 0)
		code = open_control(m);
	if (code != 0)
		return code;
	ban_start(m);
	share_start(m);
	supervise_start(m);
	return 0;
}

/* A slot whose bus was full is told of by epoll, for as long as it is. */
static void
follow_bus(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];
		bool out =
			s->bus >= 0 && hub_slot_wants_write(m->hub, s->number);

		if (s->bus < 0 || out == s->bus_out)
			continue;
		s->bus_out = out;
		(void)loop_mod(
			m->loop, s->bus, EPOLLIN | (out ? EPOLLOUT : 0u));
		if (out)
			health_look(s);
	}
}

static void
run(struct master *m)
{
	while (m->stop != STOP_DONE) {
		int rc = loop_run_once(m->loop, -1);

		if (rc < 0) {
			m->exit_code = os_failed("waiting for events", rc);
			return;
		}
		hub_turn_end(m->hub);
		follow_bus(m);
	}
}

static void
close_all(struct master *m)
{
	commands_free(&m->commands);
	ban_stop(m);
	control_close(&m->control);
	upgrade_free(&m->upgrade);
	reload_free(&m->reload);
	/* Also those that a refused reload has made. */
	for (unsigned i = 0; m->slot && i < CONF_WORKERS_MAX; i++)
		if (m->slot[i].page)
			slot_fini(&m->slot[i]);
	free(m->slot);
	listeners_fini(&m->listeners);
	hub_free(&m->hub);
	if (m->loop)
		signals_close(m);
	loop_free(&m->loop);
	rundir_close(&m->rundir);
	if (m->boot != m->conf)
		conf_unmap(&m->boot);
	conf_unmap(&m->conf);
	fd_close(&m->conf_fd);
	fd_close(&m->boot_fd);
	free(m->binary);
	free(m->conf_path);
}

int
master_serve(struct master *m)
{
	run(m);
	log_notice("stopped");
	daemonize_report(&m->report_fd, m->exit_code, false);
	close_all(m);
	return m->exit_code;
}

static uint64_t
watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t ms = 0;

	if (usec && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
		ms = strtoull(usec, NULL, 10) / 1000;
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return ms;
}

static int
run_daemon(struct master *m)
{
	int code;

	log_set_name("banterd");
	(void)notify_open();
	m->watchdog_ms = watchdog_ms();
	m->since_ms = clock_wall_ms();
	code = start(m);
	if (code == 0)
		return master_serve(m);
	daemonize_report(&m->report_fd, code, false);
	close_all(m);
	return code;
}

/* It is found from "/" and by a reload as well. */
static char *
absolute(const char *path)
{
	char *full = realpath(path, NULL);

	return full ? full : xmemdup0(path, strlen(path));
}

int
master_main(const struct master_options *o, slot_worker_fn *worker)
{
	static struct master m;

	m = (struct master){ .options = *o,
		.worker = worker,
		.conf_path = absolute(o->conf_path),
		.conf_fd = -1,
		.boot_fd = -1,
		.bans_fd = -1,
		.binary = upgrade_binary(),
		.signal_fd = -1,
		.report_fd = -1,
		.rundir = { .dir_fd = -1 } };
	m.n_inherited = inherit_count();
	daemonize_stdio();
	if (m.options.ready_fd >= 0)
		(void)fd_set_cloexec(m.options.ready_fd, true);
	if (!o->foreground) {
		int code = daemonize_start(&m.report_fd);

		if (code >= 0)
			return code;
	}
	signals_block();
	/* A worker outlives its keeper, and is then ours to reap. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	return run_daemon(&m);
}
