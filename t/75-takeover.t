# A worker dies and nobody notices: the keeper has the sockets, the arena what
# they said and were told, and the next worker goes on with them.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(slurp wait_until alive state n_fds fds_at_rest unread);

my $dir = File::Temp::tempdir(CLEANUP => 1);
chmod 0755, $dir;
my $path = "$dir/banter.sock";

# Restarts are not throttled: deaths follow each other faster than by accident.
my $b = Banter->start(workers => 3, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, output_bytes => '32M', clients_per_ip => 60, exempt => [] },
	room => { lobby => { autojoin => 'true' }, parrot => { echo => 'true' } },
	listen => {
		text => {}, gb => { charset => 'GB18030' },
		raw => { mode => 'raw', room => 'bytes', flush_after => '20ms' },
		echo => { mode => 'raw', room => 'echoes', echo => 'true', flush_after => '20ms' },
		unix => { address => [$path] },
	});
$b->expect_log(qr/worker \d \(pid \d+, generation \d+\) was killed by SIG(?:KILL|SEGV|ABRT|BUS)/);

# A sanitizer takes a SEGV for its own and writes a report.
my $sanitized = slurp("/proc/@{[ $b->master_pid ]}/maps") =~ /libasan|libubsan|libclang_rt/
	|| slurp(Banter::banterd()) =~ /__asan_init/;
my @signals = $sanitized ? qw(KILL ABRT) : qw(KILL SEGV ABRT BUS);
my $n_deaths = 0;

# Kill the worker of this slot, by another signal each time.
sub death
{
	my ($slot, $signal) = @_;
	$signal ||= $signals[$n_deaths % @signals];
	# A crash closes whom it served: what was heard of it may be so early
	# that it still does.
	my $pid = $b->workers->{$slot};
	wait_until { state($pid) =~ /^[ST]$/ } if $signal ne 'KILL';
	my $took = $b->kill_worker($slot, $signal);
	$n_deaths++;
	defined $took or BAIL_OUT("slot $slot has no successor");
}

