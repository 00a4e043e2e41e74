#!/usr/bin/perl
# What can be typed, set, asked for or read in the log is in its manual page.
# The sources say what there is, so that it holds without a build as well.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

sub slurp
{
	my ($path) = @_;
	open my $in, '<:encoding(UTF-8)', $path or die "$path: $!";
	local $/;
	return scalar <$in>;
}

# Is the name one of those that the page marks as literal?
sub has
{
	my ($text, $name) = @_;
	return grep { /(?<![\w-])\Q$name\E(?![\w-])/ } $text =~ /\bLi ([^\n]+)/g;
}

sub page_has
{
	my ($page, $what, $has, @names) = @_;
	ok(scalar @names, "$what were found in the sources");
	my @missing = grep { !$has->($_) } @names;
	ok(!@missing, "$page has the $what") or diag("missing in $page: @missing");
}

# mdoc writes -x as "Fl x" and --xyz as "Fl -xyz"; an option that is only in the
# synopsis is not described.
sub has_option
{
	my ($text, $option) = @_;
	(my $name = $option) =~ s/^-//;
	my @flags = map { /\bFl (\S+)/g } $text =~ /^\.It ([^\n]+)/gm;
	return grep { $_ eq $name } @flags;
}

# The options that a usage text begins a line with, or in "[-s SOCKET]".
sub options_of
{
	my ($source) = @_;
	my ($usage) = slurp($source) =~ /char usage\w*\[\] =\n(.*?);\n/s;
	my %seen = map { $_ => 1 } $usage =~ /(?<![\w%-])(--?[a-zA-Z][\w-]*)/g;
	delete $seen{-FtTVh}; # the summary in the first line
	return sort keys %seen;
}

# Keys: each in the part of the page that is its section's.
my $conf = slurp('man/banterd.conf.5');
my %part = $conf =~ /^\.Ss (\w+)[^\n]*\n(.*?)(?=^\.S[sh] |\z)/gms;
my %section = (TOP => 'Server', LISTEN => 'listen', ROOM => 'room',
	LIMIT => 'limits', ALIVE => 'keepalive', LOG => 'log');
