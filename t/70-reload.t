# Reload: the new configuration everywhere, or the old one everywhere, and no
# client notices.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(slurp wait_until n_fds pss_kb);

# The service manager, in a socket of ours.
sub notify_socket
{
	my ($path) = @_;
	my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "$path: $!";
	return $s;
}

sub datagrams_until
{
	my ($s, $re, $seconds) = @_;
	my (@all, $deadline);
	$deadline = time + ($seconds || 20);
	while (time < $deadline && IO::Select->new($s)->can_read($deadline - time)) {
		recv $s, my $d, 4096, 0;
		push @all, $d;
		return \@all if $d =~ $re;
	}
	diag "no datagram $re in: @all";
	return undef;
}

# Take what is there: a manager always reads.
sub drain
{
	my ($s) = @_;
	while (IO::Select->new($s)->can_read(0)) {
		recv $s, my $d, 4096, 0;
	}
}

my $dir = File::Temp::tempdir(CLEANUP => 1);
chmod 0755, $dir;
my $notify = notify_socket("$dir/notify");
my $b = Banter->start(workers => 2, limits => { rate => 0 },
	env => { NOTIFY_SOCKET => "$dir/notify" },
	listen => { text => {}, second => {} });
ok(datagrams_until($notify, qr/^READY=1$/m), 'the manager is told READY');

my @clients = map { $b->client } 1 .. 10;
my @pids = ($b->master_pid, $b->keeper_pids, $b->worker_pids);
sub all_talk
{
	my ($name) = @_;
	is(scalar(grep { $_->sync } @clients), scalar @clients, "$name: every client is still there");
}

# Good.
$b->configure(limits => { line_bytes => 200 });
$b->signal('HUP');
my $got = datagrams_until($notify, qr/^READY=1$/m);
ok($got && (grep { /^RELOADING=1$/m && /^MONOTONIC_USEC=\d+$/m } @$got),
	'HUP: RELOADING and MONOTONIC_USEC in one datagram, then READY');
$clients[0]->send('x' x 300 . "\n");
like($clients[0]->expect(qr/^\* error/), qr/\b200\b/, 'the new value holds for a connection that is there');
is($b->metric('reloads'), 1, 'counted');
$b->configure(limits => { line_bytes => 300 });
my $r = $b->reload_ok('banterctl reload');
like($r->{out}, qr/limits\.line_bytes\s+applied/, 'the answer names the key');
datagrams_until($notify, qr/^READY=1$/m);

# Nothing changed.
$r = $b->reload_ok('a reload without a change');
unlike($r->{out}, qr/applied/, '... names no key');
datagrams_until($notify, qr/^READY=1$/m);

# Bad, each kind: exit 1 with file and line, the old configuration lives.
my $good = slurp($b->{conf});
my $lines = () = $good =~ /\n/g;
$b->expect_log(qr/reload|configuration|\Q$b->{conf}\E/i);
my @bad = (
	['syntax error', "$good}\n", qr/:@{[$lines + 1]}:/],
	['unknown key', "${good}bogus = 1\n", qr/:@{[$lines + 1]}: .*bogus/],
	['value out of range', "${good}keepalive {\n count = 9999999\n}\n", qr/count/],
	['10 MB of comments', '#' x 79 . "\n", qr/\S/, 135_000],
	['NUL byte', "$good\0", qr/\S/],
	['unclosed section', "${good}keepalive {\n", qr/\S/],
	['rubbish', join('', map { chr($_ * 31 % 256) } 1 .. 2000), qr/\S/],
);
for my $case (@bad) {
	my ($name, $text, $says, $times) = @$case;
	my $failed = $b->metric('reloads_failed');
	Banter::write_file($b->{conf}, $text x ($times || 1));
	$r = $b->ctl_run('reload');
	is($r->{code}, 1, "$name: refused");
	like($r->{out} . $r->{err}, $says, "$name: says where") or diag explain $r;
	my $told = datagrams_until($notify, qr/^READY=1$/m);
	ok($told, "$name: READY comes although it failed");
	is($b->metric('reloads_failed'), $failed + 1, "$name: counted");
	$clients[1]->send('x' x 400 . "\n");
	like($clients[1]->expect(qr/^\* error/), qr/\b300\b/, "$name: the old value holds");
}
unlink $b->{conf};
is($b->ctl_run('reload')->{code}, 1, 'missing file: refused');
mkdir $b->{conf};
is($b->ctl_run('reload')->{code}, 1, 'directory: refused');
rmdir $b->{conf};
Banter::write_file($b->{conf}, "$good\n");
Banter::write_file("$b->{conf}.x", "${good}bogus = 1\n");
my $from = length $b->log_text;
rename "$b->{conf}.x", $b->{conf};
$b->signal('HUP');
$b->log_like(qr/\Q$b->{conf}\E:@{[$lines + 1]}:/, 'HUP with a bad file: the log has file and line', $from);
all_talk('after bad reloads');
Banter::write_file($b->{conf}, $good);
$b->reload_ok('signals and verbs still work after it');

