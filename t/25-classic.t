# What the classic texts on TCP servers ask for, row by row.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Encode ();
use Socket qw(SOL_SOCKET SO_KEEPALIVE IPPROTO_TCP);
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until title);

my $b = Banter->start(workers => 2,
	set => { max_clients => 30, when_full => 'refuse' },
	limits => { rate => 0, idle_timeout => 0 },
	log => { level => 'info' },
	listen => {
		text => {},
		echo => { mode => 'raw', room => 'echoes', echo => 'true', flush_after => '200ms' },
		raw => { mode => 'raw', room => 'instruments' },
		gb => { charset => 'GB18030' },
		chunk => { flush_after => '200ms' },
	},
	room => { lobby => { autojoin => 'true' }, parrot => { echo => 'true' } });

subtest 'echo server' => sub {
	my $c = $b->client;
	$c->send("/join parrot\n");
	$c->expect(qr/^\* In parrot\b/);
	$c->send("polly\n");
	ok($c->expect(qr/^\[parrot\] <\Q$c->{nick}\E> polly$/), 'a room with echo');
	$c->send("exit\n");
	ok($c->eof, 'a bare exit closes');
	my $raw = $b->client(listener => 'echo', greet => 0);
	my $bytes = join '', map { chr } 0 .. 255;
	$raw->send("$bytes\n");
	ok($raw->wait_bytes(length($bytes) + 1), 'raw with echo answers');
	is($raw->bytes, "$bytes\n", 'exactly its own bytes, of every value');
	$raw->send("exit\n");
	ok($raw->eof, 'exit closes it');
};

subtest 'states of a connection' => sub {
	my $c = $b->client;
	my ($row) = grep { $_->{port} == $c->local_port } $b->rows('clients');
	ok($row, 'it is in the list');
	like($row->{state}, qr/^\w+$/, 'with a state');
	my $half = $b->client;
	$c->close;
	ok(wait_until { !grep { $_->{port} == $row->{port} } $b->rows('clients') },
		'and gone from it after the close');
};

subtest 'connections that last' => sub {
	my $c = $b->client;
	my ($pid) = map { $b->workers->{$_} } $b->slot_of($c);
	my $port = sprintf '%04X', $c->local_port;
	my ($line) = grep { /:\w{4} \w+:$port 01 / } split /\n/, slurp("/proc/$pid/net/tcp");
	# Timer 2 is keepalive: proc_net_tcp.txt in the kernel's documentation.
	like($line, qr/\s02:[0-9A-F]{8}\s/, 'SO_KEEPALIVE runs on it');
	$c->send("still here\n");
	ok($c->sync, 'and it is used again and again');
};

subtest 'list of live connections' => sub {
	my $c = $b->client;
	$c->send("/nick listed\n");
	$c->expect(qr/listed/);
	my ($row) = grep { $_->{port} == $c->local_port } $b->rows('clients');
	is($row->{address}, '127.0.0.1', 'address');
	is($row->{nick}, 'listed', 'nick');
	like($row->{since}, qr/^\d{4}-\d\d-\d\d|^\d+$/, 'since when');
	like($row->{worker}, qr/^[12]$/, 'which worker');
	like($row->{rooms}, qr/\blobby\b/, 'rooms');
};

