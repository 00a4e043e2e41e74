# An address is widened to every address, and narrowed again, by reloads: the
# port is the same, and clients stay, also who is about to come.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use File::Temp;
use IO::Socket::INET;
use Time::HiRes qw(time);
use Banter;
use Banter::Late qw(listeners_of late_clients);
use Banter::Proc qw(wait_until slurp);

my $spare = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $port = $spare->sockport;
close $spare;

my $b = Banter->start(workers => 2, listen => { text => { port => $port } });
my $ann = $b->client(greet => 'ann');

sub reach
{
	my ($host) = @_;
	return !!IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port);
}

# A connection that each worker has been given.
sub by_every_worker
{
	my ($host) = @_;
	my (%slot, @new);
	wait_until {
		push @new, map { Banter::Client->new(host => $host, port => $port) } 1 .. 4;
		my $by = $b->slots_by_port;
		$slot{ $by->{ $_->local_port } // 0 }++ for grep { $_ } @new;
		$slot{1} && $slot{2} || @new > 60;
	};
	my @slots = grep { $slot{$_} } 1, 2;
	$_->close for @new;
	return "@slots";
}

ok(!reach('127.0.0.2'), 'only one address can be reached');
for my $round (1, 2) {
	$b->configure(listen => { text => { port => $port, address => ['*'] } });
	$b->reload_ok("round $round: widened");
	ok(reach('127.0.0.2'), '... every address can be reached');
	ok(wait_until { by_every_worker('127.0.0.1') eq '1 2' }, '... every worker serves the first');
	is(by_every_worker('127.0.0.2'), '1 2', '... and another');
	ok($ann->sync, '... who was connected stays');

	# The program that steers is attached to the new group, too.
	is($b->ctl_run('drain', '1')->{code}, 0, '... worker 1 is drained');
	is(by_every_worker('127.0.0.2'), '2', '... and given no new clients');
	is($b->ctl_run('undrain', '1')->{code}, 0, '... and taken back');

	$b->configure(listen => { text => { port => $port, address => ['127.0.0.1'] } });
	$b->reload_ok("round $round: narrowed");
	ok(wait_until { !reach('127.0.0.2') }, '... only one address can be reached');
	is(by_every_worker('127.0.0.1'), '1 2', '... by every worker');
	ok($ann->sync, '... who was connected stays');
}

# --- who is about to come

sub address
{
	my ($what, @address) = @_;
	$b->configure(listen => { text => { port => $port, address => \@address } });
	return $b->reload_ok($what);
}

my %meanwhile = (
	'nothing else' => sub { },
	'both workers die' => sub { $b->kill_worker($_) for 1, 2; $b->wait_slots(2) },
	'another reload' => sub { address('... again, with another address', '127.0.0.4') },
	'an upgrade' => sub { is($b->ctl_run('upgrade')->{code}, 0, '... and an upgrade') },
);

# The daemon waits for them 5 s: on a machine that has not got so far by then it
# shows nothing.  True: it has.
sub change
{
	my ($what, $to) = @_;
	address("to $to, $what: from the other", $to eq '*' ? '127.0.0.1' : '*');
	my @old = listeners_of($b, $port);
	my @late = late_clients($port, 8, @old);
	if (!@late) {
		diag "not tried, $to, $what: $!";
		return 1;
	}
	my $began = time;
	address("... to $to", $to);

	# The old ones cannot be closed while the copies are there.
	my @new = map { $b->client } 1 .. 8;
	is(scalar(grep { $_ && $_->sync } @new), 8, '... who comes now is served by the new ones');
	undef @old;
	$meanwhile{$what}->();
	$_->send("hello\n") for @late;
	my $in_time = time - $began < 4.5;
	if ($in_time) {
		is(scalar(grep { $_->greeted('lobby') } @late), 8, '... the 8 are greeted');
		is(scalar(grep { $_->sync } @late), 8, '... and heard');
	}
	is(scalar(grep { $_ && $_->sync } @new), 8, '... as are the others');
	$_ && $_->close for @late, @new;
	return $in_time;
}
for my $what (sort keys %meanwhile) {
	for my $to ('*', '127.0.0.1') {
		ok(change($what, $to) || change($what, $to) || change($what, $to), "... in time: $to, $what");
	}
}
# The narrower group is steered from its first connection on.
address('widened', '*');
is($b->ctl_run('drain', '1')->{code}, 0, 'worker 1 is drained');
address('narrowed', '127.0.0.1');
is(by_every_worker('127.0.0.1'), '2', 'all new clients come to the other');
is($b->ctl_run('undrain', '1')->{code}, 0, 'it is taken back');
ok($ann->sync, 'who was connected all the time stays');

# Nobody else can have the port while a hidden listener has it.
my $other = wait_until {
	IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.3', LocalPort => $port);
} or die $!;
$b->configure(listen => { text => { port => $port, address => ['*'] } });
is($b->ctl_run('reload')->{code}, 1, 'a port that somebody else has as well: refused');
ok($ann->sync, '... who was connected stays');
close $other;
$b->expect_log(qr/reload|was killed by SIGKILL/);
$b->stop_ok;

# --- a reload that is refused after all

SKIP: {
	skip 'needs --enable-test-faults' unless slurp(Banter::banterd()) =~ /BANTER_FAULT/;
	my $report = File::Temp->new;
	$b = Banter->start(workers => 2, listen => { text => { port => $port, address => ['*'] } },
		env => { BANTER_FAULT => 'prepare_kept:stall:1@1', BANTER_FAULT_REPORT => "$report" });
	my $stalled = $b->workers->{1};
	$b->configure(listen => { text => { port => $port, address => ['127.0.0.1'] } });
	$b->signal('HUP', $b->master_pid);
	ok(wait_until { slurp("$report") =~ /prepare_kept/ }, 'a worker does not answer');
	my @in = map { Banter::Client->new(port => $port, greet => 0) } 1 .. 8;
	ok(wait_until { $b->log_text =~ /worker 1 did not answer/ }, '... the reload is refused');
	$b->signal('KILL', $stalled);
	is(scalar(grep { $_->greeted('lobby') } @in), 8, '... who came meanwhile is served');
	$_->close for @in;
	$b->expect_log(qr/reload|was killed by SIGKILL|did not answer/);
	$b->stop_ok;

	$b = Banter->start(workers => 2, listen => { text => { port => $port, address => ['*'] } },
		env => { BANTER_FAULT => 'listeners_begin:ENOMEM:1' });
	$b->configure(listen => { text => { port => $port, address => ['127.0.0.1'] } });
	my $told = $b->ctl_run('reload');
	is($told->{code}, 1, 'what cannot listen in the end: refused');
	like($told->{err} . $told->{out}, qr/listen text: cannot listen on 127\.0\.0\.1:$port: Cannot allocate memory/,
		'... with the reason');
	ok(by_every_worker('127.0.0.1') && by_every_worker('127.0.0.2'), '... the wide one goes on');
	$b->reload_ok('... and another time it works');
	is(IO::Socket::INET->new(PeerAddr => '127.0.0.2', PeerPort => $port), undef, '... it is narrow');
	$b->expect_log(qr/reload/);
	$b->stop_ok;
}
done_testing;
