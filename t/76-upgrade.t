# Upgrades: the daemon goes on as the installed program, and nobody notices.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use POSIX ();
use Test::More;
use Banter;
use Banter::Fault;
use Banter::Proc qw(slurp wait_until alive state ppid n_fds title);

my $built = Banter::banterd();
my $bin;

# Put a file in the place of the installed program, as a package manager does.
# $change edits its bytes.
sub install
{
	my ($from, $change, $mode) = @_;
	my $bytes = slurp($from);
	$change->($bytes) if $change;
	Banter::write_file("$bin.dpkg-new", $bytes);
	chmod defined $mode ? $mode : 0755, "$bin.dpkg-new" or die;
	rename "$bin.dpkg-new", $bin or die "$bin: $!";
}

sub version
{
	my ($v) = `$built -V` =~ /^banterd (\S+)/;
	return $v;
}

# The same program with another version, of the same length.
my $version = version();
(my $newer = $version) =~ s/\d$/9/;
sub newer
{
	my $n = $_[0] =~ s/\Q$version\E(?=[\0 ])/$newer/g;
	$n or die 'no version in the binary';
}

# A daemon whose program can be replaced.
sub start
{
	my (%o) = @_;
	my $b = Banter->prepare(%o);
	$bin = "$b->{dir}/banterd";
	install($built);
	local $ENV{BANTERD} = $bin;
	$b->launch;
	die "not ready:\n" . $b->log_text unless $b->{ready};
	return $b;
}

sub upgraded
{
	my ($b, $name) = @_;
	my $r = $b->ctl_run('upgrade');
	my $ok = is($r->{code}, 0, $name || 'the upgrade is done');
	diag("$r->{out}$r->{err}", $b->log_text) unless $ok;
	return $r;
}

sub refused
{
	my ($b, $re, $name) = @_;
	my $r = $b->ctl_run('upgrade');
	is($r->{code}, 1, "$name: refused");
	like("$r->{out}$r->{err}", $re, '... with the reason');
	return $r;
}

# What a worker has left for its idle moments is closed by then.
sub least_fds
{
	my ($pid) = @_;
	my $least = n_fds($pid);
	wait_until { my $n = n_fds($pid); $least = $n if $n < $least; 0 } 3;
	return $least;
}

my $b = start(workers => 2, limits => { rate => 0 },
	room => { lobby => { topic => 'Welcome', autojoin => 'true' } });
my $pid = $b->master_pid;
my $title = title($pid) =~ s/ --ready-fd \d+//r;

# --- clients in every state ------------------------------------------------

my @c = map { $b->client(worker => $_ % 2 + 1) } 0 .. 3;
$b->drop_parked;
$_->sync for @c;
$c[0]->send("/nick ann\n/join deck\n/topic under repair\n/join lobby\n");
$c[1]->send("/nick bob\n/join deck\n");
($c[0]{nick}, $c[1]{nick}) = qw(ann bob);
$_->sync for @c;
$c[2]->send("half a li");
my $slow = $b->client(rcvbuf => 4096);
my $fresh = $b->client(greet => 0);
is_deeply([ map { $b->keepers->{$_} ? 1 : 0 } 1, 2 ], [ 1, 1 ], 'two keepers');
my %keeper = %{ $b->keepers };
my %rooms = map { $_->{room} => $_ } $b->rows('rooms');
my $fds = n_fds($pid);

install($built, \&newer);
my $r = upgraded($b);
like($r->{out}, qr/upgraded to \Q$newer\E/, '... to the version that is installed');
like($r->{out}, qr/^\s*1\s+upgraded\s*\n\s*2\s+upgraded/m, '... slot by slot');
is($b->status('version'), $newer, 'the master is the new one');
is($b->status('pid'), $pid, '... and has the pid that it had');
ok(alive($pid), '... which our child has');
my %now = %{ $b->keepers };
ok($now{$_} && $now{$_} != $keeper{$_} && ppid($now{$_}) == $pid, "keeper $_ is a new one, of the master")
	for 1, 2;
ok((wait_until { !alive($keeper{$_}) }), "... and the one before is gone") for 1, 2;
is(title($now{1}), 'banterd: keeper 1', '... with its name');
is_deeply([ map { $_->{version} } $b->rows('status') ], [ $newer, $newer ], 'the workers are the new ones')
	if grep { $_->{version} } $b->rows('status');
