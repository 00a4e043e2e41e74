/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/version.h"
#include "master/commands_private.h"
#include "master/control.h"
#include "master/hub.h"
#include "master/waiter.h"

#include <errno.h>
#include <string.h>

#define APPLIED " applied"
#define PENDING " pending restart"

static bool
has_pending(struct slice report)
{
	return memmem(report.p, report.len, PENDING, strlen(PENDING)) != NULL;
}

static bool
ends_with(struct slice line, const char *end)
{
	size_t len = strlen(end);

	return line.len > len && !memcmp(line.p + line.len - len, end, len);
}

/* Where the effect begins in a line "KEY applied" or "KEY pending restart"; 0:
 * it is another.  A key may hold blanks ("listen text.port"), the words behind
 * do not vary. */
static size_t
effect_at(struct slice line)
{
	if (ends_with(line, APPLIED))
		return line.len - strlen(APPLIED);
	return ends_with(line, PENDING) ? line.len - strlen(PENDING) : 0;
}

static void
show_key(struct control_request *r, struct slice line)
{
	size_t key_len = effect_at(line);

	control_row(r);
	control_value(r, slice_of(line.p, key_len));
	control_value(r, slice_skip(line, key_len + 1));
	control_row_end(r);
}

static void
show_note(struct control_request *r, struct slice line)
{
	control_row(r);
	control_value(r, line);
	control_row_end(r);
}

static struct slice
take_line(struct slice *report)
{
	const char *end = memchr(report->p, '\n', report->len);
	size_t len = end ? (size_t)(end - report->p) : report->len;
	struct slice line = slice_of(report->p, len);

	*report = slice_skip(*report, len + 1);
	return line;
}

static void
show_keys(struct control_request *r, struct slice report)
{
	control_table(r, "key\teffect");
	while (report.len > 0) {
		struct slice line = take_line(&report);

		if (effect_at(line) > 0)
			show_key(r, line);
	}
}

/* All lines, or all but those of keys. */
static void
show_notes(struct control_request *r, struct slice report, bool all)
{
	bool begun = false;

	while (report.len > 0) {
		struct slice line = take_line(&report);

		if (line.len == 0 || (!all && effect_at(line) > 0))
			continue;
		if (!begun)
			control_table(r, "note");
		begun = true;
		show_note(r, line);
	}
}

static void
reload_done(void *arg, int rc, struct slice report)
{
	struct control_request *r = waiter_end(arg);

	if (!r)
		return;
	if (rc < 0 && report.len == 0)
		report = slice_str(strerror(-rc));
	if (rc == 0)
		show_keys(r, report);
	show_notes(r, report, rc < 0);
	if (rc < 0)
		control_finish(r, CONTROL_REFUSED,
			"refused; the old configuration stays");
	else
		control_finish(r, CONTROL_DONE, "%s",
			report.len == 0 ? "reloaded; nothing has changed"
			: has_pending(report)
				? "reloaded; what is pending needs a restart, "
				  "which closes all connections: `systemctl "
				  "restart banterd`"
				: "reloaded");
}

void
commands_reload(struct commands *c, struct control_request *r,
	const struct words *words)
{
	struct waiter *w = waiter_new(c, r);

	(void)words;
	w->held = true;
	commands_log(r, "reload");
	master_reload(c->master, reload_done, w);
}

/* "3 upgraded" */
static void
show_slots(struct control_request *r, struct slice report)
{
	control_table(r, "worker\tresult");
	while (report.len > 0) {
		struct slice line = take_line(&report);
		const char *blank = memchr(line.p, ' ', line.len);
		size_t key = blank ? (size_t)(blank - line.p) : line.len;

		control_row(r);
		control_value(r, slice_of(line.p, key));
		control_value(r, slice_skip(line, key + 1));
		control_row_end(r);
	}
}

