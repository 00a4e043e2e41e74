# What administrators get wrong in the files, and what banter says to it: each row
# is a file that -t and a start are given, the exit code, and the message as a
# whole.  See Banter::Mistakes.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Mistakes;

my $p = conf_folder();

# Name; the file; exit code, what the message names, the message.
my @rows = (
	[ 'a typo in a key', "wokers = 2\n",
		78, 'wokers', 'DIR/banterd.conf:1: there is no key \'wokers\'; did you mean \'workers\'?' ],
	[ 'a key in capitals', "Workers = 2\n",
		78, 'Workers', 'DIR/banterd.conf:1: there is no key \'Workers\'; did you mean \'workers\'?' ],
	[ 'a key that never was', "colour = \"red\"\n",
		78, 'colour', 'DIR/banterd.conf:1: there is no key \'colour\'; expected one of banterd.conf(5)' ],
	[ 'a key of another program', "listen text {\n\ttls = true\n}\n",
		78, 'tls', 'DIR/banterd.conf:2: there is no key \'tls\' in section listen; expected one of banterd.conf(5)' ],
	[ 'a typo in a section', "limit {\n\trate = 5\n}\n",
		78, 'limit', 'DIR/banterd.conf:1: there is no section \'limit\'; did you mean \'limits\'?' ],
	[ 'a key outside of its section', "port = 7788\n",
		78, 'port', 'DIR/banterd.conf:1: there is no key \'port\' outside of sections; expected it in listen NAME { ... }' ],
	[ 'a key inside of the wrong section', "limits {\n\tmax_clients = 500\n}\n",
		78, 'max_clients', 'DIR/banterd.conf:2: there is no key \'max_clients\' in section limits; expected it outside of sections' ],
	[ 'a colon for the equal sign', "listen text {\n\tport: 7788\n}\n",
		78, 'port:', 'DIR/banterd.conf:2: \'port:\' has a colon; expected port = VALUE' ],
	[ 'a section as in YAML', "limits:\n  rate: 5\n",
		78, 'limits:', 'DIR/banterd.conf:1: \'limits:\' is no section; expected limits { ... }' ],
	[ 'a section as in an ini file', "[limits]\nrate = 5\n",
		78, '[limits]', 'DIR/banterd.conf:1: \'[limits]\' is no section; expected limits { ... }' ],
	[ 'no equal sign', "workers 2\n",
		78, 'workers', 'DIR/banterd.conf:1: missing equal sign after option \'workers\'; expected KEY = VALUE' ],
	[ 'no value', "workers =\nname = \"x\"\n",
		78, 'workers', 'DIR/banterd.conf:1: \'workers\' has no value; expected KEY = VALUE' ],
	[ 'a semicolon at the end', "workers = 2;\n",
		78, ';', 'DIR/banterd.conf:1: stray \';\'; expected the end of the line, or a value with it in double quotes' ],
	[ 'a list where one value is meant', "workers = {1, 2}\n",
		78, 'workers', 'DIR/banterd.conf:1: \'workers\' has a list; expected one value, without braces' ],
	[ 'a list without braces', "listen text {\n\taddress = 127.0.0.1, ::1\n}\n",
		78, 'address', 'DIR/banterd.conf:2: \',\' behind the value of \'address\'; expected a list in braces: {"A", "B"}' ],
	[ 'a star without quotes', "listen text {\n\taddress = {*}\n}\n",
		78, '*', 'DIR/banterd.conf:2: stray \'*\'; expected a value with it in double quotes' ],
	[ 'blanks without quotes', "name = My server\n",
		78, 'server', 'DIR/banterd.conf:1: \'server\' behind the value of \'name\'; expected one value: a unit follows its number without a blank, and what has blanks goes into double quotes' ],
	[ 'a quote that is missing', "name = \"My server\nworkers = 1\n",
		78, '"', 'DIR/banterd.conf:1: string is not closed on its line; expected "' ],
	[ 'quotation marks of a word processor', "name = \xe2\x80\x9cMy server\xe2\x80\x9d\n",
		78, 'U+201C', 'DIR/banterd.conf:1: quotation mark U+201C, which word processors write; expected the plain "' ],
	[ 'no-break spaces of a web page', "workers\xc2\xa0=\xc2\xa02\n",
		78, 'U+00A0', 'DIR/banterd.conf:1: no-break space U+00A0, which word processors write; expected a plain space' ],
	[ 'a closing brace that is missing', "limits {\n\trate = 5\n\nroom help {\n\ttopic = \"Ask\"\n}\n",
		78, '{', 'DIR/banterd.conf:1: brace \'{\' is never closed; expected \'}\'' ],
	[ 'a closing brace too many', "room help {\n}\n}\n",
		78, '}', 'DIR/banterd.conf:3: brace \'}\' without a \'{\' before it; expected a key or a section' ],
	[ 'a listener without a name', "listen {\n\tport = 7788\n}\n",
		78, 'listen', 'DIR/banterd.conf:1: missing title for section \'listen\'; expected SECTION NAME { ... }' ],
	[ 'a name for a section that has none', "limits strict {\n\trate = 5\n}\n",
		78, 'limits', 'DIR/banterd.conf:1: section \'limits\' has no name; expected limits { ... }' ],
	[ 'a key twice', "workers = 1\nname = \"x\"\nworkers = 2\n",
		78, 'workers', 'DIR/banterd.conf:3: \'workers\' is there twice; expected it once, it was set on line 1' ],
	[ 'a section twice', "limits {\n\trate = 5\n}\nlimits {\n\tburst = 5\n}\n",
		78, 'limits', 'DIR/banterd.conf:4: section \'limits\' is there twice; expected it once, it began on line 1' ],
	[ 'a listener twice', "listen text {\n\tport = 7788\n}\nlisten text {\n\tport = 7789\n}\n",
		78, 'listen text', 'DIR/banterd.conf:4: section \'listen text\' is there twice; expected it once, it began on line 1' ],
	[ 'a comment that is not closed', "/* all of it\nworkers = 1\n",
		78, 'comment', 'DIR/banterd.conf:1: comment is not closed; expected \'*/\'' ],
	[ 'an include', "include(\"/etc/banter/more.conf\")\n",
		78, 'include', 'DIR/banterd.conf:1: there is no include(); expected the file in conf.d' ],
	[ 'a variable of the environment', "name = \"\${HOSTNAME}\"\n",
		78, '${', 'DIR/banterd.conf:1: \'${\' is not supported; expected the value itself, or \'\\x24{\' for these characters' ],
	[ 'a byte order mark', "\xef\xbb\xbfworkers = 2\n",
		78, 'byte order mark', 'DIR/banterd.conf:1: the file begins with a byte order mark; expected UTF-8 without one' ],
	[ 'UTF-16 of an editor for Windows', "\xff\xfew\x00=\x001\x00\n\x00",
		78, 'UTF-16', 'DIR/banterd.conf:1: the file is UTF-16; expected UTF-8' ],
	[ 'Latin-1 for UTF-8', "name = \"Caf\xe9\"\n",
		78, 'name', 'DIR/banterd.conf:1: name: \'Caf\\xe9\' is not UTF-8; expected 1 to 63 bytes of text' ],
	[ 'a NUL byte', "name = \"a\x00b\"\n",
		78, 'NUL', 'DIR/banterd.conf:1: NUL byte; expected text' ],
	[ 'a word for a number', "workers = four\n",
		78, 'workers', 'DIR/banterd.conf:1: workers: \'four\' is not a number; expected 0 to 64' ],
	[ 'a number for a boolean', "create_rooms = 1\n",
		78, 'create_rooms', 'DIR/banterd.conf:1: create_rooms: \'1\' is neither true nor false; expected true or false' ],
	[ 'out of range', "workers = 65\n",
		78, 'workers', 'DIR/banterd.conf:1: workers: \'65\' is out of range; expected 0 to 64' ],
	[ 'less than nothing', "workers = -1\n",
		78, 'workers', 'DIR/banterd.conf:1: workers: \'-1\' is not a number; expected 0 to 64' ],
	[ 'nobody at all', "max_clients = 0\n",
		78, 'max_clients', 'DIR/banterd.conf:1: max_clients: \'0\' is out of range; expected 1 to 10000000' ],
	[ 'a port that cannot be', "listen text {\n\tport = 77880\n}\n",
		78, 'port', 'DIR/banterd.conf:2: listen text.port: \'77880\' is out of range; expected 0 to 65535' ],
	[ 'the unit of another program', "hang_timeout = 10sec\n",
		78, 'hang_timeout', 'DIR/banterd.conf:1: hang_timeout: \'10sec\' is not a duration; expected 0 or 1s to 1d (units are ms, s, min, h and d)' ],
	[ 'm for minutes', "limits {\n\tidle_timeout = 5m\n}\n",
		78, 'idle_timeout', 'DIR/banterd.conf:2: limits.idle_timeout: \'5m\' is not a duration; expected 0 or 1s to 365d (units are ms, s, min, h and d)' ],
	[ 'a size for a duration', "hang_timeout = 10K\n",
		78, 'hang_timeout', 'DIR/banterd.conf:1: hang_timeout: \'10K\' is not a duration; expected 0 or 1s to 1d (units are ms, s, min, h and d)' ],
	[ 'MB for M', "relay_log = 32MB\n",
		78, 'relay_log', 'DIR/banterd.conf:1: relay_log: \'32MB\' is not a size; expected 256K to 1G (units are K, M and G)' ],
	[ 'a blank before the unit', "hang_timeout = 10 s\n",
		78, 'hang_timeout', 'DIR/banterd.conf:1: \'s\' behind the value of \'hang_timeout\'; expected one value: a unit follows its number without a blank, and what has blanks goes into double quotes' ],
	[ 'a host name for an address', "listen text {\n\taddress = {\"localhost\"}\n}\n",
		78, 'localhost', 'DIR/banterd.conf:2: listen text.address: \'localhost\' is no address (names are not looked up); expected 1 to 8 of "*", IPv4 or IPv6 addresses, absolute paths of at most 107 bytes' ],
	[ 'an address that cannot be', "listen text {\n\taddress = {\"300.1.1.1\"}\n}\n",
		78, '300.1.1.1', 'DIR/banterd.conf:2: listen text.address: \'300.1.1.1\' is no address (names are not looked up); expected 1 to 8 of "*", IPv4 or IPv6 addresses, absolute paths of at most 107 bytes' ],
	[ 'the port in the address', "listen text {\n\taddress = {\"127.0.0.1:7788\"}\n}\n",
		78, '127.0.0.1:7788', 'DIR/banterd.conf:2: listen text.address: \'127.0.0.1:7788\' is no address (names are not looked up); expected 1 to 8 of "*", IPv4 or IPv6 addresses, absolute paths of at most 107 bytes' ],
	[ 'no address at all', "listen text {\n\taddress = {}\n}\n",
		78, 'address', 'DIR/banterd.conf:2: listen text.address: a list of 0; expected 1 to 8 of "*", IPv4 or IPv6 addresses, absolute paths of at most 107 bytes' ],
	[ 'two listeners at one address', "listen a {\n\taddress = {\"127.0.0.1\"}\n}\nlisten b {\n\taddress = {\"127.0.0.1\"}\n}\n",
		78, 'listen b', 'DIR/banterd.conf:4: listen b.port: \'127.0.0.1\' port 7788 is taken by listen a (\'127.0.0.1\'); expected another port or address' ],
	[ 'a listener at an address that * has', "listen a {\n\taddress = {\"*\"}\n}\nlisten b {\n\taddress = {\"127.0.0.1\"}\n}\n",
		78, '127.0.0.1', 'DIR/banterd.conf:4: listen b.port: \'127.0.0.1\' port 7788 is taken by listen a (\'*\'); expected another port or address' ],
	[ 'a path too long for a socket', "listen local {\n\taddress = {\"/run/" . 'x' x 110 . "\"}\n}\n",
		78, '/run/xxx', 'DIR/banterd.conf:2: listen local.address: \'/run/' . 'x' x 95 . '\' is no address (names are not looked up); expected 1 to 8 of "*", IPv4 or IPv6 addresses, absolute paths of at most 107 bytes' ],
	[ 'a network with host bits', "listen text {\n\tallow = {\"192.0.2.17/24\"}\n}\n",
		78, '192.0.2.17/24', 'DIR/banterd.conf:2: listen text.allow: \'192.0.2.17/24\' has bits set behind its prefix; expected "192.0.2.0/24"' ],
	[ 'a network with a mask', "listen text {\n\tdeny = {\"192.0.2.0/255.255.255.0\"}\n}\n",
		78, '192.0.2.0/255.255.255.0', 'DIR/banterd.conf:2: listen text.deny: \'192.0.2.0/255.255.255.0\' is no network; expected at most 32 networks such as "192.0.2.0/24" or "2001:db8::/32"' ],
	[ '* for all networks', "listen text {\n\tallow = {\"*\"}\n}\n",
		78, '*', 'DIR/banterd.conf:2: listen text.allow: \'*\' is no network; expected at most 32 networks such as "192.0.2.0/24" or "2001:db8::/32"' ],
	[ 'proxy_protocol without the networks', "listen text {\n\tproxy_protocol = true\n}\n",
		78, 'proxy_protocol', 'DIR/banterd.conf:2: listen text.proxy_protocol: \'true\' is no network; expected at most 32 networks such as "192.0.2.0/24" or "2001:db8::/32"' ],
	[ 'a mode of a socket in letters', "listen local {\n\tsocket_mode = \"rw-rw----\"\n}\n",
		78, 'socket_mode', 'DIR/banterd.conf:2: listen local.socket_mode: \'rw-rw----\' is too long; expected an octal mode, 0600 to 0777' ],
	[ 'a group of a socket that is not there', "listen local {\n\tsocket_group = \"no-such-group\"\n}\n",
		78, 'no-such-group', 'DIR/banterd.conf:2: there is no group \'no-such-group\' (key listen.socket_group); expected one: `addgroup --system no-such-group`' ],
	[ 'a control_group that is not there', "control_group = \"no-such-group\"\n",
		78, 'no-such-group', 'DIR/banterd.conf:1: there is no group \'no-such-group\' (key control_group); expected one: `addgroup --system no-such-group`' ],
	[ 'a character set that is not known', "listen gb {\n\tcharset = \"GB-18030\"\n}\n",
		78, 'GB-18030', 'DIR/banterd.conf:2: listen gb.charset: \'GB-18030\' is not right; expected a character set that iconv -l lists, without shift state, that contains ASCII' ],
	[ 'a character set with shift state', "listen jp {\n\tcharset = \"ISO-2022-JP\"\n}\n",
		78, 'ISO-2022-JP', 'DIR/banterd.conf:2: listen jp.charset: \'ISO-2022-JP\' is not right; expected a character set that iconv -l lists, without shift state, that contains ASCII' ],
	[ 'a raw listener without a room', "listen lab {\n\tmode = \"raw\"\n}\n",
		78, 'listen lab', 'DIR/banterd.conf:2: listen lab.mode: "raw" without a room; expected room = "NAME" as well' ],
	[ 'a room for a listener that is not raw', "listen text {\n\troom = \"lab\"\n}\n",
		78, 'listen text', 'DIR/banterd.conf:2: listen text.room: has no effect; expected it only with mode = "raw" (see autojoin of room)' ],
	[ 'a room with a blank', "room \"my room\" {\n}\n",
		78, 'my room', 'DIR/banterd.conf:1: \'my room\' is no name of a room; expected 1 to 32 bytes of letters, digits and \'_-.[]{}^|\', not beginning with a digit or \'-\', and not private, server or guest with a number' ],
	[ 'a room as in IRC', "room \"#lobby\" {\n}\n",
		78, '#lobby', 'DIR/banterd.conf:1: \'#lobby\' is no name of a room; expected 1 to 32 bytes of letters, digits and \'_-.[]{}^|\', not beginning with a digit or \'-\', and not private, server or guest with a number' ],
	[ 'a room that looks like a private message', "room private {\n}\n",
		78, 'private', 'DIR/banterd.conf:1: \'private\' is no name of a room; expected 1 to 32 bytes of letters, digits and \'_-.[]{}^|\', not beginning with a digit or \'-\', and not private, server or guest with a number' ],
	[ 'a room that looks like the server', "room Server {\n}\n",
		78, 'Server', 'DIR/banterd.conf:1: \'Server\' is no name of a room; expected 1 to 32 bytes of letters, digits and \'_-.[]{}^|\', not beginning with a digit or \'-\', and not private, server or guest with a number' ],
	[ 'a room that looks like a guest', "room guest7 {\n}\n",
		78, 'guest7', 'DIR/banterd.conf:1: \'guest7\' is no name of a room; expected 1 to 32 bytes of letters, digits and \'_-.[]{}^|\', not beginning with a digit or \'-\', and not private, server or guest with a number' ],
	[ 'a room in two cases', "room Help {\n\tautojoin = true\n}\nroom help {\n}\n",
		78, 'help', 'DIR/banterd.conf:4: room \'help\' is the same as room \'Help\'; expected names that differ in more than case' ],
	[ 'a topic too long', "room lobby {\n\ttopic = \"" . 'x' x 600 . "\"\n\tautojoin = true\n}\n",
		78, 'topic', 'DIR/banterd.conf:2: room lobby.topic: 600 bytes; expected at most 512 (limits.topic_bytes)' ],
	[ 'no room to begin in', "room help {\n}\n",
		0, 'autojoin', 'DIR/banterd.conf:1: warning: no room has autojoin = true, so clients begin in none; expected it in one' ],
	[ 'more rooms than limits.rooms', "limits {\n\trooms = 1\n}\nroom a {\n\tautojoin = true\n}\nroom b {\n}\n",
		78, 'limits.rooms', 'DIR/banterd.conf:2: limits.rooms: 1, with 2 rooms configured; expected as many or more' ],
	[ 'less output_memory than output_bytes', "limits {\n\toutput_memory = 1M\n\toutput_bytes = 2M\n}\n",
		78, 'output_memory', 'DIR/banterd.conf:2: limits.output_memory: 1048576 is less than limits.output_bytes (2097152); expected as much or more' ],
	[ 'an engine that is not there', "engine = \"kqueue\"\n",
		78, 'kqueue', qr{^DIR/banterd\.conf:1: engine: 'kqueue' is not known; expected .*epoll} ],
	[ 'a level of syslog', "log {\n\tlevel = \"warn\"\n}\n",
		78, 'warn', 'DIR/banterd.conf:2: log.level: \'warn\' is not known; expected error, warning, notice, info or debug' ],
	[ 'a target that is not there', "log {\n\ttarget = \"journal\"\n}\n",
		78, 'journal', 'DIR/banterd.conf:2: log.target: \'journal\' is not known; expected auto, stderr, syslog or file' ],
	[ 'target file without the file', "log {\n\ttarget = \"file\"\n}\n",
		78, 'log.target', 'DIR/banterd.conf:2: log.target: "file" without a file; expected file = "/PATH" as well' ],
	[ 'the file without target file', "log {\n\tfile = \"/var/log/banter/banterd.log\"\n}\n",
		0, 'log.file', 'DIR/banterd.conf:2: warning: log.file: has no effect; expected it with target = "file"' ],
	[ 'a path that is not absolute', "run_dir = \"run\"\n",
		78, 'run_dir', 'DIR/banterd.conf:1: run_dir: \'run\' is not right; expected an absolute path of at most 80 bytes' ],
	[ 'a run_dir too long for its sockets', "run_dir = \"/run/" . 'x' x 80 . "\"\n",
		78, 'run_dir', 'DIR/banterd.conf:1: run_dir: \'/run/' . 'x' x 80 . '\' is not right; expected an absolute path of at most 80 bytes' ],
);

