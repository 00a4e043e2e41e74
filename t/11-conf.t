# Bad configuration files: each is refused with file and line, and never crashes
# or hangs the checker.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp);

my $banterd = Banter::banterd();
my $p = Banter->prepare;
my $path = "$p->{dir}/test.conf";

sub check { return Banter::Ctl::run(undef, $banterd, '-t', '-c', $path) }

# name, text, line of the complaint (0: any), what it must say.
my @bad = (
	['unknown key', "name = \"x\"\nbogus = 1\n", 2, qr/bogus/],
	['unknown section', "\nbogus {\n}\n", 2, qr/bogus/],
	['unknown key in a section', "limits {\n\tbogus = 1\n}\n", 2, qr/bogus/],
	['key twice', "name = \"a\"\nworkers = 1\nname = \"b\"\n", 3, qr/name/],
	['key twice in a section', "limits {\n rate = 1\n rate = 2\n}\n", 3, qr/rate/],
	['section twice', "limits {\n}\nlimits {\n}\n", 3, qr/limits/],
	['two listeners of one name', "listen a {\n port = 0\n}\nlisten a {\n port = 0\n}\n",
		0, qr/\ba\b/],
	['unclosed section', "limits {\n\trate = 1\n", 0, qr/never closed|section|end of file/i],
	['unclosed comment', "name = \"x\"\n/* no end\n", 0, qr/comment/i],
	['unclosed string', "name = \"x\n", 0, qr/string|quote/i],
	['closing brace too many', "name = \"x\"\n}\n", 2, qr/brace|\}/],
	['no equal sign', "workers 5\n", 1, qr/=|equal/i],
	['no value', "workers =\n", 0, qr/workers|end of file/i],
	['no title of a section', "listen {\n\tport = 0\n}\n", 1, qr/title|name/i],
	['empty title', "listen \"\" {\n\tport = 0\n}\n", 1, qr/title|name|empty/i],
	['text for a number', "workers = many\n", 1, qr/workers/],
	['empty number', "workers = \"\"\n", 1, qr/workers/],
	['number with rubbish', "workers = 5x\n", 1, qr/workers/],
	['negative number', "workers = -1\n", 1, qr/workers/],
	['number beyond 64 bits', "workers = 99999999999999999999\n", 1, qr/workers/],
	['too many workers', "workers = 65\n", 1, qr/64/],
	['port out of range', "listen a {\n port = 65536\n}\n", 2, qr/port/],
	['line_bytes too small', "limits {\n line_bytes = 127\n}\n", 2, qr/128/],
	['line_bytes too large', "limits {\n line_bytes = 4097\n}\n", 2, qr/4096|4K/],
	['duration without sense', "hang_timeout = 3 weeks\n", 1, qr/hang_timeout|weeks/],
	['unit of a size for a duration', "hang_timeout = 3K\n", 1, qr/hang_timeout/],
	['unit of a duration for a size', "relay_log = 3s\n", 1, qr/relay_log/],
	['neither true nor false', "room a {\n echo = maybe\n}\n", 2, qr/echo/],
	['unknown engine', "engine = \"steam\"\n", 1, qr/epoll/],
	['more clients than select can wait for',
		"workers = 2\nengine = \"select\"\nmax_clients = 2000\n", 3, qr/select.*at most 19\d\d/],
	['the default of clients with select', "engine = \"select\"\nworkers = 1\n", 1, qr/select/],
	['unknown protocol', "listen a {\n protocol = \"gopher\"\n}\n", 2, qr/text/],
	['unknown when_full', "when_full = \"explode\"\n", 1, qr/wait.*refuse|refuse.*wait/],
	['unknown on_flood', "limits {\n on_flood = \"x\"\n}\n", 2, qr/delay.*close|close.*delay/],
	['unknown mode', "listen a {\n mode = \"x\"\n}\n", 2, qr/raw/],
	['raw without a room', "listen a {\n mode = \"raw\"\n port = 0\n}\n", 0, qr/room/],
	['unknown charset', "listen a {\n charset = \"KLINGON\"\n}\n", 2, qr/KLINGON/],
	['charset with shift state', "listen a {\n charset = \"ISO-2022-JP\"\n}\n", 2,
		qr/ISO-2022-JP/],
	['bad address', "listen a {\n address = {\"300.1.1.1\"}\n}\n", 2, qr/300\.1\.1\.1/],
	['host name for an address', "listen a {\n address = {\"localhost\"}\n}\n", 2,
		qr/localhost/],
	['bad network', "limits {\n exempt = {\"10.0.0.0/33\"}\n}\n", 2, qr{10\.0\.0\.0/33}],
	['bad room name', "room \"a b\" {\n echo = true\n}\n", 0, qr/a b/],
	['unknown log level', "log {\n level = \"loud\"\n}\n", 2, qr/info/],
	['unknown log target', "log {\n target = \"moon\"\n}\n", 2, qr/auto|stderr/],
	['topic too long', "room a {\n topic = \"" . 'x' x 2000 . "\"\n}\n", 0, qr/topic/],
	['name too long', 'name = "' . 'x' x 500 . "\"\n", 1, qr/name/],
	['NUL byte', "name = \"a\0b\"\n", 1, qr/NUL|0x00/i],
	['NUL byte at the end', "workers = 1\n\0", 0, qr/NUL|0x00/i],
	['bytes that are not UTF-8', "name = \"\xff\xfe\"\n", 1, qr/name/],
	['rubbish', join('', map { chr($_ * 7 % 256) } 1 .. 3000), 0, qr/\S/],
	['hundred thousand braces', "limits {\n" x 100_000, 0, qr/\S/],
	['10 MB of comments', "# " . "x" x 70 . "\n", 0, qr/large|big/i, 145_000],
);

