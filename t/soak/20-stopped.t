# One worker stopped for ten seconds at 1,000 lines a second: the others are not
# delayed, memory stays bounded, and its own clients have every line afterwards
# or are told exactly how many they missed.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(pss_kb wait_until);

my @load = ('-n', 80, '-P', 10, '-m', 1500, '--rate', 100, '-s', 120, '--numbered', '-t', 20);

# How long a client's own message took, in ms, for `seconds`: the 99th percentile.
sub p99
{
	my ($reader, $seconds) = @_;
	my ($until, @took) = time + $seconds;
	while (time < $until) {
		my $at = time;
		$reader->sync or return 1e9;
		push @took, 1000 * (time - $at);
		select undef, undef, undef, 0.002;
	}
	@took = sort { $a <=> $b } @took;
	return $took[int(@took * 0.99)];
}

sub scenario
{
	my ($name, $set, $may_miss) = @_;
	my $b = Banter->start(workers => 4, set => $set,
		limits => { rate => 0, output_bytes => '16M' });
	my $reader = $b->client(worker => 1);
	$b->drop_parked;
	# Their leaving is an event of the room, which a gap would count.
	wait_until { $b->status('clients') == 1 };

	my $load = $b->load_start(@load);
	Banter::load_wait($load, qr/^RUNNING 80/m);
	my $calm = p99($reader, 10);
	my $s = Banter::load_end($load);
	is($s->{code}, 0, "$name: undisturbed, all is exact") or diag $s->{text};
	wait_until { $b->status('clients') == 1 };

	my $pid = $b->workers->{3};
	my @others = grep { $_ != $pid } $b->master_pid, $b->worker_pids;
	$load = $b->load_start(@load, '--missed');
	Banter::load_wait($load, qr/^RUNNING 80/m);
	my %before = map { $_ => pss_kb($_) } @others;
	kill 'STOP', $pid;
	my $stopped = p99($reader, 10);
	my %grown = map { $_ => pss_kb($_) - $before{$_} } @others;
	kill 'CONT', $pid;
	$s = Banter::load_end($load);
	diag sprintf '%s: p99 %.1f ms undisturbed, %.1f ms with a worker stopped; %d missed',
		$name, $calm, $stopped, $s->{missed};
	cmp_ok($stopped, '<=', 2 * $calm, "$name: p99 of the others at most doubles");
	cmp_ok($grown{$_}, '<', 40 * 1024, "$name: process $_ keeps within relay_log") for @others;
	is($s->{code}, 0, "$name: delivered and missed are all that was sent, in order")
		or diag $s->{text};
	is($s->{$_}, 0, "$name: none $_") for qw(lost duplicated disordered damaged disconnects);
	$may_miss ? cmp_ok($s->{missed}, '>', 0, "$name: some were missed")
		: is($s->{missed}, 0, "$name: none missed");
	$b->stop_ok;
}

scenario('relay_log = 32M', {}, 0);
scenario('relay_log = 256K', { relay_log => '256K' }, 1);
done_testing;
