/* SPDX-License-Identifier: MIT
 *
 * What is refused, and where the complaint points to.
 */
#include "test_conf.h"
#include <criterion/parameterized.h>

TestSuite(conf_bad, .timeout = 20, .init = make_dir, .fini = remove_dir);

struct bad {
	char text[200], want[160];
};

static struct bad syntax[] = {
	{ "\nbogus = 2\n", "b.conf:2: there is no key 'bogus'; expected" },
	{ "worker = 2", "b.conf:1: there is no key 'worker'; did you mean "
			"'workers'?" },
	{ "limits {\n\nratee = 2\n}", "b.conf:3: there is no key 'ratee' in "
				      "section limits; did you mean 'rate'?" },
	{ "listen a {\nports = 1 }", "b.conf:2: there is no key 'ports' in "
				     "section listen; did you mean 'port'?" },
	{ "limit { rate = 2 }",
		"b.conf:1: there is no section 'limit'; did you mean "
		"'limits'?" },
	{ "limits {\n log { level = info } }",
		"b.conf:2: there is no section 'log' in section limits" },
	{ "workers = 1\n# x\nworkers = 2",
		"b.conf:3: 'workers' is there twice; expected it once, it was "
		"set on line 1" },
	{ "log { level = info\nlevel = info }",
		"b.conf:2: 'level' is there twice" },
	{ "limits { exempt = {}\nexempt = {\"::1\"} }",
		"b.conf:2: 'exempt' is there twice" },
	{ "log {\n}\n/* x\n */\nlog { level = info }",
		"b.conf:5: section 'log' is there twice; expected it once, it "
		"began on line 1" },
	{ "room a {}\nroom a {}", "b.conf:2: section 'room a' is there twice" },
	{ "room a {}\nroom 'a' {}",
		"b.conf:2: section 'room a' is there twice" },
	{ "room a {}\nroom \"\\x61\" {}",
		"b.conf:2: found duplicate title 'a'; expected" },
	{ "\nlimits {\n rate = 1\n", "b.conf:2: brace '{' is never closed" },
	{ "limits { exempt = { \"::1\" \n rate = 5",
		"b.conf:1: brace '{' is never" },
	{ "rate = 5 }", "b.conf:1: brace '}' without a '{'" },
	{ "workers = 1\n/* x\n\n", "b.conf:2: comment is not closed" },
	{ "# a\n# b\n\nname = \"x\nworkers = 1",
		"b.conf:4: string is not closed on its line; expected \"" },
	{ "name = 'x\n'", "b.conf:1: string is not closed" },
	{ "name = \"a\\\nb\"", "b.conf:1: string is not closed" },
	{ "workers 5", "b.conf:1: missing equal sign after option 'workers'; "
		       "expected KEY = VALUE" },
	{ "workers =\nname = x", "b.conf:1: 'workers' has no value" },
	{ "# x\nworkers =\n\n", "b.conf:2: premature end of file; expected a "
				"value" },
	{ "workers = {1}", "b.conf:1: unexpected token '{'; expected one" },
	{ "listen {\nport = 1 }", "b.conf:1: missing title" },
	{ "listen \"\" { }", "b.conf:1: '' is no name of a listen" },
	{ "listen \"a b\" { }", "b.conf:1: 'a b' is no name of a listen" },
	{ "limits x { }", "b.conf:1: missing opening brace" },
	{ "listen a {\naddress = {\"::1\" \"::2\"} }",
		"b.conf:2: unexpected token" },
	{ "\"name\" = x", "b.conf:1: \"name\" is in quotes; expected" },
	{ "name = a, workers = 2", "b.conf:1: unexpected token ','" },
	{ ", name = a", "b.conf:1: unexpected token ','" },
	{ "= 5", "b.conf:1: unexpected token '='" },
	{ "name = x;", "b.conf:1: stray ';'" },
	{ "limits|rate = 5", "b.conf:1: stray '|'" },
	{ "motd = *", "b.conf:1: stray '*'" },
	{ "limits { exempt += {\"::1\"} }", "b.conf:1: stray '+'" },
	{ "include(\"x\")", "b.conf:1: stray '('" },
	{ "name = \"${HOME}\"", "b.conf:1: '${' is not supported" },
	{ "name = ${HOME}", "b.conf:1: '${' is not supported" },
	{ "name = \"\\999\"", "b.conf:1: bad escape sequence" },
	{ "name = \"\\400\"", "b.conf:1: invalid octal number" },
	{ "name = \"a\\x00b\"", "b.conf:1: string has a NUL" },
	{ "name = \"a\\0b\"", "b.conf:1: string has a NUL" },
	{ "name = \"\\n\"",
		"b.conf:1: name: '\\x0a' is not right; expected 1 to "
		"63 bytes" },
	{ "name = \x01", "b.conf:1: control character 0x01" },
	{ "\xef\xbb\xbfname = x", "b.conf:1: the file begins with a byte order "
				  "mark; expected UTF-8 without" },
	{ "\xff\xfen", "b.conf:1: the file is UTF-16; expected UTF-8" },
	{ "a {b {c {d {e {f {g {h {i {", "b.conf:1: sections are nested too" },
};