my %after = map { $_->{room} => $_ } $b->rows('rooms');
is_deeply(\%after, \%rooms, 'rooms, topics, members and sequences are the same') or diag explain \%after;
ok($_->sync, 'a client stays') for @c[0, 1, 3];
$c[2]->send("ne from before\n");
ok($c[3]->expect(qr/half a line from before$/), 'half a line is completed');
like($fresh->next_line || '', qr/Welcome to test/, 'one that had just connected is greeted');
ok($slow->sync, 'and one that reads little goes on');
$c[0]->send("/nick bob\n");
ok($c[0]->expect(qr/error.*bob/), 'nicks are known');
$c[1]->send("/msg ann hello\n");
ok($c[0]->expect(qr/^\[private\] <bob> hello$/), '... and found');
ok($b->client->sync, 'new clients are served');
is($b->metric('upgrades'), 1, 'it is counted');
is($b->metric('worker_deaths'), 0, 'and no death is');

my $keeper_fds = least_fds($b->keepers->{1});

# --- again and again -------------------------------------------------------

for my $i (2 .. 5) {
	install($built, $i % 2 ? \&newer : undef);
	$i == 3 ? ($b->signal('USR2'), ok((wait_until { $b->status('upgrades') == 3 }), 'by SIGUSR2'))
		: upgraded($b, "upgrade $i");
}
is($b->status('pid'), $pid, 'five upgrades: the same pid');
ok((wait_until { n_fds($pid) == $fds }), '... as many descriptors in the master')
	or diag $fds, ' -> ', join "\n", Banter::Proc::fd_targets($pid);
ok((wait_until { n_fds($b->keepers->{1}) <= $keeper_fds }), '... and in a keeper')
	or diag $keeper_fds, ' -> ', join "\n", Banter::Proc::fd_targets($b->keepers->{1});
ok($_->sync, '... and every client is there') for @c;
is(title($pid), $title, '... and the command line');
is(slurp("/proc/$pid/comm"), "banterd\n", '... and the name');

# --- under load ------------------------------------------------------------

my $load = $b->load_start('-n', 40, '-P', 8, '-m', 1500, '--rate', 500, '-t', 30);
Banter::load_wait($load, qr/^RUNNING/m);
for my $i (1 .. 4) {
	install($built, $i % 2 ? \&newer : undef);
	upgraded($b, "under load, upgrade $i");
}
my $sum = Banter::load_end($load);
is($sum->{code}, 0, 'no message is lost, doubled or out of order') or diag $sum->{text};
cmp_ok($sum->{delivered} || 0, '>', 100_000, '... of a good number');

# --- what is refused -------------------------------------------------------

$b->expect_log(qr/upgrade: /, qr/the upgrade is refused/);
my @pids = ($b->master_pid, $b->keeper_pids, $b->worker_pids);
unlink $bin;
refused($b, qr/\Q$bin\E cannot be opened: No such file/, 'no program');
mkdir $bin;
refused($b, qr/is not an executable file/, 'a folder');
rmdir $bin;
install($built, undef, 0644);
refused($b, qr/is not an executable file/, 'not executable');
install('/etc/passwd');
refused($b, qr/rehearsal of .*cannot be executed: Exec format error/, 'not a program');
install($built, sub { $_[0] = substr $_[0], 0, 4096 });
refused($b, qr/rehearsal of .*(?:killed by|cannot be executed)/, 'half a program');
install('/bin/false');
refused($b, qr/rehearsal of .*exited with code 1/, 'a program that fails');
install($built, sub { $_[0] =~ s/BNTRSTAT/BNTRSTAY/g });
refused($b, qr/exited with code 78: .*state is damaged/, 'one with another state');
install($built);
my $conf = slurp($b->{conf});
Banter::write_file($b->{conf}, "$conf\nnonsense = 1\n");
refused($b, qr/exited with code 78: .*nonsense/, 'a file that the new one would not take');
Banter::write_file($b->{conf}, $conf);
my $stopped = $b->workers->{2};
kill 'STOP', $stopped;
wait_until { state($stopped) eq 'T' };
refused($b, qr/worker 2 is stopped/, 'a stopped worker');
kill 'CONT', $stopped;
is_deeply([ $b->master_pid, $b->keeper_pids, $b->worker_pids ], \@pids, 'none of it has replaced a process');
ok($_->sync, '... or cost a client') for @c;
is($b->metric('upgrades_failed'), 9, '... and each is counted');
upgraded($b, 'the good one is taken after that');
ok((wait_until { n_fds($pid) == $fds }), 'nothing leaks') or diag $fds, ' -> ', n_fds($pid);

