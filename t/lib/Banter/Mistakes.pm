# Banter::Mistakes - a table of what administrators do wrong, and what banter
# says to each.
#
#	mistake('a typo', how => 'wokers = 2', about => 'wokers',
#		got => check("wokers = 2\n"), code => 78,
#		says => "DIR/banterd.conf:1: there is no key ...");
#
# A row passes when the exit code is that, the message is one of the lines that
# were said, as a whole, it names what it is about, and it tells what to do.
# What differs from run to run has a name: DIR, PORT, PID.
#
# BANTER_TABLE=FILE appends the rows to FILE as Markdown.
#
# SPDX-License-Identifier: MIT
package Banter::Mistakes;

use strict;
use warnings;
use Exporter 'import';
use Test::More ();

use Banter;
use Banter::Ctl;
use Banter::Proc qw(slurp);

our @EXPORT = qw(mistake conf_folder check start_with as_nobody
	namespace name_in $NOBODY);

# Whom nothing belongs to.
our $NOBODY = 65534;

my %named; # text of this run => its name in the table

sub name_in { my %h = @_; $named{ $h{$_} } = $_ for keys %h; return }

sub plain
{
	my ($text) = @_;
	for my $what (sort { length $b <=> length $a } keys %named) {
		$text =~ s/(?<![0-9A-Za-z])\Q$what\E(?![0-9A-Za-z])/$named{$what}/g;
	}
	$text =~ s/\bpid \d+/pid PID/g;
	return $text;
}

# What a person would read: a log line without its time, process and level.
sub lines_of
{
	my ($text) = @_;
	my @lines = split /\n/, plain($text);
	s/^\d{4}-\d\d-\d\dT\S+ [^\[]+\[\d+\] (?:error|warning|notice|info|debug): // for @lines;
	s/^banterctl: // for @lines;
	return @lines;
}

# "expected", a question, or a command to type.
sub says_what_to_do { return $_[0] =~ /expected|did you mean|`|raise |left out/ }

my ($file, @rows);

sub cell { return $_[0] =~ s{\n}{ }gr =~ s{\|}{\\|}gr =~ s{<}{&lt;}gr }

# Each test of this row counts, so that t/harness.pl can tell them.
sub mistake
{
	my ($what, %o) = @_;
	my @said = lines_of($o{got}{text});
	my $ok = Test::More::is($o{got}{code}, $o{code}, "$what: exit code $o{code}");
	if (defined $o{says}) {
		my ($found) = grep { ref $o{says} ? $_ =~ $o{says} : $_ eq $o{says} } @said;
		$ok &= Test::More::ok(defined $found, "$what: the message");
		$found //= '';
		Test::More::like($found, qr/\Q$o{about}\E/, "$what: it names $o{about}");
		Test::More::ok(says_what_to_do($found), "$what: it says what to do");
		$o{says} = $found if ref $o{says};
	} else {
		$ok &= Test::More::is(join("\n", grep { !/^(?:ready|worker|sandbox of the workers:|max_clients|stopped|SIGTERM|DIR\S*: the configuration is good)/ } @said),
			'', "$what: nothing is said");
	}
	Test::More::diag("$what said, with $o{got}{code}:\n", map { "  $_\n" } @said)
		unless $ok;
	Test::More::note(sprintf '%-3s %s: %s', $o{code}, $o{how}, $o{says} // '(nothing)');
	push @rows, [ $what, $o{how}, $o{code}, $o{says} // '(nothing: it is right)' ];
	return $ok;
}


END {
	if ($ENV{BANTER_TABLE} && @rows) {
		open my $out, '>>:raw', $ENV{BANTER_TABLE} or die "$ENV{BANTER_TABLE}: $!";
		print $out "\n| mistake | how | exit | what banter says |\n| --- | --- | --- | --- |\n";
		print $out '| ', join(' | ', map { cell($_) } @$_), " |\n" for @rows;
		close $out;
	}
}

# --- files that -t is to look at --------------------------------------------

# A folder whose banterd.conf is the mistake; what a start needs besides is in
# conf.d, so that its lines are those of the row.
sub conf_folder
{
	my $p = Banter->prepare(workers => 1, text => '');
	mkdir "$p->{dir}/conf.d" or die $!;
	my ($user, $group) = ((getpwuid $>)[0], (getgrgid $) + 0)[0]);
	Banter::write_file("$p->{dir}/conf.d/00-base.conf",
		qq(user = "$user"\ngroup = "$group"\nrun_dir = "$p->{run_dir}"\n)
		. qq(state_dir = "$p->{state_dir}"\n));
	name_in(DIR => $p->{dir});
	return $p;
}

# banterd -t, and a start, which must say the same with the same code.
sub check
{
	my ($p, $text, %o) = @_;
	Banter::write_file($p->{conf}, $text) if defined $text;
	my @as = @{ $o{as} || [] };
	my $r = Banter::Ctl::run(undef, @as, Banter::banterd(), '-t', '-c', $p->{conf});
	my $said = $r->{err};
	if ($r->{code} == 78 && !$o{only_t}) {
		my $start = Banter::Ctl::run(undef, @as, Banter::banterd(), '-F', '-c', $p->{conf});
		Test::More::is($start->{code}, 78, '... and a start refuses it as well');
		Test::More::is_deeply([ grep { !/^max_clients is/ } lines_of($start->{err}) ], [ lines_of($said) ],
			'... in the same words');
	}
	return { code => $r->{code}, text => $said };
}

# --- a start ------------------------------------------------------------------

# Start it, stop it if it comes up: {code, text, ready}.
sub start_with
{
	my ($p, %o) = @_;
	local $ENV{BANTER_TEST_WRAP} = join ' ', @{ $o{in} || [] };
	name_in(DIR => $p->{dir});
	$p->expect_log(qr/./);
	$p->launch;
	my $ready = $p->{ready};
	$o{while_up}->($p) if $ready && $o{while_up};
	kill 'TERM', $p->{pid} if $ready;
	my $status = $p->wait_end(20);
	$p->kill_all unless defined $status;
	$p->{stopped} = 1;
	return { code => defined $status ? $status >> 8 : 'none', ready => $ready,
		text => slurp($p->{log}) };
}

# The command before a command that makes it somebody else's; for root only.
sub as_nobody
{
	return $> ? () : ('setpriv', "--reuid=$NOBODY", "--regid=$NOBODY", '--clear-groups');
}

# A script that ends in exec "$@", as one command for BANTER_TEST_WRAP.
sub namespace
{
	my ($p, $name, $script) = @_;
	my $path = "$p->{dir}/$name";
	Banter::write_file($path, "#!/bin/sh\nset -e\n$script\nexec \"\$@\"\n");
	chmod 0755, $path;
	return $path;
}

1;