# Known for two releases, with a warning; only a test build has any today.
my @old = (
	[ 'a key that is called otherwise now', "test_old_name = \"x\"\n",
		0, 'test_old_name', 'DIR/banterd.conf:1: warning: \'test_old_name\' is called \'name\' since 0.1.0; expected the new name, as the old one goes two releases later' ],
	[ 'a key that is gone', "limits {\n\ttest_gone = 5\n}\n",
		0, 'test_gone', 'DIR/banterd.conf:2: warning: \'test_gone\' has no effect since 0.1.0; expected it to be removed, as it is an error two releases later' ],
);

sub row
{
	my ($what, $text, $code, $about, $says) = @_;
	(my $how = $text) =~ s/x{70,}/xxx.../;
	mistake($what, how => "`$how`", about => $about, code => $code, says => $says,
		got => check($p, $text, only_t => scalar($what =~ /group of a socket/)));
}

row(@$_) for @rows;
SKIP: {
	my $r = Banter::Ctl::run(undef, Banter::banterd(), '-V');
	skip 'no test build', 8 unless $r->{out} =~ /test build/;
	row(@$_) for @old;
}

# What looks wrong and is right.
for (['CR LF at the ends of lines', "workers = 2\r\nname = \"x\"\r\n"],
	['tabs and blanks everywhere', "\t workers\t=  2 \t\n\n"],
	['a number in quotes', "listen text {\n\tport = \"7788\"\n}\n"],
	['one address without braces', "listen text {\n\taddress = \"127.0.0.1\"\n}\n"],
	['all on one line', 'listen text { address = {"127.0.0.1"} port = 7788 } room lobby { autojoin = yes }'],
	['an apostrophe that is none', "name = caf\xc3\xa9\xe2\x80\x99s\n"],
	['no newline at the end', 'workers = 2'], ['an empty file', '']) {
	mistake($_->[0], how => "`$_->[1]`", code => 0, got => check($p, $_->[1]));
}

