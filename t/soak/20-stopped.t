# One worker stopped for ten seconds at 1,000 lines a second: the others' latency
# does not change, and the account is exact.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb wait_until state);

my $b = Banter->start(workers => 4, limits => { rate => 0, output_bytes => '16M' },
	set => { relay_log => '256K' });
my @args = ('-n', 80, '-P', 10, '-m', 1500, '--rate', 100, '-s', 120, '--numbered', '-t', 20);
my $calm = $b->load(@args);
is($calm->{code}, 0, 'first without: all is exact') or diag $calm->{text};

my $pid = $b->workers->{3};
my $load = $b->load_start(@args, '--missed');
Banter::load_wait($load, qr/^RUNNING 80/m);
my $before = pss_kb($b->master_pid);
my $reader = $b->client(worker => 1);
$b->drop_parked;
kill 'STOP', $pid;
my ($worst, $n) = (0, 0);
my $until = time + 10;
while (time < $until) {
	my $at = Time::HiRes::time();
	$reader->sync or last;
	my $took = Time::HiRes::time() - $at;
	$worst = $took if $took > $worst;
	$n++;
}
cmp_ok(pss_kb($b->master_pid) - $before, '<', 8 * 1024, 'the master does not grow');
kill 'CONT', $pid;
cmp_ok($n, '>', 100, "another worker's client asked $n times meanwhile");
cmp_ok($worst * 1e6, '<', 10 * $calm->{p99_us} + 200_000, "at worst it waited $worst s (calm p99 $calm->{p99_us} us)");
my $s = Banter::load_end($load);
is($s->{code}, 0, 'delivered and missed are all that was sent, in order') or diag $s->{text};
is($s->{$_}, 0, "none $_") for qw(lost duplicated disordered damaged disconnects);
cmp_ok($s->{missed}, '>', 0, 'some were missed');
$b->stop_ok;
done_testing;
