/* SPDX-License-Identifier: MIT
 *
 * Started as root, the daemon gives root up and must then read the same files
 * at a reload.  Whether it can is asked beforehand, by mode bits: becoming that
 * user for a moment would change the process for good or for every thread.
 */
#include "conf/private.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define GROUPS_MAX 256

enum {
	MAY_ENTER = 1,
	MAY_WRITE = 2,
	MAY_READ = 4
};

struct who {
	const char *user, *group;
	uid_t uid;
	gid_t groups[GROUPS_MAX];
	int n_groups;
	struct conf_report *report;
};

/* With the line that names it. */
static void
no_account(const struct who *w, const char *path, const char *key,
	const char *listener, const char *name)
{
	char mem[PATH_MAX + 16];
	struct buf at = buf_over(mem, sizeof(mem) - 1);
	bool user = !strcmp(key, "user");

	conf_where(path, key, listener, &at);
	mem[at.len] = '\0';
	conf_report_error(w->report, mem, 0,
		"there is no %s '%s' (key %s); expected one: `%s --system "
		"%s%s`",
		user ? "user" : "group", name, key,
		user ? "adduser" : "addgroup", user ? "--group " : "", name);
}

static void
check_groups(const struct who *w, const char *path, const struct conf *conf)
{
	if (*conf->control_group && !getgrnam(conf->control_group))
		no_account(w, path, "control_group", NULL, conf->control_group);
	for (uint32_t i = 0; i < conf->n_listen; i++) {
		const struct conf_listen *l = &conf->listen[i];

		if (*l->socket_group && !getgrnam(l->socket_group))
			no_account(w, path, "listen.socket_group", l->name,
				l->socket_group);
	}
}

static int
find_who(const char *path, const struct conf *conf, struct who *w)
{
	const struct passwd *pw = getpwnam(conf->user);
	const struct group *gr = getgrnam(conf->group);

	if (!pw)
		no_account(w, path, "user", NULL, conf->user);
	if (!gr)
		no_account(w, path, "group", NULL, conf->group);
	if (!pw || !gr)
		return -EACCES;
	w->user = conf->user;
	w->group = conf->group;
	w->uid = pw->pw_uid;
	w->n_groups = GROUPS_MAX;
	/* -1: in more groups than that; the first of them are there. */
	if (getgrouplist(conf->user, gr->gr_gid, w->groups, &w->n_groups) == -1)
		w->n_groups = GROUPS_MAX;
	return 0;
}

static bool
in_group(const struct who *w, gid_t gid)
{
	for (int i = 0; i < w->n_groups; i++)
		if (w->groups[i] == gid)
			return true;
	return false;
}

/* The kernel asks one class of bits only: an owner without a right does not get
 * it as one of the others. */
static bool
may(const struct who *w, const char *path, const struct stat *st, unsigned want)
{
	unsigned bits = st->st_mode & 7;

	if (w->uid == 0)
		return true;
	if (st->st_uid == w->uid)
		bits = st->st_mode >> 6 & 7;
	else if (in_group(w, st->st_gid))
		bits = st->st_mode >> 3 & 7;
	if ((bits & want) == want)
		return true;
	/* An access control list may allow what the bits do not show. */
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* Can all folders above path be entered?  Says which one not. */
static bool
can_reach(const struct who *w, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;

	for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
		size_t len = p == path ? 1 : (size_t)(p - path);

		if (len >= sizeof(folder))
			return true; /* stat() would fail */
		memcpy(folder, path, len);
		folder[len] = '\0';
		if (stat(folder, &st) == -1 || may(w, folder, &st, MAY_ENTER))
			continue;
		conf_report_error(w->report, folder, 0,
			"user '%s' cannot enter this folder, which '%s' is in; "
			"expected it to: `chgrp %s %s && chmod g+x %s`",
			w->user, path, w->group, folder, folder);
		return false;
	}
	return true;
}

/* By the name as written, and by where its links lead. */
static bool
can_reach_both(const struct who *w, const char *path)
{
	char real[PATH_MAX];

	if (*path == '/' && !can_reach(w, path))
		return false;
	if (!realpath(path, real) || !strcmp(real, path))
		return true;
	return can_reach(w, real);
}