# A key that needs a restart.
$b->configure(set => { relay_log => '8M' }, limits => { line_bytes => 400 });
$r = $b->reload_ok('a key that cannot change at run time');
like($r->{out}, qr/relay_log\s+pending restart/, '... is named as pending restart');
like($r->{out}, qr/limits\.line_bytes\s+applied/, '... and the rest is applied');
is_deeply([ grep { /relay_log/ } @{ $b->status('pending_restart') || [] } ], ['relay_log'],
	'... and status shows it');
$b->configure(set => { relay_log => '32M' });
$b->reload_ok;
is_deeply($b->status('pending_restart'), [], '... until it is taken back');

# Listeners.
my $spare = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $port = $spare->sockport;
close $spare;
$b->configure(listen => { third => { port => $port } });
$r = $b->reload_ok('a new listener');
my %slot;
my @new;
wait_until {
	push @new, Banter::Client->new(port => $port) for 1 .. 4;
	my $by = $b->slots_by_port;
	$slot{ $by->{ $_->local_port } // 0 }++ for grep { $_ } @new;
	$slot{1} && $slot{2} || @new > 60;
};
ok($slot{1} && $slot{2}, 'is served by every worker');
my $second = $b->client(listener => 'second');
delete $b->{options}{listen}{second};
$b->configure;
$b->reload_ok('a listener is removed');
ok($second->sync, '... its clients stay');
ok(wait_until { !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $b->port('second')) },
	'... and nobody new gets in');
my $blocker = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
$b->configure(listen => { fourth => { port => $blocker->sockport } }, limits => { line_bytes => 500 });
$r = $b->ctl_run('reload');
is($r->{code}, 1, 'an address that cannot be bound: refused');
like($r->{out} . $r->{err}, qr/@{[$blocker->sockport]}/, '... and named');
$clients[2]->send('x' x 450 . "\n");
like($clients[2]->expect(qr/^\* error/), qr/\b400\b/, '... and nothing else has changed');
delete $b->{options}{listen}{fourth};
$b->configure;
$b->reload_ok;
$_->close for @new, $second;
all_talk('after listeners came and went');

# Rooms and motd follow the file.
$b->configure(room => { lobby => { topic => 'From the file', autojoin => 'true' }, fresh => { topic => 'Fresh' } });
$b->reload_ok;
$clients[3]->send("/topic\n");
ok($clients[3]->expect(qr/From the file/), 'a topic nobody changed follows the file');
$clients[3]->send("/rooms\n");
ok((grep { /\bfresh\b/ } @{ $clients[3]->lines }), 'a configured room is made');

