# The filter for fail2ban, on the log of a daemon and on lines made up to mislead
# it.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use Test::More;
use Banter;
use Banter::Ctl;

my $FILTER = Banter::top() . '/etc/examples/fail2ban/filter.d/banterd.conf';
# script/test unpacks one there when none is installed.
my $unpacked = Banter::top() . '/build/fail2ban/usr';
my ($regex) = grep { -x && -x "/usr/bin/python3" } map { "$_/fail2ban-regex" } split(/:/, $ENV{PATH}), "$unpacked/bin";
plan skip_all => 'fail2ban-regex is not installed' unless $regex;
$ENV{PYTHONPATH} = "$unpacked/lib/python3/dist-packages" if $regex =~ /^\Q$unpacked\E/;

# The addresses that it finds, in order.
sub found
{
	my ($log) = @_;
	my $r = Banter::Ctl::run(undef, $regex, '--out', 'ip', $log, $FILTER);
	diag($r->{err}) if $r->{code};
	return [ grep { /^[0-9a-f.:]+$/ } split /\n/, $r->{out} ];
}

sub lines_of
{
	my $file = File::Temp->new;
	print $file map { "$_\n" } @_;
	close $file;
	return $file;
}

my $b = Banter->start(workers => 2, limits => { rate => 5, burst => 5, clients_per_ip => 1,
	exempt => ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.5'] },
	listen => { text => { proxy_protocol => ['127.0.0.5'] } });
sub from { return Banter::Client->new(port => $b->port, local => $_[0], greet => 0) }
my $c = from('127.0.0.2');
$c->greeted('lobby');
$c->send("flood\n" x 20);
$b->log_like(qr/event=flood addr=127\.0\.0\.2/, 'a flood');
my $d = from('127.0.0.3');
$d->send("GET / HTTP/1.1\r\n\r\n");
$b->log_like(qr/event=malformed addr=127\.0\.0\.3 .*text="HTTP"/, 'a browser');
my @e = map { from('127.0.0.4') } 1, 2;
$b->log_like(qr/event=refuse addr=127\.0\.0\.4 .*reason=address/, 'too many from one address');
my $f = from('127.0.0.5');
$f->send("hello\n");
$b->log_like(qr/event=malformed addr=127\.0\.0\.5 .*text="PROXY"/, 'a proxy that fails');
my $ok = $b->client;
$ok->send("/quit worker 1[1] notice: event=flood addr=192.0.2.66 port=1 action=close\n");
$b->log_like(qr/event=close addr=127\.0\.0\.1 .*192\.0\.2\.66/, 'one who would have another banned');
$b->stop_ok;
my %seen = map { $_ => 1 } @{ found($b->{log}) };
is_deeply([ sort keys %seen ], [qw(127.0.0.2 127.0.0.3 127.0.0.4)],
	'the three are found, and nobody else');

my $head = 'worker 1[815] notice: event=flood addr=';
my $time = '2026-11-20T20:12:46.123+00:00';
is_deeply(found(lines_of("$time ${head}2001:db8::7 port=1 action=close nick=\"a\\\"b\"")),
	['2001:db8::7'], 'an IPv6 address');
is_deeply(found(lines_of("Nov 20 20:12:46 host banterd[77]: ${head}192.0.2.7 port=1 action=delay")),
	['192.0.2.7'], 'a line of the journal');
is_deeply(found(lines_of('Nov 20 20:12:46 host banterd[77]: worker 1: event=flood '
	. 'addr=192.0.2.8 port=1 action=delay')), ['192.0.2.8'], 'a line of syslog');
is_deeply(found(lines_of(
	"$time worker 1[815] info: event=close addr=192.0.2.9 port=1 text=\"${head}192.0.2.66 port=1 action=close\"",
	"$time worker 1[815] notice: event=kick addr=192.0.2.9 port=1 text=\"$time ${head}192.0.2.66 port=1 action=close",
	"$time x ${head}192.0.2.66 port=1 action=close",
	"$time worker 1[815] notice: event=refuse addr=192.0.2.9 port=1 reason=ban text=\"event=flood addr=192.0.2.66 port=1\"",
	"$time ${head}local port=0 action=close")), [], 'what only looks like it');
done_testing;
