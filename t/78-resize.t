# The number of workers changes by a reload, or one is drained by hand: no
# connection is refused or reset, no client is closed, nothing is lost.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Late qw(listeners_of late_clients);
use Banter::Proc qw(wait_until alive n_fds sockets slurp);

sub states
{
	my ($b) = @_;
	return join ' ', map { "$_->{slot}:$_->{state}" } $b->rows('status');
}

sub wait_states
{
	my ($b, $want, $name) = @_;
	my $ok = wait_until { states($b) eq $want };
	ok($ok, $name || "the slots are $want") or diag states($b);
}

sub resize
{
	my ($b, $n, $name) = @_;
	$b->configure(workers => $n);
	return $b->reload_ok($name || "reload: $n workers");
}

# A client that comes, is greeted, and goes.  What went wrong, or ''.
sub come_and_go
{
	my ($port) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
		or return "connect: $!";
	my ($text, $said) = ('');
	while (IO::Select->new($s)->can_read(20)) {
		my $n = sysread $s, $text, 4096, length $text;
		return "read: $!" unless defined $n;
		return $said ? '' : 'closed before the goodbye' unless $n;
		syswrite $s, "/quit\n" if !$said && $text =~ /\* In lobby/;
		$said ||= $text =~ /\* In lobby/;
	}
	return 'no answer in 20 s';
}

# Comings and goings in a process of its own, until churn_end().
sub churn_start
{
	my ($port) = @_;
	pipe my $out_r, my $out_w or die "pipe: $!";
	pipe my $in_r, my $in_w or die "pipe: $!";
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		close $_ for $out_r, $in_w;
		my ($n, @bad) = (0);
		until (IO::Select->new($in_r)->can_read(0)) {
			my $bad = come_and_go($port);
			push @bad, $bad if $bad ne '';
			$n++;
		}
		syswrite $out_w, "$n @bad\n";
		POSIX::_exit(0);
	}
	return { pid => $pid, in => $in_w, out => $out_r };
}

sub churn_end
{
	my ($churn) = @_;
	close $churn->{in};
	my $line = readline $churn->{out};
	waitpid $churn->{pid}, 0;
	my ($n, $bad) = ($line || '0 it died') =~ /^(\d+) ?(.*)/;
	return ($n, $bad);
}

# Connections in the accept queues of a port.
sub n_queued
{
	my ($port) = @_;
	my ($n, $hex) = (0, sprintf '%04X', $port);
	for (split /\n/, slurp('/proc/net/tcp')) {
		$n += hex $1 if /^\s*\d+: [0-9A-F]+:$hex \S+ 0A [0-9A-F]+:([0-9A-F]+)/;
	}
	return $n;
}

# Their number by slot.
sub spread
{
	my ($b, @clients) = @_;
	my $slot = $b->slots_by_port;
	my %n;
	$n{ $slot->{ $_->local_port } || 0 }++ for @clients;
	return \%n;
}

# --- 2, 6, 1, 4 under load

my $b = Banter->start(workers => 2, limits => { rate => 0 });
my $load = $b->load_start('-n', 60, '-P', 6, '-m', 300, '--rate', 100, '--numbered');
Banter::load_wait($load, qr/^RUNNING 60/m);
my $churn = churn_start($b->port);
my $r = resize($b, 6);
like($r->{out}, qr/^workers\s+applied$/m, 'the answer says that it is applied');
wait_states($b, join(' ', map { "$_:ready" } 1 .. 6), 'six workers are ready');
is($b->metric('workers'), 6, 'the metrics count six');
my %stay;
for my $slot (2 .. 6) {
	$stay{$slot} = $b->client(worker => $slot);
}
$b->drop_parked;
my $before = $b->workers;
my $accepted = $b->metric('accepted', 'slot="3"');
resize($b, 1);
wait_states($b, '1:ready ' . join(' ', map { "$_:draining" } 2 .. 6), 'five drain');
ok(wait_until { $b->metric('accepted', 'slot="1"') > $accepted }, 'clients come');
my @fresh = map { $b->client } 1 .. 20;
is_deeply(spread($b, @fresh), { 1 => 20 }, 'all of them to the one that is left');
resize($b, 4);
wait_states($b, join(' ', map { "$_:ready" } 1 .. 4) . ' 5:draining 6:draining',
	'three drain no more');
