#!/usr/bin/perl
# The manual pages: mandoc and groff have nothing to say about them, and each has
# the parts that an administrator looks for.  A page that has nothing to say in one
# of them says so in a sentence.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my @parts = ('NAME', 'DESCRIPTION', 'FILES', 'EXIT STATUS', 'EXAMPLES', 'DIAGNOSTICS',
	'SECURITY CONSIDERATIONS');

my @pages = glob 'man/*.[1-8]';
my $all = '';
for my $page (@pages) {
	my $said = `mandoc -Tlint -W warning $page 2>&1`;
	ok($? == 0 && $said eq '', "mandoc: $page") or diag($said);
	# groff exits with 0 whatever it warns of.
	$said = `groff -ww -mandoc -Tutf8 -z $page 2>&1`;
	ok($? == 0 && $said eq '', "groff: $page") or diag($said);
	open my $in, '<', $page or die "$page: $!";
	my $text = do { local $/; <$in> };
	$all .= $text;
	# Text, not only macros that make a heading or a list.
	my %part = $text =~ /^\.Sh ([^\n]+)\n(.*?)(?=^\.Sh |\z)/gms;
	my @missing = grep { ($part{$_} // '') !~ /^(?:[^.\s]|\.(?:Nd|It|Nm) )/m } @parts;
	is_deeply(\@missing, [], "$page has each part");
	like($part{EXAMPLES}, qr/^\.(?:Bd -literal|Dl )/m, "$page has an example to type")
		if defined $part{EXAMPLES};
}
pass('all pages were looked at');

# Files that the manual names in the package's documentation are there.
my %named = map { $_ => 1 } $all =~ m{/usr/share/doc/banterd/examples/([\w./-]*\w)}g;
is_deeply([ grep { !-e "etc/examples/$_" } sort keys %named ], [], 'examples that are named are there');

done_testing;
