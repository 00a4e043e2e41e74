# What the kernel and the administrator may do to the processes.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Cwd ();
use Fcntl;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Ctl;
use Banter::Proc qw(slurp wait_until alive state title descendants children n_fds);

my $TOP = Cwd::getcwd();

sub all_pids { return map { m{(\d+)} ? $1 : () } glob '/proc/[0-9]*' }

sub pause { select undef, undef, undef, $_[0] }

# Every process that works in this folder, other than this test.
sub of_folder
{
	my ($dir) = @_;
	return grep { $_ != $$ && (readlink("/proc/$_/cwd") || '') eq $dir && alive($_) }
		all_pids();
}

# An unused port, for daemons that are to come back on the same one.
sub free_port
{
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "socket: $!";
	return $s->sockport;
}

# --- kill -9 of the master at any moment of its start ------------------------

{
	my $port = free_port();
	my $p = Banter->prepare(workers => 4, listen => { text => { port => $port } });
	# Titles overwrite the environment, and a dead master has no children: its
	# processes are known by their folder.
	local $ENV{BANTERD} = Cwd::abs_path(Banter::banterd());
	local $ENV{BANTERCTL} = Cwd::abs_path(Banter::banterctl());
	chdir $p->{dir} or die "$p->{dir}: $!";
	my ($left, $busy, $early) = (0, 0, 0);
	for my $round (1 .. 50) {
		pipe my $r, my $w or die "pipe: $!";
		my $pid = fork;
		die "fork: $!" unless defined $pid;
		$p->exec_daemon($w, []) if !$pid;
		close $w;
		$p->{pid} = $pid;
		pause(rand() * ($round % 2 ? 0.006 : 0.03));
		kill 'KILL', $pid;
		waitpid $pid, 0;
		$early++ unless slurp($p->{log}) =~ /\[$pid\] \S+ .*\bready/;
		if (!wait_until { !of_folder($p->{dir}) } 5) {
			$left++;
			diag "round $round: ", map { "$_ " . title($_) . ' ' . state($_) . "\n" } of_folder($p->{dir});
			kill 'KILL', of_folder($p->{dir});
		}
		# An exiting process leaves its folder before its sockets.
		$busy++ unless wait_until { IO::Socket::INET->new(LocalAddr => '127.0.0.1',
			LocalPort => $port, Listen => 1, ReuseAddr => 1) } 5;
	}
	is($left, 0, 'master killed 50 times during its start: nobody is left within 5 s');
	is($busy, 0, '... and the port is free each time');
	diag "$early of 50 were killed before they were ready";
	$p->{log} .= '.last';
	ok($p->restart->{ready}, '... and a start over what they left works') or diag $p->log_text;
	ok($p->client, '... and serves');
	ok(scalar(of_folder($p->{dir})) >= 9, 'what this test looks for is there when it lives');
	$p->stop_ok;
	chdir $TOP or die "$TOP: $!";
}

# --- process 1 of a PID namespace ---------------------------------------------

