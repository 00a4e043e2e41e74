#!/usr/bin/perl
# The manual pages: mandoc and groff have nothing to say about them.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my @pages = glob 'man/*.[1-8]';
for my $page (@pages) {
	my $said = `mandoc -Tlint -W warning $page 2>&1`;
	ok($? == 0 && $said eq '', "mandoc: $page") or diag($said);
	# groff exits with 0 whatever it warns of.
	$said = `groff -ww -mandoc -Tutf8 -z $page 2>&1`;
	ok($? == 0 && $said eq '', "groff: $page") or diag($said);
}
pass('all pages were looked at');
done_testing;
