/* SPDX-License-Identifier: MIT */
#include "master/figures.h"

#include "master/commands.h"
#include "master/hub.h"

#include <stddef.h>
#include <string.h>

const struct figure figures_daemon[] = {
	{ "clients", "Clients connected", false },
	{ "max_clients", "Clients allowed", false },
	{ "rooms", "Rooms that exist", false },
	{ "workers", "Worker slots", false },
	{ "configuration", "Generation of the configuration", false },
	{ "reloads", "Reloads that were applied", true },
	{ "reloads_failed", "Reloads that were refused", true },
	{ "upgrades", "Upgrades that were completed", true },
	{ "upgrades_failed", "Upgrades that were refused or went back", true },
	{ "messages", "Messages sequenced", true },
	{ "relay_log_used", "Bytes of the relay log that a slot still needs",
		false },
	{ "relay_log_size", "Bytes of the relay log", false },
	{ "gap_messages", "Messages that a slot was not given", true },
	{ "bus_frames_in", "Frames received from slots", true },
	{ "bus_batches_in", "Batches received from slots", true },
	{ "bus_batches_out", "Batches sent to slots", true },
	{ "bus_bytes_in", "Bytes received from slots", true },
	{ "bus_bytes_out", "Bytes sent to slots", true },
	{ "hub_refused_full", "Clients refused because the server was full",
		true },
	{ "hub_refused_address", "Clients refused by clients_per_ip", true },
	{ NULL, NULL, false },
};

#define SLOT_COUNTER(name, help) { #name, help, true },
const struct figure figures_slot[] = {
	[FIGURE_CLIENTS] = { "worker_clients", "Clients of the worker", false },
	[FIGURE_QUOTA] = { "worker_quota", "Clients that the worker may have",
		false },
	[FIGURE_PENDING] = { "worker_pending",
		"Bytes of output that wait for clients", false },
	[FIGURE_FD_LIMIT] = { "worker_fd_limit",
		"Descriptors that the worker may have", false },
	[FIGURE_FULL] = { "worker_full",
		"1 while the worker has no descriptors left", false },
	[FIGURE_BEHIND] = { "worker_behind",
		"Frames that the slot has not been given", false },
	[FIGURE_GENERATION] = { "worker_generation",
		"Workers started in the slot", false },
	[FIGURE_UP] = { "worker_up", "1 when the worker is ready", false },
	[FIGURE_TAKEOVER] = { "worker_takeover_us",
		"Microseconds of the latest takeover, from the death as the "
		"keeper saw it to the first turn",
		false },
	[FIGURE_DEATHS] = { "worker_deaths", "Workers of the slot that died",
		true },
	[FIGURE_DEATHS_BY] = { "worker_deaths_killed",
		"Workers that somebody else killed by SIGKILL", true },
	{ "worker_deaths_crashed", "Workers that crashed", true },
	{ "worker_deaths_hung", "Workers that were ended because they hung",
		true },
	{ "worker_deaths_broke",
		"Workers that were killed because they broke a protocol",
		true },
	{ "worker_deaths_exited", "Workers that ended by themselves", true },
	SLOT_COUNTERS(SLOT_COUNTER){ NULL, NULL, false },
};
#undef SLOT_COUNTER

#define N_SLOT_FIGURES (sizeof(figures_slot) / sizeof(figures_slot[0]) - 1)
#define N_DAEMON_FIGURES \
 (sizeof(figures_daemon) / sizeof(figures_daemon[0]) - 1)

_Static_assert(N_SLOT_FIGURES <= FIGURES_MAX, "figures of a slot");
_Static_assert(N_DAEMON_FIGURES <= FIGURES_MAX, "figures of the daemon");

unsigned
figures_of_daemon(struct master *master, uint64_t ret[FIGURES_MAX])
{
	struct hub *hub = master_hub(master);
	struct hub_stats s = hub_stats(hub);
	struct command_status status;
	unsigned n = 0;

	master_status(master, &status);
	ret[n++] = hub_clients(hub, 0);
	ret[n++] = master_conf(master)->max_clients;
	ret[n++] = hub_rooms(hub);
	ret[n++] = status.n_workers;
	ret[n++] = status.conf_generation;
	ret[n++] = status.reloads;
	ret[n++] = status.reloads_failed;
	ret[n++] = status.upgrades;
	ret[n++] = status.upgrades_failed;
	ret[n++] = s.messages;
	ret[n++] = s.log_bytes;
	ret[n++] = s.log_size;
	ret[n++] = s.gaps;
	ret[n++] = s.frames_in;
	ret[n++] = s.batches_in;
	ret[n++] = s.batches_out;
	ret[n++] = s.bytes_in;
	ret[n++] = s.bytes_out;
	ret[n++] = s.refused_full;
	ret[n++] = s.refused_address;
	return n;
}

/* The worker writes while we read; each word is whole. */
static uint64_t
read_word(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* False: the slot is gone. */
static bool
read_slot(struct master *master, unsigned slot, uint64_t *ret)
{
	static const struct slot_page empty;
	const struct slot_page *page = &empty;
	struct command_slot s;
	unsigned n = FIGURE_COUNTERS;

	memset(ret, 0, FIGURES_MAX * sizeof(*ret));
	if (!master_slot_status(master, slot, &s))
		return true;
	if (s.page)
		page = s.page;
	ret[FIGURE_CLIENTS] = read_word(&page->clients);
	ret[FIGURE_QUOTA] = read_word(&page->quota);
	ret[FIGURE_PENDING] = read_word(&page->pending);
	ret[FIGURE_FD_LIMIT] = read_word(&page->fd_limit);
	ret[FIGURE_FULL] = read_word(&page->full);
	ret[FIGURE_BEHIND] = hub_slot_behind(master_hub(master), slot);
	ret[FIGURE_GENERATION] = s.generation;
	ret[FIGURE_UP] = s.state == COMMAND_SLOT_READY ||
			 s.state == COMMAND_SLOT_DRAINING;
	ret[FIGURE_TAKEOVER] = read_word(&page->takeover_us);
	ret[FIGURE_DEATHS] = s.deaths;
	memcpy(ret + FIGURE_DEATHS_BY, s.deaths_by, sizeof s.deaths_by);
#define READ_COUNTER(name, help) ret[n++] = read_word(&page->name);
	SLOT_COUNTERS(READ_COUNTER)
#undef READ_COUNTER
	return s.state != COMMAND_SLOT_GONE;
}

static void
add_gone(struct figures_table *t, const uint64_t value[FIGURES_MAX])
{
	unsigned n;

	for (n = FIGURE_COUNTERS; n < FIGURES_MAX; n++)
		t->gone[n] += value[n];
}

const struct figures_table *
figures_of_slots(struct master *master)
{
	static struct figures_table table; /* 32 KiB */
	struct command_status status;
	unsigned i;

	master_status(master, &status);
	table.n_slots = 0;
	memset(table.gone, 0, sizeof(table.gone));
	for (i = 1; i <= status.n_slots && i <= CONF_WORKERS_MAX; i++) {
		table.slot[table.n_slots] = i;
		if (read_slot(master, i, table.value[table.n_slots]))
			table.n_slots++;
		else
			add_gone(&table, table.value[table.n_slots]);
	}
	return &table;
}

uint64_t
figures_counter(const uint64_t *value, const char *name)
{
	unsigned i = FIGURE_COUNTERS;

	while (figures_slot[i].name && strcmp(figures_slot[i].name, name) != 0)
		i++;
	return figures_slot[i].name ? value[i] : 0;
}
