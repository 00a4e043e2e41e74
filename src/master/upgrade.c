/* SPDX-License-Identifier: MIT */
#include "master/upgrade_private.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/version.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "master/control.h"
#include "master/health.h"
#include "master/reload.h"
#include "master/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct upgrade *
upgrade_new(struct master *m)
{
	struct upgrade *u = xcalloc(1, sizeof *u);

	u->m = m;
	u->image = u->old_image = u->helper_out = u->line = -1;
	u->worker_pidfd = u->arena = -1;
	u->report = buf_over(u->text, sizeof u->text);
	return u;
}

bool
upgrade_is_busy(const struct master *m)
{
	return m->upgrade && m->upgrade->phase != UPGRADE_IDLE;
}

void
upgrade_reload_later(struct master *m)
{
	m->upgrade->reload_later = true;
}

static void
end_helper(struct upgrade *u)
{
	loop_timer_clear(&u->timer);
	if (u->helper != 0)
		(void)kill(u->helper, SIGKILL); /* not reaped */
	u->helper = 0;
	fd_close(&u->helper_out);
}

static void
answer(struct upgrade *u, int rc, const char *why)
{
	master_upgrade_fn *done = u->done;

	u->done = NULL;
	if (done)
		done(u->arg, rc, buf_slice(&u->report), why ? why : "");
}

struct control_request *
upgrade_asker(const struct master *m)
{
	return m->upgrade->done ? commands_asker(m->upgrade->arg) : NULL;
}

void
upgrade_end(struct upgrade *u, int rc, const char *why)
{
	struct master *m = u->m;

	end_helper(u);
	fd_close(&u->image);
	fd_close(&u->old_image);
	u->phase = UPGRADE_IDLE;
	*(rc < 0 ? &m->upgrades_failed : &m->upgrades) += 1;
	if (m->stop == STOP_NO)
		status_notify(m, "READY=1",
			rc < 0 ? "the latest upgrade failed" : NULL);
	answer(u, rc, why);
	if (u->reload_later && m->stop == STOP_NO) {
		u->reload_later = false;
		master_reload(m, NULL, NULL);
	}
}

static void
refuse(struct upgrade *u, const char *why)
{
	log_error("upgrade: %s", why);
	log_error("the upgrade is refused: %s goes on", BANTER_VERSION);
	upgrade_end(u, -ECANCELED, why);
}

void
upgrade_free(struct upgrade **upgrade)
{
	struct upgrade *u = *upgrade;

	*upgrade = NULL;
	if (!u)
		return;
	upgrade_slots_cancel(u);
	end_helper(u);
	fd_close(&u->image);
	fd_close(&u->old_image);
	answer(u, -ESHUTDOWN, "the server stops");
	free(u);
}

void
upgrade_cancel(struct master *m)
{
	struct upgrade *u = m->upgrade;

	if (!u || u->phase == UPGRADE_IDLE)
		return;
	upgrade_slots_cancel(u);
	upgrade_end(u, -ESHUTDOWN, "the server stops");
}

void
upgrade_undo_stopping(struct master *m)
{
	struct upgrade *u = m->upgrade;

	if (!u || !u->slot)
		upgrade_cancel(m);
	else if (u->step > STEP_PARKING)
		upgrade_undo(u, "the server stops");
	/* Else it may still park, and is told then. */
}

/* All slots must be well: one that cannot be parked would end it half way. */
static bool
may_begin(const struct master *m, struct buf *why)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct slot *s = &m->slot[i];

		if (s->phase == SLOT_DRAINED && s->keeper == 0)
			continue;
		health_look(s);
		if (s->phase == SLOT_READY && s->worker != 0 && !s->orphaned &&
			!s->giving_up && !s->killed && s->abort_ms == 0 &&
			!s->stopped)
			continue;
		buf_printf(why, "worker %u %s", i + 1,
			s->stopped ? "is stopped or traced" : "is not ready");
		return false;
	}
	return true;
}

static const char *
busy(const struct master *m)
{
	if (m->stop != STOP_NO)
		return "the server stops";
	if (!m->ready)
		return "the server is starting";
	if (upgrade_is_busy(m))
		return "an upgrade runs already";
	if (reload_is_busy(m))
		return "a reload runs: ask again when it is over";
	return NULL;
}

static void
become(void *arg)
{
	struct upgrade *u = arg;
	char mem[256];
	struct buf why = buf_over(mem, sizeof mem - 1);
	int rc;

	memset(mem, 0, sizeof mem);
	if (!may_begin(u->m, &why)) {
		refuse(u, mem);
		return;
	}
	u->old_image = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	(void)snprintf(u->from, sizeof u->from, "%s", BANTER_VERSION);
	rc = upgrade_exec(u->m, u->image);
	(void)snprintf(mem, sizeof mem, "%s cannot be executed: %s",
		u->m->binary, strerror(-rc));
	refuse(u, mem);
}

static void
describe_end(const struct upgrade *u, int status, char *text, size_t cap)
{
	const char *name;

	if (u->helper_late) {
		(void)snprintf(text, cap, "did not end within %d s",
			UPGRADE_REHEARSE_MS / 1000);
	} else if (WIFSIGNALED(status)) {
		name = sigabbrev_np(WTERMSIG(status));
		(void)snprintf(
			text, cap, "was killed by SIG%s", name ? name : "?");
	} else if (WEXITSTATUS(status) != 0) {
		(void)snprintf(
			text, cap, "exited with code %d", WEXITSTATUS(status));
	} else {
		(void)snprintf(text, cap,
			"did not say that it can go on: is it banterd?");
	}
}

