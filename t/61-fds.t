# Few descriptors: accepting pauses, says so once, and recovers.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until);

my $b = Banter->prepare(workers => 2, nofile => 64,
	limits => { clients_per_ip => 0 })->launch;
$b->expect_log(qr/descriptor|RLIMIT_NOFILE|nofile/i);
ok($b->{ready}, 'it starts with 64 descriptors') or do { diag $b->log_text; BAIL_OUT('no daemon') };
my $first = $b->client;
ok($first, 'and serves');

my @c;
for (1 .. 160) {
	my $c = $b->client(greet => 0);
	push @c, $c if $c;
}
ok($first->sync, 'with 160 more connections than it can hold, it goes on');
wait_until { my @n = $b->rows('status'); $b->metric('accept_pauses') } 10;
cmp_ok($b->metric('accept_pauses'), '>=', 1, 'accepting has paused: counted');
my $cpu = sub { my ($u, $s) = (Banter::Proc::stat_fields($_[0]))[11, 12]; $u + $s };
my @before = map { $cpu->($_) } $b->worker_pids;
$first->sync for 1 .. 20;
select undef, undef, undef, 1;
my @after = map { $cpu->($_) } $b->worker_pids;
cmp_ok($after[$_] - $before[$_], '<', 60, "worker @{[$_ + 1]} does not spin") for 0 .. $#after;
my $lines = () = $b->log_text =~ /warning: .*descriptor/gi;
cmp_ok($lines, '>=', 1, 'it is logged');
cmp_ok($lines, '<=', 4, '... once per slot or so, not per connection');
my $ctl = $b->ctl_run('status');
is($ctl->{code}, 0, 'the control socket still answers');

# They leave: everybody who waits is served.
my @greeted = grep { $_->fill(0); $_->bytes =~ /Welcome/ } @c;
my %greeted = map { $_ => 1 } @greeted;
my @waiting = grep { !$greeted{$_} } @c;
cmp_ok(scalar @waiting, '>', 0, 'some wait in the accept queue');
$_->close for @greeted;
my $served = 0;
while (@waiting) {
	my $got = wait_until {
		my ($one) = grep { $_->fill(0); $_->bytes =~ /Welcome/ } @waiting;
		$one;
	} 15;
	last unless $got;
	$got->close;
	@waiting = grep { $_ != $got } @waiting;
	$served++;
}
is(scalar @waiting, 0, "all others are served as places become free ($served)");
ok($b->client, 'and it is as before');
$b->stop_ok;
done_testing;