# --- conf.d ---------------------------------------------------------------------

sub in_conf_d
{
	my ($name, $text, %o) = @_;
	Banter::write_file("$p->{dir}/conf.d/$name", $text);
	my $got = check($p, '', %o);
	unlink "$p->{dir}/conf.d/$name";
	return $got;
}
my $unread = 'warning: this is not read; expected a name that ends in .conf and does not begin with a dot';
mistake('a typo in conf.d', how => 'conf.d/10-open.conf: `wokers = 1`', code => 78,
	got => in_conf_d('10-open.conf', "\nwokers = 1\n"), about => '10-open.conf:2',
	says => "DIR/conf.d/10-open.conf:2: there is no key 'wokers'; did you mean 'workers'?");
mistake('a file of conf.d with another ending', how => 'conf.d/open.cfg', code => 0,
	got => in_conf_d('open.cfg', "workers = 1\n"), about => 'open.cfg',
	says => "DIR/conf.d/open.cfg: $unread");
mistake('the backup of an editor in conf.d', how => 'conf.d/open.conf~', code => 0,
	got => in_conf_d('open.conf~', "wokers = 1\n"), about => 'open.conf~',
	says => "DIR/conf.d/open.conf~: $unread");
mistake('what dpkg has put aside', how => 'conf.d/open.conf.dpkg-old', code => 0,
	got => in_conf_d('open.conf.dpkg-old', "wokers = 1\n"), about => 'open.conf.dpkg-old',
	says => "DIR/conf.d/open.conf.dpkg-old: $unread");
