/* SPDX-License-Identifier: MIT
 *
 * -T, the differences of a reload, the walk over the keys, who may read.
 */
#include "test_conf.h"
#include <sys/stat.h>
#include <unistd.h>

static struct conf other;

TestSuite(conf_print, .timeout = 20, .init = make_dir, .fini = remove_dir);

static char *
print(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	cr_assert(eq(int, conf_print(path, f, &report), 0), "%s", report.text);
	(void)fclose(f);
	return text;
}

Test(conf_print, print_is_itself_a_configuration)
{
	char *text, *again, want[200];

	accept_text("name = \"a \\\"b\\\" \\x24{c}\\\\ #d\"\nworkers = 3\n"
		    "listen x { address = {\"::1\", \"/a\\\"b\"} port = 0\n"
		    "mode = raw room = r1 flush_after = 1500ms\n"
		    "charset = GB18030 }\n"
		    "room 'a[b' { topic = \"//x /* y\" autojoin = on }\n"
		    "limits { exempt = {\"10.0.0.0/8\", \"2001:db8::/32\", "
		    "\"::/0\", \"0.0.0.0/0\"} idle_timeout = 90s\n"
		    "output_bytes = 5000 }\n"
		    "log { target = file file = '/x' level = debug }");
	text = print();
	(void)snprintf(want, sizeof(want), "\nworkers = 3  # %s:2\n", path);
	cr_expect(ne(ptr, strstr(text, want), NULL), "%s", text);
	cr_expect(ne(ptr, strstr(text, "\nengine = \"epoll\"  # default\n"),
			  NULL),
		"%s", text);
	other = conf;
	accept_text(text);
	cr_expect(eq(int, memcmp(&conf, &other, sizeof(conf)), 0), "%s", text);
	again = print(); /* now every value has a line */
	cr_expect(eq(ptr, strstr(again, "# default"), NULL));
	free(again);
	free(text);
}

Test(conf_print, print_names_the_file_that_won)
{
	char *text, want[200];

	cr_assert(eq(int, mkdir(in_dir("conf.d"), 0700), 0));
	write_text("conf.d/a.conf", "\n\nlimits { rate = 7 }\n");
	accept_text("limits { rate = 5\nburst = 50 }");
	text = print();
	(void)snprintf(
		want, sizeof(want), "\trate = 7  # %s/conf.d/a.conf:3\n", dir);
	cr_expect(ne(ptr, strstr(text, want), NULL), "%s", text);
	(void)snprintf(want, sizeof(want), "\tburst = 50  # %s:2\n", path);
	cr_expect(ne(ptr, strstr(text, want), NULL), "%s", text);
	free(text);
}

static void
note(void *arg, const char *key, bool applies)
{
	(void)sprintf(
		arg + strlen(arg), "%s%s\n", key, applies ? "" : " (pending)");
}

static void
expect_diff(const char *was, const char *is, const char *want)
{
	char got[1024] = "";

	accept_text(was);
	other = conf;
	accept_text(is);
	conf_diff(&other, &conf, note, got);
	cr_expect(eq(str, got, (char *)want));
}

Test(conf_print, diff_names_keys_and_whether_they_apply)
{
	expect_diff("", "", "");
	expect_diff("", "workers = 2\nlimits { rate = 3\nexempt = {} }",
		"workers\nlimits.exempt\nlimits.rate\n");
	expect_diff("",
		"user = a\ngroup = b\nrun_dir = /a\nstate_dir = /b\n"
		"control_group = c\nrelay_log = 1M\n",
		"user (pending)\ngroup (pending)\nrun_dir (pending)\n"
		"state_dir (pending)\ncontrol_group (pending)\n"
		"relay_log (pending)\n");
	expect_diff("", "log { level = debug\ntarget = stderr\nfile = /x }",
		"log.level\nlog.target (pending)\nlog.file (pending)\n");
	expect_diff("listen a { port = 1 }\nlisten b { port = 2 }",
		"listen c { port = 3 }\nlisten a { port = 4\naddress = \"*\" }",
		"listen a.address\nlisten a.port\nlisten b\nlisten c\n");
	expect_diff("room a { autojoin = on }",
		"room a { autojoin = on\ntopic = t }\nroom b { }",
		"room a.topic\nroom b\n");
}