# --- at the same time ------------------------------------------------------

$b->reload_ok('a reload works after an upgrade');
is($b->status('configuration'), 2, '... with the generation after the last');
$b->signal($_) for qw(HUP USR2 HUP);
ok((wait_until { $b->status('configuration') >= 3 && $b->status('reloads') >= 2 }), 'HUP, USR2 and HUP together: a reload happens');
ok($_->sync, '... and the clients stay') for @c;
my $worker = $b->workers->{1};
$b->expect_log(qr/worker 1 .*was killed by SIGKILL/);
kill 'KILL', $worker;
ok((wait_until { my $w = $b->workers->{1}; $w && $w != $worker && alive($w) }), 'a worker that dies is replaced');
ok($_->sync, '... with its clients') for @c;
my $keeper = $b->keepers->{1};
$b->expect_log(qr/keeper 1 was killed by SIGKILL/);
kill 'KILL', $keeper;
ok((wait_until { my $k = $b->keepers->{1}; $k && $k != $keeper && alive($k) }), '... and so is a keeper');
ok($_->sync, '... with its clients') for @c;
upgraded($b, 'and an upgrade works then');
ok($_->sync, '... with the clients') for @c;
# Else the calls of one image would be those of all that follow it.
for my $pid ($b->keeper_pids, values %{ $b->reserves }) {
	like(Banter::Proc::slurp("/proc/$pid/status"), qr/^Seccomp:\s+0$/m, '... no keeper has a sandbox');
}
my ($sandbox) = map { $_->{sandbox} } $b->rows('status');
for my $pid ($sandbox =~ /^seccomp/ ? $b->worker_pids : ()) {
	like(Banter::Proc::slurp("/proc/$pid/status"), qr/^Seccomp_filters:\s+1$/m, '... and a worker only its own');
}
$b->stop_ok;

# --- what goes wrong half way ----------------------------------------------

SKIP: {
	skip 'not a test build', 1 unless `$built -V` =~ /test build/;
	my @cases = (
		# rule, what banterctl says, is the master the new one
		[ 'upgrade_rehearsed:stall:1', qr/rehearsal of .*did not end within 5 s/, 0 ],
		[ 'upgrade_rehearsed:kill:1', qr/rehearsal of .*killed by SIG/, 0 ],
		[ 'upgrade_exec:EACCES:1', qr/cannot be executed: Permission/, 0 ],
		[ 'upgrade_restored:EIO:1', qr/could not go on/, 0 ],
		[ 'upgrade_hub:EIO:1', qr/could not go on/, 0 ],
		[ 'upgrade_map:EINVAL:1,upgrade_restored:EIO:1', qr/could not go on/, 0 ],
		[ 'image_report:EAGAIN:1,image_exec:ENOMEM:1', qr/worker 1 went back.*exited with code 127/, 1 ],
		[ 'image_exec:ENOMEM:1', qr/worker 1 went back.*exited with code 127/, 1 ],
		[ 'image_resumed:kill:1', qr/worker 1 went back.*(?:killed by SIGKILL|has ended)/, 1 ],
		[ 'image_resumed:stall:1', qr/worker 1 went back.*not ready within/, 1 ],
		[ 'worker_born:kill:2@1', qr/worker 1 went back.*new worker was killed/, 1 ],
		[ 'worker_born:stall:2@1', qr/worker 1 went back.*not ready within/, 1 ],
		[ 'start_ready:kill:2@2', qr/worker 2 went back.*new worker was killed/, 1 ],
	);
	for my $case (@cases) {
		my ($rule, $re, $new) = @$case;
		goes_back($rule, $re, $new);
	}
	keeper_dies();
	read_anew();
	stops();
}

# Started with what an option parser takes for the end of the options, and with
# an option that is abbreviated.
for my $case ([ '--' => args => ['--'] ], [ '--ready' => ready_option => '--ready' ]) {
	my ($name, %o) = @$case;
	my $b = start(workers => 1, %o);
	my $c = $b->client;
	upgraded($b, "the command line has $name: an upgrade") for 1 .. 2;
	ok($c->sync, '... with the client');
	$b->stop_ok;
}

