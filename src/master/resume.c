/* SPDX-License-Identifier: MIT */
#include "master/resume.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/title.h"
#include "base/version.h"
#include "log/log.h"
#include "master/ban.h"
#include "master/privileges.h"
#include "master/reload.h"
#include "master/signals.h"
#include "master/slot.h"
#include "master/state.h"
#include "master/supervise.h"
#include "master/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void
say_report(const struct conf_report *report, const char *path, struct buf *why)
{
	const char *end = strchr(report->text, '\n');

	if (report->len == 0)
		buf_printf(why, "%s cannot be read", path);
	else
		buf_add(why, report->text,
			end ? (size_t)(end - report->text) : report->len);
}

bool
resume_conf_anew(struct master *m, bool rehearse, struct buf *why)
{
	static struct conf_report report;
	static struct conf parsed;
	int fd = -1;

	if (rehearse) {
		if (conf_parse(m->conf_path, &parsed, &report) == 0) {
			m->conf = m->boot = &parsed;
			return true;
		}
	} else if (conf_load(m->conf_path, RELOAD_PARSE_MS, &fd, &report) ==
		   0) {
		/* The image before would go on with them. */
		keep_note(&m->unused, m->conf_fd);
		keep_note(&m->unused, m->boot_fd);
		m->conf_fd = fd;
		m->boot_fd = -1;
		m->conf = m->boot = conf_map(fd);
		m->conf_generation = ++m->last_tag;
		m->conf_anew = true;
		/* Only a reload applies what it says of slots, addresses and
		 * the log. */
		upgrade_reload_later(m);
		if (m->conf)
			return true;
	}
	say_report(&report, m->conf_path, why);
	return false;
}

static struct master *
new_master(const struct master_options *o, slot_worker_fn *worker)
{
	static struct master m;

	m = (struct master){ .options = *o,
		.worker = worker,
		.conf_fd = -1,
		.boot_fd = -1,
		.bans_fd = -1,
		.signal_fd = -1,
		.report_fd = -1,
		.rundir = { .dir_fd = -1 } };
	m.options.ready_fd = -1;
	m.options.argv = upgrade_argv(o->argv);
	return &m;
}

/* Would the file be taken, should the running one have to be read anew? */
static bool
parses(const struct master *m, struct buf *why)
{
	static struct conf_report report;
	static struct conf conf;

	if (conf_parse(m->conf_path, &conf, &report) == 0)
		return true;
	say_report(&report, m->conf_path, why);
	return false;
}

int
master_rehearse(
	const struct master_options *o, slot_worker_fn *worker, int memory)
{
	struct master *m = new_master(o, worker);
	char mem[400] = "";
	struct buf why = buf_over(mem, sizeof mem - 1);
	size_t len = 0;
	char *bytes = fd_read_file(memory, &len);
	int rc = state_restore(m, slice_of(bytes, bytes ? len : 0), true, &why);

	free(bytes);
	if (rc == 0 && parses(m, &why)) {
		FAULT(upgrade_rehearsed);
		(void)fprintf(stderr, "%s\n", UPGRADE_REHEARSED);
		return MASTER_EXIT_OK;
	}
	(void)fprintf(stderr, "%s\n", mem);
	return MASTER_EXIT_CONFIG;
}

int
resume_open_loop(struct master *m)
{
	int rc;

	m->loop = loop_new();
	if (!m->loop)
		return -errno;
	rc = signals_open(m);
	m->reload = reload_new(m);
	return rc;
}

static int
adopt_slots(struct master *m)
{
	int rc = 0;

	for (unsigned i = 0; i < m->n_slots && rc == 0; i++)
		rc = slot_adopt(&m->slot[i]);
	return rc;
}

static int
restore(struct master *m, int memory, struct buf *why)
{
	size_t len = 0;
	char *bytes = fd_read_file(memory, &len);
	int rc = bytes ? 0 : -errno;

	if (rc == 0)
		rc = state_restore(m, slice_of(bytes, len), false, why);
	free(bytes);
	if (rc == 0)
		rc = -FAULT_ERR(upgrade_restored);
	if (rc == 0)
		rc = adopt_slots(m);
	if (rc < 0 && why->len == 0)
		buf_str(why, strerror(-rc));
	return rc;
}

static void
go_on(struct master *m, bool go_back)
{
	keep_close(&m->unused);
	keep_fini(&m->left);
	ban_start(m);
	supervise_resume(m);
	reload_resume(m);
	share_total(m);
	/* Who has died meanwhile has left no signal behind: to set its action
	 * to the default drops it. */
	signals_reap(m);
	upgrade_go_on(m, go_back);
}

/* The kernel has named the process by the descriptor, and ps(1) shall show what
 * the administrator has started. */
static void
set_title(char **argv)
{
	char mem[4096] = "";
	struct buf b = buf_over(mem, sizeof mem - 1);

	for (unsigned i = 0; argv[i]; i++)
		buf_printf(&b, "%s%s", i > 0 ? " " : "", argv[i]);
	title_set("%s", mem);
	(void)prctl(PR_SET_NAME, "banterd");
}

int
master_resume(const struct master_options *o, slot_worker_fn *worker,
	int *memory, bool go_back)
{
	struct master *m = new_master(o, worker);
	char mem[400] = "";
	struct buf why = buf_over(mem, sizeof mem - 1);

	signals_block();
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	privileges_keep(false);
	log_set_name("banterd");
	set_title(m->options.argv);
	if (restore(m, *memory, &why) < 0) {
		log_error("upgrade: %s cannot go on: %s", BANTER_VERSION, mem);
		if (!go_back && m->upgrade)
			upgrade_exec_back(m, memory);
		return MASTER_EXIT_INTERNAL;
	}
	fd_close(memory);
	go_on(m, go_back);
	return master_serve(m);
}