is($b->workers->{$_}, $before->{$_}, "worker $_ is the same process") for 2 .. 6;
my %got = (%{ spread($b, map { $_ && push(@fresh, $_); $_ } map { $b->client } 1 .. 80) });
is_deeply([sort keys %got], [1 .. 4], 'new clients go to the four');
ok($stay{$_}->sync, "who was on worker $_ is still there") for 2 .. 6;
my ($n, $bad) = churn_end($churn);
is($bad, '', 'no connection was refused, reset or left alone') or diag $bad;
cmp_ok($n, '>', 50, "... of $n");
my $s = Banter::load_end($load);
is($s->{code}, 0, 'the load tool is content') or diag $s->{text};
is($s->{delivered}, $s->{expected}, 'everything said has arrived');
is($s->{$_}, 0, "none $_") for qw(lost duplicated disordered damaged missed disconnects);
$_->close for @fresh;

# --- the last client leaves

my ($keepers, $workers) = ($b->keepers, $b->workers);
for my $slot (6, 5) {
	$stay{$slot}->close;
	ok(wait_until { !alive($workers->{$slot}) && !alive($keepers->{$slot}) },
		"worker $slot and its keeper end with the last client");
}
wait_states($b, join(' ', map { "$_:ready" } 1 .. 4), 'four slots are shown');
is($b->metric('workers'), 4, '... and counted');
unlike($b->ctl_run('metrics')->{out}, qr/slot="[56]"/, '... and measured');
cmp_ok((Banter::table($b->ctl('status'), 'counter'))[0]{total}, '>=', $n + 60 + 100,
	'the total still has what the others did');
is($b->ctl_run('clients', '--worker', 6)->{out} =~ /\d/ ? 1 : 0, 0, 'they have no clients');

# --- nothing has changed

$workers = $b->workers;
$r = $b->reload_ok('a reload without a change');
like($r->{out} . $r->{err}, qr/nothing has changed/, '... says so');
is_deeply($b->workers, $workers, '... and leaves the workers alone');

# --- by hand

is($b->ctl_run('drain', @$_)->{code}, 64, "drain @$_: usage") for [], ['two'];
is($b->ctl_run('drain', 9)->{code}, 1, 'there is no worker 9');
is($b->ctl_run('drain', 6)->{code}, 1, 'nor 6 any more');
is($b->ctl_run('undrain', 2)->{code}, 1, 'undrain of one that does not drain');
$r = $b->ctl_run('drain', 2);
is($r->{code}, 0, 'drain 2') or diag $r->{err};
is($b->ctl_run('drain', 2)->{code}, 1, 'not twice');
wait_states($b, '1:ready 2:draining 3:ready 4:ready');
ok($stay{2}->sync, 'its client is still there');
$stay{2}->close;
wait_states($b, '1:ready 2:drained 3:ready 4:ready', 'without clients it is drained');
ok(!$b->workers->{2}, '... and has no worker');
is($b->metric('worker_up', 'slot="2"'), 0, '... nor is it up');
$b->reload_ok('a reload');
is(states($b), '1:ready 2:drained 3:ready 4:ready', '... does not undo it');
is($b->ctl_run('drain', $_)->{code}, 0, "drain $_") for 3, 4;
$r = $b->ctl_run('drain', 1);
is($r->{code}, 1, 'the last one is not drained');
like($r->{err}, qr/last/, '... and it says why');
$b->configure(workers => 4, listen => { text => {}, more => {} });
$b->reload_ok('a reload with a new address');
is($b->ctl_run('drain', 1)->{code}, 1, 'the last one is still not drained');
is($b->ctl_run('undrain', $_)->{code}, 0, "undrain $_") for 2, 4;
wait_states($b, '1:ready 2:ready 3:draining 4:ready');
ok($stay{$_}->sync, "who was on worker $_ is still there") for 3, 4;
is($b->ctl_run('drain', 1)->{code}, 0, 'drain 1, there are others now');
$b->configure(workers => 1);
$b->expect_log(qr/drained by hand|reload is refused/);
is($b->ctl_run('reload')->{code}, 1, 'a reload that would leave only that one is refused');
is($b->metric('workers'), 4, '... and nothing has changed');
is($b->ctl_run('undrain', $_)->{code}, 0, "undrain $_") for 1, 3;
$_->close for $stay{3}, $stay{4};

