# It starts, two people talk, it says how it is, it stops.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

my $b = Banter->start(workers => 2);
ok($b->port, 'it says which port it has bound');

my $ann = $b->client;
my $bob = $b->client;
ok($ann && $bob, 'two clients are greeted and in the lobby') or BAIL_OUT('no chat');
like($ann->nick, qr/^guest\d+$/, 'one is a guest at first');
isnt($ann->nick, $bob->nick, 'guests have different names');

$ann->send("/nick ann\n");
ok($ann->expect(qr/\bann\b/), 'ann has her name');
$bob->send("hello, all\n");
ok($ann->expect(qr/^\[lobby\] <\Q$bob->{nick}\E> hello, all$/), 'ann reads bob');
$ann->send("hello, bob\n");
ok($bob->expect(qr/^\[lobby\] <ann> hello, bob$/), 'bob reads ann');

is($b->status('clients'), 2, 'status counts two clients');
is(scalar $b->rows('status'), 2, 'status shows two slots');
is_deeply([ sort map { $_->{worker} } $b->rows('status') ],
	[ sort $b->worker_pids ], 'its worker pids are those of /proc');
is($b->status('pid'), $b->master_pid, 'its pid is the master');
is($b->metric('messages'), 2, 'metrics count two messages');

$bob->send("/quit\n");
ok($bob->eof, 'bob leaves with /quit');
ok($ann->expect(qr/^\* \S+ /), 'ann is told');
$b->stop_ok;
ok($ann->eof, 'ann is closed with FIN when the daemon stops');
ok((grep { /^\* / } @{ $ann->{lines} }), 'and was told why');
done_testing;
