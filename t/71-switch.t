# The answer to a reload comes when the workers have switched, not when they
# were told: whoever waits for it finds the new configuration everywhere.  One
# that is late, stands still or dies holds it up for a moment only.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use Banter;
use Banter::Fault;
use Banter::Proc qw(wait_until);

plan skip_all => 'not a test build' unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

use constant LATE_S => 0.2; # FAULT_LATE_MS of base/fault.h

my $dir = File::Temp::tempdir(CLEANUP => 1);
chmod 0755, $dir;

# Two workers, of which one is struck in the middle of a switch.
sub struck
{
	my ($rule, %o) = @_;
	my $b = Banter->prepare(workers => 2, limits => { line_bytes => 555 }, %o);
	my $fault = Banter::Fault->new($rule, dir => $b->{dir});
	$b->{options}{env} = { %{ $o{env} || {} }, $fault->env };
	$b->launch;
	my @c = map { $b->client(worker => $_) } 1, 2;
	$b->drop_parked;
	$b->configure(limits => { line_bytes => 777 });
	return ($b, $fault, @c);
}

sub timed
{
	my ($act) = @_;
	my $from = clock_gettime(CLOCK_MONOTONIC);
	my $result = $act->();
	return ($result, clock_gettime(CLOCK_MONOTONIC) - $from);
}

sub limit_of
{
	my ($c) = @_;
	$c->send("/limits\n");
	return ($c->expect(qr/line_bytes/) || '') =~ /(\d{3})/ ? $1 : '';
}

# In the background, without a descriptor of ours.
sub begin_reload
{
	my ($b) = @_;
	open my $out, '-|', Banter::banterctl(), '-s', "$b->{run_dir}/control.sock", 'reload'
		or die "banterctl: $!";
	return $out;
}

sub end_reload
{
	my ($out) = @_;
	my $text = do { local $/; <$out> };
	close $out;
	return ($? >> 8, $text);
}

my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";

sub wait_told
{
	my ($what) = @_;
	while (IO::Select->new($notify)->can_read(20)) {
		recv $notify, my $d, 4096, 0;
		return 1 if $d =~ /^\Q$what\E$/m;
	}
	return 0;
}

subtest 'a worker is late at each switch' => sub {
	my ($b, $fault, @c) = struck('commit_listened:late:1+@1', env => { NOTIFY_SOCKET => "$dir/notify" });
	ok(wait_told('READY=1'), 'the daemon runs');
	my ($r, $took) = timed(sub { $b->reload_ok });
	cmp_ok($took, '>=', LATE_S, 'the answer waits for it');
	is_deeply([ map { limit_of($_) } @c ], [ 777, 777 ], '... everybody has the new limit');
	unlike($r->{out}, qr/worker/, '... and there is nothing to say of the worker');
	ok(wait_told('READY=1'), '... the manager is told');

	$b->configure(limits => { line_bytes => 666 });
	my ($told, $until) = timed(sub { $b->signal('HUP'); wait_told('READY=1') });
	ok($told, 'HUP: READY comes');
	cmp_ok($until, '>=', LATE_S, '... and has waited for it as well');
	is_deeply([ map { limit_of($_) } @c ], [ 666, 666 ], '... everybody has the new limit');

	# One that comes meanwhile is a run of its own, of the file as it is then.
	my $n = $fault->strikes;
	my $first = begin_reload($b);
	ok((wait_until { $fault->strikes > $n }), 'one waits for the worker');
	$b->configure(limits => { line_bytes => 888 });
	$b->reload_ok('... another comes');
	is((end_reload($first))[0], 0, '... both are answered');
	is_deeply([ map { limit_of($_) } @c ], [ 888, 888 ], '... and the second one\'s limit holds');
	is($b->metric('reloads'), 4, '... each is counted');

	$n = $fault->strikes;
	my $last = begin_reload($b);
	ok((wait_until { $fault->strikes > $n }), 'one waits for the worker');
	$b->stop_ok('... and the server is stopped');
	my ($code, $text) = end_reload($last);
	is($code, 0, '... it is answered: it is in force');
	like($text, qr/^reloaded/m, '... and says so');
};

subtest 'a worker stands still' => sub {
	my ($b, $fault, @c) = struck('commit_listened:stall:1@1');
	my $r = $b->reload_ok('the answer comes all the same');
	like($r->{out}, qr/^note: worker 1 has not switched yet/m, '... it names the worker');
	like($r->{out}, qr/line_bytes\s+applied/, '... and what is applied');
	unlike($r->{out}, qr/worker 2/, '... not the other');
	is(limit_of($c[1]), 777, '... which has switched');
	$b->log_like(qr/reload: worker 1 has not switched yet/, '... the log has it too');
	$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
	kill 'KILL', map { $_->{pid} } $fault->strikes;
	ok((wait_until { limit_of($c[0]) eq '777' }), 'its successor has the new limit');
	$r = $b->ctl('reload');
	is_deeply($r->{notes} || [], [], '... and another reload finds nobody behind');
	$b->stop_ok;
};

subtest 'a worker dies' => sub {
	my ($b, $fault, @c) = struck('commit_listened:kill:1@1', expect_log => [qr/worker 1 .*was killed by SIGKILL/]);
	my $r = $b->ctl('reload');
	is($r->{code}, 0, 'the answer comes all the same');
	is_deeply($r->{notes}, ['worker 1 has not switched yet: it will when it runs'], '... it names the worker')
		or diag explain $r;
	is(limit_of($c[1]), 777, '... the other has switched');
	ok((wait_until { limit_of($c[0]) eq '777' }), 'its successor has the new limit');
	$b->stop_ok;
};

# It is not asked: nobody is there.
subtest 'a worker is between two lives' => sub {
	my ($b, $fault, @c) = struck('takeover_mapped:stall:1@1', expect_log => [qr/worker 1 .*was killed by SIGKILL/]);
	kill 'KILL', $b->workers->{1};
	ok((wait_until { $fault->strikes }), 'one is dead, the next not ready');
	my $r = $b->ctl('reload');
	is($r->{code}, 0, 'the answer comes all the same');
	is_deeply($r->{notes}, ['worker 1 has not switched yet: it will when it runs'], '... it names the worker')
		or diag explain $r;
	is(limit_of($c[1]), 777, '... the other has switched');
	kill 'KILL', map { $_->{pid} } $fault->strikes;
	ok((wait_until { limit_of($c[0]) eq '777' }), 'it has the new limit in the end');
	is_deeply($b->ctl('reload')->{notes} || [], [], '... and another reload finds nobody behind');
	$b->stop_ok;
};
done_testing;
