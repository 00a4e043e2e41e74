# The load tool sees what it is there for: a proxy between it and a daemon
# spoils one line of one client, and the summary has to say so.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Banter;

# What is done to the first line that matches on the connection of this number
# (the load tool opens them in its order: 0 to 5 publish, 6 reads private
# messages, 7 sends them, 8 changes its nick, 9 comes and goes), and what the
# summary says then.  Even ones are in one room.
my @spoil = (
	[nothing => 6, qr/^nothing at all/, sub { $_[0] }, {}],
	[drop => 10, qr/> @ \d+ 20 /, sub { '' }, { lost => 1 }],
	['drop the last' => 10, qr/> @ 0 \d+ /, sub { '' }, { lost => 1 }, 'all'],
	[double => 10, qr/> @ \d+ 20 /, sub { "$_[0]$_[0]" }, { duplicated => 1 }],
	[swap => 10, qr/> @ \d+ 20 /, sub { my ($line, $hold) = @_; $$hold = $line; '' }, { disordered => 1 }],
	['swap for one without echo' => 4, qr/> @ 0 20 /, sub { my ($line, $hold) = @_; $$hold = $line; '' }, { disordered => 1 }],
	[flip => 10, qr/> @ \d+ 20 /, sub { $_[0] =~ s/ 20 / 21 /r }, { damaged => 1 }],
	[tear => 10, qr/> @ \d+ 20 /, sub { substr $_[0], 9 }, { damaged => 1 }],
	['cut the end' => 10, qr/> @ \d+ 20 /, sub { substr $_[0], 0, -5 }, { damaged => 1 }],
	['another room' => 10, qr/> @ \d+ 20 /, sub { $_[0] =~ s/^\[load1\]/[load2]/r }, { damaged => 1 }],
	['a strange line' => 10, qr/> @ \d+ 20 /, sub { "* Hello.\n$_[0]" }, { damaged => 1 }],
	['no answer' => 7, qr/^\* to \S+: @ 7 1 /, sub { '' }, { lost => 1 }],
	['a second answer' => 7, qr/^\* to \S+: @ 7 1 /, sub { "$_[0]$_[0]" }, { duplicated => 1 }],
	['no private message' => 6, qr/^\[private\] <\S+> @ 7 1 /, sub { '' }, { lost => 1 }],
	['a private message twice' => 6, qr/^\[private\] <\S+> @ 7 1 /, sub { "$_[0]$_[0]" }, { duplicated => 1 }],
	['no nick' => 10, qr/is now c8x1/, sub { '' }, { lost => 1 }],
	['a nick twice' => 10, qr/is now c8x1/, sub { "$_[0]$_[0]" }, { duplicated => 1 }],
	['no join' => 9, qr/^\* In extra/, sub { '' }, { lost => 1 }],
	['a refusal' => 9, qr/^\* In extra/, sub { "$_[0]* error: no\n" }, { refused => 1 }],
	[close => 10, qr/> @ \d+ 20 /, sub { undef }, { disconnects => 1 }],
	[reset => 10, qr/> @ \d+ 20 /, sub { 'reset' }, { disconnects => 1 }],
);

# One end of a relayed connection as {sock, to, lines, n, hold}.
sub relay
{
	my ($end, $spoil, $done) = @_;
	my (undef, $victim, $re, $how, undef, $all) = @$spoil;
	my $n = sysread $end->{sock}, my $bytes, 65536;
	return 0 unless $n;
	$end->{in} .= $bytes;
	my $out = '';
	while ($end->{in} =~ s/^([^\n]*\n)//) {
		my $line = $1;
		$$done++ if $$done; # how many lines ago
		if ($end->{lines} && $end->{n} == $victim && $line =~ $re
			&& ($all || !$$done)) {
			$$done = 1;
			my $held;
			$line = $how->($line, \$held);
			return 0 unless defined $line;
			if ($line eq 'reset') {
				setsockopt $end->{to}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
				return 0;
			}
			$end->{hold} = $held;
		} elsif (defined $end->{hold}) {
			$line .= $end->{hold};
			undef $end->{hold};
		}
		$out .= $line;
	}
	# What the client sends is passed on in its pieces.
	$out .= $end->{in}, $end->{in} = '' unless $end->{lines};
	syswrite $end->{to}, $out if length $out;
	return 1;
}

sub proxy
{
	my ($listen, $port, $spoil, $tell) = @_;
	my $set = IO::Select->new($listen);
	my (%end, $n, $done, $told);
	$SIG{PIPE} = 'IGNORE';
	while (my @ready = $set->can_read(30)) {
		for my $sock (@ready) {
			if ($sock == $listen) {
				my $client = $listen->accept or next;
				my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or next;
				$end{$client} = { sock => $client, to => $server, in => '' };
				$end{$server} = { sock => $server, to => $client, in => '',
					lines => 1, n => $n++ || 0 };
				$set->add($client, $server);
				next;
			}
			my $end = $end{$sock} or next;
			my $goes_on = relay($end, $spoil, \$done);
			# What is held back needs a line to go behind.
			syswrite $tell, "done\n" if $done && $done > 50 && !$told++;
			next if $goes_on;
			$set->remove($sock);
			if ($end->{lines}) {
				$set->remove($end->{to});
				close $_ for delete @{ $end{ $end->{to} } }{qw(sock)}, $end->{to};
				close $sock;
			} else {
				shutdown $end->{to}, 1;
			}
		}
	}
	POSIX::_exit(0);
}

sub begin
{
	my ($spoil) = @_;
	my $b = Banter->start(workers => 1, limits => { rate => 0 },
		expect_log => [qr/no room has autojoin/],
		room => { lobby => { autojoin => 'false' } });
	my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64);
	pipe my $told, my $tell;
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	proxy($listen, $b->port, $spoil, $tell) if !$pid;
	close $tell;
	return { b => $b, told => $told, pid => $pid, port => $listen->sockport };
}

sub load
{
	my ($run) = @_;
	$run->{load} = $run->{b}->load_steady(12, '-r', 2, '-P', 6, '--rate', 40,
		'--mixed', 4, '-t', 1, '-p', $run->{port});
}

# The load ends when the line was spoiled.
sub wait_spoiled
{
	my ($run, $spoil) = @_;
	my ($name, undef, undef, undef, $want) = @$spoil;
	IO::Select->new($run->{told})->can_read(20)
		or fail("$name: nothing matched") if %$want;
	close $run->{load}{in};
}

sub finish
{
	my ($run, $spoil) = @_;
	my ($name, undef, undef, undef, $want) = @$spoil;
	my $s = Banter::load_end($run->{load});
	kill 'KILL', $run->{pid};
	waitpid $run->{pid}, 0;
	if (!%$want) {
		Banter::load_clean($s, 'a proxy that spoils nothing: all is well');
	} else {
		my ($key) = keys %$want;
		cmp_ok($s->{$key}, '>=', 1, "$name: that counts as $key") or diag $s->{text};
		is($s->{code}, 1, '... and fails');
	}
	$run->{b}->stop_ok;
}

# What the load tool says of spoiled lines is expected here.
open my $stderr, '>&', \*STDERR;
while (my @some = splice @spoil, 0, 7) {
	open STDERR, '>', '/dev/null';
	# A proxy must not hold the standard input of a load open.
	my @run = map { begin($_) } @some;
	load($_) for @run;
	open STDERR, '>&', $stderr;
	wait_spoiled($run[$_], $some[$_]) for 0 .. $#some;
	finish($run[$_], $some[$_]) for 0 .. $#some;
}
done_testing;
