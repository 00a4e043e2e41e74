#!/usr/bin/perl
# Formatting is checked, never argued about: clang-format 14, as in Debian 12.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

# Versions disagree with each other, so another one proves nothing.
my ($tool) = grep {
	my $said = `$_ --version 2>/dev/null`;
	defined $said && $said =~ /version 14\./;
} qw(clang-format-14 clang-format);
plan skip_all => 'no clang-format 14' unless $tool;

for my $file (sort map { glob "$_/*.[ch]" } glob('src/*'), qw(t/unit t/load
	bench)) {
	my $said = `$tool --dry-run -Werror $file 2>&1`;
	is($?, 0, $file) or diag(substr $said, 0, 400);
}
done_testing;
