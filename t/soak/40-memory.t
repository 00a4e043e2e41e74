# What an idle client costs: PSS of all processes with 10,000 of them.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb descendants);

my $n = $ENV{BANTER_SOAK_CLIENTS} || 10_000;
chomp(my $nofile = `sh -c "ulimit -Hn"`);
if ($nofile ne 'unlimited' && $nofile < $n + 200) {
	$n = $nofile - 500;
	diag "only $n clients: ulimit -Hn is $nofile";
}
my $b = Banter->start(workers => 2, limits => { rate => 0, clients_per_ip => 0 },
	room => { lobby => { autojoin => 'true' } });
sub total { my $sum = 0; $sum += pss_kb($_) for $b->master_pid, descendants($b->master_pid); return $sum }
my $before = total();
my $hold = $b->load_start('-n', $n, '--hold', '-t', 120);
ok(Banter::load_wait($hold, qr/^RUNNING $n$/m, 200), "$n clients are connected") or diag $hold->{text};
my $after = total();
my $each = ($after - $before) * 1024 / $n;
diag sprintf 'PSS %d KiB with none, %d KiB with %d: %.0f bytes a client', $before, $after, $n, $each;
cmp_ok($each, '<', 2048, 'a client costs less than 2 KiB');
my $s = Banter::load_end($hold, 200);
is($s->{code}, 0, 'nobody was disconnected') or diag $s->{text};
$b->stop_ok;
done_testing;
