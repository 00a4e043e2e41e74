# The PROXY protocol: whose connection it is says the header that a trusted proxy
# puts before it.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Socket qw(inet_aton inet_pton AF_INET6);
use Test::More;
use Banter;
use Banter::Client;
use Banter::Proc qw(wait_until);

my %TRUST = (text => { proxy_protocol => ['127.0.0.2'] }, plain => {});

sub v1 { return "PROXY TCP4 $_[0] 192.0.2.100 $_[1] 7788\r\n" }

sub v2
{
	my ($command, $family, $body) = @_;
	return "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x20 | $command, $family, length $body) . $body;
}

sub v2_tcp4
{
	my ($ip, $port, $more) = @_;
	return v2(1, 0x11, inet_aton($ip) . inet_aton('192.0.2.100') . pack('nn', $port, 7788)
		. ($more || ''));
}

sub v2_tcp6
{
	my ($ip, $port) = @_;
	return v2(1, 0x21, inet_pton(AF_INET6, $ip) . inet_pton(AF_INET6, '2001:db8::100')
		. pack('nn', $port, 7788));
}

# A connection of the proxy that sends this.
sub proxied
{
	my ($b, @parts) = @_;
	my $c = Banter::Client->new(port => $b->port, local => '127.0.0.2', greet => 0);
	$c->send($_) for @parts;
	return $c;
}

sub row_of
{
	my ($b, $port) = @_;
	my ($row) = grep { $_->{port} == $port } $b->rows('clients');
	return $row || {};
}

subtest 'who is who' => sub {
	my $b = Banter->start(workers => 2, listen => \%TRUST);
	my $c = proxied($b, v1('192.0.2.7', 4711));
	ok($c->greeted('lobby'), 'version 1');
	is(row_of($b, 4711)->{address}, '192.0.2.7', '... its address and port are shown');
	$b->log_like(qr/event=connect addr=192\.0\.2\.7 port=4711 /, '... and logged');
	ok($c->sync, '... and it chats');

	$c = proxied($b, "PROXY TCP6 2001:db8::7 2001:db8::100 4712 7788\r\n");
	ok($c->greeted('lobby'), 'version 1, IPv6');
	is(row_of($b, 4712)->{address}, '2001:db8::7', '... its address');
	$c = proxied($b, v2_tcp4('192.0.2.8', 4713));
	ok($c->greeted('lobby'), 'version 2');
	is(row_of($b, 4713)->{address}, '192.0.2.8', '... its address');
	$c = proxied($b, v2_tcp6('2001:db8::8', 4714));
	ok($c->greeted('lobby'), 'version 2, IPv6');
	is(row_of($b, 4714)->{address}, '2001:db8::8', '... its address');
	$c = proxied($b, v2_tcp4('192.0.2.9', 4715, "\x04\x01\xf9" . 'x' x 505));
	ok($c->greeted('lobby'), 'the longest header');

	for (['UNKNOWN', "PROXY UNKNOWN\r\n"],
		['UNKNOWN with more', "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"],
		['LOCAL', v2(0, 0, '')], ['LOCAL with more', v2(0, 0x11, 'x' x 12)],
		['no address', v2(1, 0, '')], ['a UNIX socket', v2(1, 0x31, "\0" x 216)]) {
		my ($name, $header) = @$_;
		$c = proxied($b, $header);
		ok($c->greeted('lobby'), $name) or next;
		is(row_of($b, $c->local_port)->{address}, '127.0.0.2', '... is the proxy itself');
	}

	# Others are not believed.
	$c = Banter::Client->new(port => $b->port);
	$c->send(v1('192.0.2.66', 666));
	is(row_of($b, $c->local_port)->{address}, '127.0.0.1', 'the header of a stranger is text');
	is(row_of($b, 666)->{address}, undef, '... and changes nothing');
	$c = Banter::Client->new(port => $b->port('plain'), local => '127.0.0.2');
	ok($c, 'at another listener the proxy is a client');
	$b->stop_ok;
};

subtest 'what comes with the header' => sub {
	my $b = Banter->start(workers => 1, listen => \%TRUST);
	my $d = Banter::Client->new(port => $b->port);
	my $c = proxied($b, v1('192.0.2.7', 4711) . "/nick ann\nfirst\nsecond\n");
	ok($c->greeted('lobby'), 'lines behind it');
	ok($d->expect(qr/<ann> first$/), 'are said');
	ok($d->expect(qr/<ann> second$/), '... all, in order');
	$c = proxied($b, v1('192.0.2.7', 4712) . "last words\n");
	shutdown $c->sock, 1;
	ok($d->expect(qr/> last words$/), '... also when the connection ends at once');

	# In pieces, at every place.
	for my $header (v1('192.0.2.8', 4713), v2_tcp4('192.0.2.8', 4714)) {
		my @c = map { proxied($b, substr($header, 0, $_)) } 1 .. length($header) - 1;
		my $n = 0;
		for my $i (0 .. $#c) {
			$c[$i]->send(substr($header, $i + 1) . "piece $i\n");
			$n++ if $c[$i]->greeted('lobby');
			$d->expect(qr/> piece $i$/);
		}
		is($n, scalar @c, 'cut at every place, it is read');
		$_->close for @c;
	}
	$b->stop_ok;
};