static void
upgrade_done(void *arg, int rc, struct slice report, const char *why)
{
	struct control_request *r = waiter_end(arg);

	if (!r)
		return;
	if (report.len > 0)
		show_slots(r, report);
	if (rc < 0)
		control_finish(r, CONTROL_REFUSED, "%s", why);
	else
		control_finish(
			r, CONTROL_DONE, "upgraded to %s", BANTER_VERSION);
}

struct control_request *
commands_asker(const void *arg)
{
	const struct waiter *w = arg;

	return w->request;
}

void
commands_upgrade_wait(struct commands *c, struct control_request *r,
	void (**ret_done)(void *, int, struct slice, const char *),
	void **ret_arg)
{
	struct waiter *w = waiter_new(c, r);

	w->held = true;
	*ret_done = upgrade_done;
	*ret_arg = w;
}

void
commands_upgrade(struct commands *c, struct control_request *r,
	const struct words *words)
{
	master_upgrade_fn *done;
	void *w;

	(void)words;
	commands_log(r, "upgrade");
	commands_upgrade_wait(c, r, &done, &w);
	master_upgrade(c->master, done, w);
}

/* Why master_drain() or master_undrain() did not. */
static void
not_drained(struct control_request *r, unsigned slot, int rc)
{
	switch (rc) {
	case -ENOENT:
		control_finish(r, CONTROL_REFUSED,
			"there is no worker %u, or not for long; expected one "
			"that `banterctl status` shows",
			slot);
		break;
	case -EALREADY:
		control_finish(r, CONTROL_REFUSED,
			"worker %u is as you want it already", slot);
		break;
	case -EPERM:
		control_finish(r, CONTROL_REFUSED,
			"worker %u is the last one that takes new clients; "
			"expected another one to take them: undrain one, or "
			"raise workers",
			slot);
		break;
	default:
		control_finish(r, CONTROL_REFUSED,
			"the server is starting, stopping or reloading: "
			"ask again");
		break;
	}
}

void
commands_drain(struct commands *c, struct control_request *r,
	const struct words *words)
{
	uint64_t slot;
	int rc;

	if (commands_number(words, 1, &slot) < 0) {
		control_finish(r, CONTROL_USAGE,
			"drain: SLOT: expected the number of a worker");
		return;
	}
	rc = master_drain(c->master, (unsigned)slot);
	if (rc < 0) {
		not_drained(r, (unsigned)slot, rc);
		return;
	}
	commands_log(r, "drain");
	control_finish(r, CONTROL_DONE,
		"worker %u gets no new clients; it ends with the last of its "
		"%u",
		(unsigned)slot,
		hub_clients(master_hub(c->master), (unsigned)slot));
}

void
commands_undrain(struct commands *c, struct control_request *r,
	const struct words *words)
{
	uint64_t slot;
	int rc;

	if (commands_number(words, 1, &slot) < 0) {
		control_finish(r, CONTROL_USAGE,
			"undrain: SLOT: expected the number of a worker");
		return;
	}
	rc = master_undrain(c->master, (unsigned)slot);
	if (rc < 0) {
		not_drained(r, (unsigned)slot, rc);
		return;
	}
	commands_log(r, "undrain");
	control_finish(r, CONTROL_DONE, "worker %u gets new clients again",
		(unsigned)slot);
}

void
commands_reopen(struct commands *c, struct control_request *r,
	const struct words *words)
{
	int rc;

	(void)words;
	commands_log(r, "reopen");
	rc = master_reopen(c->master);
	if (rc < 0)
		control_finish(r, CONTROL_REFUSED, "the old log file stays: %s",
			strerror(-rc));
	else
		control_finish(r, CONTROL_DONE, "reopened");
}

/* Answered by commands_free(), so that the end of it is the end of all. */
void
commands_stop(struct commands *c, struct control_request *r,
	const struct words *words)
{
	(void)words;
	waiter_new(c, r)->at_stop = "stopped";
	commands_log(r, "stop");
	master_stop(c->master);
}
