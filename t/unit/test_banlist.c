/* The bans of the master and their file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "master/banlist.h"

#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_banlist.XXXXXX", path[64];
static struct banlist *list;

static void
set_up(void)
{
	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/bans", dir);
	list = banlist_new(dir);
}

static void
tear_down(void)
{
	banlist_free(&list);
	(void)unlink(path);
	(void)rmdir(path);
	(void)rmdir(dir);
}

TestSuite(banlist, .init = set_up, .fini = tear_down, .timeout = 20);

static struct ban
ban_of(const char *line)
{
	char mem[BANLIST_LINE];
	struct ban ban;
	const char *wrong;

	(void)snprintf(mem, sizeof mem, "%s", line);
	wrong = banlist_parse(mem, &ban);
	cr_assert_null(wrong, "%s: %s", line, wrong);
	return ban;
}

#define SINCE " 2026-11-20T20:12:46Z "

Test(banlist, lines_there_and_back)
{
	static const char *const lines[] = {
		"192.0.2.0/24" SINCE "- 0",
		"192.0.2.7" SINCE "2026-11-20T21:12:46Z 1000 be kind,  please",
		"2001:db8::/64" SINCE "- 4294967294 \xc3\xa9",
		"0.0.0.0/0" SINCE "- 0",
		"::/0" SINCE "- 0",
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct ban ban = ban_of(lines[i]);
		char mem[BANLIST_LINE];
		struct buf b = buf_over(mem, sizeof mem);

		banlist_print(&ban, &b);
		cr_assert(slice_eq_str(buf_slice(&b), lines[i]), "%.*s",
			(int)b.len, b.p);
	}
	cr_assert_eq(
		ban_of(lines[1]).until_ms - ban_of(lines[1]).since_ms, 3600000);
}

Test(banlist, lines_that_are_wrong)
{
	static const char *const lines[] = { "", "192.0.2.0/24",
		"192.0.2.0/24" SINCE "-", "example.org" SINCE "- 0",
		"192.0.2.1/24" SINCE "- 0", "192.0.2.0/24 - - 0",
		"192.0.2.0/24" SINCE "never 0",
		"192.0.2.0/24 2026-11-20T20:12:46 - 0",
		"192.0.2.0/24 2026-13-20T20:12:46Z - 0",
		"192.0.2.0/24" SINCE "- root", "192.0.2.0/24" SINCE "- -1",
		"192.0.2.0/24" SINCE "- 0 \x1b[2J",
		"192.0.2.0/24" SINCE "- 0 \xff" };
	char mem[BANLIST_LINE];
	struct ban ban;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		(void)snprintf(mem, sizeof mem, "%s", lines[i]);
		cr_assert_not_null(banlist_parse(mem, &ban), "%s", lines[i]);
	}
	(void)snprintf(mem, sizeof mem, "::1" SINCE "- 0 %0127d", 0);
	cr_assert_not_null(banlist_parse(mem, &ban), "too long a reason");
}

Test(banlist, add_del_and_expire)
{
	struct ban a = ban_of("192.0.2.0/24" SINCE "- 0 one");
	struct ban b = ban_of("10.0.0.0/8" SINCE "2026-11-20T20:12:47Z 0 two");
	struct ban c = ban_of("192.0.2.0/24" SINCE "- 0 three");
	int fd;

	cr_assert_eq(banlist_next_end(list), 0);
	cr_assert_eq(banlist_add(list, &a, 2), 0);
	cr_assert_eq(banlist_add(list, &b, 2), 0);
	cr_assert_eq(banlist_add(list, &c, 2), 1, "in place of one");
	c.net.bits = 127;
	cr_assert_eq(banlist_add(list, &c, 2), -ENOSPC);
	cr_assert_eq(banlist_count(list), 2);
	cr_assert_str_eq(banlist_at(list, 0)->reason, "two");
	cr_assert_str_eq(banlist_at(list, 1)->reason, "three");
	fd = banlist_seal(list);
	cr_assert_geq(fd, 0);
	fd_close(&fd);
	cr_assert_eq(banlist_next_end(list), b.until_ms);
	cr_assert_eq(banlist_expire(list, b.until_ms - 1), 0);
	cr_assert_eq(banlist_expire(list, b.until_ms), 1);
	cr_assert_eq(banlist_count(list), 1);
	cr_assert_eq(banlist_del(list, &b.net), -ENOENT);
	cr_assert_eq(banlist_del(list, &a.net), 0);
	cr_assert_eq(banlist_count(list), 0);
}

Test(banlist, file_there_and_back)
{
	struct ban a = ban_of("192.0.2.0/24" SINCE "- 0 one"), b = a;
	struct banlist *again = banlist_new(dir);

	cr_assert_eq(banlist_load(again), 0, "there is none yet");
	for (unsigned i = 0; i < 3000; i++) {
		b.net.address[12] = (uint8_t)(i >> 8);
		b.net.address[13] = (uint8_t)(i * 167);
		cr_assert_geq(banlist_add(list, &b, 3000), 0);
	}
	cr_assert_eq(banlist_save(list), 0);
	cr_assert_eq(banlist_load(again), 0);
	cr_assert_eq(banlist_count(again), banlist_count(list));
	for (uint32_t i = 0; i < banlist_count(list); i++)
		cr_assert_arr_eq(banlist_at(again, i), banlist_at(list, i),
			sizeof(struct ban));
	banlist_free(&again);
}

Test(banlist, a_nul_makes_its_own_line_bad)
{
	static const char text[] = "192.0.2.0/24" SINCE "- 0 one\n"
				   "192.0.3.0/24" SINCE "- 0 t\0wo\n"
				   "\0\n"
				   "192.0.4.0/24" SINCE "- 0 three\n";
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	cr_assert_eq(fd_write_all(fd, text, sizeof text - 1), 0);
	fd_close(&fd);
	cr_assert_eq(banlist_load(list), 0);
	cr_assert_eq(banlist_count(list), 2);
	cr_assert_str_eq(banlist_at(list, 1)->reason, "three");
}

Test(banlist, what_cannot_be_read_is_not_written_over)
{
	struct ban a = ban_of("192.0.2.0/24" SINCE "- 0 one");

	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(banlist_load(list), -EMEDIUMTYPE);
	cr_assert_eq(banlist_add(list, &a, 10), 0);
	cr_assert_eq(banlist_save(list), -EMEDIUMTYPE);
	cr_assert_eq(rmdir(path), 0);
	banlist_free(&list);
	list = banlist_new("/no/such/folder");
	cr_assert_eq(banlist_load(list), 0);
	cr_assert_eq(banlist_save(list), -ENOENT);
}
