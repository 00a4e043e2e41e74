# Every example of the manual pages, of the READMEs and of etc/examples is run, as
# it is written: as root or as nobody, as its prompt says, on the paths and ports
# that it names, in namespaces of its own.  One that nobody runs fails this test:
# %NOT_RUN has those that cannot be, each with the reason.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use Test::More;
use Banter;
use Banter::Client;
use Banter::Ctl;
use Banter::Examples;
use Banter::Proc qw(slurp wait_until);

# By how the example begins.
my %NOT_RUN = (
	'banterd -F' => 'what ps shows',
	'            accept()' => 'a diagram',
	'* 17 messages missed' => 'a line of the server',
	'* error: the nick ann' => 'a line of the server',
	'2026-11-20T20:12:46.123+00:00 worker' => 'a line of the log',
	'event=NAME addr=ADDRESS' => 'the form of an event',
	'^ *worker [0-9]+' => 'a pattern; t/65-fail2ban.t tries the filter that it is from',
	'/etc/banter/conf.d/open.conf:2: there' => 'a complaint',
	'$ cat Dockerfile' => 'script/test-package bare runs it',
	'FROM debian:12-slim' => 'script/test-package bare runs it',
	'$ banter-bench -a mqtt' => 'another server is needed; bench/run has it',
	'script/bench' => 'it takes 15 minutes; t/91-bench-run.t runs its runner',
	'script/server' => 'it builds all and does not end',
	'script/test' => 'it runs this test',
	'sudo apt-get update' => 'script/test-package build and life run it',
	'sudo apt-get install ./banterd' => 'script/test-package life runs it',
);

# --- namespaces -------------------------------------------------------------------

plan skip_all => 'root is needed for namespaces' if $>;
my $top = Banter::top();
if (!$ENV{BANTER_INSIDE}) {
	my @unshare = qw(unshare --mount --net --pid --fork --kill-child --mount-proc);
	plan skip_all => 'no namespaces may be made here' if system "@unshare true 2>/dev/null";
	Banter::banterd();
	Banter::banterctl();
	$ENV{BANTER_INSIDE} = File::Temp::tempdir('banter-XXXXXX', TMPDIR => 1, CLEANUP => 1);
	system @unshare, $^X, "-I$top/t/lib", __FILE__;
	my $code = $? >> 8 || $? & 127;
	# Its plan is this one's, and so is its count.
	delete $ENV{BANTER_INSIDE};
	Test::More->builder->no_ending(1);
	File::Temp::cleanup();
	require POSIX;
	POSIX::_exit($code);
}

my $dir = $ENV{BANTER_INSIDE};
sub sh { my $r = Banter::Ctl::run(undef, 'sh', '-c', $_[0]); return $r }
sub must_sh { my $r = sh($_[0]); $r->{code} and die "$_[0]: $r->{err}" }

# What the examples change is gone with the namespace: /etc, /var and /run are
# written to a file system of its own.
chmod 0755, $dir;
must_sh("mount -t tmpfs -o mode=755 tmpfs $dir; mkdir -m 755 $dir/bin $dir/cwd");
for my $name ('etc', 'var') {
	must_sh("mkdir $dir/$name.up $dir/$name.work; mount -t overlay overlay "
		. "-o lowerdir=/$name,upperdir=$dir/$name.up,workdir=$dir/$name.work /$name");
}
must_sh('mount -t tmpfs -o mode=755 tmpfs /run');
must_sh('mount -t tmpfs -o mode=1777 tmpfs /tmp') if $top !~ m{^/tmp/} && $dir !~ m{^/tmp/};
must_sh("ip link set lo up; ip address add 192.0.2.10/32 dev lo; chown 65534:65534 $dir/cwd");
must_sh('nft "add table inet filter; add chain inet filter input { type filter hook input priority 0; }"')
	if !system 'command -v nft >/dev/null';
chdir "$dir/cwd" or die $!;

my %program = (banterd => Banter::banterd(), banterctl => Banter::banterctl());
symlink $program{$_}, "$dir/bin/$_" or die $! for keys %program;
sub shim { my ($name, $text) = @_; Banter::write_file("$dir/bin/$name", "#!/bin/sh\n$text\n"); chmod 0755, "$dir/bin/$name" }
shim('sudo', 'exec "$@"');
# The reload of the unit.
shim('systemctl', '[ "$*" = "reload banterd" ] && exec banterctl reload');
# The same commands with smaller numbers; a run that a busy machine made void is one.
my $bench = Banter::program('BANTER_BENCH', 'src/bench/banter-bench');
shim('banter-bench', 'set -- $(printf "%s\n" "$@" | sed "s/-[0-9]*\\(0\\|m\\)$/-20/; s/^60$/2/; s/^[248]00$/100/")'
	. "\n\"$bench\" \"\$@\" -d 1; code=\$?; [ \$code -ne 2 ] || code=0; exit \$code");
