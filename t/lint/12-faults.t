#!/usr/bin/perl
# Fault points: each of the table stands in exactly one place of the sources, the
# one that the table says, by the macro of its kind; and an ordinary build has
# none of them.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use Banter::Fault;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my %kind_of = (FAULT => 'POINT', FAULT_ERR => 'CALL', FAULT_CALL => 'CALL',
	FAULT_SHORT => 'LENGTH');

my (%used, %has_points);
for my $file (sort grep { $_ ne 'src/base/fault.h' } glob 'src/*/*.[ch]') {
	open my $in, '<', $file or die "$file: $!";
	my $text = do { local $/; <$in> };
	while ($text =~ /\b(FAULT|FAULT_ERR|FAULT_CALL|FAULT_SHORT)\(\s*(\w+)/g) {
		push @{ $used{$2} }, "$kind_of{$1} $file";
		$has_points{$file} = 1;
	}
}

my @points = Banter::Fault::points();
cmp_ok(scalar @points, '>', 30, 'the table was read');
my %listed;
for my $p (@points) {
	ok(!$listed{ $p->{name} }++, "$p->{name} is listed once");
	is_deeply($used{ $p->{name} }, ["$p->{kind} src/$p->{file}"],
		"$p->{name} is a $p->{kind} in src/$p->{file}, and only there");
	like($p->{who}, qr/^(?:MASTER|KEEPER|WORKER)$/, "$p->{name}: by whom");
	ok(length $p->{what}, "$p->{name} is explained");
}
is_deeply([ grep { !$listed{$_} } sort keys %used ], [],
	'no point is used that is not listed');

# Compiled as for a user, the macros and what they need are gone.  A header is
# compiled as what it is included in, and not ahead.
my $cc = $ENV{CC} || 'cc';
my $dir = File::Temp::tempdir(CLEANUP => 1);
my $confuse = `pkg-config --cflags libconfuse 2>/dev/null`;
chomp $confuse;
for my $file ('src/base/fault.c', 'src/worker/mishap.c', sort keys %has_points) {
	my $said = `$cc -std=gnu17 -D_GNU_SOURCE -DBANTER_CONF='""' -O2 -Isrc $confuse -c -x c $file -o $dir/o 2>&1 </dev/null`;
	is($? >> 8, 0, "$file compiles without faults") or diag($said);
	my @traces = grep { /\bfault_(?:pass|fails|shorten|segv|armed|init)\b|BANTER_FAULT|BANTER_TEST_LINES/ }
		`nm $dir/o`, `strings -n 6 $dir/o`;
	is(join('', @traces), '', '... and has no trace of them');
}
done_testing;
