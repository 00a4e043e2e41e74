#!/usr/bin/perl
# Tests tell how many they are, and wait for events instead of sleeping.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

for my $file (map { glob } 't/*.t', 't/lint/*.t', 't/soak/*.t') {
	open my $in, '<', $file or die "$file: $!";
	my @lines = <$in>;
	ok(!-x $file || $lines[0] =~ /^#!/,
		"$file says what runs it, if it is executable");
	ok((grep { /\b(?:done_testing|plan\b|tests => )/ } @lines),
		"$file has a plan");
	my @sleep = grep { $lines[ $_ - 1 ] !~ /^\s*#/
		&& $lines[ $_ - 1 ] =~ /\b(?:sle[e]p|usle[e]p)\b\s*[(\d\$]/ } 1 .. @lines;
	is_deeply(\@sleep, [], "$file does not sleep");
}
done_testing;
