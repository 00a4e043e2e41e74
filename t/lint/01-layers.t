#!/usr/bin/perl
# Which folder under src/ includes which: t/lint/layers is the table.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my %may;
open my $table, '<', 't/lint/layers' or die "t/lint/layers: $!";
while (<$table>) {
	next if /^\s*(?:#|$)/;
	/^(\w+):\s*([\w ]*)$/ or die "t/lint/layers:$.: not understood\n";
	my ($folder, @others) = ($1, split ' ', $2);
	# Only what stands above it: so the table has no cycle.
	$may{$_} or die "t/lint/layers:$.: $_ is not a lower folder\n" for @others;
	$may{$folder} = { map { $_ => 1 } $folder, @others };
}

sub wrong_includes
{
	my ($file, $may) = @_;
	my @bad;
	open my $in, '<', $file or die "$file: $!";
	while (<$in>) {
		next unless /^\s*#\s*include\s+"([^"]+)"/;
		my $what = $1;
		my ($folder) = $what =~ m{^([^/]+)/};
		push @bad, "$file:$.: \"$what\" is not a full path from src/"
			unless defined $folder;
		push @bad, "$file:$. includes $folder/"
			if defined $folder && !$may->{$folder};
	}
	return @bad;
}

for my $dir (map { s{.*/}{}r } grep { -d } glob 'src/*') {
	ok($may{$dir}, "src/$dir has a place in the layer table") or next;
	my @bad = map { wrong_includes($_, $may{$dir}) } glob "src/$dir/*.[ch]";
	is_deeply(\@bad, [], "src/$dir includes downward only");
}
done_testing;
