# Stopping: goodbye to everybody, what is pending goes out, and a deadline.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(wait_until alive descendants);

# Goodbye, and FIN also to those whose input nobody has read.
my $b = Banter->start(workers => 2, limits => { rate => 1, burst => 5 });
my @quiet = map { $b->client } 1 .. 5;
my @loud = map { $b->client } 1 .. 5;
$_->send("unread $_->{nick}\n" x 2000) for @loud;
$quiet[0]->expect(qr/unread/);
my $start = time;
$b->stop_ok('TERM');
cmp_ok(time - $start, '<', 10, 'in time');
for my $c (@quiet, @loud) {
	ok($c->eof, 'FIN, not RST, also with unread input');
	my @last = grep { /^\* / } @{ $c->{seen} }, @{ $c->{lines} };
	like($last[-1] || '', qr/^\* .*(?:stop|down|bye|clos)/i, 'and the goodbye arrived');
}

# Pending output to one that reads late, but reads.
$b = Banter->start(workers => 1, limits => { rate => 0, output_bytes => '8M' });
my $late = $b->client(rcvbuf => 4096);
my $loud = $b->client;
my $n = 2000;
$loud->send("$_ " . 'p' x 1000 . "\n") for 1 .. $n;
$loud->sync;
my @pids = descendants($b->master_pid);
kill 'TERM', $b->master_pid;
my $last = 0;
while (defined(my $line = $late->next_line)) {
	$last = $1 if $line =~ /> (\d+) p/;
}
is($last, $n, 'pending output is flushed before the end');
ok(!$late->{error}, '... which is FIN');
my $status = $b->wait_end;
is($status, 0, 'exit 0');
is(scalar(grep { alive($_) } @pids), 0, 'nobody is left') or diag "@pids";
$b->{stopped} = 1;
is_deeply([ $b->log_surprises ], [], 'nothing odd in the log');

# One that does not read: the deadline holds.
$b = Banter->start(workers => 1, limits => { rate => 0, output_bytes => '8M' });
my $never = $b->client(rcvbuf => 4096);
$loud = $b->client;
$loud->send("$_ " . 'q' x 1000 . "\n") for 1 .. 6000;
$loud->sync;
$start = time;
kill 'TERM', $b->master_pid;
$status = $b->wait_end(30);
ok(defined $status, 'a client that does not read: it ends nevertheless');
cmp_ok(time - $start, '<', 15, '... by its deadline');
is($status, 0, '... with 0');
$b->{stopped} = 1;

# TERM twice: at once.
$b = Banter->start(workers => 2, limits => { rate => 0, output_bytes => '8M' });
$never = $b->client(rcvbuf => 4096);
$loud = $b->client;
$loud->send("$_ " . 'q' x 1000 . "\n") for 1 .. 6000;
$loud->sync;
@pids = descendants($b->master_pid);
$start = time;
kill 'TERM', $b->master_pid;
select undef, undef, undef, 0.05; # two signals that are still pending are one
kill 'TERM', $b->master_pid;
$status = $b->wait_end;
cmp_ok(time - $start, '<', 2, 'the second TERM stops at once');
is(scalar(grep { alive($_) } @pids), 0, '... and leaves nobody');
is($status & 127, 0, '... by its own exit');
$b->{stopped} = 1;

# QUIT, INT, and the verb.
for my $signal (qw(QUIT INT)) {
	$b = Banter->start(workers => 1);
	my $c = $b->client;
	kill $signal, $b->master_pid;
	my $status = $b->wait_end;
	is($status, 0, "SIG$signal: exit 0");
	ok($c->eof, "SIG$signal: the client is closed");
	$b->{stopped} = 1;
}
$b = Banter->start(workers => 1);
my $c = $b->client;
my $r = $b->ctl_run('stop');
is($r->{code}, 0, 'banterctl stop');
is($b->wait_end(2), 0, '... has waited for the end');
ok($c->eof, '... and the client is closed');
$b->{stopped} = 1;
is_deeply([ grep { !/\block$/ } glob "$b->{run_dir}/*" ], [], 'no file is left in the run directory');

# A full accept queue: each gets an end, none hangs.
$b = Banter->start(workers => 1, set => { max_clients => 2, when_full => 'wait' });
my @in = map { $b->client } 1 .. 2;
my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $b->port) } 1 .. 30;
$start = time;
$b->stop_ok('TERM with a full accept queue');
my $ended = 0;
for my $s (grep { $_ } @waiting) {
	IO::Select->new($s)->can_read(5) or next;
	$ended++;
}
is($ended, scalar(grep { $_ } @waiting), 'everybody who waited gets goodbye or RST');

# During a start-up of clients.
$b = Banter->start(workers => 2);
my $load = $b->load_start('-n', 300, '--hold', '--may-close', '-t', 2);
wait_until { ($b->status('clients') || 0) > 20 } 5;
$b->stop_ok('TERM while clients arrive');
kill 'KILL', $load->{pid};
waitpid $load->{pid}, 0;
done_testing;
