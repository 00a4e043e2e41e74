# Banter::Late - clients whose handshake the server has not seen the end of.  They
# are connected; for the server's kernel they will be when they say something.
#
# SPDX-License-Identifier: MIT
package Banter::Late;

use strict;
use warnings;
use Errno;
use Socket qw(SOL_SOCKET SO_ACCEPTCONN SO_ATTACH_FILTER AF_INET
	sockaddr_family unpack_sockaddr_in);
use Test::More ();
use Exporter 'import';
use Banter::Client;
use Banter::Proc qw(wait_until slurp sockets);

our @EXPORT_OK = qw(listeners_of late_clients);

# Copies of the daemon's IPv4 listeners on that port.
sub listeners_of
{
	my ($b, $port) = @_;
	return grep {
		my $name = getsockname $_;
		my $listens = getsockopt $_, SOL_SOCKET, SO_ACCEPTCONN;
		$listens && unpack('i', $listens) && $name
			&& sockaddr_family($name) == AF_INET
			&& (unpack_sockaddr_in($name))[0] == $port;
	} sockets($b->master_pid);
}

# A segment with ACK, no other flag and so no data is dropped from now on, also
# when it is for a client of that listener.
sub lose_acks
{
	my ($listener) = @_;
	my $code = pack '(SCCL)4',
		0x30, 0, 0, 13,          # the flags
		0x15, 0, 1, 0x10,        # ACK?
		0x06, 0, 0, 0,           # nothing of it
		0x06, 0, 0, 0xffffffff;  # all of it
	return setsockopt $listener, SOL_SOCKET, SO_ATTACH_FILTER,
		pack 'S x![P] P', 4, $code;
}

sub n_half_open
{
	my ($port) = @_;
	my $hex = sprintf '%04X', $port;
	return scalar grep { /^\s*\d+: [0-9A-F]+:$hex \S+ 03 / }
		split /\n/, slurp('/proc/net/tcp');
}

# So many at these listeners; nothing where copies of sockets, or such a filter,
# are forbidden: $! says so.
sub late_clients
{
	my ($port, $n, @listeners) = @_;
	return unless @listeners;
	for (@listeners) {
		next if lose_acks($_);
		die "a filter for a listener: $!" unless $!{EPERM} || $!{ENOPROTOOPT};
		return;
	}
	my @late = map { Banter::Client->new(port => $port, greet => 0) } 1 .. $n;
	Test::More::ok((wait_until { n_half_open($port) == $n }),
		"$n are connected, the server does not know of it");
	return @late;
}

1;
