/* SPDX-License-Identifier: MIT */
#include "master/state.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/notify.h"
#include "base/version.h"
#include "base/xalloc.h"
#include "bus/ctl.h"
#include "bus/wire.h"
#include "keeper/keeper.h"
#include "log/log.h"
#include "master/ban.h"
#include "master/control.h"
#include "master/hub.h"
#include "master/resume.h"
#include "master/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Odd: must be understood. */
enum tag {
	TAG_MASTER = 1,
	TAG_LOG = 3,
	TAG_LISTENERS = 5,
	TAG_SLOTS = 7,
	TAG_HUB = 9,
	TAG_CONTROL = 11,
	TAG_UPGRADE = 13,
	TAG_BANS = 14 /* without it there is their file */
};

#define TAG_LAST 14

#define BUSY "the server is being upgraded: ask again"

static void
save_master(struct master *m, struct keep *k)
{
	struct pack *p = &k->pack;
	char notify[NOTIFY_ADDRESS_LEN];

	notify_address(notify);
	pack_u64(p, m->n_slots);
	pack_u64(p, m->n_wanted);
	pack_str(p, m->conf_path);
	pack_u64(p, m->options.foreground);
	pack_str(p, m->binary);
	keep_fd(k, m->conf_fd);
	keep_fd(k, m->boot_fd);
	pack_u64(p, m->conf_generation);
	pack_u64(p, m->last_tag);
	pack_str(p, m->pending);
	pack_u64(p, m->since_ms);
	keep_fd(k, m->rundir.dir_fd);
	pack_u64(p, m->rundir.has_pid_file);
	pack_str(p, m->rundir.path);
	pack_u64(p, m->fd_limit);
	pack_u64(p, m->slot_cap);
	pack_u64(p, m->reloads);
	pack_u64(p, m->reloads_failed);
	pack_u64(p, m->watchdog_ms);
	pack_str(p, notify);
	pack_u64(p, m->upgrades);
	pack_u64(p, m->upgrades_failed);
	pack_u64(p, m->conf_anew);
	pack_u64(p, m->engine);
}

static char *
unpack_text(struct unpack *u)
{
	struct slice s = unpack_bytes(u);

	return xmemdup0(s.p, s.len);
}

static bool
restore_master(struct master *m, struct kept *k)
{
	struct unpack *u = &k->u;
	char notify[NOTIFY_ADDRESS_LEN];

	m->n_slots = (unsigned)unpack_u64(u);
	m->n_wanted = (unsigned)unpack_u64(u);
	m->conf_path = unpack_text(u);
	m->options.foreground = unpack_u64(u);
	m->binary = unpack_text(u);
	m->conf_fd = kept_fd(k);
	m->boot_fd = kept_fd(k);
	m->conf_generation = unpack_u64(u);
	m->last_tag = unpack_u64(u);
	unpack_str(u, m->pending, sizeof m->pending);
	m->since_ms = unpack_u64(u);
	m->rundir.dir_fd = kept_fd(k);
	m->rundir.has_pid_file = unpack_u64(u);
	unpack_str(u, m->rundir.path, sizeof m->rundir.path);
	m->fd_limit = (unsigned)unpack_u64(u);
	m->slot_cap = (uint32_t)unpack_u64(u);
	m->reloads = unpack_u64(u);
	m->reloads_failed = unpack_u64(u);
	m->watchdog_ms = unpack_u64(u);
	unpack_str(u, notify, sizeof notify);
	m->upgrades = unpack_u64(u);
	m->upgrades_failed = unpack_u64(u);
	m->conf_anew = unpack_u64(u);
	m->engine = (enum engine)unpack_u64(u);
	if (!k->rehearse)
		(void)notify_set(notify);
	m->ready = true;
	return !u->bad && m->n_slots > 0 && m->n_slots <= CONF_WORKERS_MAX &&
	       m->n_wanted > 0 && m->n_wanted <= m->n_slots && m->conf_fd >= 0;
}

