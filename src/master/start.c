/* SPDX-License-Identifier: MIT */
#include "master/start.h"

#include "base/fd.h"
#include "log/log.h"
#include "master/engines.h"
#include "master/limits.h"
#include "master/privileges.h"
#include "master/reload.h"
#include "master/resize.h"

#include <errno.h>
#include <string.h>

#define FOLDER_MODE 0750

/* Each line of a report with its level. */
static void
log_report(const struct conf_report *report, bool bad)
{
	struct slice text = slice_str(report->text);

	while (text.len > 0) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t len = end ? (size_t)(end - text.p) : text.len;

		if (bad)
			log_error("%.*s", (int)len, text.p);
		else
			log_warning("%.*s", (int)len, text.p);
		text = slice_skip(text, len + 1);
	}
}

int
start_conf(struct master *m)
{
	static struct conf_report report;
	int rc;

	rc = conf_load(m->conf_path, RELOAD_PARSE_MS, &m->conf_fd, &report);
	log_report(&report, rc < 0);
	if (rc == -EINVAL)
		return MASTER_EXIT_CONFIG;
	if (rc < 0) {
		log_error("%s: the configuration cannot be read: %s",
			m->conf_path, strerror(-rc));
		return MASTER_EXIT_OS;
	}
	m->conf = m->boot = conf_map(m->conf_fd);
	if (!m->conf)
		return MASTER_EXIT_INTERNAL;
	m->conf_generation = m->last_tag = 1;
	m->engine = engine_number(m->conf->engine);
	m->n_slots = m->n_wanted = resize_wanted(m->conf);
	return 0;
}

static int
open_log(const struct master *m, enum log_sink sink, const char *path)
{
	int rc = log_open(sink, path, (enum log_level)m->conf->log.level);

	if (rc < 0)
		log_error("the log %s cannot be opened: %s", path ? path : "",
			strerror(-rc));
	return rc < 0 ? MASTER_EXIT_CREATE : 0;
}

int
start_log(struct master *m)
{
	switch (m->conf->log.target) {
	case CONF_LOG_SYSLOG:
		return open_log(m, LOG_SINK_SYSLOG, NULL);
	case CONF_LOG_AUTO:
		/* Nobody reads the stderr of a daemon. */
		if (!m->options.foreground &&
			log_open(LOG_SINK_SYSLOG, NULL,
				(enum log_level)m->conf->log.level) == 0)
			return 0;
		return open_log(m, LOG_SINK_STDERR, NULL);
	case CONF_LOG_STDERR:
		return open_log(m, LOG_SINK_STDERR, NULL);
	case CONF_LOG_FILE:
		/* Later, by the user that opens it anew after a rotation. */
		log_set_level((enum log_level)m->conf->log.level);
		return 0;
	}
	return MASTER_EXIT_INTERNAL;
}

static int
folder_failed(const char *path, int rc)
{
	log_error("%s cannot be made or used: %s", path, strerror(-rc));
	return rc == -EACCES || rc == -EPERM ? MASTER_EXIT_PERMISSION
					     : MASTER_EXIT_CREATE;
}

static int
make_folders(struct master *m, const struct privileges *p)
{
	pid_t other;
	int rc = rundir_open(
		&m->rundir, m->conf->run_dir, p->uid, p->gid, &other);

	if (rc == -EWOULDBLOCK) {
		log_error(
			"another instance runs already as pid %d (%s is locked)",
			(int)other, m->conf->run_dir);
		return MASTER_EXIT_UNAVAILABLE;
	}
	if (rc < 0)
		return folder_failed(m->conf->run_dir, rc);
	rc = rundir_make_folder(
		m->conf->state_dir, FOLDER_MODE, p->uid, p->gid);
	return rc < 0 ? folder_failed(m->conf->state_dir, rc) : 0;
}

static int
drop(struct master *m, const struct privileges *p)
{
	static struct conf_report report;
	int rc;

	if (p->drop && conf_check_access(m->conf_path, m->conf, &report) < 0) {
		log_report(&report, true);
		return MASTER_EXIT_PERMISSION;
	}
	rc = privileges_drop(p);
	if (rc < 0) {
		log_error("cannot become user '%s': %s", m->conf->user,
			strerror(-rc));
		return MASTER_EXIT_PERMISSION;
	}
	if (p->other_user)
		log_warning("not started by root: user '%s' is ignored",
			m->conf->user);
	return 0;
}

int
start_user(struct master *m)
{
	struct privileges p;
	const char *missing;
	int rc = privileges_find(&p, m->conf->user, m->conf->group, &missing);

	if (rc < 0) {
		log_error("user or group '%s': %s", missing,
			rc == -ENOENT ? "does not exist" : strerror(-rc));
		return MASTER_EXIT_CONFIG;
	}
	rc = make_folders(m, &p);
	if (rc == 0)
		rc = drop(m, &p);
	if (rc == 0 && m->conf->log.target == CONF_LOG_FILE)
		rc = open_log(m, LOG_SINK_FILE, m->conf->log.file);
	return rc;
}

static int
bind_failed(int rc)
{
	switch (rc) {
	case -EADDRINUSE:
	case -EADDRNOTAVAIL:
		return MASTER_EXIT_UNAVAILABLE;
	case -EACCES:
	case -EPERM:
		return MASTER_EXIT_PERMISSION;
	case -EINVAL:
	case -E2BIG:
		return MASTER_EXIT_CONFIG;
	default:
		return MASTER_EXIT_OS;
	}
}

int
start_limits(struct master *m)
{
	char mem[512];
	struct buf why = buf_over(mem, sizeof mem);
	int rc;

	m->fd_limit = limits_raise(m->conf);
	listeners_init(&m->listeners, m->n_slots);
	listeners_inherit(&m->listeners, m->n_inherited);
	rc = listeners_prepare(
		&m->listeners, m->conf, m->conf_generation, &why);
	if (rc < 0) {
		log_error("%.*s", (int)why.len, why.p);
		return bind_failed(rc);
	}
	listeners_drop_spare(&m->listeners);
	(void)listeners_commit(&m->listeners, m->conf, m->conf, 0);
	m->slot_cap = engines_places(m, m->engine);
	limits_check(m->conf, m->n_slots, m->fd_limit, m->slot_cap);
	return 0;
}
