# Every limit: what the client is told, what is counted, what /limits says.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(wait_until pss_kb);

sub limits_of
{
	my ($c) = @_;
	$c->send("/limits\n");
	return join "\n", @{ $c->lines };
}

subtest 'line_bytes' => sub {
	my $b = Banter->start(workers => 1, limits => { line_bytes => 128, rate => 0 });
	my ($c, $d) = ($b->client, $b->client);
	$c->send('a' x 127 . "\n");
	ok($d->expect(qr/> a{127}$/), 'up to the limit');
	$c->send('b' x 200 . "\n");
	like($c->expect(qr/^\* error/), qr/\b128\b/, 'beyond: refused, naming it');
	$c->send("\xc3\xa9" x 65 . "\n");
	like($c->expect(qr/^\* error/), qr/\b128\b/, 'counted as received, in bytes');
	$c->send("c\n");
	ok($d->nothing_until(qr/> c$/), 'the connection goes on');
	is($b->metric('too_long'), 2, 'counted');
	like(limits_of($c), qr/line_bytes\D+128\b/, 'in /limits');
	$b->stop_ok;
};

subtest 'rate and burst: delay' => sub {
	my $b = Banter->start(workers => 1, limits => { rate => 20, burst => 10 });
	my ($c, $d) = ($b->client, $b->client);
	my $start = time;
	$c->send(join '', map { "paste $_\n" } 1 .. 40);
	my @got;
	while (@got < 40) {
		my $line = $d->next_line;
		last unless defined $line;
		push @got, $1 if $line =~ /> paste (\d+)$/;
	}
	is_deeply(\@got, [1 .. 40], 'pasted lines arrive, all of them, in order');
	cmp_ok(time - $start, '>', 1.0, 'late (30 lines at 20 a second)');
	my @told = grep { /^\* .*\b20\b/ } @{ $c->lines };
	is(scalar @told, 1, 'it is told once') or diag explain \@told;
	cmp_ok($b->metric('flooded'), '>=', 1, 'counted');
	$b->log_like(qr/event=flood addr=127\.0\.0\.1 port=\d+/, 'logged');
	my $limits = limits_of($c);
	like($limits, qr/\brate\D+20\b/, 'rate is in /limits');
	like($limits, qr/\bburst\D+10\b/, 'burst is in /limits');
	$b->stop_ok;
};

subtest 'rate and burst: close' => sub {
	my $b = Banter->start(workers => 1,
		limits => { rate => 5, burst => 5, on_flood => 'close' });
	my ($c, $d) = ($b->client, $b->client);
	$c->send("flood\n" x 100);
	ok($c->expect(qr/^\* .*too fast|too many lines/), 'it is told why');
	$c->eof;
	ok($c->{ended}, 'and closed');
	ok($d->expect(qr/has left/), 'the others see it leave');
	is($b->metric('flood_closed'), 1, 'counted');
	$b->stop_ok;
};

subtest 'output_bytes' => sub {
	my $b = Banter->start(workers => 1, limits => { rate => 0, output_bytes => '32K' });
	my $slow = $b->client(rcvbuf => 4096);
	my ($loud, $good) = ($b->client, $b->client);
	for my $i (1 .. 4000) {
		$loud->send("$i " . 'z' x 800 . "\n");
		$good->expect(qr/> $i z/) unless $i % 20;
	}
	my ($shown, $missed, $last) = (0, 0, 0);
	while ($shown + $missed < 4000) {
		my $line = $slow->next_line;
		last unless defined $line;
		$shown++, $last = $1 if $line =~ /> (\d+) z/;
		$missed += $1 if $line =~ /^\* (\d+) messages? missed in lobby\.?$/;
	}
	is($shown + $missed, 4000, 'messages are skipped and counted exactly');
	cmp_ok($missed, '>', 0, 'some were');
	is($b->metric('missed'), $missed, 'metrics: missed');
	cmp_ok($b->metric('over_output'), '>=', 1, 'metrics: over_output');
	$loud->send("after\n");
	ok($slow->expect(qr/> after$/), 'it goes on');
	like(limits_of($good), qr/output_bytes\D+32/, 'in /limits');
	$b->stop_ok;
};

subtest 'output_memory' => sub {
	my $b = Banter->start(workers => 1, limits => { rate => 0, output_bytes => '1M',
		output_memory => '1M' });
	my @slow = map { $b->client(rcvbuf => 4096) } 1 .. 8;
	my ($loud, $good) = ($b->client, $b->client);
	my ($pid) = $b->worker_pids;
	my $before = pss_kb($pid);
	for my $i (1 .. 6000) {
		$loud->send("$i " . "w" x 1500 . "\n");
		$good->expect(qr/\b$i w/) unless $i % 20;
	}
	cmp_ok($b->metric('over_memory'), '>=', 1, 'one budget for all: metrics count it');
	cmp_ok(pss_kb($pid) - $before, '<', 16 * 1024, 'and memory stays bounded');
	ok($good->sync, 'who reads is not touched');
	$b->stop_ok;
};

