#!/usr/bin/perl
# Runs tests and counts assertions.  Its last line on stdout is
#
#	N passed, M failed, K skipped
#
# and it exits with 1 when one has failed, a skip is not listed in t/skips, or a
# program ended badly.  script/test and script/soak call it.
#
#	harness.pl [NAME...]          unit tests, the same with sanitizers, lints,
#	                              t/*.t, and some of these on other engines;
#	                              or only those of these names
#	harness.pl --soak [NAME...]   t/soak/*.t
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Cwd ();
use File::Basename qw(basename dirname);
use FindBin;
use TAP::Harness;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Banter::Proc qw(has_uring);

my $top = Cwd::abs_path(dirname(__FILE__) . '/..');
chdir $top or die "$top: $!";
$ENV{BANTER_BUILD} ||= "$top/build/test";
$| = 1;

my $soak = @ARGV && $ARGV[0] eq '--soak' ? shift : 0;
my %wanted = map { (basename($_) =~ s/\.(?:t|c)$//r) => 1 } @ARGV;
my $started = time;

# timeout(1) puts each test into a process group of its own, which Ctrl-C does
# not reach.
for my $name (qw(INT TERM HUP)) {
	$SIG{$name} = sub {
		kill 'TERM', map { m{(\d+)/stat$} && ppid($_) == $$ ? $1 : () }
			glob '/proc/[0-9]*/stat';
		print "stopped by SIG$name\n";
		exit 130;
	};
}

sub ppid
{
	my ($stat) = @_;
	open my $in, '<', $stat or return 0;
	my $text = <$in> // '';
	return $text =~ /^.*\)\s+\S+\s+(\d+)/s ? $1 : 0;
}

# --- what there is to run ---------------------------------------------------

sub unit_tests
{
	my ($build) = @_;
	return map { { name => basename($_) =~ s/\.c$//r, source => $_,
		label => "$build/" . ($_ =~ s/\.c$//r),
		command => ['timeout', '-k', '5', '300', 'sh', 't/run-unit.sh',
			"$top/$build/" . ($_ =~ s/\.c$//r)] } }
		grep { -x "$build/" . ($_ =~ s/\.c$//r) || $build eq 'build/test' }
		sort glob 't/unit/test_*.c';
}

sub scripts
{
	my ($glob, $seconds) = @_;
	return map { { name => basename($_, '.t'), label => $_,
		command => ['timeout', '-k', '5', $seconds, 'perl', '-It/lib',
			$_] } } sort glob $glob;
}

# What goes through the engines in most ways, once more on each of the others;
# all of t/*.t is t/soak/60-engines.t.
sub on_engines
{
	return map {
		my $engine = $_;
		map { { %$_, label => "$engine/$_->{label}", command => ['env',
			"BANTER_TEST_ENGINE=$engine", @{ $_->{command} }] } }
			map { scripts("t/$_-*.t", 240) } qw(00 20 30 70 75 77);
	} (has_uring() ? 'io_uring' : (), qw(poll select threads));
}

# Integration tests have the machine to themselves: they measure time.
my @batches = $soak ? ([scripts('t/soak/*.t', 3600)])
	: ([unit_tests('build/test'), @ARGV ? () : unit_tests('build/asan'),
			scripts('t/lint/*.t', 300)],
		[scripts('t/*.t', 240), @ARGV ? () : on_engines()]);
my @jobs = $soak ? (1) : (2, 1);
if (%wanted) {
	@$_ = grep { $wanted{ $_->{name} } } @$_ for @batches;
	my %found = map { $_->{name} => 1 } map { @$_ } @batches;
	for my $name (sort keys %wanted) {
		die "$0: no test is called $name\n" unless $found{$name};
	}
}
die "$0: there is nothing to run\n" unless grep { @$_ } @batches;

# --- skips that are known ---------------------------------------------------

# Lines of t/skips: FILE REASON.  The reason begins so.
my @allowed;
if (open my $in, '<', 't/skips') {
	while (<$in>) {
		next if /^\s*(?:#|$)/;
		chomp;
		push @allowed, [split ' ', $_, 2];
	}
}

sub skip_is_known
{
	my ($label, $reason) = @_;
	for my $row (@allowed) {
		return 1 if $label =~ /(?:^|\/)\Q$row->[0]\E$/
			&& index($reason, $row->[1]) == 0;
	}
	return 0;
}

# --- run and count ----------------------------------------------------------

my ($passed, $failed, $skipped) = (0, 0, 0);
my (%by_label, %count, %said);

sub fail
{
	my ($label, $text) = @_;
	$failed++;
	$said{$label} .= "    $text\n";
}

sub take_test
{
	my ($label, $r) = @_;
	my $name = $r->description =~ s/^- //r;
	$count{$label}++;
	if ($r->has_skip) {
		$skipped++;
		fail($label, "skipped, not in t/skips: $name: " . $r->explanation)
			unless skip_is_known($label, $r->explanation);
	} elsif ($r->is_ok) {
		$passed++;
	} else {
		fail($label, "not ok: $name");
	}
}

sub skip_file
{
	my ($label, $reason) = @_;
	$skipped++;
	fail($label, "skipped, not in t/skips: $reason")
		unless skip_is_known($label, $reason);
}

# LTO and --gc-sections make Criterion lose tests silently: there are at least as
# many as the source names.
sub check_number
{
	my ($test) = @_;
	open my $in, '<', $test->{source} or return;
	my $n = grep { /^(?:Parameterized)?Test\s*\(/ } <$in>;
	my $ran = $count{ $test->{label} } || 0;
	fail($test->{label}, "only $ran of $n tests ran") if $ran < $n;
}

sub check_end
{
	my ($label, $parser) = @_;
	my $status = $parser->wait;
	fail($label, "exit status " . ($parser->exit)) if $status
		&& !$parser->failed;
	fail($label, $_) for $parser->parse_errors;
}

sub watch
{
	my ($parser, $spec) = @_;
	my $label = $spec->[1];
	$by_label{$label}{start} = time;
	$parser->callback(test => sub { take_test($label, $_[0]) });
	$parser->callback(plan => sub {
		skip_file($label, $_[0]->explanation) if $_[0]->directive eq 'SKIP';
	});
	# What a failing test says is all there is to go by.
	$parser->callback($_ => sub {
		$said{"$label tail"} .= '    ' . $_[0]->raw . "\n";
	}) for qw(comment yaml unknown bailout);
}

sub report
{
	my ($test, $parser) = @_;
	my $label = $test->{label};
	check_end($label, $parser);
	check_number($test) if $test->{source};
	my $bad = $said{$label};
	printf "%-44s %4d %s %5.1f s\n", $label, $count{$label} || 0,
		$bad ? 'FAILED' : 'ok    ', time - $by_label{$label}{start};
	# A client's bytes must not steer the terminal of who reads this.
	print map { s/([^\x20-\x7e\n\t])/sprintf '\\x%02x', ord $1/ger }
		$bad, $said{"$label tail"} || '' if $bad;
}

for my $tests (@batches) {
	my $jobs = shift @jobs;
	next unless @$tests;
	my %test = map { $_->{label} => $_ } @$tests;
	my $harness = TAP::Harness->new({ verbosity => -3, merge => 1,
		jobs => $jobs, formatter_class => 'Quiet',
		exec => sub { $test{ $_[1] }{command} } });
	$harness->callback(made_parser => \&watch);
	$harness->callback(after_test => sub {
		report($test{ $_[0][1] }, $_[1]);
	});
	$harness->aggregate_tests(TAP::Parser::Aggregator->new,
		map { [$_->{label}, $_->{label}] } @$tests);
}
printf "%d seconds\n", time - $started;
print "$passed passed, $failed failed, $skipped skipped\n";
exit($failed ? 1 : 0);

# TAP::Harness wants somebody to tell; report() does it here.
package Quiet;
use parent -norequire, 'TAP::Formatter::Base';
BEGIN { require TAP::Formatter::Base; require TAP::Parser::Aggregator }
sub open_test { return bless {}, 'Quiet::Session' }

package Quiet::Session;
sub result { }
sub close_test { }
