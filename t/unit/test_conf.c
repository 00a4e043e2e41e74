/* SPDX-License-Identifier: MIT
 *
 * What is accepted and what it means; files that are none.
 */
#include "test_conf.h"
#include "base/xalloc.h"

#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(conf, .timeout = 20, .init = make_dir, .fini = remove_dir);

Test(conf, tells_several_errors_of_one_file)
{
	refuse_text("workers = a\nlimits { rate = b }\nname = \"\"",
		"b.conf:1: workers");
	cr_expect(eq(uint, report.n_errors, 3), "%s", report.text);
	refuse_text("workerz = 1\nlimits { rat = 2 }\nuser = a\nuser = b",
		"b.conf:1: there is no key 'workerz'");
	cr_expect(eq(uint, report.n_errors, 3), "%s", report.text);
	cr_expect(ne(ptr, strstr(report.text, "b.conf:4: 'user'"), NULL));
}

Test(conf, a_long_report_has_whole_lines)
{
	char *text = xcalloc(200, 64);

	for (int i = 0; i < 200; i++)
		(void)sprintf(text + strlen(text), "no_such_key_%d = 1\n", i);
	cr_expect(eq(int, parse(text), -EINVAL));
	cr_expect(eq(uint, report.n_errors, 200));
	cr_expect(eq(sz, report.len, strlen(report.text)));
	cr_expect(eq(chr, report.text[report.len - 1], '\n'));
	free(text);
}

Test(conf, messages_do_not_depend_on_the_locale)
{
	(void)setenv("LANGUAGE", "sv:de", 1);
	(void)setlocale(LC_ALL, "C.UTF-8");
	refuse_text("workers 5", "b.conf:1: missing equal sign");
}

Test(conf, refuses_what_is_no_small_regular_file)
{
	static char big[10 << 20];

	cr_expect(eq(int, conf_parse(in_dir("none"), &conf, &report), -EINVAL));
	cr_expect(
		ne(ptr, strstr(report.text, "/none: No such file or "), NULL));

	cr_expect(eq(int, conf_parse(dir, &conf, &report), -EINVAL));
	cr_expect(ne(ptr, strstr(report.text, ": Is a directory; expected a "),
		NULL));

	cr_assert(eq(int, mkfifo(in_dir("fifo"), 0600), 0));
	cr_expect(eq(int, conf_parse(in_dir("fifo"), &conf, &report), -EINVAL));
	cr_expect(ne(
		ptr, strstr(report.text, "/fifo: Not a regular file"), NULL));

	memset(big, '\n', sizeof(big));
	write_file("big", big, sizeof(big));
	cr_expect(eq(int, conf_parse(in_dir("big"), &conf, &report), -EINVAL));
	cr_expect(ne(ptr,
		strstr(report.text, "big: File too large; expected at "
				    "most 1M"),
		NULL));
}

Test(conf, refuses_an_unreadable_file)
{
	write_text("b.conf", "");
	cr_assert(eq(int, chmod(path, 0), 0));
	cr_assert(eq(int, chmod(dir, 0755), 0));
	if (geteuid() == 0)
		cr_assert(eq(int, seteuid(65534), 0));
	cr_expect(eq(int, conf_parse(path, &conf, &report), -EINVAL));
	cr_expect(ne(ptr,
		strstr(report.text, "b.conf: Permission denied; "
				    "expected a file that"),
		NULL));
	if (getuid() == 0)
		cr_assert(eq(int, seteuid(0), 0));
}

Test(conf, refuses_a_nul)
{
	write_file("b.conf", "name = a\nuser = \"a\0b\"\n", 22);
	cr_expect(eq(int, conf_parse(path, &conf, &report), -EINVAL));
	cr_expect(ne(ptr,
		strstr(report.text, "b.conf:2: NUL byte; expected text"),
		NULL));
}

