# banterctl and the control socket: every verb, every exit code, who may.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(wait_until state);

my $ctl = Banter::banterctl();
my $b = Banter->start(workers => 3, limits => { rate => 0, clients_per_ip => 0 });
my $socket = $b->control_socket;
ok($socket, 'there is a control socket');
my @st = stat $socket;
ok($st[2] & 07777, 'its mode');
is(($st[2] & 0007), 0, 'gives others nothing');
is($st[4], $>, 'it is ours');

# Usage.
for my $bad ([], ['bogus'], ['status', 'word'], ['clients', '--limit'], ['clients', '--limit', 'x'], ['kick']) {
	my $r = $b->ctl_run(@$bad);
	is($r->{code}, 64, "'@$bad': usage");
	like($r->{err}, qr/\S/, '... with a word on stderr');
}
my $r = Banter::Ctl::run(undef, $ctl, '-h');
is($r->{code}, 0, '-h');
like($r->{out}, qr/\b$_\b/, "-h names $_") for qw(status clients rooms metrics kick reload reopen stop);
is(Banter::Ctl::run(undef, $ctl, '-V')->{code}, 0, '-V');

# Not running; no permission.
$r = Banter::Ctl::run(undef, $ctl, '-s', "$b->{dir}/none.sock", 'status');
is($r->{code}, 3, 'no socket: 3');
my $dead = IO::Socket::UNIX->new(Local => "$b->{dir}/dead.sock", Listen => 1);
close $dead;
is(Banter::Ctl::run(undef, $ctl, '-s', "$b->{dir}/dead.sock", 'status')->{code}, 3, 'nobody listens: 3');
SKIP: {
	skip 'root may everything; nobody is needed to try', 1
		unless $> == 0 && defined getpwnam('nobody') && -x '/usr/bin/setpriv';
	my $r = Banter::Ctl::run(undef, '/usr/bin/setpriv', '--reuid', 'nobody', '--clear-groups',
		'--regid', 'nogroup', $ctl, '-s', $socket, 'status');
	is($r->{code}, 77, 'no right on the socket: 77') or diag $r->{err};
}
# A server that does not answer: 4, in reasonable time.
my $mute = IO::Socket::UNIX->new(Local => "$b->{dir}/mute.sock", Listen => 5);
my $start = time;
$r = Banter::Ctl::run(undef, $ctl, '-s', "$b->{dir}/mute.sock", 'status');
is($r->{code}, 4, 'no answer: 4');
cmp_ok(time - $start, '<', 59, '... after a while');

# status
my @c = map { $b->client } 1 .. 6;
$c[0]->send("/nick ann\n");
$c[0]->expect(qr/\bann\b/);
$r = $b->ctl_run('status');
is($r->{code}, 0, 'status');
like($r->{out}, qr/$_/, "status shows $_") for qr/version/, qr/\bclients\b/, qr/\bgeneration\b/i, qr/\bdeaths\b/i;
my $status = $b->ctl('status');
is($status->{clients}, 6, '--json: numbers are numbers');
is(scalar @{ $status->{slots} }, 3, '--json: slots');
is($status->{code}, 0, '--json: the code');
like($status->{since}, qr/^\d{4}-\d\d-\d\dT/, '--json: since');

# clients, in pages
my $hold = $b->load_start('-n', 700, '--hold');
Banter::load_wait($hold, qr/^RUNNING 700/m) or diag $hold->{text};
my @rows = $b->rows('clients');
is(scalar @rows, 706, 'clients shows each of 706');
my %ports = map { $_->{port} => 1 } @rows;
is(scalar keys %ports, 706, '... once');
is_deeply([ sort keys %{ $rows[0] } ], [ sort qw(state address port nick rooms since idle in out pending worker) ],
	'... with its columns');
is(scalar(my @few = Banter::table($b->ctl('clients', '--limit', 10), 'port')), 10, '--limit');
my @one = Banter::table($b->ctl('clients', '--worker', 2), 'port');
is(scalar(grep { $_->{worker} != 2 } @one), 0, '--worker');
cmp_ok(scalar @one, '>', 100, '... has its share');
is($b->ctl_run('clients', '--worker', 9)->{code}, 1, '--worker that is none: 1');
# One that asks and does not read costs the master nothing.
my $lazy = IO::Socket::UNIX->new(Peer => $socket);
print $lazy "clients\n";
$lazy->flush;
ok($c[1]->sync, 'a peer that does not read holds nobody up');
is($b->ctl_run('status')->{code}, 0, '... nor other peers');
close $lazy;
my @crowd = map { IO::Socket::UNIX->new(Peer => $socket) } 1 .. 30;
$r = $b->ctl_run('status');
is($r->{code}, 0, 'thirty peers that say nothing do not lock others out for long');
close $_ for grep { $_ } @crowd;
my $rude = IO::Socket::UNIX->new(Peer => $socket);
print $rude 'x' x 5000, "\n";
$rude->flush;
my $answer = join '', <$rude>;
like($answer, qr/^\.(?:64|1) /m, 'a request too long is refused') ;
is(Banter::load_end($hold)->{code}, 0, 'the 700 were left alone');