# --- up and down: nothing leaks

resize($b, 1);
wait_states($b, '1:ready');
my $fds = n_fds($b->master_pid);
for my $round (1 .. 3) {
	resize($b, 5);
	wait_states($b, join(' ', map { "$_:ready" } 1 .. 5));
	resize($b, 1);
	wait_states($b, '1:ready');
}
is(n_fds($b->master_pid), $fds, 'the descriptors of the master are as many as before');
is($b->status('clients'), 0, 'nobody is left');

# An address that is new while more slots have been than are.
my $third = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport;
$b->configure(listen => { text => {}, more => {}, third => { port => $third } });
$b->reload_ok('a new address');
my @third = map { Banter::Client->new(port => $third) } 1 .. 20;
is_deeply(spread($b, @third), { 1 => 20 }, 'all its clients come to the one worker');
resize($b, 3);
wait_states($b, '1:ready 2:ready 3:ready');
push @third, map { Banter::Client->new(port => $third) } 1 .. 40;
is_deeply([sort keys %{ spread($b, @third) }], [1 .. 3], 'of three, each gets some');
$_->close for @third;
resize($b, 1);
wait_states($b, '1:ready');

# --- a connection that arrives late

# Without the steering program the kernel's hash reaches drained slots too.
sub SO_DETACH { return 68 }
my $n_off = grep { setsockopt $_, Socket::SOL_SOCKET(), SO_DETACH, pack 'i', 0 }
	sockets($b->master_pid);
cmp_ok($n_off, '>=', 2, 'the steering is taken off behind the back of the master');
my @late = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $b->port) } 1 .. 40;
my $greeted = 0;
my $deadline = time + 20;
for my $s (@late) {
	my $text = '';
	while ($text !~ /Welcome/ && IO::Select->new($s)->can_read($deadline - time)) {
		sysread $s, $text, 4096, length $text or last;
	}
	$greeted += $text =~ /Welcome/;
}
is($greeted, 40, 'connections that reach drained slots are served');
like(states($b), qr/^1:ready .*:draining/, '... by workers that were started for them');
$_->close for @late;
wait_states($b, '1:ready', '... and end after them');
$b->stop_ok;

# --- the queue of a surplus worker

$b = Banter->start(workers => 2, limits => { rate => 0 });
my $stopped = $b->workers->{2};
my @queued;
# It may be found out to be stopped before anybody comes: then once more.
for (1 .. 10) {
	$b->signal('STOP', $stopped);
	wait_until { Banter::Proc::state($stopped) eq 'T' };
	@queued = map { Banter::Client->new(port => $b->port, greet => 0) } 1 .. 20;
	last if n_queued($b->port);
	$b->signal('CONT', $stopped);
	$_->close for @queued;
	wait_until { $b->status('clients') == 0 };
}
my $n_queued = n_queued($b->port);
cmp_ok($n_queued, '>', 0, 'connections wait in the queue of a stopped worker');
resize($b, 1, 'one that is stopped and surplus does not hold up a reload');
$b->signal('CONT', $stopped);
is(scalar(grep { $_->greeted('lobby') } @queued), 20, 'all in its queue are served');
is(scalar(grep { $_->sync } @queued), 20, '... and can talk');
ok(wait_until { (spread($b, @queued)->{2} || 0) == $n_queued }, '... by the worker that drains');
$b->log_like(qr/worker 2 has configuration 1: sending 2/, 'it is given the configuration too');
$_->close for @queued;
wait_states($b, '1:ready');
$b->stop_ok;