# Many: descriptors and memory stay.  100 in one burst, 20 one by one.
my $n_hups = $ENV{BANTER_TEST_HUPS} || 20;
my $load = $b->load_start('-n', 20, '-P', 4, '-m', 400, '--rate', 100, '--numbered');
Banter::load_wait($load, qr/^RUNNING/m);
$b->signal('HUP') for 1 .. 100;
wait_until { drain($notify); ($b->metric('reloads') || 0) > 5 };
ok($b->ctl_run('reload')->{code} == 0, 'a burst of 100 HUPs');
my %fds = map { $_ => n_fds($_) } @pids;
my %kb = map { $_ => pss_kb($_) } @pids;
for my $i (1 .. $n_hups) {
	drain($notify);
	$b->configure(limits => { line_bytes => $i % 2 ? 1000 : 2000 });
	my $before = $b->metric('reloads');
	$b->signal('HUP');
	wait_until { $b->metric('reloads') > $before } or fail("HUP $i was not served");
}
my $s = Banter::load_end($load);
is($s->{code}, 0, 'chat goes on through all of them, exactly') or diag $s->{text};
wait_until { ($b->status('clients') || 0) == @clients };
is_deeply([ map { n_fds($_) <= $fds{$_} ? 'same' : n_fds($_) - $fds{$_} } @pids ],
	[ ('same') x @pids ], "$n_hups HUPs: no descriptor is left over");
cmp_ok(pss_kb($_) - $kb{$_}, '<', 2048, "process $_ did not grow") for @pids;
is_deeply([ $b->master_pid, $b->keeper_pids, $b->worker_pids ], \@pids, 'and no process was replaced');
all_talk('after all');

# TERM during HUP.
drain($notify);
$b->signal('HUP') for 1 .. 3;
ok($b->stop_ok('TERM right behind HUP'), 'stops');
ok(datagrams_until($notify, qr/^STOPPING=1$/m), 'the manager is told STOPPING');

# An abstract socket.
my $name = "banter-test-$$";
my $abstract = notify_socket("\0$name");
$b = Banter->start(workers => 1, env => { NOTIFY_SOCKET => "\@$name" });
my $told = datagrams_until($abstract, qr/^READY=1$/m);
ok($told, 'READY reaches an abstract NOTIFY_SOCKET');
ok(!(grep { /[^\x0a\x20-\x7e]/ } @{ $told || [] }), 'in plain lines');
$b->stop_ok;
# What no file can do is built into test builds.
SKIP: {
	skip 'not a test build', 12 unless `@{[ Banter::banterd() ]} -V` =~ /test build/;
	my $word = "$dir/parser";
	$b = Banter->start(workers => 2, env => { BANTER_TEST_CONF_FAULT => $word });
	my $c = $b->client;
	for my $fault (qw(crash hang)) {
		open my $out, '>', $word or die;
		print $out $fault;
		close $out;
		$r = $b->ctl_run('reload');
		is($r->{code}, 1, "a parser that does $fault: refused");
		like($r->{out} . $r->{err}, $fault eq 'crash' ? qr/SIGSEGV|signal 11|crash/ : qr/time|hang|hung|second/i, '... with the reason');
		unlink $word;
	}
	$b->reload_ok('... and the next one succeeds');
	ok($c->sync, '... and the client stays');
	$b->expect_log(qr/reload|parser|configuration/i);
	$b->stop_ok;

	for my $how (qw(refuse die)) {
		$b = Banter->start(workers => 3, env => { BANTER_TEST_PREPARE => "$how:2" });
		$b->expect_log(qr/./);
		$c = $b->client(worker => 1);
		$b->configure(limits => { line_bytes => 777 });
		$r = $b->ctl_run('reload');
		if ($how eq 'refuse') {
			is($r->{code}, 1, 'one worker refuses: the reload is refused');
			$c->send("/limits\n");
			unlike($c->expect(qr/line_bytes/), qr/777/, '... and nobody switches');
		} else {
			is($r->{code}, 0, 'one worker dies in the middle: the reload goes on');
			$c->send("/limits\n");
			like($c->expect(qr/line_bytes/), qr/777/, '... and the others switch');
		}
		$b->stop_ok;
	}
}
done_testing;
