# Bad input in short: the long run is soak/10-bad-inputs.t.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

my $b = Banter->start(workers => 2, limits => { rate => 0 }, listen => { text => {},
	raw => { mode => 'raw', room => 'raw' }, gb => { charset => 'GB18030', flush_after => '50ms' } });
$b->expect_log(qr/event=(?:malformed|flood)|left out/);
my @workers = $b->worker_pids;
my $ann = $b->client;
for my $seed (1 .. 3) {
	my $s = $b->load('-n', 20, '--bad', $seed, 500);
	is($s->{code}, 0, "seed $seed: 500 pieces of bad input, every new connection is greeted")
		or diag $s->{text};
	ok($ann->sync, '... and somebody else talks on');
}
my $s = Banter::load_end($b->load_start('-p', $b->port('gb'), '-n', 20, '--bad', 4, 500));
is($s->{code}, 0, 'likewise on a listener with another charset') or diag $s->{text};
is_deeply([ $b->worker_pids ], \@workers, 'no worker was replaced');
is($b->metric('worker_deaths'), 0, 'none died');
my $odd = grep { !/^[^\x00-\x09\x0b-\x1f\x7f]*$/ } @{ $ann->{seen} };
is($odd, 0, 'nothing of it reached a terminal as a control character');
ok($ann->is_open, 'nobody else was disconnected');
$b->stop_ok;
done_testing;