for my $case (@bad) {
	my ($name, $text, $line, $says, $times) = @$case;
	$text x= $times || 1;
	Banter::write_file($path, $text);
	my $r = check();
	is($r->{code}, 78, "$name: exit code 78")
		or diag "signal $r->{signal}, out: $r->{out}, err: ", substr $r->{err}, 0, 500;
	# The size is a fault of the file, not of a line.
	my $at = $times ? '' : $line ? "$line:" : '\d+:';
	like($r->{err}, qr/^\Q$path\E:$at .*?\S/m, "$name: file and line");
	like($r->{err}, $says, "$name: says what") ;
	unlike($r->{err}, qr/[^\x0a\x20-\x7e]/, "$name: in bytes that any terminal can be shown");
	cmp_ok(length $r->{err}, '<', 20_000, "$name: in reasonable length");
}

# What cannot be read.
unlink $path;
my $r = check();
is($r->{code}, 78, 'missing file: exit code 78');
like($r->{err}, qr/\Q$path\E.*No such file/, '... by its name and reason');
mkdir $path;
$r = check();
is($r->{code}, 78, 'a directory: exit code 78');
like($r->{err}, qr/\Q$path\E/, '... by its name');
rmdir $path;
SKIP: {
	skip 'root reads everything', 2 if $> == 0;
	Banter::write_file($path, "workers = 1\n");
	chmod 0, $path;
	$r = check();
	is($r->{code}, 78, 'unreadable file: exit code 78');
	like($r->{err}, qr/\Q$path\E.*denied/i, '... by its name and reason');
	unlink $path;
}
symlink $path, $path or die "$path: $!";
$r = check();
is($r->{code}, 78, 'a loop of symlinks: exit code 78');
unlink $path;
require POSIX;
POSIX::mkfifo($path, 0644);
$r = check();
is($r->{code}, 78, 'a FIFO does not hang it: exit code 78');
ok(!$r->{late}, '... at once');
unlink $path;

# Good ones at the edges.
for my $good (['empty', ''], ['a line of hashes', '#' x 5000 . "\n"],
	['comments of all kinds', "# a\n// b\n/* c\n*/\nworkers = 1 # d\n"],
	['CRLF', "workers = 1\r\nname = \"x\"\r\n"],
	['units', "hang_timeout = 1500ms\nrelay_log = 1M\nlimits {\n idle_timeout = 2h\n}\n"]) {
	Banter::write_file($path, $good->[1]);
	# -t asks for the user as well, which this machine may not have.
	$r = Banter::Ctl::run(undef, $banterd, '-T', '-c', $path);
	is($r->{code}, 0, "$good->[0]: accepted") or diag $r->{err};
}

# conf.d: in byte order, a later file overrides, errors name their own file.
mkdir "$p->{dir}/conf.d";
Banter::write_file($path, "name = \"main\"\nworkers = 1\n");
Banter::write_file("$p->{dir}/conf.d/10-a.conf", "name = \"ten\"\n");
Banter::write_file("$p->{dir}/conf.d/9-b.conf", "\nname = \"nine\"\n");
Banter::write_file("$p->{dir}/conf.d/not-read.txt", "bogus = 1\n");
Banter::write_file("$p->{dir}/conf.d/.hidden.conf", "bogus = 1\n");
$r = Banter::Ctl::run(undef, $banterd, '-T', '-c', $path);
is($r->{code}, 0, 'conf.d is read') or diag $r->{err};
like($r->{out}, qr/name\s*=\s*"?nine"?.*9-b\.conf:2/,
	'the last file in byte order wins, and -T says which');
Banter::write_file("$p->{dir}/conf.d/50-bad.conf", "\n\nworkers = x\n");
$r = check();
is($r->{code}, 78, 'an error in conf.d is an error');
like($r->{err}, qr/conf\.d\/50-bad\.conf:3:/, '... at its file and line');
done_testing;