SKIP: {
	my $can = $> == 0 && !system 'unshare --pid --fork --mount-proc true 2>/dev/null';
	skip 'no PID namespace may be made here', 7 unless $can;
	local $ENV{BANTER_TEST_WRAP} = 'unshare --pid --fork --kill-child --mount-proc';
	my $p = Banter->prepare(workers => 2);
	rmdir $p->{run_dir} or die "$p->{run_dir}: $!";
	$p->launch;
	ok($p->{ready}, 'process 1 of a namespace: it starts') or diag $p->log_text;
	my ($one) = children($p->{pid});
	like(slurp("/proc/$one/status"), qr/^NSpid:\s+$one\s+1$/m, '... as process 1');
	ok(-d $p->{run_dir}, '... and has made its run directory');
	# Somebody comes in, and leaves orphans.
	my $n = 5;
	system 'nsenter', '-t', $one, '-p', '/bin/sh', '-c',
		"for i in \$(seq $n); do (true & echo \$! >>$p->{dir}/orphans) & done; wait";
	my $orphans = sub { grep { ppid_is($_, $one) && title_or_comm($_) !~ /banterd/ } all_pids() };
	ok((wait_until { -s "$p->{dir}/orphans" && slurp("$p->{dir}/orphans") =~ tr/\n// == $n }),
		'orphans were made');
	pause(0.5); # they have ended, and nothing tells us so but their parent
	ok((wait_until { !$orphans->() } 5), 'they are reaped: no zombie is left')
		or diag map { slurp("/proc/$_/stat") } $orphans->();
	ok($p->client, 'clients are served meanwhile');
	kill 'TERM', $one;
	my $status = $p->wait_end;
	is($status, 0, 'TERM ends it with 0');
	$p->{stopped} = 1;
	is_deeply([ $p->log_surprises ], [], 'nothing odd in its log');
}

sub ppid_is { return Banter::Proc::ppid($_[0]) == $_[1] }
sub title_or_comm { return slurp("/proc/$_[0]/comm") . title($_[0]) }

# A run directory that cannot be made is named.
SKIP: {
	skip 'root is needed to become somebody else', 2 unless $> == 0;
	local $ENV{BANTER_TEST_WRAP} = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
	my $p = Banter->prepare(workers => 1, set => { user => 'nobody', group => 65534 });
	$p->configure(set => { run_dir => "$p->{dir}/no/run" });
	mkdir "$p->{dir}/no", 0755;
	$p->expect_log(qr/./);
	my $end = $p->run_to_end;
	isnt($end->{code}, 0, 'a run directory that may not be made: no start');
	like($end->{log}, qr{\Q$p->{dir}\E/no/run.*: Permission denied}, '... it is named, with the reason');
}

# --- fork() fails ----------------------------------------------------------------

SKIP: {
	skip 'root is needed to become somebody else', 4 unless $> == 0;
	my $uid = 64321;
	my $wrap = "setpriv --reuid=$uid --regid=$uid --clear-groups";
	for my $limit (2, 5) {
		local $ENV{BANTER_TEST_WRAP} = "prlimit --nproc=$limit $wrap";
		my $p = Banter->prepare(workers => 4, set => { user => 'nobody', group => 65534 });
		chown $uid, $uid, $p->{dir}, $p->{run_dir}, $p->{state_dir};
		$p->expect_log(qr/./);
		my $start = time;
		$p->launch;
		my $pid = $p->{pid};
		my $said = wait_until { $p->log_text =~ /Resource temporarily unavailable|EAGAIN/ } 10;
		ok($said, "$limit processes allowed: the reason is told") or diag $p->log_text;
		pause(1);
		my $ticks = 0;
		if (alive($pid)) {
			my @f = Banter::Proc::stat_fields($pid);
			$ticks = $f[11] + $f[12];
		}
		cmp_ok($ticks, '<', 50 * (time - $start), '... and nothing spins');
		my $lines = () = $p->log_text =~ /\n/g;
		cmp_ok($lines, '<', 100, '... nor fills the log');
		$p->kill_all;
	}
}

# --- nobody reads what it says ------------------------------------------------

{
	my $p = Banter->prepare(workers => 2, log => { level => 'debug' });
	pipe my $r, my $w or die "pipe: $!";
	fcntl $w, F_SETFL, O_NONBLOCK;
	1 while syswrite $w, 'x' x 4096;
	1 while syswrite $w, 'x';
	fcntl $w, F_SETFL, 0;
	my $log = $p->{log};
	open my $old, '>&', \*STDERR or die "dup: $!";
	# exec_daemon() opens its log by name: /proc names the pipe.
	$p->{log} = "/proc/$$/fd/" . fileno $w;
	fcntl $w, F_SETFD, 0;
	$p->launch;
	ok($p->{ready}, 'stderr is a full pipe: it starts');
	my @c = map { $p->client } 1 .. 20;
	is(scalar(grep { $_ && $_->sync } @c), 20, '... and serves');
	$_->close for grep { $_ } @c;
	$p->{log} = $log;
	is($p->ctl_run('status')->{code}, 0, '... and is controlled');
	$p->stop_ok('... and stops');
}
for my $fds ([1, 2], [0, 1, 2]) {
	my $p = Banter->prepare(workers => 2, close => $fds);
	$p->launch;
	ok($p->{ready}, "closed at the start: @$fds");
	my $c = $p->client;
	ok($c && $c->sync, '... it serves');
	my $targets = join ' ', map { readlink("/proc/" . $p->master_pid . "/fd/$_") || '-' } 0 .. 2;
	unlike($targets, qr/socket|memfd|epoll/, '... and nothing of its own is among 0 to 2');
	$p->stop_ok;
}

# --- the OOM killer ---------------------------------------------------------------

sub memory_group
{
	for my $root ('/sys/fs/cgroup/memory', '/sys/fs/cgroup') {
		my $name = "$root/banter-test-$$";
		my $limit = $root =~ /memory/ ? 'memory.limit_in_bytes' : 'memory.max';
		next unless mkdir $name;
		return { dir => $name, limit => "$name/$limit" } if -w "$name/$limit";
		rmdir $name;
	}
	return undef;
}

sub put { open my $out, '>', $_[0] or return 0; syswrite $out, "$_[1]\n" or return 0; return close $out }

{
	my $b = Banter->start(workers => 2, limits => { rate => 0, output_bytes => '64M',
		output_memory => '512M' });
	$b->expect_log(qr/worker \d+.*(?:died|killed|signal)/i, qr/clients of the worker before/);
	my $other = $b->client(worker => 1);
	my $mine = $b->client(worker => 2);
	$b->drop_parked;
	my $victim = $b->workers->{2};
	my $group = memory_group();
	my $how = 'SIGKILL in its place: no memory cgroup may be made here';
	if ($group && put("$group->{dir}/cgroup.procs", $victim) && put($group->{limit}, 1 << 20)) {
		$how = 'by the OOM killer';
		my @deaf = map { $b->client(rcvbuf => 4096) } 1 .. 6;
		for (1 .. 40) {
			$other->send("$_ " . 'm' x 3900 . "\n" x 1) for 1 .. 100;
			last unless $other->sync && alive($victim);
		}
		$how = 'SIGKILL in its place: the limit was not enforced' if alive($victim);
	}
	kill 'KILL', $victim if $how !~ /OOM/;
	ok((wait_until { my $p = $b->workers->{2}; $p && $p != $victim && alive($p) }),
		"a worker is killed ($how): it is replaced");
	like($b->log_text, qr/worker 2.*(?:KILL|signal 9)/, '... the log names the signal');
	ok($other->sync, '... and the others stay');
	ok($b->client(worker => 2), '... and the new one serves');
	$b->stop_ok;
	if ($group) {
		wait_until { rmdir $group->{dir} } 5;
	}
}

# --- a worker that breaks the bus protocol ------------------------------------------

{
	my $b = Banter->start(workers => 2, limits => { rate => 0 },
		env => { BANTER_TEST_BAD_FRAME => 2, BANTER_TEST_NO_THROTTLE => 1 });
	$b->expect_log(qr/slot 2 is given up/, qr/worker 2.*(?:broke the bus|died|killed|signal)/i, qr/clients of the worker before/);
	my @others = map { $b->client(worker => 1) } 1 .. 3;
	for my $kind (qw(short empty long length version count type direction slot room number)) {
		my $mine = $b->client(worker => 2);
		$b->drop_parked;
		my ($was, $from) = ($b->workers->{2}, length $b->log_text);
		$mine->send("!bad $kind\n");
		ok((wait_until { !alive($was) }), "a frame with a bad $kind: its worker is killed") or next;
		$b->log_like(qr/worker 2 \(pid $was\) broke the bus protocol/, '... and the log says why', $from);
		ok((wait_until { my $p = $b->workers->{2}; $p && $p != $was && alive($p) }), '... and replaced');
		is(scalar(grep { $_->sync } @others), 3, '... and the others are not disturbed');
	}
	# Its keeper's line is in its table as well.
	$b->expect_log(qr/slot 2: pid \d+ broke the keeper's protocol/);
	for my $kind (qw(spawned died failed here)) {
		my $mine = $b->client(worker => 2);
		$b->drop_parked;
		my ($was, $from) = ($b->workers->{2}, length $b->log_text);
		$mine->send("!bad keeper-$kind\n");
		ok((wait_until { !alive($was) }), "a word of its keeper's that is its own ($kind): its worker is killed") or next;
		$b->log_like(qr/slot 2: pid $was broke the keeper's protocol/, '... and the log says why', $from);
		ok((wait_until { my $p = $b->workers->{2}; $p && $p != $was && alive($p) }), '... and replaced');
		is(scalar(grep { $_->sync } @others), 3, '... and the others are not disturbed');
	}
	for my $kind (qw(again short empty)) {
		my $mine = $b->client(worker => 2);
		$b->drop_parked;
		my ($was, $from, $fds) = ($b->workers->{2}, length $b->log_text, n_fds($b->master_pid));
		$mine->send("!bad keeper-$kind\n");
		ok((wait_until { !alive($was) }), "a word on its keeper's line that nobody may say ($kind): its worker is killed")
			or next;
		$b->log_like(qr/slot 2: pid $was broke the keeper's protocol/, '... and the log says why', $from);
		ok((wait_until { my $p = $b->workers->{2}; $p && $p != $was && alive($p) }), '... and replaced');
		is((() = substr($b->log_text, $from) =~ /broke the keeper's protocol/g), 1, '... once');
		ok((wait_until { n_fds($b->master_pid) <= $fds }), '... and the master keeps no descriptor of it');
		is(scalar(grep { $_->sync } @others), 3, '... and the others are not disturbed');
	}
	{
		my $mine = $b->client(worker => 2);
		$b->drop_parked;
		my $was = $b->workers->{2};
		$b->expect_log(qr/event=suspect/); # it is in hand at many a kill
		$mine->send("!bad keeper-pidfd\n");
		ok((wait_until { my $p = $b->workers->{2}; $p && $p != $was && alive($p) }),
			'a worker that hides its end from its keeper is replaced');
		ok($b->client(worker => 2)->sync, '... and the next one serves');
		ok((wait_until { my $r = $b->reserves->{2}; $r && alive($r) }), '... and there is a reserve');
	}
	$b->expect_log(qr/keeper 2 (?:was killed|exited)/, qr/a worker has put something else/);
	for my $kind (qw(end closed)) {
		my $mine = $b->client(worker => 2);
		$b->drop_parked;
		my ($was, $keeper) = ($b->workers->{2}, $b->keepers->{2});
		$mine->send("!bad keeper-$kind\n");
		# The keeper waits on what it had until something else wakes it.
		kill 'KILL', $was if $kind eq 'closed' && $mine->sync;
		ok((wait_until { !alive($was) && !alive($keeper) }), "its keeper's line has an end ($kind): that slot ends") or next;
		ok((wait_until { my $p = $b->workers->{2}; $p && $p != $was && alive($p) && $b->keepers->{2} }), '... and begins anew');
		ok($b->client(worker => 2)->sync, '... and serves');
		is(scalar(grep { $_->sync } @others), 3, '... and the others are not disturbed');
	}
	my ($before) = $b->workers->{1};
	$others[0]->send("!bad short\n");
	ok($others[1]->expect(qr/> !bad short$/), 'to any other worker the words are words');
	is($b->workers->{1}, $before, '... and it lives');
	my $last = $b->client(worker => 2);
	ok($last && $last->sync, 'the last successor serves');
	$b->stop_ok;
}

# --- a worker that gives its keeper's line to a client --------------------------------

SKIP: {
	skip 'keepers fork: there is no table to share', 6 if ($ENV{BANTER_TEST_FORK} || '') eq '1';
	my $path = File::Temp::tempdir(CLEANUP => 1) . '/chat';
	my $b = Banter->start(workers => 1, limits => { rate => 0 },
		listen => { text => {}, local => { address => [$path] } },
		env => { BANTER_TEST_BAD_FRAME => 1, BANTER_TEST_NO_THROTTLE => 1 });
	$b->expect_log(qr/a worker has put something else/, qr/keeper 1 (?:exited|was killed)|worker 1|slot 1/);
	my $s = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
	my $greeting = '';
	sysread $s, $greeting, 1024, length $greeting until $greeting =~ /Welcome/;
	my ($keeper, $reserve, $worker) = map { $_->{1} } $b->keepers, $b->reserves, $b->workers;
	syswrite $s, "!bad keeper-line\n";
	ok((wait_until { twice($keeper) }),
		'a worker puts a client in the place of its keeper\'s line');
	syswrite $s, pack 'L l Q l L', 1, 0, 99, 0, 0; # KEEPER_SPAWN
	kill 'KILL', $reserve; # or the keeper would wait on what it had
	ok((wait_until { !alive($keeper) && !alive($worker) }), '... which gets nothing done: that slot ends');
	like($b->log_text, qr/a worker has put something else|keeper 1: its line has ended/, '... and the log says why');
	ok((wait_until { my $k = $b->keepers->{1}; $k && $k != $keeper && $b->workers->{1} }), '... and begins anew');
	ok($b->client->sync, '... and serves');
	$b->stop_ok;
}

# Has this process a socket by two numbers?
sub twice
{
	my ($pid) = @_;
	my %n;
	$n{$_}++ for grep { /^socket:/ } Banter::Proc::fd_targets($pid);
	return scalar grep { $_ > 1 } values %n;
}

# --- -t while clients connect ---------------------------------------------------------

{
	my $b = Banter->start(workers => 2, limits => { rate => 0 });
	my $load = $b->load_start('-n', 200, '-P', 4, '-m', 50, '--rate', 50, '-t', 20);
	my $bad = 0;
	for (1 .. 10) {
		my $r = Banter::Ctl::run(undef, Banter::banterd(), '-t', '-c', $b->{conf});
		$bad++ unless $r->{code} == 0;
	}
	is($bad, 0, '-t beside a running daemon on the same file: 0');
	my $s = Banter::load_end($load);
	is($s->{code}, 0, '... and no client is disturbed') or diag $s->{text};
	$b->stop_ok;
}
done_testing;
