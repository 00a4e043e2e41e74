/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/fd.h"
#include "log/log.h"
#include "master/core.h"
#include "master/daemonize.h"
#include "master/health.h"
#include "master/rundir.h"

#include <string.h>
#include <unistd.h>

/* One line of each listener, then READY.  Whoever reads may be gone. */
static void
print(struct master *m)
{
	static char mem[32768];
	struct buf b = buf_over(mem, sizeof mem);

	if (m->options.ready_fd < 0)
		return;
	listeners_print(&m->listeners, &b);
	buf_str(&b, "READY\n");
	(void)fd_write_all(m->options.ready_fd, b.p, b.len);
	fd_close(&m->options.ready_fd);
}

bool
ready_lets_go(const struct master *m)
{
	return m->report_fd >= 0 && m->conf->log.target != CONF_LOG_STDERR &&
	       log_fd() != STDERR_FILENO;
}

static void
announce(struct master *m, unsigned n_ready)
{
	int rc = rundir_write_pid(&m->rundir);

	/* Before anybody connects: some slots may not have started. */
	health_steer(m);
	m->ready = true;
	if (rc < 0)
		log_warning(
			"%s/banterd.pid cannot be written: %s; expected space "
			"and the right to: what reads it does not find us",
			m->rundir.path, strerror(-rc));
	log_notice("ready: %u of %u workers", n_ready, m->n_slots);
	status_notify(m, "READY=1", NULL);
	print(m);
	daemonize_report(&m->report_fd, MASTER_EXIT_OK, ready_lets_go(m));
}

void
ready_check(struct master *m)
{
	unsigned n_ready = 0, n_failed = 0;

	if (m->ready || m->stop != STOP_NO)
		return;
	for (unsigned i = 0; i < m->n_slots; i++) {
		n_ready += m->slot[i].phase == SLOT_READY;
		n_failed += m->slot[i].phase != SLOT_READY &&
			    m->slot[i].failed_first;
	}
	if (n_ready + n_failed < m->n_slots)
		return;
	if (n_ready > 0) {
		announce(m, n_ready);
		return;
	}
	log_error("no worker became ready: giving up; the lines above say why");
	stop_now(m, MASTER_EXIT_NO_WORKER);
}