$ENV{PATH} = "$dir/bin:$ENV{PATH}:/usr/sbin:/sbin";
delete $ENV{NOTIFY_SOCKET};

# --- the server ---------------------------------------------------------------------

my $ETC = '/etc/banter';
my $EXAMPLE = "$ETC/conf.d/50-example.conf";

sub installed
{
	must_sh("rm -rf $ETC /run/banter /var/lib/banter; mkdir -p $ETC/conf.d /var/log/banter /run/banter");
	Banter::write_file("$ETC/banterd.conf", slurp("$top/etc/banterd.conf"));
	Banter::write_file("$ETC/motd", "Be kind.\n");
	# The user of the package need not be there.
	Banter::write_file("$ETC/conf.d/00-user.conf", qq(user = "root"\ngroup = "root"\n));
	Banter::write_file("$ETC/conf.d/40-lab.conf", qq(listen lab {\n\taddress = {"127.0.0.1"}\n\tport = 7799\n)
		. qq(\tmode = "raw"\n\troom = "lab"\n}\n)) if $_[0];
}

my %peer;

# A server that serves, with ann and bob in it; undef: it did not start.
sub start_server
{
	my (@peers) = @_;
	pipe my $r, my $w or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		fcntl $w, 2, 0;
		open STDIN, '<', '/dev/null';
		open STDERR, '>', "$dir/log";
		open STDOUT, '>&', \*STDERR;
		exec $program{banterd}, '-F', '--ready-fd', fileno $w;
	}
	close $w;
	my $said = do { local $/; <$r> } // '';
	if ($said !~ /^READY$/m) {
		waitpid $pid, 0;
		return undef;
	}
	for my $name (@peers) {
		$peer{$name} = Banter::Client->new(port => 7788);
		$peer{$name}->send("/nick $name\n") if $name !~ /^guest/;
		$peer{$name}->expect(qr/You are \Q$name\E/) if $name !~ /^guest/;
		$peer{$name}{nick} = $name if $name !~ /^guest/;
	}
	return $pid;
}

# Whatever an example has started ends as well.
sub stop_all
{
	my ($pid) = @_;
	%peer = ();
	sh("banterctl -s $_ stop") for grep { -S } '/run/banter/control.sock', '/tmp/banter/control.sock';
	wait_until { waitpid $pid, 1 } if $pid;
	sh('rm -rf /tmp/banter /tmp/banter-state');
}

# --- the kinds of examples ------------------------------------------------------------

sub name_of { my ($e) = @_; my ($first) = $e->{text} =~ /^(.*)/; return "$e->{file}:$e->{line}: $first" }

# A configuration: -t likes it, and a server starts with it.
sub run_conf
{
	my ($e) = @_;
	installed();
	Banter::write_file($EXAMPLE, $e->{text});
	Banter::write_file("$dir/cwd/$e->{saved}", $e->{text}) if $e->{saved};
	my $r = sh('banterd -t');
	is($r->{code}, 0, name_of($e) . ': banterd -t') or diag($r->{err});
	is($r->{err}, '', '... says nothing of it');
	my $pid = start_server();
	ok($pid, '... and a server starts') or diag(slurp("$dir/log"));
	stop_all($pid);
}

# A command that stays, or that wants a keyboard, for a script.
sub for_script
{
	my ($c) = @_;
	my $command = $c->{command} =~ s{/dev/ttyUSB0}{ttyUSB0}r; # no such device here
	return "$command & \n until [ -S /tmp/banter/control.sock ]; do :; done" if $command =~ /^banterd -F[^&]*$/;
	return join('', map { "printf '%s\\n' '$_'; " } @{ $c->{below} }, '/quit') =~ s/(.*)/{ $1 } | $command/r
		if $command =~ /^nc \S+ \d+$/;
	if ($command =~ /sleep infinity/ && (my ($file) = $command =~ />>(\S+)/)) {
		return "{ $command\n} & until [ -s $file ]; do :; done; until grep -q hello $file; "
			. "do printf 'hello\\n' | nc -N localhost 7788 >/dev/null; done";
	}
	return $command;
}

