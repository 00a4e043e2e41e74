# Faults between two lines of the code, under load: a few points of the table in
# src/base/fault_points.h; t/soak/54-faults.t has all of them.  Clients see
# nothing of a death, a failing call or a short one, but whoever is to blame.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until alive descendants);
use Banter::Trial;

plan skip_all => 'not a test build' unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

sub unseen
{
	my ($rules, $name, %o) = @_;
	my $t = Banter::Trial->run($rules, %o);
	my $deaths = $o{deaths} // 1;
	ok(@{ $t->{struck} } >= $t->{n_rules} && $t->{deaths} == $deaths && $t->{ready}
		&& $t->harm eq '' && $t->{code} eq '0' && !$t->{left}, "$name: nobody sees it")
		or diag($t->text);
}

unseen('io_accepted:kill:60', 'killed with a connection that has no record');
unseen('accept_asked:kill:60', 'killed with half of a record');
unseen('io_received:kill:300', 'killed with input that is not noted');
unseen('input_handled:kill:1500', 'killed with a line handled, not committed');
unseen('input_done:kill:1500', 'killed with a line committed');
unseen('seal_copied:kill:250', 'killed while it seals a batch');
unseen('uplink_sent:kill:250', 'killed with a batch sent, not noted');
unseen('fanout_member:kill:3000', 'killed in the middle of a fan-out');
unseen('batch_done:kill:400', 'killed with a batch noted, not taken');
unseen('io_sent:kill:1500,io_sent:kill:2001,io_sent:kill:2502,io_sent:kill:3003',
	'killed with output sent, not noted', deaths => 4);
unseen('close_shut:kill:40', 'killed with a client half closed');
unseen('input_handled:kill:1500,rollback_word:kill:2', 'killed again in the roll-back', deaths => 2);
unseen('io_sent:kill:2000,recover_session:kill:5', 'killed again in the takeover', deaths => 2);
unseen('frame_handled:segv:2000', 'a crash in a frame');
unseen('io_accept:EMFILE:80', 'no descriptor for a connection', deaths => 0);
unseen('io_send:ENOBUFS:2000,io_send_length:half:2100', 'short sends', deaths => 0);
unseen('io_recv_length:short:200+', 'input byte by byte', deaths => 0);
unseen('uplink_send:EAGAIN:250', 'the bus is full for once', deaths => 0);

# The master's death is everybody's.
my $t = Banter::Trial->run('hub_numbered:kill:200', master_dies => 1);
ok($t->{ended} && !$t->{left}, 'the master is killed in a batch: no process is left') or diag($t->text);

# A listener keeps its kind when a death cuts the change of the configuration.
for my $rule ('commit_listener:kill:2', 'commit_noted:kill:1') {
	my $b = Banter->prepare(workers => 1, listen => { b => { mode => 'raw', room => 'r' }, text => {} },
		expect_log => [qr/worker 1/]);
	my $fault = Banter::Fault->new($rule, dir => $b->{dir});
	$b->{options}{env} = { $fault->env };
	$b->launch;
	my $reader = $b->client;
	$reader->send("/join r\n");
	$reader->expect(qr/^\* In r/);
	$b->configure(listen => { a => {} });
	$b->reload_ok("$rule: the reload succeeds");
	ok($fault->wait_strike, '... and the worker dies of it');
	my $raw = $b->client(listener => 'b', greet => 0);
	$raw->send("raw\n");
	ok($reader->expect(qr/raw/), '... the raw port is still one');
	$b->stop_ok;
}

# Whoever makes a worker fail is closed, and nobody else.
my $b = Banter->start(workers => 2, set => { hang_timeout => '1s' },
	env => { BANTER_TEST_LINES => 1, BANTER_TEST_NO_THROTTLE => 1 });
$b->expect_log(qr/worker|suspect|frame|keeper/);
my @stay = map { $b->client(worker => $_) } 1, 2;
$b->drop_parked;
for my $line ('!segv', '!abort', '!loop') {
	my $bad = $b->client;
	my $slot = $b->slot_of($bad);
	my $pid = $b->workers->{$slot};
	$bad->send("$line\n");
	ok($bad->expect(qr/^\* .*fail/), "$line: whoever sent it is told");
	ok($bad->eof, '... and closed');
	ok((wait_until { !alive($pid) }), '... after the death of its worker');
	ok($b->wait_slots(2), '... which is replaced');
	is(scalar(grep { $_->sync } @stay), 2, '... and the others stay');
}

# A message that no worker can show.
my $bad = $b->client;
$bad->send("before\n!poison\nafter\n");
ok($bad->eof, 'a message that crashes who shows it: its origin is closed');
for my $c (@stay) {
	ok($c->expect(qr/> before$/), 'what was said before is shown');
	ok($c->expect(qr/^(?:\d\S+ )?\* 1 message .*missed/), '... and one message is missed');
}
ok($b->wait_slots(2), '... the slots are ready');
is(scalar(grep { $_->sync } @stay), 2, '... and the others stay');
$b->stop_ok;
done_testing;
