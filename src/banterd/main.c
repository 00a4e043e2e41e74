/* main.c - the command line of banterd; hands the worker to the master.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/arena.h"
#include "arena/convert.h"
#include "base/fault.h"
#include "base/version.h"
#include "conf/conf.h"
#include "keeper/keeper.h"
#include "master/master.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 64

/* The tests that need mishaps look for it. */
#ifdef BANTER_TEST_FAULTS
# define TEST_BUILD " (test build)"
#else
# define TEST_BUILD ""
#endif

#ifndef BANTER_CONF
# define BANTER_CONF "/etc/banter/banterd.conf"
#endif

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_PRINT,
	/* What an upgrade runs a new image with; not for people. */
	ACTION_REHEARSE,
	ACTION_RESUME,
	ACTION_GO_BACK,
	ACTION_KEEPER
};

struct command_line {
	struct master_options master;
	enum action action;
	int memory; /* that the image before has left */
};

static const char usage_text[] =
	"usage: banterd [-FtTVh] [-c FILE] [--ready-fd N]\n"
	"  -c FILE        configuration (default " BANTER_CONF ")\n"
	"  -F             stay in the foreground\n"
	"  -t             check the configuration and exit: 0 or 78\n"
	"  -T             print every effective value and where it came from\n"
	"  --ready-fd N   write \"LISTEN name address port\" lines and \"READY\"\n"
	"                 to descriptor N\n"
	"  -V             print the version\n"
	"  -h             print this\n";

enum hidden {
	OPTION_REHEARSE = 256, /* beyond any letter */
	OPTION_RESUME,
	OPTION_GO_BACK,
	OPTION_KEEPER
};

static int
usage_error(const char *what)
{
	fprintf(stderr, "banterd: %s\n%s", what, usage_text);
	return EXIT_USAGE;
}

/* What is wrong with a word of the command line. */
static int
bad_word(const char *before, const char *word, const char *after)
{
	char mem[256];

	(void)snprintf(mem, sizeof mem, "%s'%.64s' %s", before, word, after);
	return usage_error(mem);
}

static int
bad_option(char **argv, bool no_value)
{
	char text[3] = { '-', (char)optopt, '\0' };
	/* optopt is 0 for a long one that is not known. */
	bool is_short = optopt > 0 && optopt < OPTION_REHEARSE &&
			argv[optind - 1][0] == '-' &&
			argv[optind - 1][1] != '-';

	return bad_word("", is_short ? text : argv[optind - 1],
		no_value ? "is not understood; expected one of these options, "
			   "with its value"
			 : "is not understood; expected one of these options");
}

static int
parse_fd(const char *text, int *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || n < 0 || n > INT_MAX ||
		fcntl((int)n, F_GETFD) == -1)
		return -EINVAL;
	*ret = (int)n;
	return 0;
}

static int
parse_hidden(struct command_line *c, int option)
{
	static const enum action actions[] = {
		[OPTION_REHEARSE - OPTION_REHEARSE] = ACTION_REHEARSE,
		[OPTION_RESUME - OPTION_REHEARSE] = ACTION_RESUME,
		[OPTION_GO_BACK - OPTION_REHEARSE] = ACTION_GO_BACK,
		[OPTION_KEEPER - OPTION_REHEARSE] = ACTION_KEEPER,
	};

	c->action = actions[option - OPTION_REHEARSE];
	return parse_fd(optarg, &c->memory);
}

