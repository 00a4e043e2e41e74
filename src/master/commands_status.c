/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/version.h"
#include "bus/engine.h"
#include "conf/conf.h"
#include "master/commands_private.h"
#include "master/control.h"
#include "master/figures.h"
#include "sandbox/sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More slots than this are shown as their sum; metrics has each. */
#define SLOT_COLUMNS 8

static void
pair(struct control_request *r, const char *key, const char *value)
{
	control_row(r);
	control_value(r, slice_str(key));
	control_value(r, slice_str(value));
	control_row_end(r);
}

static void
show_daemon(struct commands *c, struct control_request *r)
{
	uint64_t value[FIGURES_MAX];
	unsigned i, n = figures_of_daemon(c->master, value);
	char text[COMMANDS_TIME_LEN];
	struct command_status s;

	master_status(c->master, &s);
	control_table(r, "key\tvalue");
	pair(r, "name", master_conf(c->master)->name);
	pair(r, "version", BANTER_VERSION);
	(void)snprintf(text, sizeof(text), "%d", (int)getpid());
	pair(r, "pid", text);
	pair(r, "since", commands_time(s.since_ms, text));
	pair(r, "pending_restart", s.pending ? s.pending : "");
	for (i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "%" PRIu64, value[i]);
		pair(r, figures_daemon[i].name, text);
	}
}

static void
put_pid(struct control_request *r, pid_t pid)
{
	if (pid > 0)
		control_number(r, (uint64_t)pid);
	else
		control_value(r, SLICE_LIT(""));
}

/* A new worker writes it while we read: the last byte stays NUL. */
static void
put_version(struct control_request *r, const struct slot_page *page)
{
	char text[SLOT_VERSION_LEN] = "";

	if (page)
		memcpy(text, page->version, sizeof text - 1);
	control_value(r, slice_str(text));
}

/* What the worker says that it uses, and why it is another one than the
 * configured, should it be. */
static void
put_engine(struct control_request *r, const struct slot_page *page)
{
	char text[128] = "";

	if (page)
		(void)snprintf(text, sizeof text, "%s",
			engine_name((unsigned)page->engine));
	if (page && page->engine_refused)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text),
			" (io_uring refused: %s)",
			strerror((int)page->engine_refused));
	control_value(r, slice_str(text));
}

static void
show_slot(struct control_request *r, unsigned slot,
	const struct command_slot *s, const uint64_t *value)
{
	char text[COMMANDS_TIME_LEN], sandbox[SANDBOX_TEXT_LEN];

	control_row(r);
	control_number(r, slot);
	put_pid(r, s->keeper);
	put_pid(r, s->worker);
	control_number(r, s->generation);
	control_value(r, slice_str(commands_slot_state(s->state)));
	control_value(r, slice_str(commands_time(s->since_ms, text)));
	control_number(r, value[FIGURE_CLIENTS]);
	control_number(r, value[FIGURE_QUOTA]);
	control_number(r, value[FIGURE_PENDING]);
	control_number(r, value[FIGURE_BEHIND]);
	control_number(r, s->deaths);
	put_version(r, s->page);
	put_engine(r, s->page);
	sandbox_text(s->sandbox, sandbox);
	control_value(r, slice_str(sandbox));
	control_row_end(r);
}

static void
show_slots(struct commands *c, struct control_request *r,
	const struct figures_table *t)
{
	struct command_slot s;
	unsigned i;

	control_table(r,
		"slot\tkeeper\tworker\tgeneration\tstate\tsince\tclients\t"
		"quota\tpending\tbehind\tdeaths\tversion\tengine\tsandbox");
	for (i = 0; i < t->n_slots; i++)
		if (master_slot_status(c->master, t->slot[i], &s))
			show_slot(r, t->slot[i], &s, t->value[i]);
}

/* What the slot's clients have come through. */
static void
show_deaths(struct control_request *r, const struct figures_table *t)
{
	control_table(r,
		"of_slot\tdeaths\tkilled\tcrashed\thung\tbroke\texited\t"
		"takeovers\tlast_us\tsuspects\tskipped");
	for (unsigned i = 0; i < t->n_slots; i++) {
		const uint64_t *v = t->value[i];

		control_row(r);
		control_number(r, i + 1);
		control_number(r, v[FIGURE_DEATHS]);
		for (unsigned by = 0; by < COMMAND_DEATHS; by++)
			control_number(r, v[FIGURE_DEATHS_BY + by]);
		control_number(r, figures_counter(v, "takeovers"));
		control_number(r, v[FIGURE_TAKEOVER]);
		control_number(r, figures_counter(v, "suspects_closed"));
		control_number(r, figures_counter(v, "frames_skipped"));
		control_row_end(r);
	}
}

static void
show_counter(struct control_request *r, const struct figures_table *t,
	unsigned n_columns, unsigned at)
{
	uint64_t sum = t->gone[at];
	unsigned i;

	for (i = 0; i < t->n_slots; i++)
		sum += t->value[i][at];
	control_row(r);
	control_value(r, slice_str(figures_slot[at].name));
	control_number(r, sum);
	for (i = 0; i < n_columns; i++)
		control_number(r, t->value[i][at]);
	control_row_end(r);
}

static void
show_counters(struct control_request *r, const struct figures_table *t)
{
	unsigned n_columns = t->n_slots <= SLOT_COLUMNS ? t->n_slots : 0;
	char mem[128];
	struct buf head = buf_over(mem, sizeof(mem) - 1);
	unsigned i;

	buf_str(&head, "counter\ttotal");
	for (i = 0; i < n_columns; i++)
		buf_printf(&head, "\t%u", t->slot[i]);
	mem[head.len] = '\0';
	control_table(r, mem);
	for (i = FIGURE_COUNTERS; figures_slot[i].name; i++)
		show_counter(r, t, n_columns, i);
}

void
commands_status(struct commands *c, struct control_request *r,
	const struct words *words)
{
	const struct figures_table *t = figures_of_slots(c->master);

	(void)words;
	show_daemon(c, r);
	show_slots(c, r, t);
	show_deaths(r, t);
	show_counters(r, t);
	control_finish(r, CONTROL_DONE, "%s", "");
}