mistake('a name of no UTF-8 in conf.d', how => 'conf.d/caf\xe9.conf', code => 78,
	got => in_conf_d("caf\xe9.conf", "wokers = 1\n"), about => 'caf\xe9.conf:1',
	says => "DIR/conf.d/caf\\xe9.conf:1: there is no key 'wokers'; did you mean 'workers'?");
mkdir "$p->{dir}/conf.d/sub.conf" or die $!;
mistake('a folder in conf.d', how => 'mkdir conf.d/sub.conf', code => 78, got => check($p, ''),
	about => 'sub.conf', says => 'DIR/conf.d/sub.conf: Is a directory; expected a regular file');
rmdir "$p->{dir}/conf.d/sub.conf";

# --- the motd -------------------------------------------------------------------

my $motd = "$p->{dir}/motd";
sub with_motd
{
	Banter::write_file($motd, $_[0]) if defined $_[0];
	return check($p, "motd = \"$motd\"\n");
}
mistake('a motd that is not there', how => '`motd = "DIR/motd"`', code => 78, got => with_motd(),
	about => 'DIR/motd',
	says => "DIR/banterd.conf:1: motd: 'DIR/motd': No such file or directory; expected a file of that name");
mistake('a motd too long', how => '6000 bytes', code => 0, got => with_motd("x\n" x 3000), about => 'DIR/motd',
	says => "DIR/banterd.conf:1: warning: motd: 'DIR/motd' is too long; expected at most 4095 bytes, the rest is not shown");
