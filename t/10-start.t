# Starting: options, exit codes, what is bound, one instance, daemonising.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOMAXCONN);
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until alive children);

my $banterd = Banter::banterd();
sub banterd { return Banter::Ctl::run(undef, $banterd, @_) }

# Options.
my $r = banterd('-h');
is($r->{code}, 0, '-h exits with 0');
like($r->{out}, qr/-c\b.*--ready-fd/s, '-h names the options on stdout');
$r = banterd('-V');
is($r->{code}, 0, '-V exits with 0');
like($r->{out}, qr/^(?:banter|banterd)\b.*\d+\.\d+/, '-V tells name and version');
for my $bad (['-x'], ['--bogus'], ['-c'], ['-F', 'word'], ['--ready-fd', 'x'],
	['--ready-fd', '-1']) {
	$r = banterd(@$bad);
	is($r->{code}, 64, "@$bad is refused as usage");
	like($r->{err}, qr/\S/, '... and says why');
}

# Configuration, checked without starting.
my $p = Banter->prepare(workers => 1);
$r = banterd('-t', '-c', $p->{conf});
is($r->{code}, 0, '-t accepts a good file') or diag $r->{err};
$r = banterd('-T', '-c', $p->{conf});
is($r->{code}, 0, '-T accepts a good file');
like($r->{out}, qr/workers\s*=?\s*1\b.*\Q$p->{conf}\E:\d+/,
	'-T tells a value with file and line');
like($r->{out}, qr/\bburst\b.*\b60\b.*default/, '-T tells a default as such');
like($r->{out}, qr/\bhang_timeout\b/, '-T tells keys that are not in the file');

$p = Banter->prepare(conf => "bogus = 1\n");
$r = banterd('-t', '-c', $p->{conf});
is($r->{code}, 78, '-t refuses a bad file with 78');
my $line = (() = slurp($p->{conf}) =~ /\n/g);
like($r->{err}, qr/\Q$p->{conf}\E:$line: .*bogus/, '... naming file, line and key');
$p->expect_log(qr/./);
my $end = $p->run_to_end;
is($end->{code}, 78, 'a start with it exits with 78');
like($end->{log}, qr/\Q$p->{conf}\E:$line:/, '... and says where');
ok(!$end->{ready}, '... and was never ready');

$r = banterd('-t', '-c', "$p->{dir}/none.conf");
is($r->{code}, 78, 'a missing file exits with 78');
like($r->{err}, qr/none\.conf/, '... and is named');

# Ports.
my $taken = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1',
	LocalPort => 0) or die $!;
$p = Banter->prepare(listen => { text => { port => $taken->sockport } });
$p->expect_log(qr/./);
$end = $p->run_to_end;
is($end->{code}, 69, 'a port that is taken exits with 69');
like($end->{log}, qr/127\.0\.0\.1.*${\ $taken->sockport}.*in use/i,
	'... naming the address');
close $taken;

$p = Banter->prepare;
rmdir $p->{run_dir};
$p->configure(set => { run_dir => "$p->{dir}/none/run" });
$p->expect_log(qr/./);
$end = $p->run_to_end;
like($end->{code}, qr/^(?:73|78)$/, 'a run_dir that cannot be made is refused');
like($end->{log}, qr{\Q$p->{dir}\E/none/run}, '... and named');

# Both address families; "*" is a socket of its own for each.
my $v6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
SKIP: {
	skip 'no IPv6 on this machine', 4 unless $v6;
	my $b = Banter->start(listen => { text =>
		{ address => ['127.0.0.1', '::1'] } });
	is(scalar @{ $b->{listen} }, 2, 'one LISTEN line per address');
	my ($six) = grep { $_->{address} =~ /:/ } @{ $b->{listen} };
	my $c4 = $b->client;
	my $c6 = Banter::Client->new(host => '::1', port => $six->{port});
	ok($c4 && $c6, 'clients come by IPv4 and by IPv6');
	$c6->send("six\n");
	ok($c4->expect(qr/six$/), 'and are in the same lobby');
	$b->stop_ok;
}

my $b = Banter->start(workers => 2, listen => { any => { address => ['*'] },
	text => {} });
my @any = grep { $_->{name} eq 'any' } @{ $b->{listen} };
is(scalar @any, $v6 ? 2 : 1, '"*" binds 0.0.0.0 and, where it exists, [::]');
ok($b->client(listener => 'any', host => '0.0.0.0') ? 1 : 0, 'by 0.0.0.0');

