# Several workers: connections are spread, and one room is one room.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

my $b = Banter->start(workers => 4, limits => { rate => 0 });

my $hold = $b->load_start('-n', 400, '--hold');
ok(Banter::load_wait($hold, qr/^RUNNING 400/m), '400 clients are connected');
my %n = map { $_->{slot} => $_->{clients} } $b->rows('status');
is(keys %n, 4, 'four slots');
cmp_ok($n{$_}, '>=', 60, "slot $_ has at least 60 of them") for 1 .. 4;
is($b->metric('worker_clients'), 400, 'metrics agree');
my $s = Banter::load_end($hold);
is($s->{code}, 0, 'none was disconnected') or diag $s->{text};

# Ten publishers, a thousand numbered lines each, one room, four workers.
my $load = $b->load_start('-n', 400, '-P', 10, '-m', 1000, '--rate', 100, '--numbered', '-t', 60);
Banter::load_wait($load, qr/^RUNNING 400/m);
%n = map { $_->{slot} => $_->{clients} } $b->rows('status');
cmp_ok($n{$_}, '>=', 60, "slot $_ has at least 60 of those who talk") for 1 .. 4;
$s = Banter::load_end($load);
is($s->{code}, 0, 'the load tool is content') or diag $s->{text};
is($s->{sent}, 10_000, '10,000 lines were sent');
is($s->{expected}, 10 * 1000 * 399, 'each is expected by everybody else');
is($s->{delivered}, $s->{expected}, 'delivered as many');
is($s->{$_}, 0, "none $_") for qw(lost duplicated disordered damaged missed disconnects);
diag "latency: p50 $s->{p50_us} us, p99 $s->{p99_us} us, max $s->{max_us} us";
is($b->metric('messages'), 10_000, 'the master has sequenced each once');
cmp_ok($b->metric('deliveries'), '>=', $s->{delivered}, 'deliveries were counted');

# Several rooms at once: an order of its own in each.
$s = $b->load('-n', 80, '-r', 4, '-P', 16, '-m', 200, '--numbered');
is($s->{code}, 0, 'four rooms, four publishers each') or diag $s->{text};

# Comings and goings leave nothing behind.
for (1 .. 3) {
	$s = $b->load('-n', 50, '-m', 1, '-P', 0);
	is($s->{code}, 0, 'fifty come and go') or diag $s->{text};
}
ok(Banter::Proc::wait_until { ($b->status('clients') // 1) == 0 }, 'nobody is left');
is($b->status('rooms'), 1, 'nor any room but the lobby');
$b->stop_ok;
done_testing;
