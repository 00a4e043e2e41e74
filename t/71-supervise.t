# Supervision: workers that die, hang, loop, stop; and the death of the master.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(slurp wait_until alive state descendants n_sockets n_fds title ppid);

my $b = Banter->start(workers => 3, limits => { rate => 0 },
	set => { hang_timeout => '1s' });
# What follows kills workers on purpose.
$b->expect_log(qr/worker \d+.*(?:died|killed|signal|ended|exit)/i, qr/hung|hang|no turn/i,
	qr/SIG(?:ABRT|KILL|SEGV)|fault/i, qr/clients of the worker before/,
	qr/the keeper is gone/);

sub replaced
{
	my ($slot, $was) = @_;
	return wait_until {
		my $pid = $b->workers->{$slot};
		$pid && $pid != $was && alive($pid)
			&& (grep { $_->{slot} == $slot && $_->{state} =~ /ready/i } $b->rows('status'));
	};
}

# One worker is killed: its clients stay who and where they are.
my @mine = map { $b->client(worker => 2) } 1 .. 3;
my @others = ((map { $b->client(worker => 1) } 1 .. 3), map { $b->client(worker => 3) } 1 .. 3);
$b->drop_parked;
$_->send("/join den\n") for @mine;
$mine[0]->send("/nick ann\n");
$mine[0]->expect(qr/^\* You are ann/);
$mine[0]{nick} = 'ann';
# Those that were needed to find them are gone and said to be.
wait_until { $b->status('clients') == 9 };
$_->sync for @mine, @others;
my $keeper = $b->keepers->{2};
my $worker = $b->workers->{2};
is(ppid($worker), $keeper, 'a worker is the child of its keeper');
is(ppid($keeper), $b->master_pid, 'a keeper is the child of the master');
my $sockets = n_sockets($keeper);
kill 'STOP', $worker;
wait_until { state($worker) eq 'T' };
$others[0]->send("said meanwhile\n");
$others[0]->sync;
kill 'KILL', $worker;
ok(replaced(2, $worker), 'it is replaced');
is($b->keepers->{2}, $keeper, '... by the same keeper');
is($b->slot_of($_), 2, 'its client is there still') for @mine;
for my $c (@mine) {
	ok($c->nothing_until(qr/^\[lobby\] <\S+> said meanwhile$/), '... and has what was said meanwhile, and nothing else');
}
$mine[0]->send("it is me\n");
ok($_->nothing_until(qr/^\[den\] <ann> it is me$/), '... has its nick, and talks where it talked') for @mine[1, 2];
$others[0]->send("/nick ann\n");
ok($others[0]->expect(qr/^\* error: .*ann.*in use/), '... and nobody else may have its nick');
is(n_sockets($keeper), $sockets, 'the keeper holds the same sockets');
is(scalar(grep { $_->sync } @others), 6, 'the other workers\' clients stay, and talk');
my $left = join "\n", map { @{ $_->{seen} } } @others;
unlike($left, qr/(?:ann|\Q$_->{nick}\E) has left/, 'nobody is told that they are gone') for @mine;
is($b->metric('worker_deaths', 'slot="2"'), 1, 'the death is counted');
is($b->metric('fault_closed'), 0, 'and no client was closed');
$_->close for @mine;
my $sockets_before_clients = $sockets - 3;
ok(wait_until { n_sockets($keeper) <= $sockets_before_clients },
	'no socket of a client stays behind in the keeper') or diag n_sockets($keeper), " > $sockets_before_clients";
ok($b->client(worker => 2), 'the new worker serves');
$b->drop_parked;

# Connections that wait in its queue are served by the successor.
$worker = $b->workers->{2};
kill 'STOP', $worker;
wait_until { state($worker) eq 'T' };
my @queued = map { $b->client(greet => 0) } 1 .. 12;
kill 'KILL', $worker;
is(scalar(grep { ($_->next_line || '') =~ /Welcome/ } @queued), 12, 'none of those that waited is reset');
ok(replaced(2, $worker), '... by the new worker');
$_->close for @queued;

# Fifty deaths: no long pause, no way to deny service.
my $start = time;
for my $i (1 .. ($ENV{BANTER_TEST_DEATHS} || 6)) {
	$worker = $b->workers->{2};
	kill $i % 2 ? 'KILL' : 'ABRT', $worker; # a sanitizer reports SEGV
	replaced(2, $worker) or fail("death $i: not replaced"), last;
}
cmp_ok(time - $start, '<', ($ENV{BANTER_TEST_DEATHS} || 6) * 2 + 5, 'deaths in a row: replaced within a second or so each');
is(scalar(grep { $_->sync } @others), 6, '... and the others do not notice');
is(n_sockets($keeper) <= $sockets_before_clients, 1, '... and nothing leaks in the keeper') or diag n_sockets($keeper);

# Stopped: left alone, even beyond hang_timeout.
$worker = $b->workers->{1};
kill 'STOP', $worker;
wait_until { state($worker) eq 'T' };
my ($row);
ok(wait_until { ($row) = grep { $_->{slot} == 1 } $b->rows('status'); $row && $row->{state} =~ /stop/i },
	'a stopped worker is called so');
select undef, undef, undef, 2.5; # the absence of a kill has no event
is(state($worker), 'T', 'and is left alone beyond hang_timeout');
kill 'CONT', $worker;
is(scalar(grep { $_->sync } @others), 6, '... and goes on');

