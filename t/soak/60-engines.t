# Every integration test on every engine.
#
#	BANTER_SOAK_ENGINES="poll select"    only these
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

chdir Banter::top() or die;
for my $engine (split ' ', $ENV{BANTER_SOAK_ENGINES} || 'epoll io_uring poll select threads') {
	for my $test (sort glob 't/*.t') {
		local $ENV{BANTER_TEST_ENGINE} = $engine;
		my $out = `timeout -k 5 600 perl -It/lib $test 2>&1 </dev/null`;
		ok($? == 0, "$engine: $test") or diag $out;
	}
}
done_testing;