mistake('a motd in Latin-1', how => 'Caf\xe9 in its second line', code => 78,
	got => with_motd("Hello\nCaf\xe9\n"), about => 'DIR/motd:2',
	says => 'DIR/motd:2: this is not UTF-8; expected UTF-8, as motd is set');
mistake('a motd with colours', how => 'ESC [ 3 1 m', code => 78, got => with_motd("\e[31mred\n"),
	about => 'DIR/motd:1', says => 'DIR/motd:1: control character 0x1b; expected text, as motd is set');
unlink $motd;
mkdir $motd;
mistake('a folder for a motd', how => 'mkdir DIR/motd', code => 78, got => with_motd(), about => 'DIR/motd',
	says => "DIR/banterd.conf:1: motd: 'DIR/motd': Is a directory; expected a regular file");

# --- the file itself ------------------------------------------------------------

unlink $p->{conf};
mistake('no file', how => '-c DIR/banterd.conf', code => 78, got => check($p), about => 'DIR/banterd.conf',
	says => 'DIR/banterd.conf: No such file or directory; expected a file of that name');
mkdir $p->{conf};
mistake('a folder', how => 'mkdir DIR/banterd.conf', code => 78, got => check($p),
	about => 'DIR/banterd.conf', says => 'DIR/banterd.conf: Is a directory; expected a regular file');
rmdir $p->{conf};
Banter::write_file($p->{conf}, '# ' . 'x' x 1_600_000);
mistake('a file of more than a megabyte', how => '1.6 MB of comments', code => 78, got => check($p),
	about => 'DIR/banterd.conf', says => 'DIR/banterd.conf: File too large; expected at most 1M');

# What somebody else than root may not read.
Banter::write_file($p->{conf}, '');
my $denied = 'Permission denied; expected a file that this user may read';
for ([$p->{conf}, 'DIR/banterd.conf', $denied],
	["$p->{dir}/conf.d/00-base.conf", 'DIR/conf.d/00-base.conf', $denied],
	["$p->{dir}/conf.d", 'DIR/conf.d', 'Permission denied; expected a folder that this user may read']) {
	my ($path, $name, $says) = @$_;
	my $mode = (stat $path)[2] & 0777;
	chmod 0, $path;
	mistake("$name that may not be read", how => "chmod 0 $name; as an ordinary user", code => 78,
		got => check($p, undef, as => [as_nobody()]), about => $name, says => "$name: $says");
	chmod $mode, $path;
}
done_testing;