# The keeper dies.
$keeper = $b->keepers->{3};
$worker = $b->workers->{3};
kill 'KILL', $keeper;
ok(wait_until { my $k = $b->keepers->{3}; my $w = $b->workers->{3};
	$k && $w && $k != $keeper && alive($k) && ppid($w) == $k }, 'a killed keeper is replaced, with the tree as before');
ok((wait_until { my @c = map { $b->client } 1 .. 6; 6 == grep { $_ && $_->sync } @c }), '... and the slot serves');
ok($others[0]->sync, '... and other slots\' clients stay');

# kill -9 the master.
my $port = $b->port;
my @all = descendants($b->master_pid);
my $c = $b->client;
kill 'KILL', $b->master_pid;
waitpid $b->master_pid, 0;
$start = time;
ok((wait_until { !grep { alive($_) } @all } 10), 'master killed: no process is left');
cmp_ok(time - $start, '<', 3, '... within 3 s');
ok($c->eof, '... its clients are closed, cleanly');
ok((grep { /^\* / } @{ $c->{seen} }[-1], @{ $c->{lines} }), '... with a word');
$b->configure(listen => { text => { port => $port } });
ok($b->restart->{ready}, 'the port is free and a restart works at once');
$b->stop_ok;

# The same with a busy worker and with a stopped one.
$b = Banter->start(workers => 2, limits => { rate => 0 });
my $load = $b->load_start('-n', 30, '-P', 30, '-m', 1_000_000, '--may-close', '-t', 1);
Banter::load_wait($load, qr/^RUNNING/m);
$worker = $b->workers->{2};
kill 'STOP', $worker;
@all = descendants($b->master_pid);
kill 'KILL', $b->master_pid;
waitpid $b->master_pid, 0;
ok((wait_until { !grep { alive($_) && $_ != $worker && ppid($_) != 0 && state($_) ne 'T' } @all } 10),
	'master killed under load: busy workers end');
kill 'CONT', $worker;
ok((wait_until { !grep { alive($_) } @all } 5), '... and a stopped one as soon as it runs');
kill 'KILL', grep { alive($_) } @all;
kill 'KILL', $load->{pid};
waitpid $load->{pid}, 0;
$b->{stopped} = 1;

# What no signal can do is built into test builds.
SKIP: {
	skip 'not a test build', 17 unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

	my $p = Banter->prepare(workers => 1, env => { BANTER_TEST_START => 'die:1' });
	$p->expect_log(qr/./);
	my $end = $p->run_to_end(60);
	is($end->{code}, 1, 'no worker ever ready: exit 1');
	like($end->{log}, qr/worker 1.*exited with code 1/, '... with the reason');

	# One slot that never starts: the others serve, it is tried with back-off.
	$b = Banter->start(workers => 2, env => { BANTER_TEST_START => 'die:2' });
	$b->expect_log(qr/worker 2/);
	wait_until { () = $b->log_text =~ /worker 2.*exited with code 1/g; 3 <= (() = $b->log_text =~ /worker 2.*exited/g) };
	ok($b->client->sync, 'the other slot serves');
	my ($row) = grep { $_->{slot} == 2 } $b->rows('status');
	like($row->{state}, qr/back|start/i, '... and the bad one is shown as backing off');
	my @at = $b->log_text =~ /T(\d\d:\d\d:\d\d\.\d+)\S+ \S+ error: worker 2.*exited/g;
	my @gap = map { seconds($at[$_]) - seconds($at[$_ - 1]) } 1 .. $#at;
	cmp_ok($gap[1], '>', $gap[0], '... longer each time') or diag "@gap";
	$b->stop_ok;

	$b = Banter->start(workers => 2, env => { BANTER_TEST_START => 'refuse:2' });
	$b->expect_log(qr/worker 2/);
	ok($b->client->sync, 'exit 78: the other slot serves');
	select undef, undef, undef, 1; # the absence of a start has no event
	is(scalar(() = $b->log_text =~ /worker 2.*exited with code 78/g), 1, '... and it is not tried again');
	$b->stop_ok;

	$b = Banter->start(workers => 2, set => { hang_timeout => '1s' }, env => { BANTER_TEST_LINES => 1 });
	my $w = $b->workers->{1};
	my $stays = $b->client(worker => 2);
	my $hangs = $b->client(worker => 1);
	$b->expect_log(qr/worker 1|hung|heart|event=suspect/);
	$hangs->send("!hang\n");
	ok((wait_until { !alive($w) }), 'a hung worker is ended');
	like($b->log_text, qr/worker 1.*SIGABRT/, '... by SIGABRT, for a core');
	ok((wait_until { my $n = $b->workers->{1}; $n && $n != $w && alive($n) }), '... and replaced');
	ok($hangs->expect(qr/^\* .*what you sent made the server fail/), '... who made it hang is told so');
	ok($hangs->eof, '... and closed');
	ok($stays->sync, '... and the others stay');

	# A line that kills its worker: a SIGKILL may be chance, so it is done again,
	# once.
	my $beside = $b->client(worker => 1);
	my $crashes = $b->client(worker => 1);
	$b->drop_parked;
	$w = $b->workers->{1};
	my $deaths = $b->metric('worker_deaths');
	$crashes->send("!crash\n");
	ok($crashes->expect(qr/^\* .*what you sent made the server fail/), 'a line that crashes: its client is told');
	ok($crashes->eof, '... and closed');
	is($b->metric('worker_deaths') - $deaths, 2, '... after the second death');
	ok($beside->sync, '... and one beside it, of the same worker, stays');
	$b->stop_ok;
}

sub seconds { my ($h, $m, $s) = split /:/, $_[0]; return 3600 * $h + 60 * $m + $s }
done_testing;
