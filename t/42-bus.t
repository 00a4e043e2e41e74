# The bus under everything at once: full in both directions, a worker that dies
# with unread data, the largest messages.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until alive);

my $b = Banter->start(workers => 4, limits => { rate => 0, output_bytes => '64M',
	output_memory => '512M' });

# Every worker floods the one room: all bus ends are full both ways.
my $s = $b->load('-n', 24, '-P', 24, '-m', 400, '-s', 900, '--numbered', '-t', 60);
is($s->{code}, 0, 'all publish at once, as fast as they can: no deadlock') or diag $s->{text};
is($s->{delivered}, 24 * 400 * 23, 'everybody has everything');
ok($b->client, 'and the server answers');

# The largest line, and one byte more.
my $ann = $b->client(worker => 1);
my $bob = $b->client(worker => 2);
$b->drop_parked;
$ann->send('L' x 4095 . "\n");
ok($bob->expect(qr/> L{4095}$/), 'the largest line crosses');
$ann->send("\x01" x 4000 . "\n");
ok($bob->expect(qr/> .{4000,}$/s), 'also when its shown form is three times as long');
$ann->send('M' x 4097 . "\n");
ok($ann->expect(qr/^\* error: .*4096/), 'a longer one is refused');

# A worker dies with its bus full of unread batches.
$b->expect_log(qr/worker|signal|KILL|died/i);
my $victim = $b->workers->{3};
$s = $b->load_start('-n', 30, '-P', 12, '-m', 170, '--rate', 80, '-s', 500, '-t', 10);
Banter::load_wait($s, qr/^RUNNING/m, 10);
my $sent = $b->metric('messages');
kill 'STOP', $victim;
# What its own publishers say waits: most of them are elsewhere.
$b->wait_metric('messages', $sent + 500);
kill 'KILL', $victim;
$s = Banter::load_end($s);
is($s->{$_}, 0, "a death with unread data: none $_") for qw(disconnects lost duplicated disordered damaged);
ok(wait_until { my $p = $b->workers->{3}; $p && $p != $victim && alive($p) }, 'it is replaced');
ok($ann->sync && $bob->sync, 'the others were not touched');
ok($b->client(worker => 3), 'the new one serves');
$b->drop_parked;

# The same while it publishes.
my $load = $b->load_start('-n', 24, '-P', 24, '-m', 300, '--rate', 300, '-t', 10);
Banter::load_wait($load, qr/^RUNNING/m, 20);
my $messages = $b->metric('messages');
$b->wait_metric('messages', $messages + 200);
kill 'KILL', $b->workers->{2};
$s = Banter::load_end($load);
is($s->{$_}, 0, "a death in the middle of a batch: none $_") for qw(disconnects lost duplicated disordered damaged);
$b->stop_ok;
done_testing;