subtest 'clients_per_ip and exempt' => sub {
	my $b = Banter->start(workers => 2, listen => { text => { address => ['127.0.0.1'] } },
		limits => { clients_per_ip => 3, exempt => ['127.0.0.2/32'] });
	my @c = map { $b->client } 1 .. 3;
	my $d = $b->client(greet => 0);
	like($d->next_line, qr/^\* error: .*\b3\b/, 'the next from one address is told why');
	ok($d->eof, '... and closed');
	$b->log_like(qr/event=refuse addr=127\.0\.0\.1 port=\d+ .*reason=address/, 'logged');
	is($b->metric('refused_address'), 1, 'counted');
	my $n = 0;
	for (1 .. 6) {
		my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $b->port,
			LocalHost => '127.0.0.2') or next;
		push @c, $s;
		$n++ if <$s> =~ /Welcome/;
	}
	is($n, 6, 'an exempt address is not counted');
	my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $b->port,
		LocalHost => '127.0.0.3');
	like(scalar <$s>, qr/Welcome/, 'another address has its own count');
	$c[0]->close;
	ok(wait_until { my $e = $b->client(greet => 0); my $l = $e->next_line;
		$l =~ /Welcome/ }, 'who leaves makes place');
	like(limits_of($c[1]), qr/clients_per_ip\D+3\b/, 'in /limits');
	$b->stop_ok;
};

subtest 'rooms, rooms_per_client, topic_bytes' => sub {
	my $b = Banter->start(workers => 2, limits => { rate => 0, rooms => 5,
		rooms_per_client => 3, topic_bytes => 10 });
	my ($c, $d) = ($b->client, $b->client);
	$c->send("/join a\n/join b\n/join c\n");
	like($c->expect(qr/^\* error/), qr/\b3\b/, 'rooms_per_client is named');
	$d->send("/join d\n/join e\n");
	$d->expect(qr/^\* In e\b/);
	my $e = $b->client;
	$e->send("/join f\n");
	like($e->expect(qr/^\* error/), qr/\b5\b/, 'rooms is named');
	$e->send("/topic 12345678901\n");
	like($e->expect(qr/^\* error/), qr/\b10\b/, 'topic_bytes is named');
	cmp_ok($b->metric('refused_requests'), '>=', 3, 'counted');
	my $limits = limits_of($e);
	like($limits, qr/\b$_->[0]\D+$_->[1]\b/, "$_->[0] is in /limits")
		for ['rooms', 5], ['rooms_per_client', 3], ['topic_bytes', 10];
	$b->stop_ok;
};

subtest 'announce_limit' => sub {
	my $b = Banter->start(workers => 2, limits => { rate => 0, announce_limit => 4 });
	my @c = map { $b->client } 1 .. 4;
	ok($c[0]->expect(qr/\Q$c[3]{nick}\E has joined/), 'up to it, a join is announced');
	$_->sync for @c;
	my @d = map { $b->client } 1 .. 4;
	$d[3]->send("mark\n");
	my $lines = $c[0]->lines_until(qr/> mark$/);
	cmp_ok(scalar(grep { /has joined/ } @$lines), '<=', 1, 'above it, it is not');
	ok((grep { /^\* In lobby with 7 others/ } @{ $d[3]{seen} }), 'but the number is told');
	$d[0]->close;
	$d[3]->sync;
	$b->stop_ok;
};

subtest 'idle_timeout' => sub {
	my $b = Banter->start(workers => 1, limits => { idle_timeout => '3s' });
	my $c = $b->client;
	my $start = time;
	ok($c->expect(qr/^\* .*\b\d+ s/), 'a warning');
	ok($c->eof, 'and the close');
	cmp_ok(time - $start, '>', 2, 'not before its time');
	$b->log_like(qr/event=close addr=127\.0\.0\.1 port=\d+ .*idle/, 'logged with the reason');
	is($b->metric('idle_closed'), 1, 'counted');
	my $d = $b->client;
	my $again = time + 4;
	while (time < $again) {
		$d->send("\n");
		$d->fill(0.5);
	}
	ok($d->is_open, 'any input counts as life');
	like(limits_of($d), qr/idle_timeout\D+3\b/, 'in /limits');
	$b->stop_ok;
};

subtest 'max_clients over workers' => sub {
	my $b = Banter->start(workers => 4, set => { max_clients => 10, when_full => 'refuse' });
	my ($in, $out) = (0, 0);
	my @c;
	for (1 .. 30) {
		my $c = $b->client(greet => 0);
		push @c, $c;
		$c->next_line =~ /Welcome/ ? $in++ : $out++;
	}
	is($in, 10, 'exactly max_clients are let in, whichever worker they met');
	is($out, 20, 'the others are told');
	is($b->metric('refused_full'), 20, 'and counted');
	$b->configure(set => { max_clients => 12 });
	$b->reload_ok;
	my $more = grep { $_->next_line =~ /Welcome/ }
		map { my $c = $b->client(greet => 0); push @c, $c; $c } 1 .. 5;
	is($more, 2, 'a reload raises it');
	$b->stop_ok;
};
done_testing;