static void
check_readable(const struct who *w, const char *path)
{
	struct stat st;
	bool folder;

	if (stat(path, &st) == -1)
		return; /* not there, or the parser has said so */
	folder = S_ISDIR(st.st_mode);
	if (!can_reach_both(w, path) ||
		may(w, path, &st, folder ? MAY_READ | MAY_ENTER : MAY_READ))
		return;
	conf_report_error(w->report, path, 0,
		"user '%s' cannot read this, so that a reload would fail; "
		"expected it to: `chgrp %s %s && chmod %s %s`",
		w->user, w->group, path, folder ? "750" : "640", path);
}

/* Put the folder that path is in into folder. */
static void
parent_of(const char *path, char folder[CONF_PATH_LEN])
{
	char *slash;

	memcpy(folder, path, strlen(path) + 1);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
}

/* Only a warning: systemd makes and removes the folders around each run, and
 * the files may be checked in between. */
static void
warn_missing(const struct who *w, const char *path)
{
	char mem[512];
	struct buf b = buf_over(mem, sizeof(mem));

	buf_printf(&b,
		"this folder does not exist, and user '%s' cannot make it; "
		"expected systemd or a start as root to, or "
		"`install -d -o %s -g %s %s`",
		w->user, w->user, w->group, path);
	conf_report_add(w->report, false, path, 0, buf_slice(&b));
}

static void
check_folder(const struct who *w, const char *path)
{
	char parent[CONF_PATH_LEN];
	struct stat st;

	if (stat(path, &st) == -1) {
		parent_of(path, parent);
		if (stat(parent, &st) == -1 ||
			!may(w, parent, &st, MAY_WRITE | MAY_ENTER))
			warn_missing(w, path);
		return;
	}
	if (!can_reach_both(w, path))
		return;
	if (!S_ISDIR(st.st_mode))
		conf_report_error(w->report, path, 0,
			"this is not a folder; expected one");
	else if (!may(w, path, &st, MAY_READ | MAY_WRITE | MAY_ENTER))
		conf_report_error(w->report, path, 0,
			"user '%s' cannot write into this folder; expected it "
			"to: `chown %s:%s %s`",
			w->user, w->user, w->group, path);
}

/* After logrotate has moved it, the file is made anew by that user. */
static void
check_log(const struct who *w, const char *path)
{
	char parent[CONF_PATH_LEN];
	struct stat st;

	parent_of(path, parent);
	check_folder(w, parent);
	if (stat(path, &st) == 0 && !may(w, path, &st, MAY_WRITE))
		conf_report_error(w->report, path, 0,
			"user '%s' cannot write to this file; expected it to: "
			"`chown %s:%s %s`",
			w->user, w->user, w->group, path);
}

static void
check_files(const struct who *w, const char *path)
{
	char mem[PATH_MAX];
	struct buf folder = buf_over(mem, sizeof(mem));
	char *files[CONF_FILES_MAX];
	unsigned n = conf_files_list(path, files, w->report);

	conf_files_folder(path, &folder);
	if (!folder.over)
		check_readable(w, mem);
	for (unsigned i = 0; i < n; i++) {
		check_readable(w, files[i]);
		free(files[i]);
	}
}

int
conf_check_access(
	const char *path, const struct conf *conf, struct conf_report *report)
{
	struct who w = { .report = report };
	unsigned before = report->n_errors;

	check_groups(&w, path, conf);
	if (geteuid() != 0)
		return report->n_errors > before ? -EACCES : 0;
	if (find_who(path, conf, &w) < 0)
		return -EACCES;
	check_files(&w, path);
	if (*conf->motd)
		check_readable(&w, conf->motd);
	check_folder(&w, conf->run_dir);
	check_folder(&w, conf->state_dir);
	if (conf->log.target == CONF_LOG_FILE)
		check_log(&w, conf->log.file);
	return report->n_errors > before ? -EACCES : 0;
}
