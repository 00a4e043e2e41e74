# Banter::Ctl - banterctl from a test: its text, its JSON, its exit code.
#
# SPDX-License-Identifier: MIT
package Banter::Ctl;

use strict;
use warnings;
use JSON::PP ();
use POSIX ();

# Run a program.  {code, signal, out, err}.  The child gets no descriptor of
# ours but 0 to 2.  It is killed, and the result says so, after 60 s.
sub run
{
	my ($stdin, @command) = @_;
	pipe my $out_r, my $out_w or die "pipe: $!";
	pipe my $err_r, my $err_w or die "pipe: $!";
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		if (defined $stdin) {
			pipe my $r, my $w;
			syswrite $w, $stdin;
			close $w;
			POSIX::dup2(fileno $r, 0);
		}
		POSIX::dup2(fileno $out_w, 1);
		POSIX::dup2(fileno $err_w, 2);
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	close $out_w;
	close $err_w;
	my ($out, $err, $late) = collect($pid, $out_r, $err_r);
	waitpid $pid, 0;
	return { code => $? >> 8, signal => $? & 127, out => $out, err => $err,
		late => $late };
}

sub collect
{
	my ($pid, @fh) = @_;
	my @text = ('', '');
	my ($late, $open) = (0, 2);
	my $deadline = time + 60;
	my $set = IO::Select->new(@fh);
	while ($open) {
		my @ready = $set->can_read(1);
		if (time > $deadline && !$late) {
			$late = 1;
			kill 'KILL', $pid;
		}
		for my $fh (@ready) {
			my $i = $fh == $fh[0] ? 0 : 1;
			next if sysread $fh, $text[$i], 65536, length $text[$i];
			$set->remove($fh);
			$open--;
		}
	}
	return (@text, $late);
}

# Every object of the answer: one value, or one a line.
sub decode
{
	my ($text) = @_;
	my $json = JSON::PP->new->utf8;
	my $whole = eval { $json->decode($text) };
	return $whole if defined $whole;
	my @rows = map { eval { $json->decode($_) } } grep { /\S/ } split /\n/, $text;
	return \@rows;
}

1;