# A daemon at which the rules strike in an upgrade, and 6 clients.
sub prone
{
	my ($rules, %o) = @_;
	my $f = Banter::Fault->new($rules, dir => File::Temp::tempdir(CLEANUP => 1));
	my $b = start(workers => 2, limits => { rate => 0 }, env => { $f->env }, %o);
	my @c = map { $b->client } 1 .. 6;
	$_->sync for @c;
	install($built, \&newer);
	return ($b, $f, @c);
}

# banterctl upgrade in a process of its own; wait for it with the result.
sub upgrade_aside
{
	my ($b) = @_;
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	POSIX::_exit($b->ctl_run('upgrade')->{code}) unless $pid;
	return sub { waitpid $pid, 0; return $? >> 8 };
}

# The keeper dies while what it has cloned does not come up: nobody has the
# clients any more.
sub keeper_dies
{
	my ($b, $f, @c) = prone('image_cloned:stall:1');
	$b->expect_log(qr/upgrade|keeper|worker/);
	my %slot = map { $_ => $b->slot_of($_) } @c;
	my $keeper = $b->keepers->{1};
	my $result = upgrade_aside($b);
	ok($f->wait_strike, 'the clone of a keeper hangs');
	kill 'KILL', $keeper;
	is($result->(), 1, '... the keeper is killed: the upgrade fails');
	ok((wait_until { 2 == grep { $_->{state} eq 'ready' } $b->rows('status') }), '... every slot is ready');
	is(scalar(grep { $slot{$_} == 2 && !$_->sync } @c), 0, '... the other slot has its clients');
	ok($b->client(worker => 1)->sync, '... and the slot takes new ones');
	kill 'KILL', map { $_->{pid} } $f->strikes;
	$b->drop_parked;
	$b->stop_ok;
}

# The configuration in force cannot be read: the file is, and all of it applies.
sub read_anew
{
	my ($b, $f, @c) = prone('upgrade_map:EINVAL:1');
	$b->configure(workers => 3);
	upgraded($b, 'the configuration is read anew');
	ok((wait_until { 3 == grep { $_->{state} eq 'ready' } $b->rows('status') }), '... all that it says is applied');
	is(scalar(grep { $_->sync } @c), 6, '... every client stays');
	$b->stop_ok;
}

# A slot has no worker when the server is stopped.
sub stops
{
	for my $rule ('image_cloned:stall:1', 'image_resumed:stall:1', 'worker_born:stall:2@1') {
		my ($b, $f, @c) = prone($rule);
		$b->expect_log(qr/upgrade/);
		my $result = upgrade_aside($b);
		$f->wait_strike;
		my $stalls = $rule =~ /cloned/;
		# It is nobody's whose pid the master knows.
		kill 'KILL', map { $_->{pid} } $f->strikes if $stalls;
		$b->signal('TERM');
		is(scalar(grep { $_->expect(qr/stopping, goodbye/) } @c), 6, "$rule: TERM, and everybody is told");
		$result->();
		$b->stop_ok;
	}
}

sub goes_back
{
	my ($rule, $re, $new) = @_;
	# Counted over the exec, or the rule would strike in each image.
	my $f = Banter::Fault->new($rule, dir => File::Temp::tempdir(CLEANUP => 1));
	my $b = start(workers => 2, limits => { rate => 0 }, env => { $f->env });
	$b->expect_log(qr/upgrade|the new image|worker|keeper|cannot go on|refused/);
	my @c = map { $b->client } 1 .. 6;
	$_->sync for @c;
	my $pid = $b->master_pid;
	my $fds = n_fds($pid);
	install($built, \&newer);
	my $r = $b->ctl_run('upgrade');
	is($r->{code}, 1, "$rule: the upgrade fails");
	like("$r->{out}$r->{err}", $re, '... with the reason') or diag $b->log_text;
	is($b->status('pid'), $pid, '... the master is there');
	is($b->status('version'), $new ? $newer : $version, '... as ' . ($new ? 'the new one' : 'the old one'));
	is(scalar(grep { $_->sync } @c), 6, '... and every client') or diag $b->log_text;
	ok((wait_until { 2 == grep { $_->{state} eq 'ready' } $b->rows('status') }), '... every slot is ready');
	is($b->metric('worker_deaths'), 0, '... and nobody is said to have died');
	ok((wait_until { n_fds($pid) == $fds }), '... nothing leaks')
		or diag $fds, ' -> ', join "\n", Banter::Proc::fd_targets($pid);
	upgraded($b, '... the next try succeeds');
	is(scalar(grep { $_->sync } @c), 6, '... with every client');
	$b->stop_ok;
}

done_testing;