/* Any program may exit with 0; only one that has restored the state says so.
 * *text is its first line, without the newline. */
static bool
said_so(const struct upgrade *u, char *text, size_t cap)
{
	static char all[65536]; /* as much as a pipe holds */
	static const char word[] = UPGRADE_REHEARSED "\n";
	const size_t word_len = sizeof word - 1;
	ssize_t n = read(u->helper_out, all, sizeof all - 1);
	size_t len = n > 0 ? (size_t)n : 0;
	bool yes = len >= word_len &&
		   memcmp(all + len - word_len, word, word_len) == 0;

	all[len] = '\0';
	(void)snprintf(text, cap, "%.*s", (int)strcspn(all, "\n"), all);
	return yes;
}

static void
rehearsed(struct upgrade *u, int status)
{
	char said[256], how[64], why[400];
	bool good = said_so(u, said, sizeof said) && !u->helper_late &&
		    WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool foreign;

	u->helper = 0;
	end_helper(u);
	if (u->m->stop != STOP_NO)
		return;
	if (good) {
		/* At the end of the turn: nothing is half read. */
		loop_timer_set(
			u->m->loop, &u->timer, clock_mono_ms(), become, u);
		return;
	}
	describe_end(u, status, how, sizeof how);
	/* Nothing, or that it cannot be executed, is not what a banterd says.
	 */
	foreign = !*said ||
		  (WIFEXITED(status) && WEXITSTATUS(status) == UPGRADE_NO_EXEC);
	(void)snprintf(why, sizeof why, "the rehearsal of %s %s%s%s%s",
		u->m->binary, how, *said ? ": " : "", said,
		foreign ? "; expected a banterd for this machine there" : "");
	refuse(u, why);
}

bool
upgrade_reaped(struct master *m, pid_t pid, int status)
{
	struct upgrade *u = m->upgrade;

	if (!u)
		return false;
	if (u->helper != 0 && pid == u->helper) {
		rehearsed(u, status);
		return true;
	}
	return upgrade_slots_reaped(u, pid, status);
}

static void
on_late(void *arg)
{
	struct upgrade *u = arg;

	u->helper_late = true;
	(void)kill(u->helper, SIGKILL); /* its end comes by SIGCHLD */
}

static void
begin(struct upgrade *u)
{
	struct master *m = u->m;
	char mem[256] = "";
	struct buf why = buf_over(mem, sizeof mem - 1);
	int rc = 0;

	u->phase = UPGRADE_REHEARSING;
	u->helper_late = false;
	u->report = buf_over(u->text, sizeof u->text);
	log_notice("upgrade: rehearsing %s", m->binary);
	(void)notify_reloading();
	if (may_begin(m, &why)) {
		u->image = upgrade_open(m->binary, &why);
		if (u->image >= 0)
			rc = upgrade_rehearse(
				m, u->image, &u->helper, &u->helper_out);
		if (rc < 0)
			buf_printf(&why, "the rehearsal cannot be started: %s",
				strerror(-rc));
	}
	if (why.len > 0)
		refuse(u, mem);
	else
		loop_timer_set(m->loop, &u->timer,
			clock_mono_ms() + UPGRADE_REHEARSE_MS, on_late, u);
}

void
master_upgrade(struct master *m, master_upgrade_fn *done, void *arg)
{
	const char *why = busy(m);

	if (why) {
		log_notice("upgrade: refused: %s", why);
		if (done)
			done(arg, -EBUSY, SLICE_LIT(""), why);
		return;
	}
	m->upgrade->done = done;
	m->upgrade->arg = arg;
	begin(m->upgrade);
}

void
upgrade_save(struct master *m, struct keep *k)
{
	const struct upgrade *u = m->upgrade;

	pack_str(&k->pack, BANTER_VERSION);
	pack_u64(&k->pack, u->reload_later);
	keep_fd(k, u->image);
	keep_fd(k, u->old_image);
}

bool
upgrade_restore(struct master *m, struct kept *k)
{
	struct upgrade *u = upgrade_new(m);

	m->upgrade = u;
	unpack_str(&k->u, u->from, sizeof u->from);
	u->reload_later = unpack_u64(&k->u);
	u->image = kept_fd(k);
	u->old_image = kept_fd(k);
	return !k->u.bad;
}

bool
upgrade_restore_control(struct master *m, struct kept *k)
{
	struct control_request *asker;
	struct upgrade *u = m->upgrade;

	if (!control_restore(m->loop, commands_handle, m->commands, k,
		    &m->control, &asker))
		return false;
	if (asker)
		commands_upgrade_wait(m->commands, asker, &u->done, &u->arg);
	return true;
}

void
upgrade_go_on(struct master *m, bool go_back)
{
	struct upgrade *u = m->upgrade;

	if (go_back) {
		refuse(u, "the newer image could not go on with the state");
		return;
	}
	log_notice("upgrade: the master is %s now, it was %s", BANTER_VERSION,
		u->from);
	fd_close(&u->old_image);
	u->phase = UPGRADE_SLOTS;
	upgrade_slots_begin(u);
}