# The same when there is no place for them: a worker that drains is given the
# places that its queue needs.
$b = Banter->start(workers => 2, set => { max_clients => 8, when_full => 'wait' },
	limits => { rate => 0 });
my @in = map { $b->client } 1 .. 8;
my %out = map { (fileno $_->sock, $_) }
	map { Banter::Client->new(port => $b->port, greet => 0) } 1 .. 20;
resize($b, 1);
wait_states($b, '1:ready 2:draining');
my $from = length $b->log_text;
$_->close for @in;
$deadline = time + 20;
while (%out && time < $deadline) {
	for my $s (IO::Select->new(map { $_->sock } values %out)->can_read(1)) {
		my $c = $out{ fileno $s };
		delete $out{ fileno $s } if !$c->fill(0);
		next unless $c->{all} =~ /\* In lobby/;
		delete $out{ fileno $s };
		$c->close;
	}
}
is(scalar keys %out, 0, 'everybody who waited has come in');
like(substr($b->log_text, $from), qr/ worker 2\[\d+\] info: event=connect/,
	'... also by the worker that drains');
wait_states($b, '1:ready');
$b->stop_ok;

# A handshake that begins before the worker drains and ends when it is gone.
$b = Banter->start(workers => 2, limits => { rate => 0 });
my @coming = late_clients($b->port, 20, listeners_of($b, $b->port));
SKIP: {
	skip "no filter: $!" unless @coming;
	resize($b, 1);
	wait_states($b, '1:ready', 'worker 2 is gone');
	$_->send("hello\n") for @coming;
	is(scalar(grep { $_->greeted('lobby') } @coming), 20, 'who was about to come to it is served');
	is(scalar(grep { $_->sync } @coming), 20, '... and heard');
	$b->log_like(qr/a connection has reached drained worker 2/, '... by it, started once more');
	$_->close for @coming;
}
$b->stop_ok;

# Its address goes in the same reload: it holds the old one for some seconds.
my $spare = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $moved = $spare->sockport;
close $spare;
$b = Banter->start(workers => 2, limits => { rate => 0 });
$b->configure(workers => 1, listen => { text => { port => $moved } });
$b->reload_ok('fewer workers, and another port');
wait_states($b, '1:ready', '... who has nobody and no place ends all the same');
is(come_and_go($moved), '', '... the other serves the new port');
$b->stop_ok;

# --- one socket for all

my $dir = File::Temp::tempdir(CLEANUP => 1);
chmod 0777, $dir;
my $path = "$dir/chat";
$b = Banter->start(workers => 2, limits => { rate => 0 },
	listen => { text => {}, local => { address => [$path] } });
my @keep = map { $b->client(worker => $_) } 1, 2;
$b->drop_parked;
$workers = $b->workers;
sub slots_of_local
{
	my %n;
	$n{ $_->{worker} }++ for grep { $_->{address} eq 'local' } $b->rows('clients');
	return join ' ', sort keys %n;
}
for my $away (2, 1, 2) {
	is($b->ctl_run('drain', $away)->{code}, 0, "drain $away");
	my @local = map { Banter::Client->new(path => $path) } 1 .. 10;
	is(slots_of_local(), 3 - $away, "nobody comes to worker $away by the shared socket");
	$_->close for @local;
	is($b->ctl_run('undrain', $away)->{code}, 0, "undrain $away");
	wait_states($b, '1:ready 2:ready');
	ok(wait_until { !slots_of_local() }, 'they are gone');
}
is_deeply($b->workers, $workers, 'all that with the same processes');
is(scalar(grep { $_->sync } @keep), 2, '... and clients');