ParameterizedTestParameters(conf_bad, refuses_bad_syntax)
{
	return cr_make_param_array(
		struct bad, syntax, sizeof(syntax) / sizeof(*syntax));
}

ParameterizedTest(struct bad *b, conf_bad, refuses_bad_syntax)
{
	refuse_text(b->text, b->want);
}

static struct bad values[] = {
	{ "workers = abc", "b.conf:1: workers: 'abc' is not a number; expected "
			   "0 to 64" },
	{ "workers = 65", "b.conf:1: workers: '65' is out of range; expected 0 "
			  "to 64" },
	{ "workers = -1", "b.conf:1: workers: '-1' is not a number" },
	{ "workers = 0x10", "b.conf:1: workers: '0x10' is not a number" },
	{ "workers = \"\"", "b.conf:1: workers: '' is not a number" },
	{ "workers = \" 1\"", "b.conf:1: workers: ' 1' is not a number" },
	{ "workers = 5s", "b.conf:1: workers: '5s' is not a number" },
	{ "workers = 99999999999999999999999",
		"b.conf:1: workers: '99999999999999999999999' is out of range" },
	{ "max_clients = 0", "b.conf:1: max_clients: '0' is out of range; "
			     "expected 1 to 10000000" },
	{ "hang_timeout = 500ms", "b.conf:1: hang_timeout: '500ms' is out of "
				  "range; expected 0 or 1s to 1d" },
	{ "hang_timeout = 5m", "b.conf:1: hang_timeout: '5m' is not a duration;"
			       " expected" },
	{ "hang_timeout = 99999999999999d", "b.conf:1: hang_timeout: "
					    "'99999999999999d' is out" },
	{ "relay_log = 1K", "b.conf:1: relay_log: '1K' is out of range; "
			    "expected 256K to 1G" },
	{ "relay_log = 12kb", "b.conf:1: relay_log: '12kb' is not a size" },
	{ "relay_log = 20000000000G", "b.conf:1: relay_log: '20000000000G' is "
				      "out of range" },
	{ "create_rooms = 1", "b.conf:1: create_rooms: '1' is neither true nor "
			      "false; expected true or false" },
	{ "when_full = drop", "b.conf:1: when_full: 'drop' is not known; "
			      "expected wait or refuse" },
	{ "engine = kqueue", "b.conf:1: engine: 'kqueue' is not known; "
			     "expected epoll" },
	{ "engine = select\nworkers = 2",
		"b.conf:1: max_clients: 100000, but engine \"select\" can wait "
		"for at most 1976 with 2 workers; expected max_clients = 1976 "
		"or less" },
	{ "engine = select\nworkers = 2\nmax_clients = 1977",
		"b.conf:3: max_clients: 1977, but engine \"select\"" },
	{ "run_dir = run", "b.conf:1: run_dir: 'run' is not right; expected an "
			   "absolute path" },
	{ "user = \"a b\"", "b.conf:1: user: 'a b' is not right; expected the "
			    "name of a user" },
	{ "user = \"\"", "b.conf:1: user: '' is not right" },
	{ "name = \"\xff\"", "b.conf:1: name: '\\xff' is not UTF-8" },
	{ "name = \"\xc0\x80\"", "b.conf:1: name: '" },
	{ "name = \"\xed\xa0\x80\"", "b.conf:1: name: '" },
	{ "name = 0123456789012345678901234567890123456789012345678901234567890"
	  "123456",
		"b.conf:1: name: "
		"'012345678901234567890123456789012345678901234567890123456789"
		"0123456' is too long; expected 1 to 63 bytes" },
	{ "limits {\nidle_timeout = 1500ms }",
		"b.conf:2: limits.idle_timeout: '1500ms' is not a whole number "
		"of seconds" },
	{ "limits { line_bytes = 127 }", "b.conf:1: limits.line_bytes: '127' "
					 "is out of range; expected 128 to" },
	{ "limits { burst = 0 }", "b.conf:1: limits.burst: '0' is out" },
	{ "limits { exempt = {\"10.0.0.1/8\"} }",
		"b.conf:1: limits.exempt: '10.0.0.1/8' has bits set behind its "
		"prefix" },
	{ "limits { exempt = {\"10.0.0.0/33\"} }",
		"b.conf:1: limits.exempt: '10.0.0.0/33' is no network" },
	{ "limits { exempt = {\"localhost\"} }",
		"b.conf:1: limits.exempt: 'localhost' is no network" },
	{ "keepalive { idle = 0 }", "b.conf:1: keepalive.idle: '0' is out of "
				    "range; expected 1s to" },
	{ "keepalive { count = 128 }", "b.conf:1: keepalive.count: '128' is" },
	{ "log { level = loud }", "b.conf:1: log.level: 'loud' is not known; "
				  "expected error, warning, notice, info or "
				  "debug" },
	{ "log {\n\n target = file }", "b.conf:3: log.target: \"file\" without "
				       "a file" },
	{ "log { file = x }", "b.conf:1: log.file: 'x' is not right" },
	{ "listen a { port = 65536 }", "b.conf:1: listen a.port: '65536' is "
				       "out of range; expected 0 to 65535" },
	{ "listen a {\naddress = {\"::1\",\n\"localhost\"} }",
		"b.conf:2: listen a.address: 'localhost' is no address (names "
		"are not looked up); expected" },
	{ "listen a { address = {\"[::1]\"} }",
		"b.conf:1: listen a.address: '[::1]' is no address" },
	{ "listen a { address = {} }", "b.conf:1: listen a.address: a list of "
				       "0; expected 1 to 8" },
	{ "listen a { protocol = irc }", "b.conf:1: listen a.protocol: 'irc' "
					 "is not known; expected text" },
	{ "listen a { charset = \"ISO-2022-JP\" }",
		"b.conf:1: listen a.charset: 'ISO-2022-JP' is not right; "
		"expected a character set" },
	{ "listen a { charset = \"utf-16\" }", "b.conf:1: listen a.charset" },
	{ "listen a { charset = \"UTF-7\" }", "b.conf:1: listen a.charset" },
	{ "listen a { charset = \"UNICODE\" }", "b.conf:1: listen a.charset" },
	{ "listen a { charset = \"EBCDIC-US\" }", "b.conf:1: listen a.chars" },
	{ "listen a { charset = \"klingon\" }", "b.conf:1: listen a.charset" },
	{ "listen a { charset = \"latin1//TRANSLIT\" }",
		"b.conf:1: listen a.charset" },
	{ "listen a { flush_after = 61s }", "b.conf:1: listen a.flush_after: "
					    "'61s' is out of range; expected "
					    "0 to 1min" },
	{ "listen a {\nmode = raw }", "b.conf:2: listen a.mode: \"raw\" "
				      "without a room" },
	{ "listen a {\nroom = lobby }", "b.conf:2: listen a.room: has no" },
	{ "create_rooms = no\nlisten a { mode = raw\nroom = lab }",
		"b.conf:3: listen a.room: there is no room 'lab'" },
	{ "listen a { }\nlisten b {\n\naddress = \"::1\" }",
		"b.conf:2: listen b.port: '::1' port 7788 is taken by listen "
		"a ('::1'); expected another" },
	{ "listen a { }\nlisten b { address = \"0:0::1\"\nport = 7788 }",
		"b.conf:3: listen b.port: '0:0::1' port 7788 is taken" },
	{ "listen a { address = {\"*\", \"192.0.2.1\"} }",
		"b.conf:1: listen a.port: '192.0.2.1' port 7788 is taken by "
		"listen a ('*')" },
	{ "listen a { address = {\"/x\"}  }\nlisten b {\n\naddress = \"/x\" }",
		"b.conf:4: listen b.address: '/x' is taken by listen a" },
	{ "room \"a b\" { }", "b.conf:1: 'a b' is no name of a room" },
	{ "room \"#a\" { }", "b.conf:1: '#a' is no name of a room" },
	{ "room 012345678901234567890123456789012 { }",
		"b.conf:1: '012345678901234567890123456789012' is no name of "
		"a room; expected 1 to 32 bytes" },
	{ "room lobby { }\nroom Lobby { }",
		"b.conf:2: room 'Lobby' is the same as room 'lobby'" },
	{ "limits { topic_bytes = 3 }\nroom a {\ntopic = \"abcd\" }",
		"b.conf:3: room a.topic: 4 bytes; expected at most 3" },
	{ "limits { rooms = 1 }\nroom a { autojoin = on }\nroom b { }",
		"b.conf:1: limits.rooms: 1, with 2 rooms configured" },
	{ "limits { rooms_per_client = 1 }\nroom a { autojoin = on }\n"
	  "room b { autojoin = on }",
		"b.conf:1: limits.rooms_per_client: 1, with autojoin in 2" },
	{ "limits { output_bytes = 8M\noutput_memory = 4M }",
		"b.conf:2: limits.output_memory: 4194304 is less than" },
	{ "\nmotd = \"/nonexistent/motd\"", "b.conf:2: motd: "
					    "'/nonexistent/motd': No such "
					    "file or directory; expected" },
	{ "motd = \"/tmp\"", "b.conf:1: motd: '/tmp': Is a directory" },
	{ "motd = motd", "b.conf:1: motd: 'motd' is not right; expected an "
			 "absolute path" },
};

ParameterizedTestParameters(conf_bad, refuses_bad_values)
{
	return cr_make_param_array(
		struct bad, values, sizeof(values) / sizeof(*values));
}

ParameterizedTest(struct bad *b, conf_bad, refuses_bad_values)
{
	refuse_text(b->text, b->want);
}
