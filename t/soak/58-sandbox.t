# The sandbox refuses nothing that anything needs: every test, with each refused
# system call counted as a failure.
#
#	BANTER_SOAK_TESTS=REGEX    only these files
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

plan skip_all => 'not a test build' unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

my $only = $ENV{BANTER_SOAK_TESTS} // '.';
chdir Banter::top() or die "chdir: $!";
$ENV{BANTER_TEST_SANDBOX} = 'trap';

# A worker that does what is refused is found: else all of this means nothing.
{
	my $b = Banter->start(workers => 1, env => { BANTER_TEST_LINES => 1 });
	my $c = $b->client;
	$c->sync;
	$c->send("!forbidden @{[ $b->master_pid ]}\n");
	$b->log_like(qr/forbidden: end/, 'a worker tries what is forbidden');
	$b->expect_log(qr/forbidden|^SANDBOX: worker/);
	like($b->log_text, qr/^SANDBOX: worker \d+: system call \d+ \(openat\)/m, '... and is told of');
	ok($b->stop_ok, '... and is well');
	unlink $b->{log};
}

for my $file (grep { /$only/ } sort glob 't/*.t') {
	my $text = `perl -It/lib $file 2>&1 </dev/null`;
	my $code = $? >> 8 || $? & 127;
	my @refused = $text =~ /SANDBOX: (.*)$/mg;
	ok($code == 0 && !@refused, "$file: nothing is refused")
		or diag join "\n", "exit $code", @refused, grep { /^not ok|^#/ } split /\n/, $text;
}
done_testing;
