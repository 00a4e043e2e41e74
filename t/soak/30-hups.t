# A hundred reloads, a hundred more: descriptors and memory stay where they are.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb n_fds wait_until);

my $b = Banter->start(workers => 2, limits => { rate => 0 }, listen => { text => {} });
my @pids = ($b->master_pid, $b->keeper_pids, $b->worker_pids);
my $ann = $b->client;

sub hundred
{
	for my $i (1 .. 100) {
		$b->configure(limits => { line_bytes => $i % 2 ? 1000 : 2000 },
			listen => { extra => {} });
		delete $b->{options}{listen}{extra} if $i % 2;
		$b->configure;
		my $r = $b->ctl_run('reload');
		if ($r->{code}) {
			fail("reload $i: $r->{out} $r->{err}");
			return;
		}
	}
	$ann->sync;
}
hundred();
my @fds = map { n_fds($_) } @pids;
my @kb = map { pss_kb($_) } @pids;
hundred();
is_deeply([ map { n_fds($_) } @pids ], \@fds, 'descriptors are the same after a hundred more');
cmp_ok(pss_kb($pids[$_]) - $kb[$_], '<', 256, "process $pids[$_]: PSS stays") for 0 .. $#pids;
is_deeply([ $b->master_pid, $b->keeper_pids, $b->worker_pids ], \@pids, 'no process was replaced');
ok($ann->is_open, 'the client stayed');
$b->stop_ok;
done_testing;
