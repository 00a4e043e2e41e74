# Listening sockets that a supervisor hands down (LISTEN_FDS), as systemd does.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Fcntl;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM SOCK_DGRAM SOMAXCONN IPPROTO_IPV6 IPV6_V6ONLY);
use Test::More;
use Banter;
use Banter::Client;
use Banter::Proc qw(wait_until state slurp);

my $HANDS_DOWN = <<'PERL';
use POSIX ();
my ($pid, @fds) = (shift, split /,/, shift);
# First out of the way: their numbers may be among those that they get.
POSIX::dup2($fds[$_], 200 + $_) for 0 .. $#fds;
# banter's tests hand a pipe down as well, by a number that must stay.
for my $i (0 .. $#ARGV) {
	next unless $ARGV[$i] eq '--ready-fd';
	POSIX::dup2($ARGV[$i + 1], 150);
	$ARGV[$i + 1] = 150;
}
POSIX::close($_) for 3 .. 149;
POSIX::dup2(200 + $_, 3 + $_), POSIX::close(200 + $_) for 0 .. $#fds;
$ENV{LISTEN_PID} = $pid eq 'self' ? $$ : $pid;
$ENV{LISTEN_FDS} = $ENV{MORE_FDS} || @fds;
$ENV{LISTEN_FDNAMES} = join ':', ('x') x @fds;
exec { $ARGV[0] } @ARGV or POSIX::_exit(126);
PERL

sub tcp
{
	return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => SOMAXCONN, @_)
		|| die "socket: $!";
}

# Start a daemon that inherits these sockets.
sub with_sockets
{
	my ($pid, $sockets, %o) = @_;
	for my $s (@$sockets) {
		fcntl $s, F_SETFD, 0 or die "fcntl: $!";
	}
	my $p = Banter->prepare(%o);
	my $wrapper = "$p->{dir}/hand-down";
	open my $out, '>', $wrapper or die "$wrapper: $!";
	print $out $HANDS_DOWN;
	close $out;
	local $ENV{BANTER_TEST_WRAP} = join ' ', $^X, $wrapper, $pid,
		join(',', map { fileno $_ } @$sockets);
	my $end = $o{ends} ? $p->run_to_end : $p->launch;
	fcntl $_, F_SETFD, FD_CLOEXEC for @$sockets;
	return $end if $o{ends};
	die "banterd did not become ready:\n" . $p->log_text unless $p->{ready};
	return $p;
}

# A TCP and a UNIX socket, and two that nobody wants.
my $dir = File::Temp::tempdir('banter-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $path = "$dir/chat";
my $tcp = tcp();
my $unix = IO::Socket::UNIX->new(Local => $path, Listen => SOMAXCONN) or die "$path: $!";
chmod 0666, $path;
my $stranger = tcp();
my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die "udp: $!";
my $port = $tcp->sockport;
my $early = Banter::Client->new(port => $port, greet => 0);
my $b = with_sockets('self', [$tcp, $unix, $stranger, $udp], workers => 2,
	limits => { rate => 0 }, listen => { text => { port => $port },
		local => { address => [$path] } });
$b->expect_log(qr/LISTEN_FDS: descriptor/);
is($b->port, $port, 'the LISTEN line names the inherited socket');
ok($early->greeted('lobby'), 'who connected before the start is served');
my $log = $b->log_text;
is(() = $log =~ /LISTEN_FDS/g, 2, 'two descriptors are reported');
like($log, qr/descriptor 5 is closed: .*127\.0\.0\.1:${\ $stranger->sockport}\b/,
	'... the one that no section names');
like($log, qr/descriptor 6 is closed: is not a stream socket/, '... and the datagram socket');

# Every worker waits on it: whichever is stopped, the other one serves.
my $worker = $b->workers;
my %served;
for my $stopped (1, 2) {
	my $pid = $worker->{$stopped};
	kill 'STOP', $pid;
	wait_until { state($pid) eq 'T' };
	my $ann = $b->client;
	my $bob = Banter::Client->new(path => $path);
	ok($ann && $bob, "worker $stopped stopped: TCP and UNIX are served") or next;
	$ann->send("through $stopped\n");
	ok($bob->expect(qr/> through $stopped$/), '... and they meet');
	kill 'CONT', $pid;
	my ($row) = grep { $_->{port} == $ann->local_port } $b->rows('clients');
	$served{ $row->{worker} }++ if $row;
	$ann->close;
	$bob->close;
}
is_deeply([sort keys %served], [1, 2], 'clients reach every worker');

# A reload keeps it; a worker's death keeps it.
$b->reload_ok('a reload with the same addresses');
ok($b->client, '... serves on');
$b->expect_log(qr/worker \d+.*(?:died|killed|signal)/i, qr/clients of the worker before/);
kill 'KILL', $b->workers->{1};
ok((wait_until { my $p = $b->workers->{1}; $p && $p != $worker->{1} }), 'a killed worker is replaced');
kill 'STOP', $b->workers->{2};
wait_until { state($b->workers->{2}) eq 'T' };
ok($b->client, '... and the new one serves the inherited socket');
kill 'CONT', $b->workers->{2};
$b->stop_ok;
ok(-S $path, 'the path stays: it is the supervisor\'s');
my $waits = Banter::Client->new(port => $port, greet => 0);
ok($waits && $waits->is_open, 'the socket lives on in the supervisor');

# The same once more, over the same sockets.
my $again = with_sockets('self', [$tcp, $unix], workers => 2,
	listen => { text => { port => $port }, local => { address => [$path] } });
ok($waits->greeted('lobby'), 'the next daemon serves who waited between');
$again->stop_ok;

# Meant for another process: ignored, and so the port is taken.
my $end = with_sockets(1, [$tcp], workers => 1, ends => 1,
	listen => { text => { port => $port } });
is($end->{code}, 69, 'LISTEN_PID of another process: not for us');
unlike($end->{log}, qr/LISTEN_FDS/, '... and not our business');

# More announced than there are: none of our own descriptors is taken for one.
{
	local $ENV{MORE_FDS} = 40;
	$b = with_sockets('self', [$tcp], workers => 1,
		listen => { text => { port => $port } }, expect_log => [qr/LISTEN_FDS: descriptor/]);
	ok($b->client, 'LISTEN_FDS larger than the truth does no harm');
	$b->stop_ok;
}

# [::] that takes IPv4 as well stands for "*".
SKIP: {
	my $dual = IO::Socket::IP->new(LocalHost => '::', LocalPort => 0,
		Listen => 16, Type => SOCK_STREAM, V6Only => 0);
	skip 'no IPv6 on this machine', 2 unless $dual;
	$b = with_sockets('self', [$dual], workers => 1,
		listen => { text => { address => ['*'], port => $dual->sockport } });
	ok(Banter::Client->new(port => $dual->sockport), 'a dual socket serves IPv4 for "*"');
	$b->reload_ok;
	$b->stop_ok;
}
done_testing;
