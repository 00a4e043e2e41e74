# Banter::Slots - the slots of a daemon as they are at this moment, asked for so
# cheaply that a thousand deaths can be watched; and deaths.
#
# It speaks the line protocol of the control socket (src/master/control.h)
# itself: a banterctl for each look would be most of what the machine does.
#
# SPDX-License-Identifier: MIT
package Banter::Slots;

use strict;
use warnings;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More ();
use Time::HiRes qw(time);

use Banter::Proc qw(wait_until);

# The answer to "status" as rows by slot: {slot, keeper, worker, state ...}.
# Nothing while nobody answers, as during an upgrade of the master.
sub rows
{
	my ($b) = @_;
	my $path = $b->control_socket or return {};
	my $sock = IO::Socket::UNIX->new(Peer => $path, Type => SOCK_STREAM)
		or return {};
	syswrite $sock, "status\n" or return {};
	my $text = '';
	1 while sysread $sock, $text, 65536, length $text;
	my (@columns, %row);
	for my $line (split /\n/, $text) {
		@columns = split /\t/, $1 if $line =~ /^=(.*)/;
		next unless @columns && $columns[0] eq 'slot' && $line =~ /^row\t/;
		my (undef, @values) = split /\t/, $line, -1;
		my %one;
		@one{@columns} = @values;
		$row{ $one{slot} } = \%one;
	}
	return \%row;
}

sub is_ready
{
	my ($row) = @_;
	return $row && $row->{state} eq 'ready' && $row->{worker} && $row->{keeper};
}

# The same, or it has only those clients that stayed when it was given up.
sub serves
{
	my ($row) = @_;
	return is_ready($row) || $row && $row->{state} eq 'draining' && $row->{worker};
}

# Wait until so many slots are ready; those beyond may only be draining.
sub wait_all
{
	my ($b, $n, $seconds) = @_;
	return wait_until {
		my @rows = values %{ rows($b) };
		$n == grep { is_ready($_) } @rows
			and $n == grep { $_->{state} ne 'draining' } @rows;
	} $seconds || 30;
}

# End the worker of this slot by a signal and wait for its successor.  What that
# took in seconds, or undef and a complaint.
sub kill_worker
{
	my ($b, $slot, $signal) = @_;
	my $was = rows($b)->{$slot} || {};
	my $pid = $was->{worker};
	if (!$pid) {
		Test::More::diag("slot $slot has no worker");
		return undef;
	}
	my $start = time;
	kill $signal || 'KILL', $pid;
	return wait_successor($b, $slot, $pid, $was->{state} eq 'draining')
		? time - $start : undef;
}

# A slot that was draining may also have gone, with its last client.
sub wait_successor
{
	my ($b, $slot, $pid, $may_go) = @_;
	my $row;
	wait_until {
		my $rows = rows($b);
		$row = $rows->{$slot};
		$may_go && %$rows && !$row || serves($row) && $row->{worker} != $pid;
	} 30 and return 1;
	Test::More::diag("slot $slot has no new worker after $pid: "
		. join ' ', map { "$_=" . ($row->{$_} // '') } sort keys %{ $row || {} });
	return 0;
}

# Kill this keeper and wait for another, with a worker that is its child.
sub kill_keeper
{
	my ($b, $slot) = @_;
	my $pid = (rows($b)->{$slot} || {})->{keeper} or return 0;
	kill 'KILL', $pid;
	my $row;
	wait_until {
		$row = rows($b)->{$slot};
		is_ready($row) && $row->{keeper} != $pid
			&& Banter::Proc::ppid($row->{worker}) == $row->{keeper};
	} 30 and return 1;
	Test::More::diag("slot $slot has no new keeper after $pid: "
		. join ' ', map { "$_=" . ($row->{$_} // '') } sort keys %{ $row || {} });
	return 0;
}

1;
