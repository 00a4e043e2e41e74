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
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* "FILE:LINE: " of a key, before what is wrong with its value. */
static void
log_at(struct master *m, const char *key, const char *listener,
	const struct buf *why)
{
	char mem[PATH_MAX + 16];
	struct buf at = buf_over(mem, sizeof mem);

	conf_where(m->conf_path, key, listener, &at);
	log_error("%.*s: %.*s", (int)at.len, at.p, (int)why->len, why->p);
}

void
start_complain(struct master *m, const char *key, const char *fmt, ...)
{
	char mem[512];
	struct buf why = buf_over(mem, sizeof mem);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&why, fmt, ap);
	va_end(ap);
	log_at(m, key, NULL, &why);
}

static int
open_log(struct master *m, enum log_sink sink, const char *path)
{
	int rc = log_open(sink, path, (enum log_level)m->conf->log.level);
	char mem[512];
	struct buf why = buf_over(mem, sizeof mem);

	if (rc >= 0)
		return 0;
	if (sink == LOG_SINK_SYSLOG)
		buf_printf(&why,
			"log.target: no syslog daemon can be reached at "
			"/dev/log: %s; expected one that runs, or another "
			"target",
			strerror(-rc));
	else if (sink == LOG_SINK_FILE)
		buf_printf(&why,
			"log.file: '%s' cannot be opened: %s; expected a file "
			"that uid %u may make and write to, in a folder that "
			"exists",
			path, strerror(-rc), (unsigned)geteuid());
	else
		buf_printf(&why,
			"log.target: standard error cannot be used: %s; "
			"expected an open one",
			strerror(-rc));
	log_at(m, sink == LOG_SINK_FILE ? "log.file" : "log.target", NULL,
		&why);
	return MASTER_EXIT_CREATE;
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
folder_failed(
	struct master *m, const char *key, const char *path, uid_t uid, int rc)
{
	bool denied = rc == -EACCES || rc == -EPERM;
	char mem[512];
	struct buf why = buf_over(mem, sizeof mem);

	buf_printf(&why, "%s: '%s' cannot be used: %s; expected a folder that ",
		key, path, strerror(-rc));
	if (denied && access(path, F_OK) == 0)
		buf_printf(&why,
			"uid %u may write to: `chown %u %s`, or a start as its "
			"owner or as root",
			(unsigned)uid, (unsigned)uid, path);
	else
		buf_printf(&why, "exists or can be made: `install -d -o %u %s`",
			(unsigned)uid, path);
	log_at(m, key, NULL, &why);
	return denied ? MASTER_EXIT_PERMISSION : MASTER_EXIT_CREATE;
}

static int
make_folders(struct master *m, const struct privileges *p)
{
	pid_t other;
	int rc = rundir_open(
		&m->rundir, m->conf->run_dir, p->uid, p->gid, &other);

	if (rc == -EWOULDBLOCK) {
		log_error("another instance runs already as pid %d ('%s' is "
			  "locked); expected it to be stopped, or a run_dir of "
			  "its own for each",
			(int)other, m->conf->run_dir);
		return MASTER_EXIT_UNAVAILABLE;
	}
	if (rc < 0)
		return folder_failed(
			m, "run_dir", m->conf->run_dir, p->uid, rc);
	rc = rundir_make_folder(
		m->conf->state_dir, FOLDER_MODE, p->uid, p->gid);
	return rc < 0 ? folder_failed(
				m, "state_dir", m->conf->state_dir, p->uid, rc)
		      : 0;
}

/* Whoever can write to it can put a control socket of his own there, or a list
 * of bans. */
static void
warn_open_folder(const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return;
	if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
		log_warning("%s: everybody may write to '%s' (mode %04o), and "
			    "so put a file of his own in the place of ours; "
			    "expected `chmod o-w %s`",
			key, path, (unsigned)(st.st_mode & 07777), path);
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		log_warning("%s: '%s' belongs to uid %u, who may replace what "
			    "is in it; expected `chown %u %s`",
			key, path, (unsigned)st.st_uid, (unsigned)geteuid(),
			path);
}

/* As who we are now: found out later, it would be by a socket or a ban. */
static int
check_folder(struct master *m, const char *key, const char *path)
{
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == -1)
		return folder_failed(m, key, path, geteuid(), -errno);
	warn_open_folder(key, path);
	return 0;
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
		log_error("cannot become user '%s': %s; expected root with "
			  "CAP_SETUID and CAP_SETGID, or a start as that user",
			m->conf->user, strerror(-rc));
		return MASTER_EXIT_PERMISSION;
	}
	if (p->other_user)
		log_warning("not started by root: user '%s' is ignored; "
			    "expected a start by root or by that user, or "
			    "user = \"NAME\" of who starts it",
			m->conf->user);
	rc = check_folder(m, "run_dir", m->conf->run_dir);
	return rc ? rc : check_folder(m, "state_dir", m->conf->state_dir);
}

static int
no_account(struct master *m, const char *missing, int rc)
{
	bool user = missing == m->conf->user;
	char mem[256];
	struct buf why = buf_over(mem, sizeof mem);

	if (rc == -ENOENT)
		buf_printf(&why,
			"there is no %s '%s' (key %s); expected one: "
			"`%s --system %s%s`",
			user ? "user" : "group", missing,
			user ? "user" : "group", user ? "adduser" : "addgroup",
			user ? "--group " : "", missing);
	else
		buf_printf(&why, "%s '%s' cannot be looked up: %s",
			user ? "user" : "group", missing, strerror(-rc));
	log_at(m, user ? "user" : "group", NULL, &why);
	return MASTER_EXIT_CONFIG;
}

int
start_user(struct master *m)
{
	struct privileges p;
	const char *missing;
	int rc = privileges_find(&p, m->conf->user, m->conf->group, &missing);

	if (rc < 0)
		return no_account(m, missing, rc);
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
	case -ENOENT:
	case -ENOTDIR:
	case -EROFS:
	case -ENOSPC:
		return MASTER_EXIT_CREATE;
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
		log_at(m, "listen.address",
			m->conf->listen[m->listeners.wrong].name, &why);
		return bind_failed(rc);
	}
	listeners_drop_spare(&m->listeners);
	(void)listeners_commit(&m->listeners, m->conf, m->conf, 0);
	m->slot_cap = engines_places(m, m->engine);
	limits_check(m->conf, m->n_slots, m->fd_limit, m->slot_cap);
	return 0;
}
