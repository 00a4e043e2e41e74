# ThreadSanitizer over the engine threads, and it finds what it is there for.
#
# It does not know clone(): keepers fork() their workers, and without the shared
# table no death can be survived.  So these are the tests without one.
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

my $out = `$build/t/unit/test_io --tap=- 2>&1`;
ok($? == 0 && $out !~ /^not ok|ThreadSanitizer/m, 'the contract of an engine') or diag $out;

for my $name (qw(TESTS)) {
	my ($test) = glob "t/$name-*.t";
	my $said = `timeout -k 5 600 perl -It/lib $test 2>&1 </dev/null`;
	ok($? == 0, $test) or diag $said;
}
done_testing;