Test(conf, an_empty_file_has_all_defaults)
{
	accept_text("");
	cr_expect(eq(uint, report.n_warnings, 0), "%s", report.text);
	cr_expect(eq(str, conf.name, "banter"));
	cr_expect(eq(u32, conf.workers, 0));
	cr_expect(eq(u64, conf.relay_log, 32 << 20));
	cr_expect(eq(u32, conf.hang_timeout_ms, 10000));
	cr_expect(conf.create_rooms);
	cr_expect(eq(u32, conf.n_listen, 1));
	cr_expect(eq(str, conf.listen[0].name, "text"));
	cr_expect(eq(u32, conf.listen[0].n_addresses, 2));
	cr_expect(eq(str, conf.listen[0].address[0], "127.0.0.1"));
	cr_expect(eq(str, conf.listen[0].address[1], "::1"));
	cr_expect(eq(u16, conf.listen[0].port, 7788));
	cr_expect(eq(u32, conf.n_rooms, 1));
	cr_expect(eq(str, conf.room[0].name, "lobby"));
	cr_expect(conf.room[0].autojoin);
	cr_expect(eq(u32, conf.limits.exempt.n, 2));
	cr_expect(eq(int, conf.limits.exempt.net[0].bits, 104));
	cr_expect(eq(int, conf.limits.exempt.net[1].bits, 128));
	cr_expect(eq(u32, conf.keepalive.idle_s, 60));
	cr_expect(eq(int, conf.log.level, 3));
	accept_text("\n \n# nothing\n");
}

Test(conf, takes_units)
{
	accept_text("hang_timeout = 1500ms\nrelay_log = 1m\n"
		    "limits { idle_timeout = 2h\nline_bytes = 1K\n"
		    "output_bytes = 65536 }\n"
		    "listen a { flush_after = 250ms }\n"
		    "keepalive { idle = 5min\ninterval = 7 }");
	cr_expect(eq(u32, conf.hang_timeout_ms, 1500));
	cr_expect(eq(u64, conf.relay_log, 1 << 20));
	cr_expect(eq(u32, conf.limits.idle_timeout_s, 7200));
	cr_expect(eq(u32, conf.limits.line_bytes, 1024));
	cr_expect(eq(u32, conf.limits.output_bytes, 65536));
	cr_expect(eq(u32, conf.listen[0].flush_after_ms, 250));
	cr_expect(eq(u32, conf.keepalive.idle_s, 300));
	cr_expect(eq(u32, conf.keepalive.interval_s, 7));
	accept_text("hang_timeout = 0");
	cr_expect(eq(u32, conf.hang_timeout_ms, 0));
	accept_text("workers = 010"); /* decimal, not octal */
	cr_expect(eq(u32, conf.workers, 10));
}

Test(conf, comments_may_be_anywhere)
{
	accept_text("/* a */ # b\nlisten a { // c\n address = { # first\n"
		    "\"127.0.0.1\", /* then */\n \"/run/x#y//z\" // z\n }\n"
		    " port /* x\n */ = # y\n 5\n}\n");
	cr_expect(eq(u32, conf.listen[0].n_addresses, 2));
	cr_expect(eq(str, conf.listen[0].address[1], "/run/x#y//z"));
	cr_expect(eq(u16, conf.listen[0].port, 5));
	refuse_text("# 1\n/* 2\n3 */\n# 4\nworkers = x // 5\n",
		"b.conf:5: workers");
}

Test(conf, lists_and_quotes)
{
	accept_text("\r\nname = \"a \\\"b\\\" \\x24{c}\\\\\"\r\n"
		    "listen a { address = \"::1\" }\n"
		    "listen b { address = {\"*\",} port = 0 }\n"
		    "listen c { address = {\"*\"} port = 0 }\n"
		    "room 'k\xc3\xb6ln' { topic = \"T\xc3\xbcr\" }\n"
		    "limits { exempt = {} }");
	cr_expect(eq(str, conf.name, "a \"b\" ${c}\\"));
	cr_expect(eq(u32, conf.n_listen, 3));
	cr_expect(eq(str, conf.listen[1].address[0], "*"));
	cr_expect(eq(str, conf.room[0].name, "k\xc3\xb6ln"));
	cr_expect(eq(u32, conf.limits.exempt.n, 0));
	cr_expect(eq(uint, report.n_warnings, 1)); /* no autojoin */
	cr_expect(ne(ptr,
			  strstr(report.text, "b.conf:6: warning: no room has "
					      "autojoin"),
			  NULL),
		"%s", report.text);
}

