# Before a message is sent to many, what has come by now is handled too: the
# second message goes out in the same send as the first.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until);

use constant MEMBERS => 300;

my $b = Banter->start(workers => 1, limits => { rate => 0 });
my $hold = $b->load_start('-n', MEMBERS, '--hold');
ok(Banter::load_wait($hold, qr/^RUNNING @{[ MEMBERS ]}/m), MEMBERS . ' members are connected');
my @talker = map { $b->client } 1, 2;
ok($_->sync, 'two more talk') for @talker;
my $pid = $b->workers->{1};

sub switches
{
	open my $f, '<', "/proc/$pid/status" or return 0;
	return { map { /^(\S+):\s+(\d+)/ ? ($1, $2) : () } <$f> }->{voluntary_ctxt_switches};
}

# Both messages wait for the worker when it goes on: the first as an answer of
# the master, the second as a line.  How many sends they take.
sub sends_of_two
{
	my ($n) = @_;
	my $sends = $b->metric('sends');
	my $messages = $b->metric('messages');
	my $before = switches();
	kill 'STOP', $b->master_pid;
	$talker[0]->send("one $n\n");
	wait_until { switches() > $before };
	kill 'STOP', $pid;
	$talker[1]->send("two $n\n");
	kill 'CONT', $b->master_pid;
	# Unless it woke for something else and was stopped before the first line.
	my $came = wait_until { $b->metric('messages') > $messages } 5;
	kill 'CONT', $pid;
	ok($talker[0]->expect(qr/two $n$/), 'the second message comes');
	wait_until { !grep { $_->{pending} } $b->rows('status') };
	return $came ? $b->metric('sends') - $sends : 'inf';
}

# The machine may be so busy that the master does not answer in time.
my $sends;
for my $n (1 .. 10) {
	$sends = sends_of_two($n);
	last if $sends <= MEMBERS + 2;
	diag "attempt $n: $sends sends";
}
cmp_ok($sends, '<=', MEMBERS + 2, 'two messages to ' . MEMBERS . ' members are as many sends');
is(Banter::load_end($hold)->{code}, 0, 'the members were not disturbed');
$b->stop_ok;
done_testing;