# What is not installed: [reason, command], or nothing.
sub missing
{
	my ($command) = @_;
	for my $word ($command =~ /(?:^|\| *|&& *)(?:sudo )?([a-z][\w-]*)/g) {
		return $word if system "command -v $word >/dev/null";
	}
	return;
}

# Commands with their prompts, all in one shell.
sub run_session
{
	my ($e, @commands) = @_;
	installed(1);
	Banter::write_file('ttyUSB0', "21.5 C\n");
	my $starts = grep { $_->{command} =~ /^banterd(?: -F| *$)/ } @commands;
	my $stops = grep { $_->{command} eq 'banterctl stop' } @commands;
	my $pid = !$starts || $stops ? start_server('ann', 'bob') : undef;
	sh('banterctl ban 198.51.100.7') if $pid;
	my @as = $commands[0]{user} eq '$' ? qw(setpriv --reuid=65534 --regid=65534 --clear-groups) : ();
	my (@script, @run);
	for my $c (@commands) {
		if (my $word = missing($c->{command})) {
			SKIP: { skip "$word is not installed", 1 }
			next;
		}
		push @run, $c;
		push @script, for_script($c), 'echo "code $?" >&3';
	}
	# Files, not pipes: a daemon without a syslog daemon keeps standard error.
	my $r = Banter::Ctl::run(undef, @as, 'timeout', '-k', '5', '20', 'sh', '-c',
		'exec 3>codes >out 2>err; ' . join "\n", @script);
	$r->{$_} = slurp($_) for 'out', 'err';
	my @codes = slurp('codes') =~ /^code (\d+)$/mg;
	for my $c (@run) {
		is(shift @codes, 0, name_of($e) . ": $c->{command}")
			or diag("out: $r->{out}\nerr: $r->{err}\n", slurp("$dir/log"));
	}
	unlike($r->{err}, qr/not found|usage:/i, '... nothing is unknown');
	stop_all($pid);
}

# Commands of a README, without prompts.
sub run_shell
{
	my ($e) = @_;
	installed();
	my $pid = start_server('ann', 'bob');
	for my $part (split /\n(?=sudo (?:ufw|nft))/, $e->{text}) {
		my ($first) = $part =~ /^(.*)/;
		SKIP: {
			my $word = missing($first);
			skip "$word is not installed", 1 if $word;
			my $r = sh("set -e\n$part");
			is($r->{code}, 0, name_of($e) . ": $first") or diag($r->{err}, $r->{out});
		}
	}
	ok($peer{bob}->sync, '... who is connected stays');
	stop_all($pid);
}

# --- conversations ----------------------------------------------------------------------

sub as_pattern
{
	my ($line) = @_;
	my $re = quotemeta $line;
	$re =~ s/guest\d+/guest\\d+/g;
	$re =~ s/banter(?:\\ \\\(development\\\))?\\\./banter\\./ if $line =~ /Welcome/;
	# The order in which others are told of is nobody's business.
	return $line =~ /^\* In (\S+) with (\d+) others?:/ ? qr/^\* In \Q$1\E with $2 other/ : qr/^$re$/;
}

# A line that matches, for as long as lines come.
sub hears
{
	my ($client, $re) = @_;
	while (defined(my $line = $client->next_line(0.2))) {
		return 1 if $line =~ $re;
	}
	return 0;
}