subtest 'levels of logging, running figures' => sub {
	my $text = $b->log_text;
	like($text, qr/ info: /, 'level info is written');
	unlike($text, qr/ debug: /, 'level debug is not');
	my @odd = grep { !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S* [\w ]+\[\d+\] (?:error|warning|notice|info|debug): / }
		split /\n/, $text;
	is(scalar @odd, 0, 'each line is whole and has time, process and level') or diag "@odd";
	my $r = $b->ctl_run('metrics');
	like($r->{out}, qr/^# TYPE banter_clients gauge$/m, 'metrics have a type');
	like($r->{out}, qr/^# EOF$/m, 'and an end');
	my $before = $b->metric('messages');
	my $c = $b->client;
	$c->send("count me\n");
	$c->sync;
	is($b->metric('messages'), $before + 1, 'they run');
	is($b->metric('worker_clients'), $b->status('clients'), 'and agree with each other');
};

subtest 'chat room: everybody else' => sub {
	my @c = map { $b->client } 1 .. 5;
	$c[0]->send("to all others\n");
	ok($_->expect(qr/> to all others$/), 'one of them') for @c[1 .. 4];
	is_deeply([ grep { /to all others/ } @{ $c[0]->lines } ], [], 'not the sender');
};

subtest 'one process that waits for many' => sub {
	my $to = '';
	my ($pid) = $b->worker_pids;
	opendir my $dir, "/proc/$pid/fd";
	$to .= (readlink "/proc/$pid/fd/$_" || '') . "\n" for grep { /\d/ } readdir $dir;
	my $engine = $ENV{BANTER_TEST_ENGINE} || 'epoll';
	like($to, qr/eventpoll/, 'epoll') if $engine eq 'epoll';
	my ($slot) = grep { $b->workers->{$_} == $pid } keys %{ $b->workers };
	my $threads = $engine eq 'threads' ? 1 + grep { $_->{worker} == $slot } $b->rows('clients') : 1;
	# ThreadSanitizer has some of its own.
	ok(slurp("/proc/$pid/maps") =~ /libtsan/ || wait_until {
		opendir $dir, "/proc/$pid/task";
		$threads == grep { /\d/ } readdir $dir;
	}, 'one thread, or one for each client besides');
	is($b->slot_engines->{$slot}, $engine, 'and status names the engine');
	is(scalar(my @w = $b->worker_pids), 2, 'a pool of processes, forked ahead');
	like(title($_), qr/^banterd: worker \d+/, 'named') for $b->worker_pids;
	like(title($_), qr/^banterd: keeper \d+/, 'named') for $b->keeper_pids;
};

subtest 'clients that speak gb2312' => sub {
	my $utf8 = $b->client;
	my $gb = $b->client(listener => 'gb');
	my $hello = "\x{4f60}\x{597d}";
	$gb->send(Encode::encode('gb18030', "$hello\n")) if Encode::find_encoding('gb18030');
	$gb->send("\xc4\xe3\xba\xc3\n") unless Encode::find_encoding('gb18030');
	ok($utf8->expect(qr/> \xe4\xbd\xa0\xe5\xa5\xbd$/), 'GB18030 is read as UTF-8');
	$utf8->send("\xe4\xbd\xa0\xe5\xa5\xbd\n");
	ok($gb->expect(qr/> \xc4\xe3\xba\xc3$/), 'UTF-8 is read as GB18030');
	$gb->send("\xc4");
	$gb->send("\xe3\xba");
	$gb->send("\xc3 cut\n");
	ok($utf8->expect(qr/> \xe4\xbd\xa0\xe5\xa5\xbd cut$/), 'a character cut by a packet');
	$gb->send("/nick \xc4\xe3\xba\xc3\n");
	ok($utf8->expect(qr/\xe4\xbd\xa0\xe5\xa5\xbd/), 'nicks as well');
	$utf8->send("\xf0\x9f\x98\x80\n");
	ok($gb->expect(qr/> .+$/), 'what the set can or cannot say is one line');
};

subtest 'clients that send no newline' => sub {
	my $c = $b->client;
	my $chunk = $b->client(listener => 'chunk');
	$chunk->send('hello');
	ok($c->expect(qr/> hello$/), 'flush_after: a chunk becomes a message');
	$chunk->send('two ');
	$chunk->send("halves\n");
	ok($c->expect(qr/> two halves$/), 'what is whole in time stays one');
};

subtest 'instruments' => sub {
	my $one = $b->client(listener => 'raw', greet => 0);
	my $two = $b->client(listener => 'raw', greet => 0);
	my $person = $b->client;
	$person->send("/join instruments\n");
	$person->expect(qr/^\* In instruments\b/);
	# Both are in when a message of one reaches the other.
	ok(wait_until {
		$one->send("probe\n");
		$two->fill(0.1);
		$two->bytes =~ /probe/;
	}, 'bytes are forwarded');
	$one->send("/nick not-a-command\n");
	ok(wait_until { $two->fill(0.1); $two->bytes =~ m{/nick not-a-command\n} },
		'there are no commands');
	my $data = "\x00\x01\xff\xfd\x01\x80 \x1b[2J\n";
	$one->send($data);
	ok(wait_until { $two->fill(0.1); $two->bytes =~ /\Q$data\E\z/ }, 'unchanged, of any value');
	unlike($two->bytes, qr/[*]|\[instruments\]|guest/, 'no greeting, notices, prefixes');
	is($one->bytes, '', 'without echo nothing comes back');
	my $line = $person->expect(qr/^\[instruments\] <\S+> .*\[2J$/);
	ok($line, 'a person reads it as a line');
	unlike($line, qr/[\x00-\x1f]/, '... that is safe to show');
	$person->send("set 5 V\n");
	ok(wait_until { $two->fill(0.1); $two->bytes =~ /set 5 V\n\z/ }, 'and talks to them');
	$two->send("exit\n");
	ok($two->eof, 'exit closes');
};

subtest 'limit of concurrent connections: refuse' => sub {
	wait_until { ($b->status('clients') || 0) <= 5 };
	my (@c, $refused);
	for (1 .. 40) {
		my $c = $b->client(greet => 0);
		my $first = $c->next_line;
		if ($first =~ /^\* error: .*\b30\b/) {
			$refused = $c;
			last;
		}
		push @c, $c;
	}
	ok($refused, 'the next one is told why, with the limit');
	ok($refused && $refused->eof, '... and closed') if $refused;
	is($b->status('clients'), 30, 'the others are as many as allowed');
	$b->log_like(qr/event=refuse addr=127\.0\.0\.1 port=\d+ .*reason=full/, 'it is logged');
	cmp_ok($b->metric('refused_full'), '>=', 1, 'and counted');
	$c[0]->close;
	ok(wait_until {
		my $c = $b->client(greet => 0);
		my $first = $c->next_line;
		$first =~ /Welcome/;
	}, 'a freed place is given away');
};
$b->stop_ok;

subtest 'limit of concurrent connections: the next one waits' => sub {
	my $b = Banter->start(workers => 2,
		set => { max_clients => 4, when_full => 'wait' });
	my @c = map { $b->client } 1 .. 4;
	my @waiting = map { $b->client(greet => 0) } 1 .. 6;
	ok($c[0]->sync, 'the four talk');
	is(scalar(grep { defined $_->next_line(0.2) } @waiting), 0, 'the others wait');
	is($b->status('clients'), 4, 'four are connected');
	my $served = 0;
	for my $round (0 .. 3) {
		$c[$round]->close;
		my $got;
		wait_until {
			($got) = grep { $_->fill(0.01); $_->bytes =~ /Welcome/ } @waiting;
		} 10;
		ok($got, 'a freed place goes to one that waits') or next;
		@waiting = grep { $_ != $got } @waiting;
		push @{ $b->{parked} }, $got;
	}
	is($b->status('clients'), 4, 'and never are there more than allowed');
	$b->stop_ok;
};

subtest 'closing the silent ones' => sub {
	# Shorter than twice the notice of 60 s: the warning comes at half time.
	my $b = Banter->start(workers => 1, limits => { idle_timeout => '4s' });
	my $c = $b->client;
	my $busy = $b->client;
	my $warned = $c->expect(qr/^\* .*\b\d+ s/);
	like($warned, qr/\b[1-4]\b/, 'it is warned ahead, with the seconds left');
	$busy->send("I am here\n");
	ok($c->eof, 'then closed');
	ok((grep { /^\* / } @{ $c->{seen} }[-3 .. -1], @{ $c->{lines} }), 'with a reason');
	ok($busy->is_open, 'who talks stays');
	is($b->metric('idle_closed'), 1, 'counted');
	$b->stop_ok;
};

subtest 'drain: one that does not read' => sub {
	my $b = Banter->start(workers => 1, limits => { rate => 0, output_bytes => '64K' });
	my $slow = $b->client(rcvbuf => 4096);
	my $good = $b->client;
	my $loud = $b->client;
	my $n = 3000;
	my $line = 'x' x 1000;
	for my $i (1 .. $n) {
		$loud->send("$i $line\n");
		$good->expect(qr/> $i x/) or last if $i % 10 == 0;
	}
	like($good->{seen}[-1], qr/> $n x/,
		'the one who reads is not held up');
	my ($shown, $missed, $last) = (0, 0, 0);
	while (defined(my $l = $slow->next_line)) {
		$shown++ if $l =~ /> (\d+) x/ and $last = $1;
		$missed += $1 if $l =~ /^\* (\d+) messages? missed in lobby\.?$/;
		last if $shown + $missed >= $n;
	}
	is($shown + $missed, $n, 'the one who does not is told exactly how many it missed');
	cmp_ok($missed, '>', 0, '... and did miss some');
	is($b->metric('missed'), $missed, 'metrics count the same');
	$b->stop_ok;
};

subtest 'port reuse' => sub {
	my $b = Banter->start;
	my $port = $b->port;
	my @c = map { $b->client } 1 .. 3;
	$b->stop_ok;
	ok($_->eof, 'closed means FIN') for @c;
	$b->configure(listen => { text => { port => $port } });
	ok($b->restart->{ready}, 'a restart in TIME_WAIT succeeds');
	$b->stop_ok;
};
done_testing;
