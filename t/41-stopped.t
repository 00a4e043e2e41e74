# One worker that does not run (SIGSTOP) slows nobody else, costs the master no
# memory, and its clients are told exactly how much they missed.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb wait_until state);

my $b = Banter->start(workers => 3, limits => { rate => 0, output_bytes => '16M' },
	set => { relay_log => '256K' });
my $stopped = $b->client(worker => 2);
my $reader = $b->client(worker => 1);
my $talker = $b->client(worker => 3);
$b->drop_parked;
# The others' comings and goings are over for it.
ok($_->sync, 'all talk') for $stopped, $reader, $talker;
my $before = pss_kb($b->master_pid);

my $pid = $b->workers->{2};
kill 'STOP', $pid;
ok(wait_until { state($pid) eq 'T' }, 'worker 2 is stopped');

my $n = 4000;
my $text = 'y' x 200;
my ($worst, $seen) = (0, 0);
for my $i (1 .. $n) {
	$talker->send("$i $text\n");
	next if $i % 50;
	my $at = Time::HiRes::time();
	$reader->expect(qr/> $i y/) and $seen = $i;
	my $took = Time::HiRes::time() - $at;
	$worst = $took if $took > $worst;
}
is($seen, $n, 'the others get every message');
cmp_ok($worst, '<', 2, "and without delay (at worst $worst s)");
cmp_ok(pss_kb($b->master_pid) - $before, '<', 8 * 1024, 'the master does not grow');
my ($row) = grep { $_->{slot} == 2 } $b->rows('status');
like($row->{state}, qr/stop/i, 'status says that it is stopped');
is(state($pid), 'T', 'nobody has killed it');
my @c = map { $b->client } 1 .. 12;
is(scalar(grep { $_ && $_->sync } @c), 12, 'new connections go to the others');

kill 'CONT', $pid;
my ($shown, $missed, $disorder, $last) = (0, 0, 0, 0);
while ($shown + $missed < $n) {
	my $line = $stopped->next_line;
	last unless defined $line;
	if ($line =~ /> (\d+) y/) {
		$disorder++ if $1 <= $last;
		$last = $1;
		$shown++;
	}
	$missed += $1 if $line =~ /^\* (\d+) messages? missed in lobby\.?$/;
}
is($shown + $missed, $n, "after CONT: shown ($shown) and missed ($missed) are all");
cmp_ok($missed, '>', 0, 'some were missed: the log is short');
is($disorder, 0, 'what is shown is in order');
is($last, $n, 'up to the last');
cmp_ok($b->metric('gap_messages'), '>', 0, 'gaps are counted');
$talker->send("and on\n");
ok($stopped->expect(qr/> and on$/), 'it goes on as before');
ok($stopped->sync, 'in both directions');

# A short stop: nothing at all is missed.
kill 'STOP', $pid;
wait_until { state($pid) eq 'T' };
$talker->send("short $_\n") for 1 .. 100;
$reader->expect(qr/> short 100$/);
kill 'CONT', $pid;
my $lines = $stopped->lines_until(qr/> short 100$/);
is(scalar(grep { /> short \d+$/ } @$lines), 99, 'a short stop costs nothing');
ok(!(grep { /missed/ } @$lines), 'and no notice');
$b->stop_ok;
done_testing;
