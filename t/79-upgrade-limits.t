# Upgrades and deaths where things are tight: descriptors used up, clients of one
# address counted, and everything asked for at once.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until alive);

# Clients of one address are as many as before.
my $b = Banter->start(workers => 2, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, clients_per_ip => 5, exempt => [] });
$b->expect_log(qr/was killed by SIGKILL/);

sub turned_away
{
	my $c = $b->client(greet => 0) or return 0;
	return $c->expect(qr/^\* error: .*address/) && $c->eof;
}

my @five = map { $b->client } 1 .. 5;
ok(turned_away(), 'a sixth client of one address is turned away');
is($b->ctl_run('upgrade')->{code}, 0, 'an upgrade');
ok(turned_away(), '... and it is still');
defined $b->kill_worker($_) or fail("worker $_ is not replaced") for 1, 2;
ok(turned_away(), '... after deaths as well');
is(scalar(grep { $_->sync } @five), 5, 'the five stay');
shift(@five)->close;
ok((wait_until { $b->metric('clients') == 4 }), 'one leaves');
push @five, $b->client;
ok($five[-1] && $five[-1]->sync, '... and another comes in');
ok(turned_away(), '... but not two');
$b->stop_ok;

# No descriptor is left: the upgrade is done, or refused with the reason; those
# who are there stay, and it works when some have left.
$b = Banter->start(workers => 2, nofile => 64, limits => { rate => 0 });
$b->expect_log(qr/LimitNOFILE|accepting|upgrade|descriptors|went back/i);
my @many;
for (1 .. 100) {
	my $c = $b->client(greet => 0) or last;
	push @many, $c;
	last if ($b->metric('worker_full') || 0) == 2;
}
is($b->metric('worker_full'), 2, scalar(@many) . ' clients: no descriptor is left');
my @in = grep { ($_->next_line(1) || '') =~ /Welcome/ } @many;
cmp_ok(scalar(@in), '>', 20, scalar(@in) . ' of them are in');
my $r = $b->ctl_run('upgrade');
ok($r->{code} == 0 || ($r->{code} == 1 && "$r->{out}$r->{err}" =~ /\w+ \w+ \w+/), 'an upgrade is done, or refused with a reason')
	or diag "$r->{code}: $r->{out}$r->{err}";
is(scalar(grep { !$_->is_open } @in), 0, 'nobody is disconnected');
$_->close for splice @many, 0, @many - 4;
ok((wait_until { ($b->metric('clients') || 0) < 10 }), 'most leave');
$r = $b->ctl_run('upgrade');
is($r->{code}, 0, 'now it succeeds') or diag "$r->{out}$r->{err}", $b->log_text;
ok($b->client->sync, '... and the server serves');
$b->stop_ok;

# Upgrade and reload at the same moment: both are done.
$b = Banter->start(workers => 2, limits => { rate => 0, topic_bytes => 100 });
$b->expect_log(qr/upgrade|rehears/i);
my $stays = $b->client;
$b->configure(limits => { topic_bytes => 200 });
kill 'USR2', $b->master_pid;
kill 'HUP', $b->master_pid;
ok((wait_until { ($b->status('upgrades') || 0) == 1 && ($b->status('configuration') || 0) == 2 }), 'USR2 and HUP in one moment: both are done')
	or diag $b->log_text;
$stays->send("/limits\n");
ok($stays->expect(qr/topic_bytes.*200/), '... and a client that stayed sees it');

# And with a TERM behind them: that is the end, with a goodbye.
kill $_, $b->master_pid for qw(USR2 HUP TERM);
ok($stays->expect(qr/goodbye/), 'USR2, HUP and TERM in one moment: there is a goodbye');
ok($stays->eof, '... and the end');
$b->expect_log(qr/the server stops|the reload is refused/);
my $status = $b->wait_end;
is($status, 0, '... with exit code 0');
$b->{stopped} = 1;
is_deeply([ $b->log_surprises ], [], 'nothing odd in its log');
done_testing;
