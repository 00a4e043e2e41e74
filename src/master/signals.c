/* SPDX-License-Identifier: MIT */
#include "master/signals.h"

#include "base/fd.h"
#include "log/log.h"
#include "master/reload.h"
#include "master/supervise.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const int handled[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1,
	SIGUSR2, SIGCHLD };
static const int ignored[] = { SIGPIPE, SIGWINCH, SIGTTIN, SIGTTOU };

static void
fill(sigset_t *set)
{
	(void)sigemptyset(set);
	for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++)
		(void)sigaddset(set, handled[i]);
}

void
signals_block(void)
{
	sigset_t set;

	fill(&set);
	/* nohup(1) and some shells hand SIGHUP or SIGINT down ignored, and
	 * with SIGCHLD ignored the kernel reaps before we can ask. */
	for (unsigned i = 0; i < sizeof handled / sizeof *handled; i++)
		(void)signal(handled[i], SIG_DFL);
	for (unsigned i = 0; i < sizeof ignored / sizeof *ignored; i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

/* One signal may stand for many deaths.  As process 1 we inherit strangers as
 * well: they are reaped here too. */
void
signals_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		supervise_reaped(m, pid, status);
}

static void
stop_asked(struct master *m, const char *name)
{
	if (m->stop == STOP_NO) {
		log_notice("SIG%s: stopping", name);
		stop_graceful(m);
	} else {
		log_notice("SIG%s again: stopping at once", name);
		stop_now(m, MASTER_EXIT_OK);
	}
}

/* A signal has nobody who could ask again. */
static void
upgrade_asked(struct master *m)
{
	m->upgrade_asked = m->reload && reload_is_busy(m);
	log_notice("SIGUSR2: upgrading%s",
		m->upgrade_asked ? " when the reload is over" : "");
	if (!m->upgrade_asked)
		master_upgrade(m, NULL, NULL);
}

static void
handle(struct master *m, int signal)
{
	switch (signal) {
	case SIGCHLD:
		signals_reap(m);
		break;
	case SIGHUP:
		if (m->ready)
			master_reload(m, NULL, NULL);
		else
			log_notice(
				"SIGHUP is ignored before the start is over");
		break;
	case SIGTERM:
	case SIGINT:
		stop_asked(m, signal == SIGTERM ? "TERM" : "INT");
		break;
	case SIGQUIT:
		log_notice("SIGQUIT: stopping at once");
		stop_now(m, MASTER_EXIT_OK);
		break;
	case SIGUSR1:
		(void)master_reopen(m);
		break;
	case SIGUSR2:
		upgrade_asked(m);
		break;
	default:
		break;
	}
}

static void
on_signal(void *arg, uint32_t events)
{
	struct master *m = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(m->signal_fd, &info, sizeof info) == sizeof info)
		handle(m, (int)info.ssi_signo);
}

int
signals_open(struct master *m)
{
	sigset_t set;

	fill(&set);
	m->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (m->signal_fd == -1)
		return -errno;
	return loop_add(m->loop, m->signal_fd, EPOLLIN, on_signal, m);
}

void
signals_close(struct master *m)
{
	if (m->signal_fd >= 0)
		loop_del(m->loop, m->signal_fd);
	fd_close(&m->signal_fd);
}