# Sessions side by side, each { lines, client, at }: who waits for a line lets the
# others go on; what ann and bob say is said by them when they are no session.
sub converse
{
	my ($e, @sessions) = @_;
	my $deadline = time + 20;
	while (grep { @{ $_->{lines} } } @sessions) {
		my $moved = 0;
		for my $s (@sessions) {
			while (@{ $s->{lines} }) {
				my $line = $s->{lines}[0];
				if ($line =~ /^(?:\* |\[)/) {
					if ($line =~ /^\[\w+\] <(\w+)> (.*)/ && $peer{$1} && !$s->{said}{$line}++) {
						$peer{$1}->send("$2\n");
					}
					last unless hears($s->{client}, as_pattern($line));
				} else {
					$s->{client}->send("$line\n");
				}
				shift @{ $s->{lines} };
				$moved = 1;
			}
		}
		last if !$moved && time > $deadline;
	}
	is_deeply($_->{lines}, [], name_of($e) . ': it goes as it is shown') for @sessions;
}

sub run_chat
{
	my (@examples) = @_;
	installed();
	# Those whom the greeting counts.
	my ($others) = join('', map { $_->{text} } @examples) =~ /with 3 others/ ? 3 : 0;
	my $pid = start_server($others ? ('ann', 'bob', 'guest') : ());
	my @sessions;
	for my $e (@examples) {
		my ($c) = Banter::Examples::commands($e->{text});
		# The second begins when the first has its nick.
		if (@sessions) {
			my $first = $sessions[0];
			my @later;
			my ($n) = grep { $first->{lines}[$_] =~ /^\* You are / } 0 .. $#{ $first->{lines} };
			@later = splice @{ $first->{lines} }, $n + 1;
			converse($examples[0], $first);
			$first->{lines} = \@later;
		}
		push @sessions, { lines => [@{ $c->{below} }],
			client => Banter::Client->new(port => 7788, greet => 0) };
	}
	converse($examples[-1], @sessions);
	stop_all($pid);
}

# --- all of them ------------------------------------------------------------------------

sub is_conf { return $_[0] !~ /^[\$] /m && $_[0] =~ /^\s*[a-z_]+ = |^\w+(?: \w+)? \{$/m && $_[0] !~ /postrotate/ }

my %used;
my @chats;

sub run_one
{
	my ($e) = @_;
	my $text = $e->{text};
	my ($why) = grep { index($text, $_) == 0 } sort keys %NOT_RUN;
	my @commands = Banter::Examples::commands($text);
	if (defined $why) {
		$used{$why} = 1;
		note(name_of($e), ": not run: $NOT_RUN{$why}");
	} elsif ($text =~ /^(?:sudo|printf|banterctl) /) {
		run_shell($e);
	} elsif (is_conf($text)) {
		run_conf($e);
	} elsif (@commands == 1 && $commands[0]{command} =~ /^nc / && @{ $commands[0]{below} }) {
		# Two in a row are one conversation.
		push @chats, $e;
	} elsif (@commands && $text =~ /^[\$#] /) {
		run_session($e, @commands);
	} elsif ($text =~ /postrotate/) {
		SKIP: {
			skip 'logrotate is not installed', 1 if system 'command -v logrotate >/dev/null';
			Banter::write_file('rotate', $text);
			is(sh("logrotate -d rotate")->{code}, 0, name_of($e));
		}
	} else {
		fail(name_of($e) . ': is run by nobody; t/15-examples.t says how it could be');
	}
}

chdir $top or die $!;
my @examples = ((map { Banter::Examples::of_page($_) } sort glob 'man/*.[1-8]'),
	map { Banter::Examples::of_text($_) } 'README.md', 'debian/README.Debian');
chdir "$dir/cwd" or die $!;
cmp_ok(scalar @examples, '>=', 40, 'there are examples');
for my $e (@examples) {
	my $n = @chats;
	run_one($e);
	if (@chats && (@chats == $n || $e->{file} !~ /README/)) {
		run_chat(splice @chats);
	}
}
run_chat(splice @chats) if @chats;
is_deeply([ grep { !$used{$_} } sort keys %NOT_RUN ], [], 'nothing is excused that is not there');

# --- units for systemd ----------------------------------------------------------------

SKIP: {
	my @drop_ins = map { m{([^/]+)$} } grep { slurp($_) =~ /^\[Service\]/m } glob "$top/etc/examples/*.conf";
	skip 'systemd-analyze is not installed', 2 + @drop_ins if system 'command -v systemd-analyze >/dev/null';
	my $unit = slurp("$top/etc/systemd/banterd.service.in");
	$unit =~ s/\@sbindir\@/$dir\/bin/g;
	$unit =~ s/\@sysconfdir\@/\/etc/g;
	my $verify = sub {
		my ($name, @files) = @_;
		must_sh("rm -rf $dir/unit; mkdir -p $dir/unit/banterd.service.d");
		Banter::write_file("$dir/unit/banterd.service", $unit);
		Banter::write_file("$dir/unit/$_->[0]", $_->[1]) for @files;
		my $of = $name =~ /\.socket$/ ? $name : 'banterd.service';
		# Its exit code is 0 whatever it says of a key.
		my $r = sh("SYSTEMD_UNIT_PATH=$dir/unit: systemd-analyze verify --man=no $dir/unit/$of 2>&1");
		is($r->{out}, '', "systemd-analyze verify: $name");
	};
	$verify->('banterd.service');
	$verify->('banterd.socket', ['banterd.socket', slurp("$top/etc/examples/banterd.socket")]);
	$verify->($_, ["banterd.service.d/$_", slurp("$top/etc/examples/$_")]) for @drop_ins;
}
done_testing;
