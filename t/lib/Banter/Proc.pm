# Banter::Proc - what /proc says of the daemon's processes.
#
# SPDX-License-Identifier: MIT
package Banter::Proc;

use strict;
use warnings;
use POSIX ();
use Exporter 'import';
use Time::HiRes ();

our @EXPORT_OK = qw(slurp wait_until children descendants title state alive
	n_fds n_sockets sockets fds_at_rest pss_kb ppid unread has_uring);

# Does this kernel, or what is put before it, let us have a ring?  The number of
# io_uring_setup() is the same on all machines.
sub has_uring
{
	my $params = pack 'x120';
	my $fd = syscall 425, 1, $params;
	return 0 if $fd < 0;
	POSIX::close($fd);
	return 1;
}

sub slurp
{
	my ($path) = @_;
	open my $fh, '<:raw', $path or return '';
	local $/;
	my $text = <$fh>;
	return defined $text ? $text : '';
}

# True as soon as the code is, undef at the deadline.  It looks again every
# 10 ms: there is no event to wait for when a process of others changes.
sub wait_until(&;$)
{
	my ($code, $seconds) = @_;
	my $deadline = Time::HiRes::time() + ($seconds || 20);
	while (1) {
		my $value = $code->();
		return $value if $value;
		return undef if Time::HiRes::time() > $deadline;
		select undef, undef, undef, 0.01;
	}
}

# The fields behind the name, which may itself contain spaces and ")".
sub stat_fields
{
	my ($pid) = @_;
	my $text = slurp("/proc/$pid/stat");
	return () unless $text =~ s/^.*\)\s+//s;
	return split ' ', $text;
}

sub state { my @f = stat_fields($_[0]); return $f[0] || '' }
sub ppid { my @f = stat_fields($_[0]); return $f[1] || 0 }

# A zombie is no longer alive for us: it serves nobody.
sub alive { my $s = state($_[0]); return $s ne '' && $s !~ /[ZX]/ }

sub children
{
	my ($pid) = @_;
	opendir my $dir, '/proc' or die "/proc: $!";
	return sort { $a <=> $b }
		grep { /^\d+$/ && ppid($_) == $pid && alive($_) } readdir $dir;
}

sub descendants
{
	my ($pid) = @_;
	return map { ($_, descendants($_)) } children($pid);
}

# argv as the process shows it: "banterd: worker 1".
sub title
{
	my $text = slurp("/proc/$_[0]/cmdline");
	$text =~ s/\0+$//;
	$text =~ s/\0/ /g;
	return $text;
}

sub fd_targets
{
	my ($pid) = @_;
	opendir my $dir, "/proc/$pid/fd" or return ();
	return map { readlink("/proc/$pid/fd/$_") || () }
		grep { /^\d+$/ } readdir $dir;
}

sub n_fds { return scalar(my @t = fd_targets($_[0])) }
sub n_sockets { return scalar grep { /^socket:/ } fd_targets($_[0]) }

# Copies of the sockets of a process.  While one of a listener is there, that is
# not closed.
sub sockets
{
	my ($pid) = @_;
	my $pidfd = syscall 434, $pid + 0, 0; # pidfd_open
	return () if $pidfd < 0;
	my @sockets;
	for my $path (glob "/proc/$pid/fd/*") {
		next unless (readlink($path) || '') =~ /^socket:/;
		my ($number) = $path =~ /(\d+)$/;
		my $copy = syscall 438, $pidfd, $number + 0, 0; # pidfd_getfd
		next if $copy < 0;
		open my $s, '+<&=', $copy or next;
		push @sockets, $s;
	}
	POSIX::close($pidfd);
	return @sockets;
}

# The number of descriptors when it has been the same for half a second: a
# question on the control socket is one too, for a moment.
sub fds_at_rest
{
	my ($pid) = @_;
	my ($n, $since) = (-1, 0);
	wait_until {
		my $now = n_fds($pid);
		$since = Time::HiRes::time() if $now != $n;
		$n = $now;
		Time::HiRes::time() - $since > 0.5;
	};
	return $n;
}

# Bytes that the server has not yet read of what this client of 127.0.0.1 sent;
# undef while it has not accepted it.
sub unread
{
	my ($client) = @_;
	# Both: another connection of this machine may have that port too.
	my ($server, $port) = map { sprintf ':%04X', $_ }
		$client->sock->peerport, $client->local_port;
	for my $line (split /\n/, slurp('/proc/net/tcp')) {
		my @f = split ' ', $line;
		next unless @f > 9 && $f[2] =~ /\Q$port\E$/
			&& $f[1] =~ /\Q$server\E$/;
		return undef if $f[9] eq '0'; # no inode: in the accept queue
		return hex((split /:/, $f[4])[1]);
	}
	return undef;
}

sub pss_kb
{
	my ($kb) = slurp("/proc/$_[0]/smaps_rollup") =~ /^Pss:\s+(\d+)/m;
	return $kb || 0;
}

1;
