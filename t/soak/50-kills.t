# A thousand random SIGKILLs of workers under 2,000 clients in 20 rooms: nobody
# is disconnected, nothing is lost, doubled, damaged or reordered; and how long
# the pauses are.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(n_fds fds_at_rest pss_kb wait_until);

my $kills = $ENV{BANTER_SOAK_KILLS} || 1000;
my $clients = $ENV{BANTER_SOAK_CLIENTS} || 2000;
my $workers = $ENV{BANTER_SOAK_WORKERS} || 4;
my @load = ($clients, '-r', 20, '-P', 40, '--rate', 4, '--mixed', $clients / 20, '-s', 100, '-t', 60);

my $d = Banter->start(workers => $workers, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'false' } });
$d->expect_log(qr/worker \d \(pid \d+, generation \d+\) was killed by SIGKILL/, qr/no room has autojoin/);
my $master = $d->master_pid;
my %keeper = %{ $d->keepers };
my %fds = map { $_ => fds_at_rest($keeper{$_}) } keys %keeper;

# What this machine takes at worst when nobody dies.
my $load = $d->load_steady(@load);
wait_until { 0 } 10;
my $calm = Banter::load_end($load, 200);
Banter::load_clean($calm, 'ten seconds without a death');

$load = $d->load_steady(@load);
my ($done, %kb);
for my $i (1 .. $kills) {
	select undef, undef, undef, 0.02 + rand 0.28; # the moment is chance
	Banter::mark($load) or last;
	defined $d->kill_worker(1 + int rand $workers) or last;
	$done = $i;
	%kb = map { $_ => pss_kb($_) } $master, values %keeper if $i == int($kills / 10) + 1;
}
is($done, $kills, "$kills workers were killed, and each was replaced");
is($d->master_pid, $master, 'the master is the same');
is_deeply($d->keepers, \%keeper, 'so are the keepers');
for my $pid ($master, values %keeper) {
	cmp_ok(pss_kb($pid) - $kb{$pid}, '<', 4096, "process $pid has not grown since the first tenth");
}
is($d->metric('worker_deaths'), $kills, 'all deaths were counted');
is($d->metric('fault_closed'), 0, 'and nobody was closed');
my $s = Banter::load_end($load, 200);
Banter::load_clean($s, 'nobody was disconnected; nothing was lost, doubled, damaged or reordered');
diag sprintf '%d lines, %d deliveries, %d answers in %d s; undisturbed half of them within %.1f ms',
	$s->{sent}, $s->{delivered}, $s->{answered}, $s->{seconds}, $s->{p50_us} / 1000;
diag sprintf 'pause around a death: median %.1f ms, longest %.1f ms; without deaths at most %.1f ms',
	map { $_ / 1000 } $s->{pause_p50_us}, $s->{pause_max_us}, $calm->{max_us};
my @us = sort { $a <=> $b } $d->log_text =~ /took over \d+ clients, (\d+) us after the end/g;
diag sprintf 'from the end of a worker to the first turn of the next: median %.1f ms, longest %.1f ms', map { $_ / 1000 } @us[@us / 2, -1]
	if @us;
cmp_ok($s->{pause_p50_us}, '<', 50_000, 'the median of the pauses is below 50 ms');
cmp_ok($s->{pause_max_us}, '<', 50_000 + $calm->{max_us}, '... and so is what deaths add to the longest');
ok((wait_until { n_fds($keeper{$_}) == $fds{$_} }), "keeper $_ has as many descriptors as before")
	or diag n_fds($keeper{$_}), " instead of $fds{$_}" for sort keys %keeper;
$d->stop_ok;
done_testing;
