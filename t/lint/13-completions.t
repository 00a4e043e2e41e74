#!/usr/bin/perl
# What bash completes is what the programs take.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

sub source
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!";
	return <$in>;
}

sub usage_of
{
	my ($path) = @_;
	my ($usage) = join('', source($path)) =~ /char usage\w*\[\] =\n(.*?);\n/s;
	return $usage;
}

# complete(PROGRAM, WORD...): what is offered for the last word.
sub complete
{
	my ($program, @words) = @_;
	my $script = <<'END';
. completions/$1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_$1
printf '%s\n' "${COMPREPLY[@]}"
END
	open my $out, '-|', 'bash', '-c', $script, 'bash', $program, @words
		or die "bash: $!";
	chomp(my @offered = <$out>);
	close $out;
	return sort grep { $_ ne '' } @offered;
}

my $usage = usage_of('src/tools/banterctl.c');
my @verbs = sort $usage =~ /^\t"  ([a-z]+)/gm;
cmp_ok(scalar @verbs, '>', 5, 'verbs were found');
is_deeply([ grep { !/^-/ } complete('banterctl', '') ], \@verbs, 'verbs');
is_deeply([ complete('banterctl', '-s', '/x', 're') ],
	[ grep { /^re/ } @verbs ], 'verbs behind an option');
is_deeply([ complete('banter-bench', '--adapter', '') ],
	[ sort map { /\.name = "(\w+)"/ } map { source($_) } glob 'src/bench/adapter_*.c' ],
	'adapters');
for my $verb (@verbs) {
	my ($line) = $usage =~ /^\t"  $verb\b([^"]*)/m;
	my @has = $line =~ /(--\w+)/g;
	# The words of a reason are left alone.
	my @want = sort @has, $verb =~ /^(?:kick|ban)$/ ? () : '--json';
	is_deeply([ complete('banterctl', $verb, '-') ], \@want, "options of $verb");
}

for (['banterctl', $usage], ['banterd', usage_of('src/banterd/main.c')],
	['banter-bench', usage_of('src/bench/options.c')]) {
	my ($program, $text) = @$_;
	my %known = map { $_ => 1 } complete($program, '-');
	my @options = grep { !/^-FtTVh$/ } $text =~ /(?<![\w%-])(--?[a-zA-Z][\w-]*)/g;
	my @missing = grep { !$known{$_} && !/^--(?:limit|worker|ban|for)$/ } @options;
	is_deeply(\@missing, [], "options of $program");
}
done_testing;
