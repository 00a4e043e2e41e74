# Keepers that die: the reserve goes on as the keeper, and nobody notices.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until alive state ppid n_fds);

my $b = Banter->start(workers => 2, limits => { rate => 0 }, set => { hang_timeout => '2s' });
$b->expect_log(qr/keeper \d was killed by SIGKILL/);

# The tree of a slot is whole: a keeper other than $was, with a worker of its own
# that serves.
sub whole
{
	my ($slot, $was) = @_;
	return wait_until {
		my ($k, $w) = ($b->keepers->{$slot}, $b->workers->{$slot});
		$k && $w && $k != $was && alive($k) && alive($w) && ppid($w) == $k
			&& ppid($k) == $b->master_pid
			&& (grep { $_->{slot} == $slot && $_->{state} eq 'ready'
				&& $_->{keeper} == $k && $_->{worker} == $w } $b->rows('status'));
	};
}

sub pidfds { return scalar grep { /pidfd/ } Banter::Proc::fd_targets($_[0]) }

my %client = map { $_ => $b->client(worker => $_) } 1, 2;
$b->drop_parked;
$_->sync for values %client;
my $master_fds = n_fds($b->master_pid);
my $keeper_fds = n_fds($b->keepers->{1});

for my $round (1 .. 3) {
	for my $slot (1, 2) {
		my $keeper = $b->keepers->{$slot};
		my $worker = $b->workers->{$slot};
		kill 'KILL', $keeper;
		ok(whole($slot, $keeper), "round $round: keeper $slot is replaced, and the tree is as before");
		isnt($b->workers->{$slot}, $worker, '... with a worker of its own');
		$client{$slot}->send("round $round of slot $slot\n");
		ok($client{ 3 - $slot }->expect(qr/round $round of slot $slot$/), '... and its client talks on');
		ok($client{$slot}->sync, '... and is heard');
	}
}
is($b->metric('worker_deaths'), 0, 'none of it counts as a death');
# Its own, the worker's and the reserve's.
ok((wait_until { pidfds($b->keepers->{1}) == 3 }), 'keepers leave no pidfd behind');
# What a dead worker waited with is closed when there is time.
ok((wait_until { n_fds($b->keepers->{1}) == $keeper_fds }), '... and no other descriptor')
	or diag n_fds($b->keepers->{1}), " and not $keeper_fds";
is(n_fds($b->master_pid), $master_fds, '... nor does the master keep one');

# One after the other, without waiting for the tree: whatever the moment, the slot
# comes back, with its client.
for (1 .. 6) {
	my $keeper = $b->keepers->{1} or next;
	kill 'KILL', $keeper;
	wait_until { !alive($keeper) };
}
ok(whole(1, 0), 'keepers killed in a row: the slot is there');
ok($client{1}->sync, '... with its client');

# A reserve that dies is replaced, and the slot's worker is not.
my $reserve = $b->reserves->{1};
my $was = $b->workers->{1};
ok($reserve, 'there is a reserve');
kill 'KILL', $reserve;
ok((wait_until { my $r = $b->reserves->{1}; $r && $r != $reserve && alive($r) }), '... which is replaced');
is($b->workers->{1}, $was, '... and the worker is the same');

# A stopped worker cannot end its turn; it is left alone.
my $keeper = $b->keepers->{2};
my $worker = $b->workers->{2};
kill 'STOP', $worker;
wait_until { state($worker) eq 'T' };
kill 'KILL', $keeper;
ok((wait_until { ppid($worker) == $b->master_pid }), 'a stopped worker without a keeper is the master\'s');
select undef, undef, undef, 2.5; # the absence of a kill has no event
is(state($worker), 'T', '... and is left alone');
kill 'CONT', $worker;
ok(whole(2, $keeper), '... until it runs again');
ok($client{2}->sync, '... with its client');

# Keeper and worker die: the reserve has the table.
$keeper = $b->keepers->{2};
$worker = $b->workers->{2};
$b->expect_log(qr/worker 2 .*was killed by SIGKILL/);
kill 'KILL', $keeper, $worker;
ok(whole(2, $keeper), 'keeper and worker killed: the slot is there');
isnt($b->workers->{2}, $worker, '... with another worker');
ok($client{2}->sync, '... and its client');

# Keeper and reserve die: the worker is all that has the table, and goes on.
$b->expect_log(qr/slot 2: keeper and reserve are gone/);
$keeper = $b->keepers->{2};
$worker = $b->workers->{2};
$reserve = $b->reserves->{2};
kill 'STOP', $reserve;
wait_until { state($reserve) eq 'T' };
kill 'KILL', $keeper, $reserve;
ok((wait_until { ppid($worker) == $b->master_pid }), 'keeper and reserve killed: the worker is the master\'s');
$b->log_like(qr/slot 2: keeper and reserve are gone/, '... which is told');
ok($client{2}->sync, '... and it serves its client');
kill 'KILL', $worker;
ok(whole(2, $keeper), '... until it dies too: the slot begins anew');
ok($client{2}->eof, '... without its client');
ok($client{1}->sync, '... and the other slot\'s client stays');

# A keeper that is killed while the daemon stops does not hold it up.
kill 'STOP', $b->keepers->{1};
kill 'TERM', $b->master_pid;
kill 'KILL', $b->keepers->{1};
$b->expect_log(qr/worker|slot/);
$b->stop_ok;
done_testing;
