# TCP has no packets: every line fed whole, byte by byte, and cut at each place
# gives the same answers.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Banter;

my $b = Banter->start(workers => 1, limits => { rate => 0 });
# Behind what is echoed an answer that the room's order has too, since what the
# worker itself answers may overtake it.
my @lines = ("/help\n", "/help nick\n", "/nick\n", "/nick split\r\n", "/rooms\n",
	"/who\n", "/join den\n", "in the den\n", "/topic Gr\xc3\xbc\xc3\x9fe\r\n",
	"/topic\n", "/me waves\n", "//slash\n", "/echo on\n", "echoed \xe2\x82\xac\n",
	"/who\n", "/echo off\n", "/time\n", "/limits\n", "/msg split to myself\n", "/bogus\n",
	"/part den\n", "\xff\xfb\x18nvt\n", "back\x08\x08ck\n", "\xc3(broken\n",
	"/nick guestless\n");
my $whole = join '', @lines;

# What the server says to it, without what differs by design.
# How two answers differ, in a line.
sub same
{
	my ($got, $want, $name) = @_;
	my @got = split /\n/, defined $got ? $got : '(no answer)';
	my @want = split /\n/, $want;
	my ($at) = grep { ($got[$_] // '') ne ($want[$_] // '') } 0 .. @got + @want;
	return ok(1, $name) unless defined $at;
	ok(0, $name);
	diag "line $at: got '", $got[$at] // '(end)', "', expected '", $want[$at] // '(end)', "'";
	return 0;
}

sub answers
{
	my (@pieces) = @_;
	my $c = $b->client or return undef;
	my $sock = $c->sock;
	setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
	my $guest = $c->nick;
	my $from = length $c->bytes;
	for (@pieces) {
		$c->send($_) or return undef;
	}
	$c->half_close;
	$c->eof or return undef;
	my $got = substr $c->bytes, $from;
	$got =~ s/\b\Q$guest\E\b/GUEST/g;
	return $got;
}

my $want = answers($whole);
like($want, qr/split/, 'fed whole: it is answered');
like($want, qr/\Q* error: \E.*bogus/, 'fed whole: errors too');
same(scalar answers($whole), $want, 'fed whole again: the same');
same(scalar answers(@lines), $want, 'line by line: the same');
same(scalar answers(split //, $whole), $want, 'byte by byte: the same');
same(scalar answers(map { substr $whole, $_ * 7, 7 } 0 .. length($whole) / 7), $want,
	'in sevens: the same');

my @differ;
for my $at (1 .. length($whole) - 1) {
	my $got = answers(substr($whole, 0, $at), substr $whole, $at);
	push @differ, $at if !defined $got || $got ne $want;
	same($got, $want, "cut at $at") if @differ && $differ[-1] == $at;
}
is("@differ", '', 'cut at each place: the same');
$b->stop_ok;
done_testing;
