/* banterctl.c - look at a running banterd and steer it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/version.h"
#include "tools/ctl_client.h"
#include "tools/ctl_print.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/banter/control.sock"
#define TIMEOUT_MS     30000

static const char usage[] =
	"usage: banterctl [-s SOCKET] [--json] VERB [ARGUMENT ...]\n"
	"\n"
	"  status                            the server and its workers\n"
	"  clients [--limit N] [--worker N]  who is connected\n"
	"  rooms [--limit N]                 the rooms and their topics\n"
	"  metrics                           all figures, as OpenMetrics text\n"
	"  kick NICK [--ban 1h] [REASON]     close a client's connection\n"
	"  ban ADDRESS|NETWORK [--for 1h] [REASON]\n"
	"                                    close and refuse connections\n"
	"  unban ADDRESS|NETWORK             let them in again\n"
	"  bans                              the bans in force\n"
	"  drain SLOT                        give a worker no new clients\n"
	"  undrain SLOT                      give it new clients again\n"
	"  reload                            read the configuration again\n"
	"  upgrade                           go on as the installed program\n"
	"  reopen                            open the log file anew\n"
	"  stop                              stop the server, and wait for it\n"
	"\n"
	"  -s, --socket SOCKET  default " DEFAULT_SOCKET "\n"
	"  -j, --json           answer in JSON\n"
	"  -h, --help           show this\n"
	"  -V, --version        show the version\n"
	"\n"
	"exit: 0 done, 1 refused, 3 not running, 4 timeout, 64 usage,\n"
	"77 permission\n";

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

struct asked {
	const char *socket;
	bool json;
	char **word;
	int n_words;
};

static bool
is_verb(const char *word)
{
	static const char *const verbs[] = { "status", "clients", "rooms",
		"metrics", "kick", "ban", "unban", "bans", "drain", "undrain",
		"reload", "upgrade", "reopen", "stop" };
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(word, verbs[i]))
			return true;
	return false;
}

/* "banterctl status --json" is what people type.  The words of a reason are
 * left alone. */
static void
take_late_json(struct asked *asked)
{
	int i, n = 0;

	if (!strcmp(asked->word[0], "kick") || !strcmp(asked->word[0], "ban"))
		return;
	for (i = 0; i < asked->n_words; i++) {
		if (!strcmp(asked->word[i], "--json"))
			asked->json = true;
		else
			asked->word[n++] = asked->word[i];
	}
	asked->n_words = n;
}

/* A word of the command line may hold what steers a terminal. */
static void
complain_of(const char *word)
{
	(void)fputs("banterctl: ", stderr);
	if (word == NULL) {
		(void)fputs("a verb is missing", stderr);
	} else {
		char *safe = ctl_safe(word);

		(void)fprintf(stderr, "'%s' is no verb", safe);
		free(safe);
	}
	(void)fprintf(stderr, "; expected one of these\n\n%s", usage);
}

static enum ctl_exit
bad_option(char **argv, bool no_value)
{
	const char *word = argv[optind - 1];
	char text[3] = { '-', (char)optopt, '\0' };
	/* optopt is 0 for a long one that is not known. */
	char *safe =
		ctl_safe(optopt && strncmp(word, "--", 2) != 0 ? text : word);

	(void)fprintf(stderr,
		"banterctl: '%s' is not understood; expected one of these "
		"options%s\n\n%s",
		safe, no_value ? ", with its value" : "", usage);
	free(safe);
	return CTL_USAGE;
}

/* -1: go on; else what to exit with. */
static int
read_options(int argc, char **argv, struct asked *asked)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:s:jhV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			asked->socket = optarg;
			break;
		case 'j':
			asked->json = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return CTL_DONE;
		case 'V':
			(void)puts("banterctl " BANTER_VERSION);
			return CTL_DONE;
		default:
			return bad_option(argv, c == ':');
		}
	}
	asked->word = argv + optind;
	asked->n_words = argc - optind;
	if (asked->n_words == 0 || !is_verb(asked->word[0])) {
		complain_of(asked->n_words ? asked->word[0] : NULL);
		return CTL_USAGE;
	}
	take_late_json(asked);
	return -1;
}

static int
run(const struct asked *asked)
{
	struct ctl_question q = { asked->socket, asked->word, asked->n_words,
		TIMEOUT_MS, !strcmp(asked->word[0], "stop") };
	struct ctl_answer answer;
	char why[256] = "";
	enum ctl_exit rc = ctl_ask(&q, &answer, why);

	if (rc != CTL_DONE) {
		(void)fprintf(stderr, "banterctl: %s\n", why);
		return rc;
	}
	if (asked->json)
		ctl_print_json(&answer, asked->word[0], stdout);
	else
		ctl_print(&answer, stdout, stderr);
	rc = answer.code;
	ctl_answer_free(&answer);
	return rc;
}

int
main(int argc, char **argv)
{
	struct asked asked = { .socket = DEFAULT_SOCKET };
	int rc = read_options(argc, argv, &asked);

	if (rc == -1)
		rc = run(&asked);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		perror("banterctl: stdout");
		return CTL_REFUSED;
	}
	return rc;
}
