/* ctl_client.h - ask the master over its control socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_TOOLS_CTL_CLIENT_H
#define BANTER_TOOLS_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

enum ctl_exit {
	CTL_DONE = 0,
	CTL_REFUSED = 1,
	CTL_NOT_RUNNING = 3,
	CTL_TIMEOUT = 4,
	CTL_USAGE = 64,
	CTL_PERMISSION = 77
};

struct ctl_table {
	size_t n_columns, n_rows;
	char **column;
	char **cell; /* n_rows times n_columns, never NULL */
};

struct ctl_answer {
	enum ctl_exit code;
	const char *message; /* "" for none */
	size_t n_tables;
	struct ctl_table *table;
	char *text; /* what all strings point into */
};

struct ctl_question {
	const char *socket;
	char **word; /* the verb first */
	int n_words;
	int timeout_ms;
	bool until_gone; /* wait until the master is no more */
};

/* Ask and read the whole answer.  CTL_DONE when there is one, whatever its code
 * says; else what to exit with, and why[] says it for people. */
enum ctl_exit ctl_ask(const struct ctl_question *question,
	struct ctl_answer *ret, char why[256]);
void ctl_answer_free(struct ctl_answer *answer);

/* Read an answer of len bytes at text, which it takes and which ends in NUL.
 * False: it is not whole or not ours. */
bool ctl_answer_parse(struct ctl_answer *ret, char *text, size_t len);

#endif
