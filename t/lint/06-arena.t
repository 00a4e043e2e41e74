#!/usr/bin/perl
# Records of the arena are reached through pointers to const; outside src/arena
# nobody casts that away.  A plain store would not be undone after a death.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my $type = qr/struct\s+(?:session|room|arena_\w+)/;
my @bad;
my $looked_at = 0;
for my $file (sort grep { !m{^src/arena/} } glob 'src/*/*.[ch]') {
	open my $in, '<', $file or die "$file: $!";
	my @lines = <$in>;
	# Who knows no arena may have a struct room of its own.
	next unless grep { m{^\s*#\s*include\s+"(?:arena|chat)/} } @lines;
	$looked_at++;
	for my $n (1 .. @lines) {
		my $line = $lines[ $n - 1 ];
		push @bad, "$file:$n: $line"
			if $line =~ /\(\s*$type\s*\*\s*\)/
			|| $line =~ /^\s*(?:static\s+)?$type\s*\*\s*\w+\s*[=;,]/;
	}
}
is(join('', @bad), '', 'no cast drops const from a record of the arena');
cmp_ok($looked_at, '>', 5, 'files were looked at');
done_testing;