Test(conf_print, diff_sees_a_new_text_of_the_motd)
{
	char text[256], got[64] = "";

	(void)snprintf(text, sizeof(text), "motd = \"%s\"\n", in_dir("motd"));
	write_text("motd", "one\n");
	accept_text(text);
	other = conf;
	write_text("motd", "two\n");
	accept_text(text);
	conf_diff(&other, &conf, note, got);
	cr_expect(eq(str, got, "motd\n"));
}

Test(conf_print, keys_can_be_walked)
{
	struct conf_key key;
	size_t n = 0;
	bool rate = false;

	for (; conf_key_at(n, &key); n++) {
		cr_expect(key.name[0] && key.type[0] && key.def[0] &&
				  key.range[0],
			"%s", key.name);
		cr_expect(key.help && key.help[0], "%s", key.name);
		cr_expect(strlen(key.range) < sizeof(key.range) - 1, "%s",
			key.name);
		if (strcmp(key.name, "limits.rate") != 0)
			continue;
		rate = true;
		cr_expect(eq(str, (char *)key.type, "number"));
		cr_expect(eq(str, key.def, "20"));
		cr_expect(eq(str, key.range, "0 to 100000"));
		cr_expect(key.applies);
	}
	cr_expect(rate);
	cr_expect(n > 40);
}

/* ---- who may read ---- */

Test(conf_print, access_is_told_with_what_would_help)
{
	char text[512];

	if (geteuid() != 0) {
		accept_text("");
		cr_expect(eq(int, conf_check_access(path, &conf, &report), 0));
		return;
	}
	cr_assert(eq(int, mkdir(in_dir("run"), 0755), 0));
	cr_assert(eq(int, mkdir(in_dir("state"), 0755), 0));
	cr_assert(eq(int, chown(in_dir("run"), 65534, 65534), 0));
	cr_assert(eq(int, chmod(dir, 0755), 0));
	(void)snprintf(text, sizeof(text),
		"user = nobody\ngroup = nogroup\nrun_dir = \"%s\"\n"
		"state_dir = \"%s\"\n",
		in_dir("run"), in_dir("state"));
	accept_text(text);
	cr_assert(eq(int, chmod(path, 0600), 0));
	cr_expect(eq(int, conf_check_access(path, &conf, &report), -EACCES));
	cr_expect(eq(uint, report.n_errors, 2), "%s", report.text);
	cr_expect(ne(ptr,
		strstr(report.text, "b.conf: user 'nobody' cannot "
				    "read this"),
		NULL));
	cr_expect(ne(ptr, strstr(report.text, "`chgrp nogroup /tmp/"), NULL));
	cr_expect(ne(ptr,
		strstr(report.text, "state: user 'nobody' cannot "
				    "write into this folder"),
		NULL));

	cr_assert(eq(int, chown(path, 0, 65534), 0));
	cr_assert(eq(int, chmod(path, 0640), 0));
	cr_assert(eq(int, chown(in_dir("state"), 65534, 0), 0));
	memset(&report, 0, sizeof(report));
	cr_expect(eq(int, conf_check_access(path, &conf, &report), 0), "%s",
		report.text);

	(void)snprintf(conf.run_dir, sizeof(conf.run_dir), "/none/x");
	cr_expect(eq(int, conf_check_access(path, &conf, &report), 0));
	cr_expect(eq(uint, report.n_warnings, 1), "%s", report.text);

	cr_assert(eq(int, chmod(dir, 0700), 0));
	cr_expect(eq(int, conf_check_access(path, &conf, &report), -EACCES));
	cr_expect(
		ne(ptr, strstr(report.text, "cannot enter this folder"), NULL),
		"%s", report.text);
}

Test(conf_print, access_needs_the_user)
{
	accept_text("user = no-such-user\ngroup = no-such-group");
	if (geteuid() != 0)
		return;
	cr_expect(eq(int, conf_check_access(path, &conf, &report), -EACCES));
	cr_expect(ne(ptr,
		strstr(report.text, "there is no user 'no-such-user'"), NULL));
	cr_expect(ne(ptr, strstr(report.text, "there is no group"), NULL));
}
