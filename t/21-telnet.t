# telnet clients: the real one through a terminal, and the recorded first bytes
# of others.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until alive);

my $b = Banter->start(workers => 1, limits => { rate => 0 });
my $ann = $b->client;

sub IAC { return join '', map { chr } 255, @_ }

# Windows telnet: offers, then keystrokes one by one, CR LF as Enter.
my $w = $b->client(greet => 0);
$w->send(IAC(251, 24) . IAC(251, 31) . IAC(251, 39) . IAC(251, 32)
	. IAC(250, 31, 0, 80, 0, 25) . IAC(240));
$w->greeted('lobby');
$w->send($_) for split //, "helo\x08lo there\r\n";
ok($ann->expect(qr/> hello there$/), 'Windows telnet: keystrokes and backspace');
$w->sync;
like($w->bytes, qr/\xff\xfe\x18/, 'WILL TERMINAL-TYPE gets DONT');
like($w->bytes, qr/\xff\xfe\x1f/, 'WILL NAWS gets DONT');
my $text = $w->bytes;
$text =~ s/\xff[\xfb-\xfe].//gs;
unlike($text, qr/\xff/, 'there is nothing else of telnet in the answer');
$ann->send("to windows\n");
is($w->expect(qr/to windows/) =~ /windows\r$/, 1, 'who speaks telnet gets CR LF');

# PuTTY in telnet mode: will and do, and NUL after a lone CR.
my $p = $b->client(greet => 0);
$p->send(IAC(251, 31) . IAC(251, 32) . IAC(251, 24) . IAC(251, 39) . IAC(253, 1)
	. IAC(251, 3) . IAC(253, 3));
$p->greeted('lobby');
$p->send("from putty\r\n");
ok($ann->expect(qr/^\[lobby\] <\Q$p->{nick}\E> from putty$/), 'PuTTY: its line is clean');
$p->sync;
like($p->bytes, qr/\xff\xfc\x01/, 'DO ECHO gets WONT');
like($p->bytes, qr/\xff\xfc\x03/, 'DO SUPPRESS-GO-AHEAD gets WONT');
like($p->bytes, qr/\xff\xfe\x03/, 'WILL SUPPRESS-GO-AHEAD gets DONT');
my $answers = () = $p->bytes =~ /\xff[\xfc\xfe]/g;
is($answers, 7, 'one answer for each offer');

$p->send("cr nul\r\0");
$p->send("\n");
ok($ann->expect(qr/cr nul/), 'CR NUL does no harm');
my $had = length $p->bytes;
$p->send(IAC(252, 24) . IAC(254, 1));
$p->sync;
unlike(substr($p->bytes, $had), qr/\xff/, 'WONT and DONT are not answered: no loop');
$p->send(IAC(246));
ok($p->expect(qr/^\* yes\r?$/), 'AYT gets "* yes"');
$p->send("a" . IAC(255) . "b\r\n");
ok($ann->expect(qr/> a.*b$/), 'IAC IAC is a byte of data');

# Cut in every place, and never ended.
my $cut = $b->client;
$cut->send($_) for split //, IAC(250, 24, 1) . IAC(240) . IAC(251, 24) . "in bits\r\n";
ok($ann->expect(qr/> in bits$/), 'telnet commands cut in single bytes');
$cut->send(IAC(250, 31) . 'x' x 10_000);
$cut->send("\r\n" . IAC(240) . "\r\nstill here\r\n");
ok($ann->expect(qr/> .*still here$/), 'a subnegotiation without end is bounded');

# What PuTTY's plink really sent, at once and byte by byte.
my $recorded = join '', map { pack 'H*', $_ =~ tr/ //dr } grep { !/^#/ }
	split /\n/, Banter::Proc::slurp(($ENV{srcdir} || '.') . '/t/data/telnet-plink.bin.hex');
for my $piece (length $recorded, 1) {
	my $plink = $b->client(greet => 0);
	$plink->send($_) for unpack "(a$piece)*", $recorded;
	ok($ann->expect(qr/^\[lobby\] <putty> hello from putty$/), "plink, $piece bytes at a time: its line is clean");
	$plink->close;
	ok($ann->expect(qr/putty has left/), '... and it leaves');
}

# The real one.
SKIP: {
	eval { require IO::Pty; 1 } or skip 'IO::Pty is not installed', 4;
	my ($telnet) = grep { -x } map { "$_/telnet" } split /:/, $ENV{PATH};
	skip 'no telnet(1)', 4 unless $telnet;
	my $pty = IO::Pty->new;
	my $pid = fork;
	if (!$pid) {
		$pty->make_slave_controlling_terminal;
		my $slave = $pty->slave;
		close $pty;
		POSIX::dup2(fileno $slave, $_) for 0 .. 2;
		exec $telnet, '127.0.0.1', $b->port or POSIX::_exit(127);
	}
	$pty->close_slave;
	my $c = bless { sock => $pty, in => '', all => '', lines => [], seen => [] },
		'Banter::Client';
	$pty->blocking(0);
	ok($c->greeted('lobby'), 'telnet(1): greeted');
	$c->send("typed in telnet\n");
	ok($ann->expect(qr/> typed in telnet$/), 'telnet(1): heard');
	$ann->send("answer to telnet\n");
	ok($c->expect(qr/> answer to telnet\r*$/), 'telnet(1): answered');
	$c->send("exit\n");
	ok(wait_until { waitpid($pid, POSIX::WNOHANG()) == $pid }, 'telnet(1): ends with exit');
}
$b->stop_ok;
done_testing;
