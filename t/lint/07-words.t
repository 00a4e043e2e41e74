#!/usr/bin/perl
# Nothing is left for later, and no path of somebody's machine is in a file.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Find ();
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my $later = qr/\b(?:TO[D]O|FIX[M]E|X[X]X)\b/;
my $machine = qr{(?<![\w.])/(?:wo[r]k|ho[m]e/\w+|Us[e]rs)/|/tmp/bui[l]d-};

my @files = grep { -f } glob('*.md'), qw(NEWS configure.ac Makefile.am
	bootstrap .ci/run);
File::Find::find({ no_chdir => 1, wanted => sub {
	push @files, $_ if -f && -T && !/~$/;
} }, grep { -d } qw(src t bench etc man script debian doc));

my @bad;
for my $file (sort @files) {
	open my $in, '<', $file or die "$file: $!";
	while (<$in>) {
		push @bad, "$file:$.: $_" if /$later/ || /$machine/;
	}
}
is(join('', @bad), '', 'no such word');
done_testing;