static void
save_head(struct keep *k)
{
	struct state_head h = { .magic = STATE_MAGIC,
		.version = STATE_VERSION,
		.oldest = STATE_OLDEST,
		.bus = BUS_VERSION,
		.ctl = CTL_VERSION,
		.slot = SLOT_VERSION,
		.keeper = KEEPER_VERSION };

	(void)snprintf(h.product, sizeof h.product, "%s", BANTER_VERSION);
	pack_bytes(&k->pack, &h, sizeof h);
}

/* The hub's memfd goes before the hub: it is a descriptor, and the hub's own
 * bytes know of none. */
void
state_save(struct master *m, struct keep *k, bool last)
{
	struct pack *p = &k->pack;
	size_t at;

	save_head(k);
	at = pack_begin(p, TAG_MASTER);
	save_master(m, k);
	pack_end(p, at);
	at = pack_begin(p, TAG_LOG);
	log_save(p);
	keep_fd(k, log_fd() > STDERR_FILENO ? log_fd() : -1);
	pack_end(p, at);
	at = pack_begin(p, TAG_LISTENERS);
	listeners_save(&m->listeners, k);
	pack_end(p, at);
	at = pack_begin(p, TAG_SLOTS);
	state_save_slots(m, k);
	pack_end(p, at);
	at = pack_begin(p, TAG_HUB);
	keep_fd(k, hub_relay_fd(m->hub));
	hub_save(m->hub, p);
	pack_end(p, at);
	at = pack_begin(p, TAG_CONTROL);
	control_save(m->control, upgrade_asker(m), last ? BUSY : NULL, k);
	pack_end(p, at);
	at = pack_begin(p, TAG_UPGRADE);
	upgrade_save(m, k);
	pack_end(p, at);
	at = pack_begin(p, TAG_BANS);
	ban_save(m, p);
	pack_end(p, at);
}

static bool
check_head(struct slice bytes, struct buf *why)
{
	struct state_head h;

	if (bytes.len != sizeof h) {
		buf_str(why, "the running server's state is damaged");
		return false;
	}
	memcpy(&h, bytes.p, sizeof h);
	h.product[sizeof h.product - 1] = '\0';
	if (memcmp(h.magic, STATE_MAGIC, sizeof h.magic) != 0)
		buf_str(why, "the running server's state is damaged");
	else if (STATE_VERSION < h.oldest || h.version < STATE_OLDEST)
		buf_printf(why,
			"%s cannot go on with the state of the running %s "
			"(version %u): restart the server",
			BANTER_VERSION, h.product, h.version);
	else if (h.bus != BUS_VERSION || h.ctl != CTL_VERSION ||
		 h.keeper != KEEPER_VERSION || h.slot > SLOT_VERSION)
		buf_printf(why,
			"%s cannot talk to the workers of the running %s: "
			"restart the server",
			BANTER_VERSION, h.product);
	else
		return true;
	return false;
}

struct sections {
	struct unpack of[TAG_LAST + 1];
	bool has[TAG_LAST + 1];
};

static bool
find_sections(struct unpack *u, struct sections *ret, struct buf *why)
{
	struct unpack section;
	uint64_t tag;

	while (unpack_section(u, &tag, &section)) {
		if (tag <= TAG_LAST) {
			ret->of[tag] = section;
			ret->has[tag] = true;
		} else if (tag & 1) {
			buf_printf(why,
				"%s does not know of what the running server "
				"has (section %u): restart the server",
				BANTER_VERSION, (unsigned)tag);
			return false;
		}
	}
	for (tag = 1; tag <= TAG_LAST; tag += 2)
		if (!ret->has[tag])
			u->bad = true;
	if (u->bad)
		buf_str(why, "the running server's state is damaged");
	return !u->bad;
}

static bool
restore_log(struct kept *k)
{
	/* In a rehearsal lines go to whoever has asked for it. */
	if (k->rehearse)
		return true;
	if (!log_restore(&k->u))
		return false;
	(void)kept_fd(k); /* that of the log, which has it already */
	return !k->u.bad;
}