Test(conf, takes_stateless_charsets)
{
	static const char *const good[] = { "UTF-8", "utf8", "GB18030", "GBK",
		"EUC-JP", "SHIFT_JIS", "BIG5", "ISO-8859-1", "latin1", "KOI8-R",
		"CP1252", "ISO_8859-1:1987" };
	char text[100];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		(void)snprintf(text, sizeof(text),
			"listen a { charset = \"%s\" }", good[i]);
		accept_text(text);
		cr_expect(eq(str, conf.listen[0].charset, (char *)good[i]));
	}
}

Test(conf, too_many_sections_are_refused)
{
	char *text = xcalloc(40000, 32);
	size_t len = 0;

	for (int i = 0; i < 40000; i++)
		len += (size_t)sprintf(text + len, "room r%d { }\n", i);
	cr_expect(eq(int, parse(text), -EINVAL));
	cr_expect(ne(ptr,
			  strstr(report.text, "b.conf:129: too many sections "
					      "'room'; expected at most 128"),
			  NULL),
		"%s", report.text);
	free(text);
}

Test(conf, conf_d_is_read_in_byte_order)
{
	cr_assert(eq(int, mkdir(in_dir("conf.d"), 0700), 0));
	write_text("conf.d/B.conf", "name = B\nworkers = 3\n");
	write_text("conf.d/a.conf", "name = a\nlisten x { port = 9 }\n");
	write_text("conf.d/.hidden.conf", "bogus");
	write_text("conf.d/z.conf~", "bogus");
	accept_text("name = main\nlisten x { port = 8\necho = true }\n");
	cr_expect(eq(str, conf.name, "a"));
	cr_expect(eq(u32, conf.workers, 3));
	cr_expect(eq(u32, conf.n_listen, 1)); /* the same, key by key */
	cr_expect(eq(u16, conf.listen[0].port, 9));
	cr_expect(conf.listen[0].echo);

	write_text("conf.d/c.conf", "\nworkers = x");
	refuse_text("", "conf.d/c.conf:2: workers: 'x'");
	cr_assert(eq(int, unlink(in_dir("conf.d/c.conf")), 0));
	cr_assert(eq(int, mkdir(in_dir("conf.d/d.conf"), 0700), 0));
	refuse_text("", "conf.d/d.conf: Is a directory; expected");
}

Test(conf, conf_d_must_be_a_folder)
{
	write_text("conf.d", "");
	refuse_text("", "conf.d: Not a directory; expected a folder");
}

Test(conf, motd_is_read_and_checked)
{
	char text[256], big[8192];

	(void)snprintf(text, sizeof(text), "motd = \"%s\"\n", in_dir("motd"));
	write_text("motd", "Hall\xc3\xa5!\n\tBe nice.\n");
	accept_text(text);
	cr_expect(eq(str, conf.motd_text, "Hall\xc3\xa5!\n\tBe nice.\n"));

	write_text("motd", "fine\nHall\xe5!\n");
	refuse_text(text, "motd:2: this is not UTF-8; expected");
	write_text("motd", "fine\n\n\033[2J\n");
	refuse_text(text, "motd:3: control character 0x1b; expected");

	memset(big, 'x', sizeof(big));
	memcpy(big + sizeof(conf.motd_text) - 2, "\xc3\xa5", 2);
	write_file("motd", big, sizeof(big));
	accept_text(text); /* cut between two characters */
	cr_expect(eq(sz, strlen(conf.motd_text), sizeof(conf.motd_text) - 2));
	cr_expect(eq(uint, report.n_warnings, 1));
}
