# What an idle client costs: the slope of the PSS of all processes from 1,000 of
# them to 15,000.
#
# The kernel's side is told, not judged: it is that of the whole machine, with
# the load's sockets in it.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb descendants wait_until);

my $n = $ENV{BANTER_SOAK_CLIENTS} || 15_000;
chomp(my $nofile = `sh -c "ulimit -Hn"`);
if ($nofile ne 'unlimited' && $nofile < $n + 200) {
	$n = $nofile - 500;
	diag "only $n clients: ulimit -Hn is $nofile";
}
my $few = int($n / 15);
my $b = Banter->start(workers => 2, limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'true' } });

# KiB: of the master, of all others.
sub memory
{
	my $workers = 0;
	$workers += pss_kb($_) for descendants($b->master_pid);
	return { master => pss_kb($b->master_pid), workers => $workers };
}
sub total { my ($m) = @_; return $m->{master} + $m->{workers} }

# What a rush of connections needed goes back within seconds: wait until it
# falls no more.
sub at_rest
{
	my ($last, $same) = (memory(), 0);
	for (my $i = 0; $i < 40 && $same < 8; $i++) {
		wait_until { 0 } 0.5;
		my $now = memory();
		$same = total($now) < total($last) ? 0 : $same + 1;
		$last = $now if total($now) < total($last);
	}
	return $last;
}

my @holds;
sub hold
{
	my ($count) = @_;
	push @holds, $b->load_start('-n', $count, '--hold', '-t', 200);
	ok(Banter::load_wait($holds[-1], qr/^RUNNING $count$/m, 200), "$count more clients are connected")
		or diag $holds[-1]{text};
	return at_rest();
}

my $none = at_rest();
cmp_ok(total($none), '<=', 2048 + 2 * 1024, 'no client: at most 2 MiB and 1 MiB for each of 2 workers');
my $before = hold($few);
my $after = hold($n - $few);
my %each = map { $_ => ($after->{$_} - $before->{$_}) * 1024 / ($n - $few) } qw(master workers);
diag sprintf 'PSS %d KiB with none, %d KiB with %d, %d KiB with %d', total($none), total($before), $few, total($after), $n;
diag sprintf 'a client: %.0f bytes, of them %.0f in its worker and %.0f in the registry', $each{master} + $each{workers},
	$each{workers}, $each{master};
cmp_ok($each{master} + $each{workers}, '<=', 200, 'a client costs at most 200 bytes');
for (@holds) {
	my $s = Banter::load_end($_, 200);
	is($s->{code}, 0, 'nobody was disconnected') or diag $s->{text};
}
$b->stop_ok;
done_testing;
