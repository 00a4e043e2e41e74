/* test_conf.h - a folder with files for the tests of the configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_T_TEST_CONF_H
#define BANTER_T_TEST_CONF_H

#include "conf/conf.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>

static char dir[] = "/tmp/banter-conf-XXXXXX";
static char path[sizeof(dir) + 16];
static struct conf conf;
static struct conf_report report;

static inline void
make_dir(void)
{
	cr_assert(ne(ptr, mkdtemp(dir), NULL));
	(void)snprintf(path, sizeof(path), "%s/b.conf", dir);
}

static inline int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static inline void
remove_dir(void)
{
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *
in_dir(const char *name)
{
	static char mem[4][512];
	static unsigned turn;
	char *at = mem[turn++ % 4];

	(void)snprintf(at, sizeof(mem[0]), "%s/%s", dir, name);
	return at;
}

static inline void
write_file(const char *name, const void *text, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");

	cr_assert(ne(ptr, f, NULL));
	cr_assert(eq(sz, fwrite(text, 1, len, f), len));
	cr_assert(eq(int, fclose(f), 0));
}

static inline void
write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static inline int
parse(const char *text)
{
	write_text("b.conf", text);
	return conf_parse(path, &conf, &report);
}

static inline void
accept_text(const char *text)
{
	cr_assert(eq(int, parse(text), 0), "%s: %s", text, report.text);
	cr_assert(eq(uint, report.n_errors, 0));
}

/* want is searched for behind the folder's name: "b.conf:2: ...". */
static inline void
refuse_text(const char *text, const char *want)
{
	int rc = parse(text);
	char where[256];

	(void)snprintf(where, sizeof(where), "%s/%s", dir, want);
	cr_expect(eq(int, rc, -EINVAL), "accepted: %s", text);
	cr_expect(strstr(report.text, where) == report.text,
		"for: %s\nwant: %s\ngot: %s", text, want, report.text);
	cr_expect(strstr(report.text, "; ") != NULL,
		"says not what is expected: %s", report.text);
}

#endif