static bool
restore_conf(struct master *m, bool rehearse, struct buf *why)
{
	const char *name;

	m->conf = conf_map(m->conf_fd);
	m->boot = m->boot_fd < 0 ? m->conf : conf_map(m->boot_fd);
	/* Of an image that knew of one only. */
	if (m->boot && m->engine == ENGINE_UNKNOWN)
		m->engine = engine_number(m->boot->engine);
	if (m->conf && m->boot && (rehearse || FAULT_ERR(upgrade_map) == 0))
		return true;
	/* Another layout: what the file says becomes a new generation. */
	if (!resume_conf_anew(m, rehearse, why))
		return false;
	name = listeners_stranger(&m->listeners, m->conf);
	if (!name)
		return true;
	buf_printf(why,
		"the listen sections of %s are not those that are running "
		"(%s), and this version cannot read the running ones: reload "
		"first, or restart the server",
		m->conf_path, name);
	return false;
}

static bool
restore_hub(struct master *m, struct kept *k)
{
	int left = kept_fd(k), fd = -1;

	/* The hub closes its own when it fails, and the image before or the
	 * running server needs that one. */
	if (left >= 0)
		fd = fcntl(left, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (!k->rehearse)
		keep_note(&m->unused, left);
	m->hub = hub_restore(m->conf, m->n_slots, &fd, &k->u, k->rehearse);
	return m->hub != NULL;
}

static bool
arenas_fit(const struct master *m, struct buf *why)
{
	const struct master_options *o = &m->options;

	for (unsigned i = 0; i < m->n_slots; i++) {
		uint32_t has = m->slot[i].arena_version;

		if (m->slot[i].phase == SLOT_DRAINED ||
			has == o->arena_version ||
			(o->arena_can_convert && o->arena_can_convert(has)))
			continue;
		buf_printf(why,
			"%s cannot go on with the clients of the running "
			"workers (arena %u, not %u): restart the server",
			BANTER_VERSION, has, o->arena_version);
		return false;
	}
	return true;
}

static bool
open_loop(struct master *m, bool rehearse, struct buf *why)
{
	int rc = rehearse ? 0 : resume_open_loop(m);

	if (rc < 0)
		buf_printf(why, "no loop: %s", strerror(-rc));
	return rc == 0;
}

static bool
restore_all(
	struct master *m, struct sections *s, bool rehearse, struct buf *why)
{
	struct kept k[TAG_LAST + 1];

	for (unsigned i = 0; i <= TAG_LAST; i++)
		k[i] = (struct kept){ s->of[i], rehearse, &m->left };
	/* From here on there is a way back. */
	if (!upgrade_restore(m, &k[TAG_UPGRADE]) ||
		!open_loop(m, rehearse, why))
		return false;
	if (!restore_log(&k[TAG_LOG]) || !restore_master(m, &k[TAG_MASTER]))
		return false;
	listeners_init(&m->listeners, m->n_slots);
	if (!listeners_restore(&m->listeners, &k[TAG_LISTENERS]) ||
		!state_restore_slots(m, &k[TAG_SLOTS]) || !arenas_fit(m, why) ||
		!restore_conf(m, rehearse, why) || !restore_hub(m, &k[TAG_HUB]))
		return false;
	if (s->has[TAG_BANS] && !ban_restore(m, &k[TAG_BANS].u))
		return false;
	m->commands = commands_new(m);
	return upgrade_restore_control(m, &k[TAG_CONTROL]);
}

int
state_restore(
	struct master *m, struct slice bytes, bool rehearse, struct buf *why)
{
	struct unpack u = unpack_of(bytes);
	static struct sections s;

	memset(&s, 0, sizeof s);
	if (!check_head(unpack_bytes(&u), why) || !find_sections(&u, &s, why))
		return -EPROTO;
	if (restore_all(m, &s, rehearse, why))
		return 0;
	if (why->len == 0)
		buf_str(why, "the running server's state is damaged");
	return -EPROTO;
}

int
state_to_memory(const struct keep *k)
{
	int fd = fd_memory("banter-state", 0, false);
	int rc;

	if (fd < 0)
		return fd;
	rc = fd_write_all(fd, k->pack.p, k->pack.len);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	return fd;
}