# The server has read what it sent.
sub taken
{
	my ($c) = @_;
	(wait_until { (unread($c) // 1) == 0 }) or fail('what a client sent is not read');
}

sub stopped
{
	my (@pids) = @_;
	kill 'STOP', @pids;
	(wait_until { @pids == grep { state($_) eq 'T' } @pids }) or fail("@pids are not stopped");
}

my $master = $b->master_pid;
my $ann = $b->client(worker => 2);
my $bob = $b->client(worker => 1);
$b->drop_parked;
for ([$ann, 'ann'], [$bob, 'bob']) {
	my ($c, $nick) = @$_;
	$c->send("/nick $nick\n");
	$c->expect(qr/^\* You are $nick/);
	$c->{nick} = $nick;
}
$_->sync for $ann, $bob;
my %keeper = %{ $b->keepers };
my %fds = map { $_ => fds_at_rest($keeper{$_}) } keys %keeper;

subtest 'a client that is idle, and then talks' => sub {
	for my $signal (@signals) {
		death(1, $signal);
		ok($bob->is_open, "SIG$signal: it is connected");
		$bob->send("after $signal\n");
		ok($ann->nothing_until(qr/^\[lobby\] <bob> after $signal$/), '... is who it was, where it was');
		$ann->send("answer to $signal\n");
		ok($bob->nothing_until(qr/^\[lobby\] <ann> answer to $signal$/), '... and hears others, and nothing else');
	}
	stopped($b->workers->{1});
	$ann->send("meanwhile $_\n") for 1 .. 200;
	ok($ann->sync, 'others talk while its worker is dead');
	$bob->send("I too\n");
	death(1, 'KILL');
	my $lines = $bob->lines_until(qr/> meanwhile 200$/);
	is_deeply([ map { /^\[lobby\] <ann> meanwhile (\d+)$/ ? $1 : $_ } @$lines ], [1 .. 199],
		'it has each line, once, in order');
	ok($ann->expect(qr/^\[lobby\] <bob> I too$/), 'what it said meanwhile is said');
	$bob->send("/nick Bob\n");
	ok($ann->expect(qr/^\* bob is now Bob\.$/), 'it may change its nick');
	$bob->send("/nick bob\n");
	$bob->sync;
	$ann->sync;
};

subtest 'input cut anywhere' => sub {
	my $c = $b->client(worker => 1, listener => 'text');
	$b->drop_parked;
	my $gb = $b->client(worker => 1, listener => 'gb');
	$b->drop_parked;
	my $local = Banter::Client->new(path => $path);
	my ($slot) = map { $_->{worker} } grep { ($_->{nick} || '') eq $local->nick } $b->rows('clients');
	for my $case (
		[$c, 1, 'half of ', "a line\n", qr/> half of a line$/, 'half a line'],
		[$c, 1, "/m", "e waves\n", qr/^\[lobby\] \* \S+ waves$/, 'half a command'],
		[$c, 1, "\xe4\xbd", "\xa0!\n", qr/> \xe4\xbd\xa0!$/, 'half a character'],
		[$gb, 1, "\xc4", "\xe3\xba\xc3\n", qr/> \xe4\xbd\xa0\xe5\xa5\xbd$/, 'half a character of another set'],
		[$c, 1, "a\xff\xfa\x18", "\x01\xff\xf0b\n", qr/> ab$/, 'a telnet option within its block'],
		[$c, 1, "cr\r", "\nmore\n", qr/> more$/, 'between CR and LF'],
		[$c, 1, 'x' x 4000, "y\n", qr/> x{4000}y$/, 'a line at its longest'],
		[$c, 1, "one\ntwo\nthr", "ee\n", qr/> three$/, 'behind whole lines'],
		[$local, $slot, 'by a ', "UNIX socket\n", qr/> by a UNIX socket$/, 'half a line on a UNIX socket'],
	) {
		my ($who, $at, $first, $rest, $re, $name) = @$case;
		$who->send($first);
		if ($who == $local) {
			# What a UNIX socket holds is shown nowhere: the worker answers
			# in its order.
			my $probe = $b->client(worker => $at);
			$probe->sync;
			$b->drop_parked;
		} else {
			taken($who);
		}
		death($at);
		$who->send($rest);
		ok($ann->expect($re), $name);
	}
	my $said = join '', grep { !/has (?:joined|left)/ } @{ $ann->lines }, '';
	is($said, '', 'nothing of it was said twice');
	my $all = join "\n", @{ $ann->{seen} };
	is(scalar(() = $all =~ /> one$/mg), 1, 'nor what stood before it');

	$c->send("\xff\xfd");
	taken($c);
	death(1);
	$c->send("\x01");
	ok((wait_until { $c->fill(0); $c->bytes =~ /\xff\xfc\x01/ }), 'a telnet option cut in the middle is answered');
	ok($c->sync && $gb->sync && $local->sync, 'they all go on');
	$_->close for $c, $gb, $local;
};

# Numbered lines of 1,000 bytes.
sub numbered { my ($from, $to) = @_; return map { sprintf('%06d ', $_) . 'q' x 993 . "\n" } $from .. $to }

# Where nobody else comes or goes: each byte that comes is known.
sub go_to_pipe
{
	my ($c) = @_;
	$c->send("/join pipe\n/part lobby\n");
	$c->expect(qr/^\* You have left lobby/);
	$c->sync;
}

subtest 'output that nobody reads' => sub {
	my $talker = $b->client(worker => 2, rcvbuf => 4096);
	my $slow = $b->client(worker => 1, rcvbuf => 4096);
	$b->drop_parked;
	go_to_pipe($_) for $talker, $slow;
	my $before = length $slow->bytes;
	$talker->send(join '', numbered(1, 2000));
	$talker->sync;
	death(1);
	$talker->send(join '', numbered(2001, 4000));
	$talker->sync;
	death(1);
	# It reads now, in pieces, and the worker dies between them.
	my $want = join '', map { "[pipe] <$talker->{nick}> $_" } numbered(1, 4000);
	for my $at (50_000, 700_000, 2_000_000) {
		$slow->wait_bytes($before + $at);
		death(1, 'KILL');
	}
	$slow->wait_bytes($before + length $want);
	my $got = substr $slow->bytes, $before;
	ok($got eq $want, 'each byte of 4 MB arrives once, in order')
		or diag length($got), ' of ', length($want), ' bytes, alike up to ', alike($got, $want);
	ok($slow->sync, 'and it goes on');

	# One that has closed its side before it reads.
	my $last = $b->client(worker => 1, rcvbuf => 4096);
	$b->drop_parked;
	go_to_pipe($last);
	$before = length $last->bytes;
	$talker->send(join '', numbered(1, 1500));
	# Another of the same worker has all, so it is pending for this one.
	$slow->expect(qr/> 001500 q/);
	$last->send("my last words\n");
	$last->half_close;
	ok($talker->expect(qr/> my last words$/), 'half closed: what it said last is said');
	ok($talker->expect(qr/^\* \Q$last->{nick}\E has left/), '... and it is told that it has left');
	death(1);
	death(1, 'KILL');
	ok($last->eof, '... the end is a clean one, after two deaths');
	$want = join '', map { "[pipe] <$talker->{nick}> $_" } numbered(1, 1500);
	$got = substr $last->bytes, $before;
	is(index($got, $want), 0, '... and comes after all that was pending') or diag alike($got, $want);
	is_deeply([ grep { /my last words|\Q$last->{nick}\E has left/ } @{ $talker->lines } ], [], 'nothing of it twice');
	$_->close for $talker, $slow;
};

sub alike
{
	my ($x, $y) = @_;
	return length(($x ^ $y) =~ /^(\0*)/ ? $1 : '');
}

subtest 'bytes of instruments' => sub {
	my ($in, $out, $echo) = map { my $c = $b->client(listener => $_, greet => 0, worker => 1); $b->drop_parked; $c } qw(raw raw echo);
	ok((wait_until { 3 == grep { ($_->{rooms} || '') =~ /bytes|echoes/ } $b->rows('clients') }), 'they are in their rooms')
		or diag explain [$b->rows('clients')];
	my $all = '';
	for my $i (1 .. 12) {
		my $piece = join '', map { chr(int rand 256) } 1 .. 3000;
		$piece =~ s/exit/EXIT/g;
		$all .= $piece;
		$_->send($piece) for $in, $echo;
		death(1, 'KILL') if $i % 3 == 0;
	}
	for my $c ($out, $echo) {
		$c->wait_bytes(length $all);
		ok($c->bytes eq $all, ($c == $out ? 'another' : 'an echoing') . ' raw client has them unchanged')
			or diag length($c->bytes), ' of ', length($all), ', alike up to ', alike($c->bytes, $all);
	}
	$_->close for $in, $out, $echo;
};

subtest 'one that waits for an answer' => sub {
	my $c = $b->client(worker => 1);
	$b->drop_parked;
	$_->sync for $c, $ann;
	stopped($master);
	my $worker = $b->workers->{1};
	$c->send("/nick zoe\n/who\n/msg ann psst\nthen this\n/join den\nand that\n");
	taken($c);
	kill 'KILL', $worker;
	wait_until { !alive($worker) };
	kill 'CONT', $master;
	$n_deaths++;
	Banter::Slots::wait_successor($b, 1, $worker);
	$c->{nick} = 'zoe';
	my @lines = grep { !/has (?:joined|left)/ } @{ $c->lines };
	is(shift @lines, '* You are zoe.', 'the nick');
	like(shift @lines, qr/^\* In lobby \(\d+\): .*\bzoe\b/, 'who is there');
	is(shift @lines, '* to ann: psst', 'the private message');
	like(shift @lines, qr/^\* In den alone/, 'the room');
	is_deeply(\@lines, [], '... each once');
	my $heard = join "\n", grep { !/has (?:joined|left)/ } @{ $ann->lines };
	is($heard, "* $c->{welcome}" =~ /(guest\d+)/ ? "* $1 is now zoe.\n[private] <zoe> psst\n[lobby] <zoe> then this" : '',
		'others have seen it so');
	$c->close;
};

subtest 'connections of that moment' => sub {
	my %was = %{ $b->workers };
	stopped(values %was);
	my @queued = map { $b->client(greet => 0) } 1 .. 9;
	$queued[0]->send("queued ");
	$queued[1]->send("whole line\n");
	$queued[2]->send("by nc -N\n");
	$queued[2]->half_close;
	$queued[3]->send("never ");
	$queued[3]->abort;
	kill 'KILL', values %was;
	$n_deaths += 3;
	Banter::Slots::wait_successor($b, $_, $was{$_}) for keys %was;
	my @stay = @queued[0, 1, 4 .. 8];
	for my $c (@stay, $queued[2]) {
		$c->greeted('lobby') or fail('one that waited was not greeted');
		$c->expect(qr/^\* Type to talk/);
	}
	$queued[0]->send("up\n");
	$queued[0]->sync;
	my $heard = join "\n", grep { / whole line$| queued up$| by nc -N$/ } @{ $ann->lines };
	like($heard, qr/> $_$/m, "one that waited says '$_'") for 'queued up', 'whole line', 'by nc -N';
	ok($queued[2]->eof, '... and one that had closed its side is closed');
	is(scalar(() = $_->bytes =~ /Welcome/g), 1, 'greeted once') for @stay;
	is(scalar(grep { $_->sync } @stay), 7, 'all that waited go on');

	# Greeted by nobody yet: it dies as they come in.
	my @fresh;
	for (1 .. 6) {
		push @fresh, map { $b->client(greet => 0) } 1 .. 4;
		death($_, 'KILL') for 1 .. 3;
	}
	is(scalar(grep { $_->greeted('lobby') && $_->expect(qr/^\* Type to talk/) && $_->sync } @fresh), 24,
		'connections just made are greeted');
	is(scalar(grep { 1 == (() = $_->bytes =~ /Welcome/g) } @fresh), 24, '... once each');
	$_->close for @stay, @fresh;
};

subtest 'clients that leave while their worker is dead' => sub {
	my ($fin, $rst, $quit) = map { my $c = $b->client(worker => 3); $b->drop_parked; $c } 1 .. 3;
	$ann->sync;
	my $worker = $b->workers->{3};
	stopped($worker);
	$fin->send("said, then FIN\n");
	$fin->close;
	$quit->send("said, then /quit\n/quit for good\n");
	$rst->abort;
	kill 'KILL', $worker;
	$n_deaths++;
	Banter::Slots::wait_successor($b, 3, $worker);
	ok($quit->eof, '/quit is heard');
	for my $c ($fin, $rst, $quit) {
		ok((wait_until { !grep { $_->{nick} eq $c->nick } $b->rows('clients') }), 'gone');
	}
	my @heard = @{ $ann->lines };
	for my $nick (map { $_->nick } $fin, $rst, $quit) {
		is(scalar(grep { /^\* $nick has left/ } @heard), 1, '... and said to have left, once');
	}
	is(scalar(grep { /> said, then (?:FIN|\/quit)$/ } @heard), 2, '... after what was said last');
};

subtest 'nothing has changed' => sub {
	is($b->master_pid, $master, 'the master');
	ok(alive($master), '... lives');
	is_deeply($b->keepers, \%keeper, 'the keepers');
	for my $slot (sort keys %fds) {
		ok((wait_until { n_fds($keeper{$slot}) == $fds{$slot} }), "keeper $slot has as many descriptors as before")
			or diag n_fds($keeper{$slot}), " instead of $fds{$slot}: ", join ' ', Banter::Proc::fd_targets($keeper{$slot});
	}
	$ann->send("/nick bob\n");
	ok($ann->expect(qr/^\* error: .*bob.*in use/), 'a nick is whose it was');
	$ann->send("/who\n");
	my ($who) = grep { /^\* In lobby \(/ } @{ $ann->lines };
	like($who, qr/^\* In lobby \(2\): (?:ann, bob|bob, ann)$/, '/who has all of them, and no ghosts');
	my @some = map { $b->client(greet => 0) } 1 .. 62;
	my $refused = grep { ($_->next_line || '') =~ /^\* error: 60 connections from one address/ } @some;
	is($refused, 4, 'clients_per_ip counts as before');
	is($b->metric('worker_deaths'), $n_deaths, 'the deaths were counted');
	is($b->metric('fault_closed'), 0, 'and nobody was closed');
	$_->close for @some;
};
$b->stop_ok;

subtest 'one that is slowed down' => sub {
	my $d = Banter->start(workers => 1, limits => { rate => 100, burst => 10 },
		env => { BANTER_TEST_NO_THROTTLE => 1 });
	$d->expect_log(qr/worker 1 .*SIGKILL/, qr/event=flood/);
	my ($paste, $reader) = map { $d->client } 1, 2;
	$paste->send(join '', map { "paste $_\n" } 1 .. 120);
	for my $at (20, 60, 61, 100) {
		$reader->expect(qr/> paste $at$/);
		$d->kill_worker(1);
	}
	$reader->expect(qr/> paste 120$/);
	my @got = map { /> paste (\d+)$/ ? $1 : () } @{ $reader->{seen} };
	is_deeply(\@got, [1 .. 120], 'what it pasted arrives, each line once');
	$d->stop_ok;
};

subtest 'one that connects to a worker with nothing to do' => sub {
	my $d = Banter->start(workers => 1, env => { BANTER_TEST_NO_THROTTLE => 1 });
	$d->expect_log(qr/worker 1 .*SIGKILL/);
	my @took;
	for (1 .. 30) {
		my $worker = $d->workers->{1};
		kill 'KILL', $worker;
		my $start = time;
		my $c = $d->client or last;
		push @took, time - $start;
		$c->close;
		Banter::Slots::wait_successor($d, 1, $worker);
		wait_until { ($d->status('clients') // 1) == 0 };
	}
	# A busy machine may delay some of them.
	my $late = grep { $_ > 0.08 } @took;
	is(scalar @took, 30, 'it is greeted each time');
	cmp_ok($late, '<', 5, '... and at once') or diag join ' ', map { sprintf '%.3f', $_ } @took;
	$d->stop_ok;
};

subtest 'forty deaths under load' => sub {
	my $d = Banter->start(workers => 3, limits => { rate => 0 },
		room => { lobby => { autojoin => 'false' } },
		env => { BANTER_TEST_NO_THROTTLE => 1 });
	$d->expect_log(qr/worker \d .*was killed by SIGKILL/, qr/no room has autojoin/);
	my $load = $d->load_steady(90, '-r', 3, '-P', 18, '--rate', 20, '--mixed', 48, '-t', 10, '-s', 80);
	my %keeper = %{ $d->keepers };
	my %fds = map { $_ => n_fds($keeper{$_}) } keys %keeper;
	my $deaths = 0;
	for my $i (1 .. $ENV{BANTER_TEST_DEATHS} || 40) {
		my $slot = 1 + int rand 3;
		Banter::mark($load);
		my $pid = (Banter::Slots::rows($d)->{$slot} || {})->{worker};
		kill 'KILL', $pid;
		$deaths++;
		if ($i % 5 == 0) {
			# The next one as soon as it is there, ready or not.
			my $next;
			wait_until { $next = (Banter::Slots::rows($d)->{$slot} || {})->{worker}; $next && $next != $pid };
			kill 'KILL', $next;
			$deaths++;
			$pid = $next;
		}
		Banter::Slots::wait_successor($d, $slot, $pid) or last;
		select undef, undef, undef, rand 0.1; # the moment of the next is chance
	}
	my $s = Banter::load_end($load);
	Banter::load_clean($s, 'nobody was disconnected; nothing was lost, doubled, damaged or reordered');
	diag "pauses: median $s->{pause_p50_us} us, at most $s->{pause_max_us} us";
	is_deeply($d->keepers, \%keeper, 'the keepers are the same');
	is($d->metric('worker_deaths'), $deaths, "$deaths deaths");
	# The load is gone, and its sockets with it.
	ok((wait_until { ($d->status('clients') // 1) == 0 }), 'all have left');
	my $c = $d->client(room => '-');
	ok((wait_until { n_fds($keeper{$_}) < $fds{$_} - 10 }), "keeper $_ keeps no socket of theirs") for 1 .. 3;
	$d->stop_ok;
};
done_testing;