# A second instance over the same folders, and one that wants the same port.
my $ann = $b->client;
my $second = bless { %$b, log => "$b->{dir}/log2", port => {}, listen => [] },
	'Banter';
$end = $second->run_to_end;
is($end->{code}, 69, 'a second instance in the same run_dir exits with 69');
like($end->{log}, qr/\S/, '... and says why');
my $other = Banter->prepare(listen => { text => { port => $b->port } });
$other->expect_log(qr/./);
$end = $other->run_to_end;
is($end->{code}, 69, 'another instance on the same port exits with 69');
$ann->send("/nick still\n");
ok($ann->expect(qr/still/), 'the first goes on unharmed');
is(scalar(grep { $_ } map { $b->client } 1 .. 20), 20,
	'and gets every connection');

# Ready means ready; the lines are as documented.
like($b->{ready_text}, qr/^(?:LISTEN \S+ \S+ \d+\n)+READY\n\z/,
	'LISTEN lines, then READY');
my $pid_file = (glob "$b->{run_dir}/*.pid")[0];
SKIP: {
	skip 'no PID file in the foreground', 1 unless $pid_file;
	is(0 + slurp($pid_file), $b->master_pid, 'the PID file names the master');
}

# A restart at once, while old connections are in TIME_WAIT.
my $port = $b->port;
my @clients = map { $b->client } 1 .. 5;
$b->stop_ok;
$b->configure(listen => { text => { port => $port } });
ok($b->restart->{ready}, 'a restart on the same port succeeds at once');
ok($b->client, 'and serves');
$b->stop_ok;

# 0 to 2 closed: what is opened must not take their place.
$b = Banter->prepare(close => [0, 1, 2])->launch;
ok($b->{ready}, 'it starts with 0, 1 and 2 closed') or diag $b->log_text;
for my $fd (0 .. 2) {
	my $to = readlink("/proc/$b->{pid}/fd/$fd") || 'nothing';
	unlike($to, qr/socket|memfd|epoll|signalfd|banterd\.conf/,
		"descriptor $fd is nothing of ours ($to)");
}
my $c = $b->client;
ok($c, 'and a client is served');
$b->stop_ok;

# Daemonising: exit 0 comes after READY, the daemon goes on.
$p = Banter->prepare(workers => 1, log => { target => 'file',
	file => '/dev/null' });
$p->configure(log => { target => 'file', file => "$p->{dir}/daemon.log" });
pipe my $ready, my $ready_w or die $!;
pipe my $out, my $out_w or die $!;
my $pid = fork;
if (!$pid) {
	fcntl $ready_w, 2, 0;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>&', $out_w;
	open STDERR, '>&', \*STDOUT;
	exec $banterd, '-c', $p->{conf}, '--ready-fd', fileno $ready_w
		or POSIX::_exit(126);
}
close $ready_w;
close $out_w;
my $came;
wait_until { waitpid($pid, POSIX::WNOHANG()) == $pid and $came = 1 } 20;
SKIP: {
	ok($came, 'without -F the command comes back')
		or skip 'it did not daemonise', 7;
	is($? >> 8, 0, '... with 0') or diag slurp("$p->{dir}/daemon.log");
	# Or `banterd | tee` and `ssh HOST banterd` would wait for the daemon's end.
	my $said = '';
	$out->blocking(0);
	ok(wait_until { my $n = sysread $out, $said, 4096, length $said; defined $n && $n == 0 },
		'no process of the daemon keeps the output of the command');
	is($said, '', '... and none has written to it');
	ok($p->read_ready($ready, 20), 'READY was written');
	my ($file) = glob "$p->{run_dir}/*.pid";
	ok($file, 'there is a PID file') or skip 'no PID file', 3;
	my $daemon = 0 + slurp($file);
	ok(alive($daemon), 'the PID file names a live process');
	ok($p->client, 'it serves');
	kill 'TERM', $daemon;
	ok(wait_until { !alive($daemon) }, 'and ends by SIGTERM');
	ok(!-e $file, 'the PID file is removed');
}
$p = Banter->prepare(conf => "bogus = 1\n");
$r = banterd('-c', $p->{conf});
is($r->{code}, 78, 'without -F a failure is told by the exit code as well');
done_testing;
