# Who may connect: allow and deny, bans, and the modes of UNIX sockets.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use Test::More;
use Banter;
use Banter::Client;
use Banter::Proc qw(wait_until slurp state);

my $dir = File::Temp::tempdir('banter-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $path = "$dir/chat";

# A client from another address of this machine: its greeting or its refusal.
sub from
{
	my ($b, $address, %o) = @_;
	return Banter::Client->new(port => $b->port($o{listener} || 'text'),
		local => $address, greet => 0);
}

sub is_in
{
	my ($b, $address, $name, %o) = @_;
	my $c = from($b, $address, %o);
	like($c->next_line, qr/Welcome/, $name);
	return $c;
}

sub is_out
{
	my ($b, $address, $re, $name, %o) = @_;
	my $c = from($b, $address, %o);
	like($c->next_line, $re, $name);
	ok($c->eof, '... and closed');
}

my $DENIED = qr/^\* error: connections from your address are not let in here; ask who runs this server$/;
my $BANNED = qr/^\* error: your address is banned here/;

subtest 'allow and deny' => sub {
	my $b = Banter->start(workers => 2, listen => {
		text => { allow => ['127.0.0.0/28'], deny => ['127.0.0.5', '127.0.0.6/31'] },
		open => {} });
	is_in($b, '127.0.0.1', 'in allow');
	is_out($b, '127.0.0.5', $DENIED, 'in both: deny wins');
	is_out($b, '127.0.0.7', $DENIED, 'in a denied network');
	is_out($b, '127.0.0.16', $DENIED, 'not in allow');
	is_in($b, '127.0.0.5', 'another listener has its own', listener => 'open');
	$b->log_like(qr/event=refuse addr=127\.0\.0\.5 port=\d+ reason=deny$/m, 'logged');
	ok((wait_until { $b->metric('refused_denied') == 3 }), 'counted');
	ok((wait_until { $b->metric('closed') >= 3 }), '... as closed too');
	ok((wait_until { $b->metric('clients') == 0 }), 'no place is taken by them');
	$b->stop_ok;
};

subtest 'a reload is for those inside too' => sub {
	my $b = Banter->start(workers => 2, limits => { rate => 0 },
		listen => { text => {}, other => {} });
	my $stays = $b->client;
	my @goes = map { Banter::Client->new(port => $b->port, local => '127.0.0.9') } 1 .. 4;
	my $other = Banter::Client->new(port => $b->port('other'), local => '127.0.0.9');
	$b->configure(listen => { text => { deny => ['127.0.0.8/31'] }, other => {} });
	my $r = $b->reload_ok;
	like($r->{out}, qr/listen text\.deny\s+applied/, 'the key is shown as applied');
	for my $c (@goes) {
		ok($c->expect($DENIED), 'one of those inside is told');
		ok($c->eof, '... and closed');
	}
	ok($stays->sync, 'others stay');
	ok($other->sync, '... at another listener too');
	ok((grep { /has left.*denied/ } @{ $stays->{seen} }, @{ $stays->lines }),
		'they see it leave');
	$b->log_like(qr/event=kick addr=127\.0\.0\.9 port=\d+ reason=deny nick="/, 'logged');
	is($b->metric('refused_denied'), 4, 'counted');
	is_out($b, '127.0.0.9', $DENIED, 'new ones are refused');
	$b->configure(listen => { text => {}, other => {} });
	$b->reload_ok('it is taken back');
	is_in($b, '127.0.0.9', 'they are let in again');
	$b->configure(listen => { text => { deny => ['127.0.0.1/8'] }, other => {} });
	my $bad = $b->ctl_run('reload');
	is($bad->{code}, 1, 'a network with bits behind its prefix is refused');
	$b->expect_log(qr/reload: .*bits set behind/, qr/the reload is refused/);
	$b->stop_ok;
};

subtest 'who waits at a listener that goes' => sub {
	for my $guard ({}, { deny => ['127.0.0.9'] }) {
		my $b = Banter->start(workers => 1, set => { max_clients => 1 },
			listen => { text => $guard, other => {} });
		my $in = $b->client(listener => 'other');
		my $c = from($b, '127.0.0.9');
		delete $b->{options}{listen}{text};
		$b->configure;
		$b->reload_ok;
		$in->close;
		like($c->next_line, %$guard ? $DENIED : qr/Welcome/,
			%$guard ? 'with lists: is not let in' : 'without lists: is let in');
		$c->close;
		$b->stop_ok;
	}
};

subtest 'a successor applies what its predecessor had not' => sub {
	my $b = Banter->start(workers => 1, listen => { text => {} },
		env => { BANTER_FAULT => 'access_closed:kill:2' });
	$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
	my @goes = map { Banter::Client->new(port => $b->port, local => '127.0.0.9') } 1 .. 5;
	my $stays = $b->client;
	$b->configure(listen => { text => { deny => ['127.0.0.9'] } });
	$b->reload_ok;
	my $told = grep { $_->expect($DENIED) && $_->eof } @goes;
	is($told, 5, 'killed after two of five: all are told and closed');
	ok($stays->sync, 'the other one stays');
	is($b->metric('takeovers'), 1, 'there was a takeover');
	$b->stop_ok;
};

subtest 'ban, unban, bans' => sub {
	my $b = Banter->start(workers => 2, set => { bans => 3 });
	my $stays = $b->client;
	my @goes = map { Banter::Client->new(port => $b->port, local => '127.0.0.9') } 1 .. 3;
	my $r = $b->ctl_run('ban', '127.0.0.9', '--for', '1h', 'be', 'kind');
	is($r->{code}, 0, 'ban') or diag $r->{err};
	like("$r->{out}$r->{err}", qr/127\.0\.0\.9 is banned until \d{4}-/, 'it says until when');
	for my $c (@goes) {
		ok($c->expect(qr/^\* error: your address is banned here; the reason: be kind$/),
			'one of those inside is told why');
		ok($c->eof, '... and closed');
	}
	ok($stays->sync, 'others stay');
	is_out($b, '127.0.0.9', qr/^\* error: your address is banned here; the reason: be kind$/, 'a new one');
	$b->log_like(qr/event=refuse addr=127\.0\.0\.9 port=\d+ reason=ban text="be kind"/, 'logged');
	$b->log_like(qr/event=kick addr=127\.0\.0\.9 port=\d+ reason=ban nick="guest\d+" text="be kind"/,
		'... and those inside');
	$b->log_like(qr/control: ban 127\.0\.0\.9 until \S+, asked for by pid \d+ of uid $>/,
		'... and who asked');
	is($b->metric('refused_banned'), 4, 'counted');

	is($b->ctl_run('ban', '2001:db8::7')->{code}, 0, 'an IPv6 address');
	is($b->ctl_run('ban', '10.0.0.0/8', 'no', '"quotes"')->{code}, 0, 'a network');
	my @bans = Banter::table($b->ctl('bans'), 'network');
	is_deeply([map { $_->{network} } @bans], ['2001:db8::/64', '10.0.0.0/8', '127.0.0.9'],
		'bans shows them; IPv6: the /64');
	is($bans[1]{reason}, 'no "quotes"', '... the reason');
	is($bans[1]{until}, '', '... no end');
	like($bans[2]{until}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '... an end');
	is($bans[2]{by}, "uid $>", '... by whom');
	my $full = $b->ctl_run('ban', '192.0.2.1');
	is($full->{code}, 1, 'there are no more than the key bans allows');
	is($b->ctl_run('ban', '10.0.0.0/8', 'again')->{code}, 0, 'one may be replaced');

	is($b->ctl_run('unban', '10.0.0.1')->{code}, 1, 'what is not banned itself');
	like($b->ctl_run('unban', '10.0.0.1')->{err}, qr{but one of 10\.0\.0\.0/8}, '... names what is');
	is($b->ctl_run('unban', '127.0.0.9')->{code}, 0, 'unban');
	is_in($b, '127.0.0.9', 'it is let in again');
	is($b->ctl_run('ban', $_)->{code}, 64, "ban $_: usage")
		for 'example.org', '10.0.0.1/8', '10.0.0.0/33';
	is($b->ctl_run('ban', '10.1.0.0/16', '--for', $_)->{code}, 64, "--for $_: usage")
		for 'x', '10ms', '5m', '99999d';
	is($b->ctl_run('ban', '10.1.0.0/16', 'x' x 127)->{code}, 64, 'a reason that is too long');
	is($b->ctl_run('ban')->{code}, 64, 'no address');
	$b->stop_ok;
};

subtest 'they are kept' => sub {
	my $b = Banter->start(workers => 1);
	my $file = "$b->{state_dir}/bans";
	$b->ctl_run('ban', '127.0.0.9', 'kept');
	$b->ctl_run('ban', '127.0.0.10', '--for', '2s', 'short');
	like(slurp($file), qr/^127\.0\.0\.9 \d{4}-\S+Z - $> kept$/m, 'a file of text');
	is((stat $file)[2] & 07777, 0640 & ~umask, '... with mode 0640');
	is_out($b, '127.0.0.10', $BANNED, 'a short one is in force');
	ok((wait_until { my $c = from($b, '127.0.0.10'); $c->next_line =~ /Welcome/ }),
		'... and over by itself');
	$b->log_like(qr/the ban of 127\.0\.0\.10 is over/, '... and off the list');
	ok((wait_until { slurp($file) !~ /127\.0\.0\.10/ }), '... and the file');

	# A worker's death, an upgrade, a restart.
	my $pid = $b->workers->{1};
	$b->expect_log(qr/worker 1 .*was killed/);
	kill 'KILL', $pid;
	ok((wait_until { my $p = $b->workers->{1}; $p && $p != $pid }), 'the worker is replaced');
	is_out($b, '127.0.0.9', $BANNED, 'after a death');
	is($b->ctl_run('upgrade')->{code}, 0, 'an upgrade');
	is_out($b, '127.0.0.9', qr/kept$/, '... with it');
	is($b->ctl_run('ban', '127.0.0.11')->{code}, 0, '... and it bans');
	is_out($b, '127.0.0.11', $BANNED, '... at once');
	$b->stop_ok;
	open my $out, '>>', $file or die "$file: $!";
	print $out "nonsense\n192.0.2.0/24 2026-11-20T20:12:46Z 2026-11-20T20:12:47Z 0 over\n",
		"192.0.2.0/24 never - 0\n\n# a comment\n192.0.2.1/24 2026-11-20T20:12:46Z - 0\n";
	close $out;
	$b->expect_log(qr{/bans:\d+: });
	$b->restart;
	is_out($b, '127.0.0.9', qr/kept$/, 'after a restart');
	my $log = $b->log_text;
	like($log, qr{warning: \Q$file\E:4: expected NETWORK SINCE UNTIL}, 'a bad line is reported');
	like($log, qr{\Q$file\E:6: a time is not}, '... another');
	like($log, qr{\Q$file\E:9: this is no network}, '... another');
	like($log, qr/the ban of 192\.0\.2\.0\/24 is over/, 'one that ended meanwhile is over');
	is(scalar Banter::table($b->ctl('bans'), 'network'), 2, 'two are in force');

	# What cannot be kept is in force all the same.
	SKIP: {
		mkdir "$file.new" or skip 'no folder in the way', 5;
		$b->expect_log(qr{/bans cannot be written});
		my $r = $b->ctl_run('ban', '127.0.0.12');
		is($r->{code}, 0, 'without a file');
		like("$r->{out}$r->{err}", qr/NOT SAVED/, '... it says so');
		is_out($b, '127.0.0.12', $BANNED, '... and is in force');
		is($b->ctl_run('upgrade')->{code}, 0, 'an upgrade');
		is_out($b, '127.0.0.12', $BANNED, '... does not forget it');
		rmdir "$file.new";
	}
	$b->ctl_run('ban', '127.0.0.13');
	like(slurp($file), qr/^127\.0\.0\.12 /m, 'saved when it can be');
	$b->stop_ok;
};

# Lists that are sent and not read keep their memory for all that time.
sub unread
{
	my ($pid) = @_;
	my $n;
	for my $file (glob "/proc/$pid/fdinfo/*") {
		$n = ($n || 0) + $1 if (eval { slurp($file) } // '') =~ /^scm_fds:\s*(\d+)/m;
	}
	return $n;
}

subtest 'a stopped worker gets one list' => sub {
	my $b = Banter->start(workers => 2);
	my $goes = $b->client(worker => 2, local => '127.0.0.9');
	my $pid = $b->workers->{2};
	kill 'STOP', $pid;
	ok((wait_until { state($pid) eq 'T' }), 'it is stopped');
	is(scalar(grep { $b->ctl_run('ban', "192.0.2.$_")->{code} != 0 } 1 .. 12), 0, 'bans go on');
	is($b->ctl_run('ban', '127.0.0.9')->{code}, 0, '... for one who is there, too');
	SKIP: {
		my $n = unread($pid);
		skip 'this kernel does not tell', 1 unless defined $n;
		is($n, 1, 'it is sent one list');
	}
	kill 'CONT', $pid;
	ok($goes->expect($BANNED), 'and the last one when it has read that');
	ok($goes->eof, '... which is applied');
	$b->stop_ok;
};

subtest 'a death lets nobody in' => sub {
	my $b = Banter->start(workers => 1,
		env => { BANTER_FAULT => 'access_refused:kill:1' });
	$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
	is($b->ctl_run('ban', '127.0.0.9')->{code}, 0, 'a ban');
	is_out($b, '127.0.0.9', $BANNED, 'killed when it was accepted: the successor refuses it');
	unlike($b->log_text, qr/event=kick/, '... instead of letting it in and closing it then');
	is($b->metric('takeovers'), 1, 'there was a takeover');
	is_in($b, '127.0.0.10', 'others are let in');
	$b->stop_ok;
};

subtest 'kick --ban' => sub {
	my $b = Banter->start(workers => 2, listen => { text => {}, local => { address => [$path] } });
	my ($ann, $bob) = map { Banter::Client->new(port => $b->port, local => $_) }
		'127.0.0.9', '127.0.0.10';
	$ann->send("/nick ann\n");
	$ann->expect(qr/You are ann/);
	my $r = $b->ctl_run('kick', 'ann', '--ban', '1h', 'go', 'away', 'and', 'stay', 'there',
		'for', 'a', 'while');
	is($r->{code}, 0, 'kick --ban') or diag $r->{err};
	like("$r->{out}$r->{err}", qr/closed; 127\.0\.0\.9 is banned until/, 'it says what was done');
	ok($ann->expect(qr/banned here; the reason: go away and stay there for a while$/), 'she is told');
	ok($ann->eof, '... and closed');
	is_out($b, '127.0.0.9', $BANNED, '... and stays out');
	ok($bob->sync, 'the other stays');
	$b->log_like(qr/control: kick "ann"/, 'logged');
	my $local = Banter::Client->new(path => $path);
	$local->send("/nick lou\n");
	$local->expect(qr/You are lou/);
	$local->{nick} = 'lou';
	$r = $b->ctl_run('kick', 'lou', '--ban', '1h');
	is($r->{code}, 1, 'of a UNIX socket');
	like($r->{err}, qr/UNIX socket/, '... it says why not');
	is($b->ctl_run('ban', '::/0')->{code}, 0, 'a ban of everything');
	is($b->ctl_run('ban', '0.0.0.0/0')->{code}, 0, '... in both families');
	ok($bob->expect($BANNED), '... closes the last one');
	ok($local->sync, '... but not who came by a UNIX socket');
	is($b->ctl_run('kick', 'nobody', '--ban', '1h')->{code}, 1, 'nobody');
	is($b->ctl_run('kick', 'lou', '--ban', 'soon')->{code}, 64, 'no duration');
	is($b->ctl_run('kick', 'lou', '--ban')->{code}, 64, 'none at all');
	$b->stop_ok;
};

subtest 'UNIX sockets: socket_mode and socket_group' => sub {
	my ($gid) = grep { $_ != $) + 0 } split ' ', $);
	$gid = (getgrnam('daemon'))[2] if !defined $gid && $> == 0;
	my %group = defined $gid ? (socket_group => scalar getgrgid $gid) : ();
	my $b = Banter->start(workers => 2, listen => { text => {},
		local => { address => [$path], socket_mode => '0660', %group } });
	is((stat $path)[2] & 07777, 0660, 'the mode');
	is((stat $path)[5], $gid, 'the group') if %group;
	ok(Banter::Client->new(path => $path), 'it serves');
	$b->configure(listen => { local => { address => [$path], socket_mode => '666' } });
	$b->reload_ok;
	is((stat $path)[2] & 07777, 0666, 'a reload changes the mode');
	is((stat $path)[5], (stat $dir)[5], '... and the group') if %group;
	if (%group) {
		chown -1, $gid, $path;
		$b->reload_ok;
		is((stat $path)[5], $gid, '... but not a group that it has not set');
	}
	$b->configure(listen => { local => { address => [$path],
		socket_group => 'no-such-group' } });
	$b->expect_log(qr/no-such-group/, qr/the reload is refused/);
	my $r = $b->ctl_run('reload');
	is($r->{code}, 1, 'a group that does not exist is refused');
	like("$r->{out}$r->{err}", qr/there is no group 'no-such-group'/, '... and named');
	$b->configure(listen => { local => { address => [$path] } });

	# Somebody listens there: refused.  A stale one: replaced.
	my $other = Banter->prepare(workers => 1, listen => { local => { address => [$path] } });
	my $end = $other->run_to_end;
	is($end->{code}, 69, 'a live socket is not taken away');
	like($end->{log}, qr/\Q$path\E: Address already in use/, '... it says why');
	ok(Banter::Client->new(path => $path), '... and serves on');
	kill 'KILL', $b->{pid};
	$b->kill_all;
	ok(-S $path, 'after a SIGKILL the socket is there');
	$b->restart;
	ok(Banter::Client->new(path => $path), '... and replaced at the next start');
	is((stat $path)[2] & 07777, 0666, 'by default everybody may use it');
	$b->stop_ok;
	ok(!-e $path, 'a stop removes it');
};
done_testing;