# A stopped worker is named, and costs one short deadline.
my $pid = $b->workers->{2};
kill 'STOP', $pid;
wait_until { state($pid) eq 'T' };
$start = time;
$r = $b->ctl_run('clients');
is($r->{code}, 0, 'clients with a stopped worker');
like($r->{out} . $r->{err}, qr/worker 2\b/, '... names it');
cmp_ok(time - $start, '<', 5, '... without waiting for ever');
ok((wait_until { my ($s) = grep { $_->{slot} == 2 } $b->rows('status'); $s->{state} =~ /stop/i }), 'status: stopped');
kill 'CONT', $pid;

# rooms, metrics
$c[1]->send("/join den\n/topic Tabs\tand \"quotes\"\n");
$c[1]->sync;
my ($den) = grep { $_->{room} eq 'den' } $b->rows('rooms');
is($den->{members}, 1, 'rooms: members');
like($den->{topic}, qr/Tabs.*and "quotes"/, 'rooms: topic');
$r = $b->ctl_run('metrics');
is($r->{code}, 0, 'metrics');
my @odd = grep { !/^(?:# (?:TYPE|HELP|EOF)|banter_\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? -?[\d.e+]+$)/ } split /\n/, $r->{out};
is_deeply(\@odd, [], '... is OpenMetrics text');
like($r->{out}, qr/# EOF\n\z/, '... with its end');
unlike($r->{out}, qr/\bann\b|127\.0\.0\.1/, '... and names nobody');

# kick
$b->expect_log(qr/event=kick/);
$r = $b->ctl_run('kick', 'nobody_here');
is($r->{code}, 1, 'kick of nobody: 1');
like($r->{err}, qr/nobody/, '... with a word');
my $from = length $b->log_text;
$r = $b->ctl_run('kick', 'ANN', 'for', 'spam & "more"');
is($r->{code}, 0, 'kick, in any case') or diag $r->{err};
ok($c[0]->expect(qr/^\* .*for spam & "more"/), '... the client is told the reason');
ok($c[0]->eof, '... and closed');
ok($c[1]->expect(qr/\bann has left/), '... the room is told');
$b->log_like(qr/event=kick addr=127\.0\.0\.1 port=\d+/, '... and it is logged', $from);
my $d = $b->client;
is($b->ctl_run('kick', $d->nick)->{code}, 0, 'guests can be kicked');
ok($d->eof, '... and are');

# reload, reopen
is($b->ctl_run('reload')->{code}, 0, 'reload');
is($b->ctl_run('reopen')->{code}, 0, 'reopen');
my $json = $b->ctl('reload');
is($json->{code}, 0, 'reload --json');

# stop
$r = $b->ctl_run('stop');
is($r->{code}, 0, 'stop');
is($b->wait_end(3), 0, 'the daemon has ended with 0');
$b->{stopped} = 1;
ok(!-e $socket, 'the socket is gone');
is($b->ctl_run('status')->{code}, 3, 'then: 3');
is_deeply([ $b->log_surprises ], [], 'nothing odd in the log');

# control_group
SKIP: {
	skip 'only root gives groups away', 16 unless $> == 0;
	my ($group) = grep { defined getgrnam($_) } qw(adm users daemon);
	my $b = Banter->start(workers => 1, set => { control_group => $group });
	my @st = stat $b->control_socket;
	is($st[2] & 07777, 0660, 'control_group: mode 0660');
	is($st[5], scalar getgrnam($group), '... of that group');
	is($b->ctl_run('status')->{code}, 0, 'root may use it');
	my ($nobody, $gid) = (65534, $st[5]);
	for (["a stranger", "--regid=65534 --clear-groups", 77],
		["a member of the group", "--regid=$gid --clear-groups", 0],
		["one whose second group it is", "--regid=65534 --groups=$gid", 0]) {
		my ($who, $groups, $code) = @$_;
		my @as = ('setpriv', "--reuid=$nobody", split ' ', $groups);
		my $r = Banter::Ctl::run(undef, @as, Banter::banterctl(), '-s',
			$b->control_socket, 'status');
		is($r->{code}, $code, "$who: exit $code") or diag $r->{err};
		next unless $code;
		like($r->{err}, qr/Permission denied/, '... and is told why');
		is($r->{out}, '', '... and sees nothing');
	}
	my $r = Banter::Ctl::run(undef, 'setpriv', "--reuid=$nobody", "--regid=$gid",
		'--clear-groups', Banter::banterctl(), '-s', $b->control_socket, 'ban', '192.0.2.7');
	is($r->{code}, 0, 'a member may do everything');
	$b->log_like(qr/control: ban 192\.0\.2\.7, asked for by pid \d+ of uid $nobody/,
		'... and the log says who it was');
	my ($ban) = Banter::table($b->ctl('bans'), 'network');
	is($ban->{by}, "uid $nobody", '... as does the list');
	my $mode = sub { (stat $b->control_socket)[2] & 07777 };
	$b->stop_ok;
	$b = Banter->start(workers => 1);
	is($mode->(), 0600, 'without it: mode 0600');
	$r = Banter::Ctl::run(undef, 'setpriv', "--reuid=$nobody", "--regid=$gid",
		'--clear-groups', Banter::banterctl(), '-s', $b->control_socket, 'status');
	is($r->{code}, 77, '... and nobody else may');
	$b->stop_ok;
}
done_testing;