/* -1: go on; else the exit code. */
static int
parse(struct command_line *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "rehearse", required_argument, NULL, OPTION_REHEARSE },
		{ "resume", required_argument, NULL, OPTION_RESUME },
		{ "go-back", required_argument, NULL, OPTION_GO_BACK },
		{ "keeper", required_argument, NULL, OPTION_KEEPER },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o, n_c = 0;

	opterr = 0;
	while ((o = getopt_long(argc, argv, ":c:FtTVh", options, NULL)) != -1)
		switch (o) {
		case 'c':
			if (n_c++ > 0)
				return usage_error("-c is there twice; "
						   "expected one file");
			if (*optarg == '\0')
				return usage_error("-c is empty; expected the "
						   "path of a file");
			c->master.conf_path = optarg;
			break;
		case 'F':
			c->master.foreground = true;
			break;
		case 't':
			c->action = ACTION_CHECK;
			break;
		case 'T':
			c->action = ACTION_PRINT;
			break;
		case 'r':
			if (parse_fd(optarg, &c->master.ready_fd) < 0)
				return bad_word("--ready-fd ", optarg,
					"is no open descriptor; expected the "
					"number of one, as in 3>FILE");
			break;
		case 'V':
			puts("banterd " BANTER_VERSION TEST_BUILD);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		case OPTION_REHEARSE:
		case OPTION_RESUME:
		case OPTION_GO_BACK:
		case OPTION_KEEPER:
			if (parse_hidden(c, o) < 0)
				return usage_error("no such descriptor");
			break;
		default:
			return bad_option(argv, o == ':');
		}
	if (optind < argc)
		return bad_word("", argv[optind],
			"is a word too many; expected options only");
	return -1;
}

/* Paths in messages and reloads must mean the same after the daemon has left
 * the current directory. */
static int
make_absolute(struct command_line *c)
{
	char *path;

	if (c->master.conf_path[0] == '/')
		return 0;
	path = realpath(c->master.conf_path, NULL);
	if (path == NULL) {
		fprintf(stderr,
			"%s: %s; expected a file that this user may "
			"read\n",
			c->master.conf_path, strerror(errno));
		return -errno;
	}
	c->master.conf_path = path;
	return 0;
}

static int
check(const char *path)
{
	static struct conf conf;
	static struct conf_report report;
	int rc = conf_parse(path, &conf, &report);

	if (rc == 0)
		rc = conf_check_access(path, &conf, &report);
	conf_note_unread(path, &report);
	fputs(report.text, stderr);
	if (rc < 0)
		return MASTER_EXIT_CONFIG;
	printf("%s: the configuration is good\n", path);
	return 0;
}

static int
print(const char *path)
{
	static struct conf_report report;
	int rc = conf_print(path, stdout, &report);

	fputs(report.text, stderr);
	return rc < 0 || fflush(stdout) == EOF ? MASTER_EXIT_CONFIG : 0;
}

/* Descriptors 0 to 2 must be taken, or a client would become stderr. */
static void
fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

int
main(int argc, char **argv)
{
	struct command_line c = {
		.master = { .conf_path = BANTER_CONF,
			.ready_fd = -1,
			.argv = argv,
			.arena_size = worker_arena_size,
			.arena_version = ARENA_VERSION,
			.arena_can_convert = arena_can_use },
	};
	const char *wrong;
	int code;

	/* Tables that grow with the clients are mapped, and grown by moving
	 * pages: on the heap each doubling would leave a hole behind. */
	(void)mallopt(M_MMAP_THRESHOLD, 16384);
	fill_standard_fds();
	wrong = fault_init();
	if (wrong != NULL)
		return usage_error(wrong);
	code = parse(&c, argc, argv);
	if (code >= 0)
		return code;
	switch (c.action) {
	case ACTION_REHEARSE:
		return master_rehearse(&c.master, worker_run, c.memory);
	case ACTION_RESUME:
	case ACTION_GO_BACK:
		return master_resume(&c.master, worker_run, &c.memory,
			c.action == ACTION_GO_BACK);
	case ACTION_KEEPER:
		return keeper_resume(&c.memory, worker_run);
	default:
		break;
	}
	if (make_absolute(&c) < 0)
		return MASTER_EXIT_CONFIG;
	switch (c.action) {
	case ACTION_CHECK:
		return check(c.master.conf_path);
	case ACTION_PRINT:
		return print(c.master.conf_path);
	default:
		return master_main(&c.master, worker_run);
	}
}
