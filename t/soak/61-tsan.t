# ThreadSanitizer over the engine threads: no data race.
#
# It does not know clone(): keepers fork() their workers, and without the shared
# table no death can be survived.  So these are the tests without one.  Nor does
# it know Criterion, whose tests abort under it.
#
#	BANTER_TSAN=build/tsan    that build
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

chdir Banter::top() or die;
my $build = $ENV{BANTER_TSAN} || 'build/tsan';
-x "$build/src/banterd/banterd"
	or plan skip_all => "no $build: configure it with --enable-tsan";
local $ENV{BANTER_BUILD} = $build;
local $ENV{BANTER_TEST_ENGINE} = 'threads';
local $ENV{BANTER_TEST_FORK} = 1;

for my $name (qw(00 02 20 21 22 25 30 40 41 60 61 62 66 72 73 74
	78)) {
	my ($test) = glob "t/$name-*.t";
	my $said = `timeout -k 5 600 perl -It/lib $test 2>&1 </dev/null`;
	ok($? == 0, $test) or diag $said;
}
done_testing;