# A worker that drains dies: its successor drains.
$b->ctl_run('drain', 2);
$b->expect_log(qr/worker 2|keeper 2|slot 2/);
$b->signal('KILL', $workers->{2});
$b->log_like(qr/worker 2 is ready \(generation 2\)/, 'a worker that drains and dies is replaced');
my @local = map { Banter::Client->new(path => $path) } 1 .. 10;
is(slots_of_local(), 1, '... and its successor takes no new clients');
$_->close for @local;
ok($keep[0]->sync, 'the client of the other worker is still there');
$_->close for @keep;
wait_states($b, '1:ready 2:drained', '... and ends when it is empty');
$b->stop_ok;

# --- one per CPU

my ($cpus) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
my ($first, $second) = $cpus =~ /^(\d+)[-,](\d+)/;
if (defined $second && (POSIX::uname())[4] eq 'x86_64') {
	$b = Banter->start(set => { workers => 0 });
	$n = $b->metric('workers');
	cmp_ok($n, '>=', 2, "$n workers for CPUs $cpus");
	# sched_setaffinity(2), a mask of 1024 bits
	my $mask = "\0" x 128;
	vec($mask, $first, 1) = 1;
	is(syscall(203, $b->master_pid, 128, $mask), 0, 'there is one CPU now');
	$r = $b->reload_ok('a reload without a change');
	like($r->{out}, qr/^workers\s+applied$/m, '... applies another number of CPUs');
	wait_states($b, '1:ready');
	$b->stop_ok;
}

# --- refused

$b = Banter->prepare(workers => 2, nofile => 120, limits => { rate => 0 })->launch;
$b->expect_log(qr/descriptor|reload/);
my $c = $b->client;
$fds = n_fds($b->master_pid);
for (1, 2) {
	$b->configure(workers => 30);
	$r = $b->ctl_run('reload');
	is($r->{code}, 1, 'more workers than there are descriptors for: refused');
	like($r->{out} . $r->{err}, qr/workers.*30.*Too many open files/s, '... with the reason');
	is(states($b), '1:ready 2:ready', '... and nothing has changed');
}
ok($c->sync, 'the client is still there');
resize($b, 4, 'a few more are fine');
wait_states($b, '1:ready 2:ready 3:ready 4:ready');
$c->close;
$b->stop_ok;

SKIP: {
	skip 'not a test build', 11 unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

	# What has joined by then gets no connection.
	$b = Banter->start(workers => 1, env => { BANTER_TEST_PREPARE => 'refuse:1' },
		limits => { rate => 0 }, expect_log => [qr/reload/]);
	$b->configure(workers => 4);
	is($b->ctl_run('reload')->{code}, 1, 'a worker refuses: the reload is refused');
	$fds = n_fds($b->master_pid);
	is($b->ctl_run('reload')->{code}, 1, '... again');
	is(n_fds($b->master_pid), $fds, '... and that costs no descriptors');
	is(states($b), '1:ready', '... there is one worker');
	my @all = map { $b->client } 1 .. 30;
	is(scalar(grep { $_ } @all), 30, '... who gets all connections');
	$_ && $_->close for @all;
	$b->stop_ok;

	# Workers that do not start: nobody waits for them, and they can be taken
	# away again.
	$b = Banter->start(workers => 2, env => { BANTER_TEST_START => 'die:3' },
		limits => { rate => 0 }, expect_log => [qr/worker 3/]);
	resize($b, 3);
	$b->log_like(qr/worker 3 .* before it was ready/, 'the third worker does not start');
	@all = map { $b->client } 1 .. 30;
	is(scalar(grep { $_ } @all), 30, '... and no connection waits for it');
	$_ && $_->close for @all;
	resize($b, 2);
	wait_states($b, '1:ready 2:ready', 'it is taken away');
	$b->stop_ok;
}
done_testing;
