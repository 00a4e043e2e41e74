# What an idle client costs: PSS of all processes with 10,000 of them.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb descendants wait_until);

my $n = $ENV{BANTER_SOAK_CLIENTS} || 10_000;
chomp(my $nofile = `sh -c "ulimit -Hn"`);
if ($nofile ne 'unlimited' && $nofile < $n + 200) {
	$n = $nofile - 500;
	diag "only $n clients: ulimit -Hn is $nofile";
}
my $b = Banter->start(workers => 2, limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'true' } });
sub total { my $sum = 0; $sum += pss_kb($_) for $b->master_pid, descendants($b->master_pid); return $sum }

# What a rush of connections needed goes back within seconds: wait until it
# falls no more.
sub at_rest
{
	my ($last, $same) = (total(), 0);
	for (my $i = 0; $i < 40 && $same < 8; $i++) {
		wait_until { 0 } 0.5;
		my $now = total();
		$same = $now < $last ? 0 : $same + 1;
		$last = $now if $now < $last;
	}
	return $last;
}
my $before = at_rest();
cmp_ok($before, '<=', 2048 + 2 * 1024, 'no client: at most 2 MiB and 1 MiB for each of 2 workers');
my $hold = $b->load_start('-n', $n, '--hold', '-t', 120);
ok(Banter::load_wait($hold, qr/^RUNNING $n$/m, 200), "$n clients are connected") or diag $hold->{text};
my $after = at_rest();
my $each = ($after - $before) * 1024 / $n;
diag sprintf 'PSS %d KiB with none, %d KiB with %d: %.0f bytes a client', $before, $after, $n, $each;
cmp_ok($each, '<=', 300, 'a client costs at most 300 bytes');
my $s = Banter::load_end($hold, 200);
is($s->{code}, 0, 'nobody was disconnected') or diag $s->{text};
$b->stop_ok;
done_testing;
