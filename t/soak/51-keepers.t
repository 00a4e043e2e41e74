# Every keeper is killed under load, and then the workers of the new ones: nobody
# is disconnected, and each tree is as before.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(n_fds fds_at_rest wait_until ppid);

my $rounds = $ENV{BANTER_SOAK_ROUNDS} || 100;
my $clients = $ENV{BANTER_SOAK_CLIENTS} || 1000;
my $workers = $ENV{BANTER_SOAK_WORKERS} || 4;

my $d = Banter->start(workers => $workers, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'false' } });
$d->expect_log(qr/(?:worker|keeper) \d .*was killed by SIGKILL/, qr/no room has autojoin/);
my $master = $d->master_pid;
my $fds = fds_at_rest($master);
my %fds = map { $_ => fds_at_rest($d->keepers->{$_}) } 1 .. $workers;
my $load = $d->load_steady($clients, '-r', 10, '-P', 40, '--rate', 4, '--mixed', $clients / 20, '-s', 100, '-t', 60);

my $failed = 0;
ROUND: for my $round (1 .. $rounds) {
	for my $slot (1 .. $workers) {
		Banter::mark($load);
		$d->kill_keeper($slot) or $failed++, last ROUND;
	}
	$d->wait_slots($workers) or $failed++, last ROUND;
	for my $slot (1 .. $workers) {
		Banter::mark($load);
		defined $d->kill_worker($slot) or $failed++, last ROUND;
	}
}
is($failed, 0, "$rounds times each keeper and each worker was killed and replaced");
is($d->metric('fault_closed'), 0, 'nobody was closed');
my $s = Banter::load_end($load, 200);
Banter::load_clean($s, 'nobody was disconnected; nothing was lost, doubled, damaged or reordered');
diag sprintf 'pause around a death: median %.1f ms, longest %.1f ms', $s->{pause_p50_us} / 1000, $s->{pause_max_us} / 1000;
is($d->master_pid, $master, 'the master is the same');
ok((wait_until { n_fds($master) == $fds }), '... with as many descriptors')
	or diag n_fds($master), " instead of $fds: ", join ' ', Banter::Proc::fd_targets($master);
for my $slot (1 .. $workers) {
	my $keeper = $d->keepers->{$slot};
	is(ppid($keeper), $master, "keeper $slot is a child of the master");
	is(ppid($d->workers->{$slot}), $keeper, '... and its worker its own');
	ok((wait_until { n_fds($keeper) == $fds{$slot} }), '... and it has as many descriptors as the first had')
		or diag n_fds($keeper), " instead of $fds{$slot}: ", join ' ', Banter::Proc::fd_targets($keeper);
}
$d->stop_ok;
done_testing;
