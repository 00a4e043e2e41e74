# 20,000 pieces of bad input, meant for the build with sanitizers
# (BANTER_BUILD=build/asan).
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

my $pieces = $ENV{BANTER_SOAK_PIECES} || 20_000;
my $b = Banter->start(workers => 2, limits => { rate => 0 }, listen => { text => {},
	raw => { mode => 'raw', room => 'raw' }, gb => { charset => 'GB18030', flush_after => '50ms' } });
$b->expect_log(qr/event=(?:malformed|flood)|left out/);
my @workers = $b->worker_pids;
my $ann = $b->client;
for my $seed (1 .. 10) {
	my $port = $b->port($seed % 5 ? 'text' : 'gb');
	my $s = Banter::load_end($b->load_start('-p', $port, '-n', 40, '--bad', 1000 + $seed, $pieces / 10), 600);
	is($s->{code}, 0, "seed $seed") or diag $s->{text};
	ok($ann->sync, '... and others talk on');
}
is_deeply([ $b->worker_pids ], \@workers, 'no worker was replaced');
ok($ann->is_open, 'nobody else was disconnected');
$b->stop_ok;
done_testing;
