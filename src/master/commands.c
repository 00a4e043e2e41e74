/* SPDX-License-Identifier: MIT */
#include "master/commands.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "master/commands_private.h"
#include "master/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
	const char *name;
	unsigned max_words; /* its own included */
	commands_verb_fn *run;
} verbs[] = {
	{ "status", 1, commands_status },
	{ "clients", 5, commands_clients },
	{ "rooms", 3, commands_rooms },
	{ "metrics", 1, commands_metrics },
	{ "kick", WORDS_MAX, commands_kick },
	{ "ban", WORDS_MAX, commands_ban },
	{ "unban", 2, commands_unban },
	{ "bans", 1, commands_bans },
	{ "drain", 2, commands_drain },
	{ "undrain", 2, commands_undrain },
	{ "reload", 1, commands_reload },
	{ "upgrade", 1, commands_upgrade },
	{ "reopen", 1, commands_reopen },
	{ "stop", 1, commands_stop },
};

struct commands *
commands_new(struct master *master)
{
	struct commands *c = xcalloc(1, sizeof(*c));

	c->master = master;
	/* After an upgrade a worker may still answer the image before. */
	c->last_tag = clock_mono_ms();
	return c;
}

void
commands_free(struct commands **commands)
{
	if (!*commands)
		return;
	commands_clients_end(*commands);
	commands_waiters_end(*commands);
	free(*commands);
	*commands = NULL;
}

void
commands_handle(void *arg, struct control_request *r, struct slice line)
{
	struct words words;
	size_t i;

	if (words_split(&words, line) < 0) {
		control_finish(r, CONTROL_USAGE,
			"a request is words, percent-encoded, with one blank "
			"between them");
		return;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!slice_eq_str(words.word[0], verbs[i].name))
			continue;
		if (words.n > verbs[i].max_words)
			control_finish(r, CONTROL_USAGE,
				"%s: too many words; expected at most %u "
				"behind it",
				verbs[i].name, verbs[i].max_words - 1);
		else
			verbs[i].run(arg, r, &words);
		return;
	}
	control_finish(r, CONTROL_USAGE,
		"unknown verb; there are status, "
		"clients, rooms, metrics, kick, ban, unban, bans, drain, "
		"undrain, reload, upgrade, reopen and stop");
}

int
commands_number(const struct words *words, unsigned at, uint64_t *ret)
{
	struct slice word;
	size_t i;

	if (at >= words->n)
		return -EINVAL;
	word = words->word[at];
	if (word.len == 0 || word.len > 9)
		return -EINVAL;
	*ret = 0;
	for (i = 0; i < word.len; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return -EINVAL;
		*ret = *ret * 10 + (uint64_t)(word.p[i] - '0');
	}
	return 0;
}

int
commands_option(const struct words *words, unsigned *at, const char *name,
	uint64_t *ret)
{
	if (!slice_eq_str(words->word[*at], name))
		return 0;
	if (commands_number(words, *at + 1, ret) < 0)
		return -EINVAL;
	*at += 2;
	return 1;
}

const char *
commands_time(uint64_t wall_ms, char out[COMMANDS_TIME_LEN])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	out[0] = '\0';
	if (wall_ms != 0 && gmtime_r(&seconds, &tm))
		(void)strftime(
			out, COMMANDS_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

const char *
commands_slot_state(enum command_slot_state state)
{
	switch (state) {
	case COMMAND_SLOT_STARTING:
		return "starting";
	case COMMAND_SLOT_READY:
		return "ready";
	case COMMAND_SLOT_STOPPED:
		return "stopped";
	case COMMAND_SLOT_HUNG:
		return "hung";
	case COMMAND_SLOT_BACKOFF:
		return "backing off";
	case COMMAND_SLOT_REFUSED:
		return "refused";
	case COMMAND_SLOT_DRAINING:
		return "draining";
	case COMMAND_SLOT_DRAINED:
		return "drained";
	case COMMAND_SLOT_GONE:
		return "gone";
	case COMMAND_SLOT_STOPPING:
		return "stopping";
	}
	return "unknown";
}

void
commands_log(const struct control_request *r, const char *what)
{
	pid_t pid;
	uid_t uid;

	control_peer(r, &pid, &uid);
	log_notice("control: %s, asked for by pid %d of uid %u", what, (int)pid,
		(unsigned)uid);
}
