/* SPDX-License-Identifier: MIT */
#include "master/ban.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "master/banlist.h"
#include "master/ctl_link.h"

#include <string.h>

#define LOOK_MS  60000 /* the wall clock may be set meanwhile */
#define RETRY_MS 10000

static void on_timer(void *arg);

/* The workers see themselves that a ban is over: this is for the list. */
static void
arm(struct master *m)
{
	uint64_t now = clock_wall_ms(), end = banlist_next_end(m->banlist);
	uint64_t in_ms = end == 0 ? 0 : end <= now ? 1 : end - now;

	if (in_ms > LOOK_MS)
		in_ms = LOOK_MS;
	if (m->bans_unsaved && (in_ms == 0 || in_ms > RETRY_MS))
		in_ms = RETRY_MS;
	if (in_ms == 0)
		loop_timer_clear(&m->ban_timer);
	else
		loop_timer_set(m->loop, &m->ban_timer, clock_mono_ms() + in_ms,
			on_timer, m);
}

static int
save(struct master *m)
{
	int rc = banlist_save(m->banlist);

	if (rc < 0 && !m->bans_unsaved)
		log_error("%s cannot be written: %s; the bans are in force, "
			  "and lost when the server stops before it can be; "
			  "expected space, and a folder that it may write to",
			banlist_path(m->banlist), strerror(-rc));
	m->bans_unsaved = rc < 0;
	return rc;
}

static void
seal(struct master *m)
{
	fd_close(&m->bans_fd);
	m->bans_fd = banlist_seal(m->banlist);
	if (m->bans_fd < 0) {
		log_error("the list of bans cannot be made: %s",
			strerror(-m->bans_fd));
		m->bans_fd = -1;
	}
}

static void
tell_all(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->slot[i].phase == SLOT_READY)
			ctl_link_send(&m->slot[i], LINK_BANS);
}

void
ban_start(struct master *m)
{
	m->bans_fd = -1;
	if (m->banlist == NULL) {
		m->banlist = banlist_new(m->boot->state_dir);
		(void)banlist_load(m->banlist);
	}
	if (banlist_expire(m->banlist, clock_wall_ms()) > 0)
		(void)save(m);
	seal(m);
	/* The image before may have had something to tell them still. */
	tell_all(m);
	arm(m);
}

void
ban_stop(struct master *m)
{
	loop_timer_clear(&m->ban_timer);
	banlist_free(&m->banlist);
	fd_close(&m->bans_fd);
}

void
ban_save(const struct master *m, struct pack *p)
{
	pack_u64(p, m->bans_unsaved);
	banlist_pack(m->banlist, p);
}

bool
ban_restore(struct master *m, struct unpack *u)
{
	m->bans_unsaved = unpack_u64(u);
	m->banlist = banlist_new(m->boot->state_dir);
	return banlist_unpack(m->banlist, u);
}

void
ban_ready(struct slot *s)
{
	s->bans_unread = false;
	ctl_link_send(s, LINK_BANS);
}

static int
changed(struct master *m)
{
	int rc;

	seal(m);
	tell_all(m);
	rc = save(m);
	arm(m);
	return rc;
}

static void
on_timer(void *arg)
{
	struct master *m = arg;

	/* Off the workers' list as well: the clock may be set back. */
	if (banlist_expire(m->banlist, clock_wall_ms()) > 0) {
		(void)changed(m);
		return;
	}
	if (m->bans_unsaved)
		(void)save(m);
	arm(m);
}

int
master_ban(struct master *m, const struct ban *ban, int *ret_saved)
{
	int rc = banlist_add(m->banlist, ban, m->conf->bans);

	if (rc >= 0)
		*ret_saved = changed(m);
	return rc;
}

int
master_unban(struct master *m, const struct conf_net *net, int *ret_saved)
{
	int rc = banlist_del(m->banlist, net);

	if (rc == 0)
		*ret_saved = changed(m);
	return rc;
}

const struct banlist *
master_banlist(const struct master *m)
{
	return m->banlist;
}