my $rows = slurp('src/conf/rows.c');
my @keys = map { [ $section{ $_->[0] }, $_->[1] ] }
	map { /^(\w+?)(?:_AS)?\("?(\w+)/ ? [ $1, $2 ] : () }
	$rows =~ /^\t\{ ((?:TOP|LISTEN|ROOM|LIMIT|ALIVE|LOG)(?:_AS)?\("?\w+)/gm;
page_has('banterd.conf(5)', 'keys', sub {
	my ($name, $key) = split /\./, $_[0];
	return ($part{$name} || '') =~ /^\.It Ic \Q$key\E /m;
}, map { "$_->[0].$_->[1]" } @keys);
is(scalar @keys, scalar(() = $rows =~ /\.def = /g), 'every row of keys was read');

# A key's default, and whether a reload applies it.
for (split /(?=^\t\{ )/m, $rows =~ s/^.*?rows\[\] = \{\n//sr) {
	my ($kind, $key) = /^\t\{ (\w+?)(?:_AS)?\("?(\w+)/ or next;
	my ($item) = ($part{ $section{$kind} } || '') =~ /^\.It Ic \Q$key\E Pq ([^\n]*)/m or next;
	my $want = /\.restart = true/ ? 'restart' : 'reload';
	my ($def) = /\.def = "([^"]*)"/;
	$def = { '' => '""', '60s' => '1min' }->{$def} || $def;
	my $plain = $item =~ s/\{\}/""/r =~ s/Do (?:(\S+) )?Dc/$1 || '""'/er =~ s/\\\(dq|[{},]//gr;
	like($plain, qr/; \Q$def\E ?; $want\z/, "banterd.conf(5): $key: $def, $want");
}

my $banterd = slurp('man/banterd.8');
my $banterctl = slurp('man/banterctl.8');
my $text = slurp('man/banter-text.7');

page_has('banterd(8)', 'options', sub { has_option($banterd, $_[0]) },
	options_of('src/banterd/main.c'));
page_has('banterctl(8)', 'options', sub { has_option($banterctl, $_[0]) },
	options_of('src/tools/banterctl.c'));

my $bench = slurp('man/banter-bench.1');
page_has('banter-bench(1)', 'options', sub { has_option($bench, $_[0]) },
	options_of('src/bench/options.c'));
page_has('banter-bench(1)', 'scenarios',
	sub { $bench =~ /^\.It Li \Q$_[0]\E$/m },
	slurp('src/bench/options.c') =~ /^\t"  ([a-z][\w%-]+)  /gm);
page_has('banter-bench(1)', 'adapters', sub { $bench =~ /^\.It Li \Q$_[0]\E$/m },
	map { /\.name = "(\w+)"/g } map { slurp($_) } glob 'src/bench/adapter_*.c');
my ($bench_codes) = slurp('src/bench/options.h') =~ /enum bench_exit \{(.*?)\}/s;
page_has('banter-bench(1)', 'exit codes', sub { $bench =~ /^\.It \Q$_[0]\E$/m },
	$bench_codes =~ /= (\d+)/g);
page_has('banter-bench(1)', 'members of the result',
	sub { has($bench, $_[0]) },
	slurp('src/bench/report_json.c') =~ /\bset(?:_\w+)?\(j, "(\w+)"/g);

my ($verbs) = slurp('src/master/commands.c') =~ /^\} verbs\[\] = \{\n(.*?)^\};/ms;
page_has('banterctl(8)', 'verbs', sub { $banterctl =~ /^\.It Ic \Q$_[0]\E\b/m },
	$verbs =~ /\{ "(\w+)"/g);

my $figures = slurp('src/master/figures.c');
page_has('banterctl(8)', 'figures', sub { has($banterctl, $_[0]) },
	$figures =~ /\{\s*"(\w+)",/g);
my ($counters) = slurp('src/bus/slot.h') =~ /define SLOT_COUNTERS\(X\)(.*?)\n\n/s;
page_has('banterctl(8)', 'counters', sub { has($banterctl, $_[0]) },
	$counters =~ /X\((\w+),/g);

page_has('banter-text(7)', 'commands', sub { $text =~ m{^\.It Ic /\Q$_[0]\E\b}m },
	slurp('src/proto/text_command.c') =~ /^\t\{ "(\w+)", REQUEST_/gm);
my ($states) = slurp('src/worker/control.c') =~ /^state_name\(.*?\{\n(.*?)^\}/ms;
page_has('banter-text(7)', 'states of a connection',
	sub { $text =~ /^\.It Li \Q$_[0]\E$/m && has($banterctl, $_[0]) },
	grep { $_ ne 'free' } $states =~ /"(\w+)"/g);

# In the diagnostics of whichever page it belongs to.
my %diagnostics = map { my $p = $_; $p => slurp($p) =~ /^\.Sh DIAGNOSTICS\n(.*?)(?=^\.Sh |\z)/ms ? $1 : '' }
	glob 'man/*.[1-8]';
page_has('banterd(8) or another page', 'events', sub {
	my $event = $_[0];
	return grep { /^\.It Li event=\Q$event\E /m } values %diagnostics;
},
	slurp('src/log/event.c') =~ /\[LOG_\w+\] = \{ "(\w+)"/g);
my ($codes) = slurp('src/master/master.h') =~ /enum master_exit \{(.*?)\}/s;
page_has('banterd(8)', 'exit codes', sub { $banterd =~ /^\.It \Q$_[0]\E$/m },
	64, $codes =~ /= (\d+)/g);
my ($ctl_codes) = slurp('src/tools/ctl_client.h') =~ /enum ctl_exit \{(.*?)\}/s;
page_has('banterctl(8)', 'exit codes', sub { $banterctl =~ /^\.It \Q$_[0]\E$/m },
	$ctl_codes =~ /= (\d+)/g);
my ($signals) = slurp('src/master/signals.c') =~ /handled\[\] = \{(.*?)\}/s;
page_has('banterd(8)', 'signals', sub { $banterd =~ /^\.It Dv \Q$_[0]\E /m },
	grep { $_ ne 'SIGCHLD' } $signals =~ /(SIG\w+)/g);
done_testing;
