#!/usr/bin/perl
# Every header compiles alone: it includes what its declarations need.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my $cc = $ENV{CC} || 'cc';
my $flags = '-std=gnu17 -D_GNU_SOURCE -Isrc -fsyntax-only -Wall -Wextra -Werror';
for my $header (glob 'src/*/*.h') {
	my $said = `$cc $flags -x c $header 2>&1 </dev/null`;
	is($? >> 8, 0, "$header compiles alone") or diag($said);
	open my $in, '<', $header or die "$header: $!";
	my $text = do { local $/; <$in> };
	(my $guard = uc $header) =~ s{^SRC/}{BANTER_};
	$guard =~ s/\W/_/g;
	like($text, qr/^#ifndef $guard\n#define $guard\n/m,
		"$header has the guard $guard");
}
done_testing;
