# Banter::Client - one connection of a test, line by line, never blocking for
# longer than its deadline.  Everything is bytes.
#
# SPDX-License-Identifier: MIT
package Banter::Client;

use strict;
use warnings;
use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Handle;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_LINGER SOCK_STREAM);
use Test::More ();
use Time::HiRes qw(time);

our $DEADLINE = 20;
my $n_markers = 0;

# host, port or path; local: the address to come from; greet => 0: the server
# says nothing first; rcvbuf.
sub new
{
	my ($class, %o) = @_;
	my $self = bless {
		host => $o{host} || '127.0.0.1', port => $o{port},
		in => '', all => '', lines => [], seen => [],
	}, $class;
	$self->{sock} = $o{path}
		? IO::Socket::UNIX->new(Peer => $o{path}, Type => SOCK_STREAM)
		: IO::Socket::IP->new(
			PeerHost => $self->{host}, PeerPort => $o{port},
			Type => SOCK_STREAM,
			$o{local} ? (LocalHost => $o{local}) : (),
			$o{rcvbuf} ? (Sockopts => [[SOL_SOCKET, SO_RCVBUF, $o{rcvbuf}]]) : ());
	if (!$self->{sock}) {
		Test::More::diag("cannot connect to "
			. ($o{path} || "$self->{host} $o{port}") . ": $!");
		return undef;
	}
	$self->{sock}->blocking(0);
	return $self if exists $o{greet} && !$o{greet};
	return $self->greeted($o{room} || 'lobby') ? $self : undef;
}

# Wait for what a chat client is told first.
sub greeted
{
	my ($self, $room) = @_;
	my $welcome = $self->expect(qr/^(?:\d\d:\d\d:\d\d )?\* Welcome to /)
		or return 0;
	($self->{nick}) = $welcome =~ /You are (\S+?)\.?\s*$/;
	$self->{welcome} = $welcome;
	return $room eq '-' || $self->expect(qr/\* In \Q$room\E\b/) ? 1 : 0;
}

sub nick { return $_[0]{nick} }
sub sock { return $_[0]{sock} }
sub local_port { return $_[0]{sock} && $_[0]{sock}->sockport }

# Write all of it; false when the server has closed or does not read in time.
sub send
{
	my ($self, $bytes) = @_;
	my $deadline = time + $DEADLINE;
	while (length $bytes) {
		local $SIG{PIPE} = 'IGNORE';
		my $n = syswrite $self->{sock}, $bytes;
		if (defined $n) {
			substr $bytes, 0, $n, '';
			next;
		}
		return 0 unless $! == EAGAIN || $! == EINTR;
		return 0 if time > $deadline;
		IO::Select->new($self->{sock})->can_write(0.1);
	}
	return 1;
}

# Take what is there, waiting at most so many seconds for the first byte.
# 1: bytes, 0: the end, undef: nothing yet.
sub fill
{
	my ($self, $seconds) = @_;
	return 0 if $self->{ended};
	IO::Select->new($self->{sock})->can_read($seconds) or return undef;
	my $n = sysread $self->{sock}, my $bytes, 65536;
	if (!defined $n) {
		return undef if $! == EAGAIN || $! == EINTR;
		$self->{error} = "$!";
	}
	if (!$n) {
		$self->{ended} = 1;
		return 0;
	}
	$self->{all} .= $bytes;
	$self->{in} .= $bytes;
	push @{ $self->{lines} }, $1 while $self->{in} =~ s/^([^\n]*)\n//;
	return 1;
}

# The next line without its LF; undef at the end or the deadline.
sub next_line
{
	my ($self, $seconds) = @_;
	my $deadline = time + (defined $seconds ? $seconds : $DEADLINE);
	until (@{ $self->{lines} }) {
		my $left = $deadline - time;
		return undef if $left <= 0;
		my $got = $self->fill($left);
		return undef if defined $got && !$got && !@{ $self->{lines} };
	}
	my $line = shift @{ $self->{lines} };
	push @{ $self->{seen} }, $line;
	return $line;
}

# The first line from here on that matches.  Says what came instead.
sub expect
{
	my ($self, $re, $seconds) = @_;
	my $deadline = time + (defined $seconds ? $seconds : $DEADLINE);
	my @other;
	while (defined(my $line = $self->next_line($deadline - time))) {
		return $line if $line =~ $re;
		push @other, $line;
	}
	splice @other, 0, @other - 20 if @other > 20;
	@other = map { length > 300 ? substr($_, 0, 300) . '...' : $_ } @other;
	Test::More::diag("expected $re, got "
		. ($self->{ended} ? "the end" : "nothing")
		. ($self->{error} ? " ($self->{error})" : '')
		. (@other ? " after:\n  " . join("\n  ", @other) : '')
		. (length $self->{in} ? "\n  unfinished: $self->{in}" : ''));
	return undef;
}

# Every line up to the first that matches, that one left out; undef without it.
sub lines_until
{
	my ($self, $re) = @_;
	my $from = @{ $self->{seen} };
	defined $self->expect($re) or return undef;
	my @lines = @{ $self->{seen} }[$from .. $#{ $self->{seen} } - 1];
	return \@lines;
}

# The lines between now and an answer of the server to a question of ours that
# goes through the master and comes back behind everything sequenced before.
sub lines
{
	my ($self) = @_;
	my $mark = 'mark-' . $$ . '-' . ++$n_markers;
	my $nick = $self->nick;
	my $from = @{ $self->{seen} };
	$self->send("/msg $nick $mark\n") or return undef;
	# It comes twice, as its sender's and as its receiver's.
	$self->expect(qr/: \Q$mark\E|> \Q$mark\E/) or return undef for 1, 2;
	return [ grep { !/\Q$mark\E/ }
		@{ $self->{seen} }[$from .. $#{ $self->{seen} }] ];
}

# Wait until everything sent so far was handled, in order, and answered.
sub sync { return defined $_[0]->lines }

# True when the line that matches is the very next one.
sub nothing_until
{
	my ($self, $re) = @_;
	my $lines = $self->lines_until($re) or return 0;
	return 1 unless @$lines;
	Test::More::diag("expected nothing before $re, got:\n  "
		. join("\n  ", @$lines));
	return 0;
}

# The server closes, cleanly: FIN, not RST.
sub eof
{
	my ($self, $seconds) = @_;
	my $deadline = time + (defined $seconds ? $seconds : $DEADLINE);
	while (!$self->{ended}) {
		my $left = $deadline - time;
		if ($left <= 0) {
			Test::More::diag('the connection is still open');
			return 0;
		}
		$self->fill($left);
	}
	Test::More::diag("it ended with $self->{error}") if $self->{error};
	return !$self->{error};
}

# Open, as far as can be seen without waiting.
sub is_open
{
	my ($self) = @_;
	1 while $self->fill(0);
	return !$self->{ended};
}

sub half_close { $_[0]{sock}->shutdown(1) }

# Everything that came, as bytes.
sub bytes { return $_[0]{all} }

# At least so many bytes have come.
sub wait_bytes
{
	my ($self, $n) = @_;
	my $deadline = time + $DEADLINE;
	while (length $self->{all} < $n && !$self->{ended}) {
		my $left = $deadline - time;
		return 0 if $left <= 0;
		$self->fill($left);
	}
	return length $self->{all} >= $n;
}

# Close with RST, as a client does whose machine is switched off.
sub abort
{
	my ($self) = @_;
	setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
	close $self->{sock};
	$self->{ended} = 1;
}

sub close
{
	my ($self) = @_;
	CORE::close($self->{sock}) if $self->{sock};
	$self->{ended} = 1;
}

1;
