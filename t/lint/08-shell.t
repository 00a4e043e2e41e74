#!/usr/bin/perl
# shellcheck has nothing to say about the scripts.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

sub is_shell
{
	my ($file) = @_;
	open my $in, '<', $file or return 0;
	my $first = <$in> // '';
	return $file =~ m{\.sh$|^completions/} || $first =~ m{^#!.*\b(?:ba|da)?sh\b};
}

my @scripts = grep { -f && is_shell($_) } 'bootstrap', '.ci/run',
	map { glob "$_/*" } qw(script t bench t/load t/package debian debian/tests
		completions);
cmp_ok(scalar @scripts, '>=', 6, 'there are scripts');
for my $script (@scripts) {
	my $said = `shellcheck -x $script 2>&1`;
	is($?, 0, $script) or diag($said);
}
done_testing;
