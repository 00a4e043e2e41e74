# Ten thousand clients on one slot: how long a takeover of it takes, and an
# upgrade.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Banter;

my $clients = $ENV{BANTER_SOAK_CLIENTS} || 10_000;
my $rounds = $ENV{BANTER_SOAK_ROUNDS} || 10;

my $d = Banter->start(workers => 1, env => { BANTER_TEST_NO_THROTTLE => 1 }, limits => { rate => 0, clients_per_ip => 0 },
	set => { max_clients => $clients + 1000 });
$d->expect_log(qr/was killed by SIGKILL/, qr/upgrade|rehears/i);
my $load = $d->load_start('-n', $clients, '-P', 1, '-m', 1, '--hold', '-t', 120);
ok(Banter::load_wait($load, qr/^RUNNING $clients$/m, 120), "$clients clients are in one room");
my $ann = $d->client;
$ann->{nick} =~ /guest/ or die;

my (@pause, @upgrade);
for (1 .. $rounds) {
	my $start = time;
	defined $d->kill_worker(1) or last;
	$ann->sync or last;
	push @pause, time - $start;
}
is(@pause, $rounds, "$rounds deaths, each taken over");
my @us = sort { $a <=> $b } $d->log_text =~ /took over \d+ clients, (\d+) us after the end/g;
diag sprintf 'takeover of %d clients: median %.1f ms, longest %.1f ms', $clients, map { $_ / 1000 } @us[@us / 2, -1];
@pause = sort { $a <=> $b } @pause;
diag sprintf 'from the kill to an answer: median %.1f ms', 1000 * $pause[@pause / 2];
for (1 .. $rounds) {
	my $start = time;
	my $r = $d->ctl_run('upgrade');
	$r->{code} == 0 && $ann->sync or diag("$r->{out}$r->{err}"), last;
	push @upgrade, time - $start;
}
is(@upgrade, $rounds, "$rounds upgrades of the slot");
@upgrade = sort { $a <=> $b } @upgrade;
my @parked = sort { $a <=> $b } ($d->log_text =~ /took over \d+ clients, (\d+) us after the end/g)[-$rounds .. -1];
diag sprintf 'upgrade with %d clients: median %.1f ms in all, of which nobody is served for %.1f ms', $clients,
	1000 * $upgrade[@upgrade / 2], $parked[@parked / 2] / 1000;
my $s = Banter::load_end($load, 120);
is($s->{disconnects}, 0, 'nobody was disconnected');
$d->stop_ok;
done_testing;