subtest 'what is no header' => sub {
	my $b = Banter->start(workers => 1, listen => \%TRUST);
	my @bad = ("hello\n", "PROXY TCP4 192.0.2.7 192.0.2.100 4711\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.100 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.100 65536 2\r\n", "PROXY " . 'x' x 200,
		"PROXY TCP4 192.0.2.7 192.0.2.100 1 2\n", v2(2, 0x11, 'x' x 12),
		v2(1, 0x11, 'x' x 11), v2(1, 0x12, 'x' x 12), v2(1, 0x11, 'x' x 521));
	for my $bytes (@bad) {
		my $c = proxied($b, $bytes);
		ok($c->eof && $c->{all} eq '', 'closed without a word: '
			. substr($bytes =~ s/[^ -~]/./gr, 0, 50));
	}
	is($b->metric('malformed'), scalar @bad, 'counted');
	$b->log_like(qr/event=malformed addr=127\.0\.0\.2 port=\d+ .*text="PROXY"/, 'logged');
	my $c = proxied($b, 'PROXY TCP4 ');
	shutdown $c->sock, 1;
	ok($c->eof, 'half of one and an end');
	my @slow = map { proxied($b, $_) } '', 'PROXY TCP4 192.';
	is(row_of($b, $slow[0]->local_port)->{state}, 'connecting', 'one that is awaited is connecting');
	ok($_->eof, 'one that does not come in time is not awaited') for @slow;
	$b->log_like(qr/event=close addr=127\.0\.0\.2 .*text="no PROXY header"/, 'logged');
	ok((wait_until { $b->metric('clients') == 0 }), 'nobody is left');
	$b->stop_ok;
};

subtest 'limits, lists and bans see the real address' => sub {
	my $b = Banter->start(workers => 2, limits => { clients_per_ip => 2, exempt => [] },
		listen => { text => { %{ $TRUST{text} }, deny => ['198.51.100.0/24', '127.0.0.2'] } });
	my @c = map { proxied($b, v1('192.0.2.7', 4710 + $_)) } 1 .. 2;
	ok($_->greeted('lobby'), 'one of two from an address') for @c;
	my $c = proxied($b, v1('192.0.2.7', 4713));
	like($c->next_line, qr/^\* error: 2 connections from one address/, 'the third is refused');
	@c = (@c, map { proxied($b, v1("192.0.2.$_", 4720)) } 8 .. 12);
	ok($c[-1]->greeted('lobby'), 'others are not');
	$c = proxied($b, v1('198.51.100.1', 4730));
	like($c->next_line, qr/not let in here/, 'deny');
	ok($c->eof, '... and closed');
	$b->log_like(qr/event=refuse addr=198\.51\.100\.1 port=4730 reason=deny/, '... logged');
	$c = proxied($b, "PROXY UNKNOWN\r\n");
	like($c->next_line, qr/not let in here/, 'with no other address, the proxy is who it is');
	is($b->ctl_run('ban', '192.0.2.8', 'so')->{code}, 0, 'a ban');
	ok($c[2]->expect(qr/banned here; the reason: so$/), '... closes who is inside');
	$c = proxied($b, v2_tcp4('192.0.2.8', 4731));
	like($c->next_line, qr/banned here; the reason: so$/, '... and refuses the next');
	$b->stop_ok;
};

subtest 'a listener that goes' => sub {
	my $b = Banter->start(workers => 1, listen => {%TRUST});
	my $in = proxied($b, v1('192.0.2.7', 4711));
	ok($in->greeted('lobby'), 'one is inside');
	my $c = proxied($b, 'PROXY TCP4 192.0.2.8 ');
	ok((wait_until { $b->metric('bytes_in') >= 65 }), 'one is half way');
	delete $b->{options}{listen}{text};
	$b->configure;
	$b->reload_ok('the listener goes');
	$c->send("192.0.2.100 4712 7788\r\n");
	like($c->next_line, qr/not let in here/, 'who has not got in stays out');
	ok($c->eof, '... and is closed');
	ok($in->sync, '... and who has stays');
	$b->stop_ok;
};

subtest 'a death lets nobody in' => sub {
	for my $at (qw(input_noted proxy_whole)) {
		my $b = Banter->start(workers => 1, listen => \%TRUST,
			env => { BANTER_FAULT => "$at:kill:1" });
		$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
		is($b->ctl_run('ban', '192.0.2.8', 'so')->{code}, 0, "$at: a ban");
		my $c = proxied($b, v1('192.0.2.8', 4711) . "hello\n");
		like($c->next_line, qr/banned here; the reason: so$/,
			'... is applied by the successor');
		unlike($b->log_text, qr/event=kick/, '... before it is let in');
		is($b->metric('takeovers'), 1, '... there was a takeover');
		my $d = proxied($b, v1('192.0.2.9', 4712));
		ok($d->greeted('lobby'), '... others are let in');
		$b->stop_ok;
	}
};

# A death while the header is read: nobody notices.
for my $at (qw(proxy_part proxy_whole input_noted io_received uplink_append input_held accept_done)) {
	for my $nth (1, 3) {
		my $b = Banter->start(workers => 1, listen => \%TRUST,
			env => { BANTER_FAULT => "$at:kill:$nth" });
		$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
		my $header = v1('192.0.2.7', 4711);
		my @c = map { proxied($b, substr $header, 0, 20) } 1 .. 4;
		wait_until { $b->metric('bytes_in') >= 40 };
		my $n = 0;
		for my $i (0 .. $#c) {
			$c[$i]->send(substr($header, 20) . "one $i\ntwo $i\n");
			$n++ if $c[$i]->greeted('lobby');
		}
		my $d = proxied($b, v1('192.0.2.9', 4711) . "end\n");
		$d->greeted('lobby');
		$c[0]->send("and\n");
		$d->expect(qr/> and$/);
		is($n, 4, "$at $nth: all are let in");
		is(row_of($b, 4711)->{address} =~ /^192/, 1, '... by their addresses');
		is($b->metric('messages'), 10, '... and every line was said once');
		is($b->metric('takeovers'), 1, '... with a takeover');
		$b->stop_ok;
	}
}
done_testing;
