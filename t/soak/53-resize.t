# The number of workers goes up and down by reload, under clients who talk and
# clients who come and go: no connection is refused, reset or closed.  A slot
# that is given up serves those who are there until they leave.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(n_fds fds_at_rest wait_until);

my $rounds = $ENV{BANTER_SOAK_ROUNDS} || 50;
my $clients = $ENV{BANTER_SOAK_CLIENTS} || 400;
my $churn = $ENV{BANTER_SOAK_CHURN} || 200;

my $d = Banter->start(workers => 2, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'false' } });
$d->expect_log(qr/worker \d .*was killed by SIGKILL/, qr/no room has autojoin/);
my $master = $d->master_pid;

# True when so many slots serve, and no others take new connections.
sub resize
{
	my ($n) = @_;
	$d->configure(workers => $n);
	my $r = $d->ctl_run('reload');
	return 1 if $r->{code} == 0 && $d->wait_slots($n);
	diag "$n workers, exit $r->{code}: $r->{out}$r->{err}", explain Banter::Slots::rows($d);
	return 0;
}

# What a slot once had is kept for the next that has its number.
resize(6);
resize(2);
my $fds = fds_at_rest($master);
my $load = $d->load_steady($clients, '-r', 8, '-P', 24, '--rate', 5, '--mixed', 32, '-s', 100, '-t', 60);
my $churner = $d->load_start('--churn', $churn, '-r', 1, '--strict', '-t', 30);
Banter::load_wait($churner, qr/^RUNNING 1$/m, 60) or BAIL_OUT("nobody comes and goes: $churner->{text}");
my $failed = 0;
ROUND: for my $round (1 .. $rounds) {
	for my $n (6, 1, 4, 2) {
		Banter::mark($_) for $load, $churner;
		resize($n) or $failed++, last ROUND;
		select undef, undef, undef, 0.1 + rand 0.4; # some come in each state
		# All of them die like others, those that drain as well.
		next if $round % 3;
		my @slots = keys %{ Banter::Slots::rows($d) };
		defined $d->kill_worker($slots[rand @slots]) or $failed++, last ROUND;
	}
}
is($failed, 0, "$rounds times 2 -> 6 -> 1 -> 4 -> 2 workers");
my $c = Banter::load_end($churner, 200);
Banter::load_clean($c, 'of those who come and go none was refused or reset, and each line was said once');
diag sprintf '%d connections; greeted after %.1f ms in the median, %.1f ms at most', $c->{connected}, $c->{p50_us} / 1000, $c->{max_us} / 1000;
my $s = Banter::load_end($load, 200);
Banter::load_clean($s, 'of those who stay nobody was disconnected; nothing was lost, doubled or reordered');
diag sprintf 'pause around a change: median %.1f ms, longest %.1f ms', $s->{pause_p50_us} / 1000, $s->{pause_max_us} / 1000;
ok((wait_until { 2 == keys %{ Banter::Slots::rows($d) } }), 'with the clients gone, two slots are left')
	or diag explain Banter::Slots::rows($d);
is(scalar(keys %{ $d->keepers }), 2, '... with a keeper each');
is(scalar(keys %{ $d->workers }), 2, '... and a worker');
ok((wait_until { n_fds($master) == $fds }), 'the master has as many descriptors as before')
	or diag n_fds($master), " instead of $fds: ", join ' ', Banter::Proc::fd_targets($master);
$d->stop_ok;
done_testing;
