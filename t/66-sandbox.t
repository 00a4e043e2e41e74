# What workers and the parser cannot do, and what each process is left with.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until alive);

plan skip_all => 'not a test build' unless `@{[ Banter::banterd() ]} -V` =~ /test build/;
plan skip_all => "BANTER_TEST_SANDBOX is $ENV{BANTER_TEST_SANDBOX}" if $ENV{BANTER_TEST_SANDBOX};

# What has to be refused, by the name of the attempt (sandbox/attempt.c).
my @refused = qw(open openat_write unlinkat mkdirat chdir memfd_create mount
	socket_inet socket_unix connect bind listen setsockopt_cbpf
	setsockopt_lock_filter shutdown_rd shutdown_rdwr ioctl_tiocsti fcntl_setown execve execveat clone
	clone_files fork clone3 ptrace process_vm_readv kill tkill pidfd_open
	unshare setns setuid prctl_dumpable prlimit mmap_write_exec mprotect_exec
	bpf keyctl perf_event_open io_uring_setup seccomp);
my %none_here = map { $_ => 1 } `uname -m` =~ /x86_64/ ? () : qw(open fork);

sub proc_status
{
	my ($pid) = @_;
	return { map { /^(\w+):\s*(.*?)\s*$/ ? ($1 => $2) : () } split /\n/, slurp("/proc/$pid/status") };
}

# What came of each attempt of the worker of this client: name => error.
sub attempts
{
	my ($b, $c, $victim) = @_;
	my $from = length $b->log_text;
	$c->send("!forbidden $victim\n");
	$b->log_like(qr/forbidden: end/, 'a worker tries what is forbidden', $from);
	return { substr($b->log_text, $from) =~ /forbidden: (\w+) (\w+)$/mg };
}

sub shown { my ($b) = @_; return join ',', map { $_->{sandbox} } $b->rows('status') }

my $b = Banter->start(workers => 2, env => { BANTER_TEST_LINES => 1 });
$b->expect_log(qr/forbidden: /);
if (shown($b) =~ /sanitizer/) {
	pass('a build with a sanitizer has no sandbox, and says so');
	$b->stop_ok;
	done_testing;
	exit;
}
my $c = $b->client(worker => 1);
$b->drop_parked;
$c->sync;

# --- each call ---------------------------------------------------------------

my $got = attempts($b, $c, $b->master_pid);
for my $name (grep { !$none_here{$_} && $_ ne 'tkill' } @refused, 'openat', 'tgkill') {
	like($got->{$name}, qr/^(?:EPERM|ENOSYS)$/, "a worker cannot: $name ($got->{$name})");
}
# Where threads are made, clone() is one whose flags are looked at.
my $threads = ($ENV{BANTER_TEST_ENGINE} || '') eq 'threads';
is($got->{$_}, 'EPERM', "... not permitted: $_")
	for qw(openat socket_inet connect bind execve execveat ptrace kill io_uring_setup), $threads ? () : 'clone';
is($got->{clone3}, 'ENOSYS', 'a call with its flags in memory is unknown, so that libraries fall back');
ok($c->sync, 'and the worker is well');

# --- each process ------------------------------------------------------------

my @fds = map { join ' ', sort map { s/\[\d+\]//gr } Banter::Proc::fd_targets($_) } $b->worker_pids;
for my $pid ($b->worker_pids) {
	my $s = proc_status($pid);
	is($s->{NoNewPrivs}, 1, 'a worker: no new privileges');
	is($s->{Seccomp}, 2, '... a filter of system calls');
	is($s->{Seccomp_filters}, 1, '... one');
	is($s->{$_}, '0000000000000000', "... no capabilities: $_") for qw(CapEff CapPrm CapInh CapAmb);
	is($s->{Uid}, join("\t", ($>) x 4), '... one uid');
	is($s->{Gid}, join("\t", ($) + 0) x 4), '... one gid');
	my $none = qr/^Max processes\s+0\s/m;
	like(slurp("/proc/$pid/limits"), $none, '... and may make no process')
		unless $threads;
}
for my $pid ($b->keeper_pids, values %{ $b->reserves }) {
	my $s = proc_status($pid);
	is($s->{NoNewPrivs}, 1, Banter::Proc::title($pid) . ': no new privileges');
	is($s->{Seccomp}, 0, '... no filter: it makes workers and executes the next image');
}
is(proc_status($b->master_pid)->{Seccomp}, 0, 'the master: no filter');
like(shown($b), qr/^(seccomp, (?:no Landlock|Landlock \d+)),\1$/, 'banterctl status says what is in force');
my @told = $b->log_text =~ /sandbox of the workers: (seccomp.*)$/mg;
is(scalar @told, 1, 'the log says it once');

# --- the descriptors of a worker ---------------------------------------------

# Two lines to the master and the keeper's, arena, page, configuration, engine;
# the keeper's pidfds; a listener; the log; bans.
my %kind;
$kind{ /^(socket|pipe)/ ? $1 : /memfd:([\w-]+)/ ? $1 : /\[?(pidfd|eventpoll)/ ? $1 : 'file' }++
	for Banter::Proc::fd_targets(($b->worker_pids)[1]);
my $is_epoll = $b->slot_engines->{2} eq 'epoll';
SKIP: {
	skip 'another engine has other descriptors', 1 unless $is_epoll;
	is_deeply(\%kind, { socket => 4, 'banter-arena' => 1, 'banter-page' => 1, 'banter-conf' => 1,
		eventpoll => 1, pidfd => 3, file => 3 }, 'a worker without clients has exactly what it needs')
		or diag join "\n", Banter::Proc::fd_targets(($b->worker_pids)[1]);
}

# --- a successor, and one of a keeper that was a reserve ----------------------

my $was = $b->workers->{1};
$b->expect_log(qr/was killed by SIGKILL/);
kill 'KILL', $was;
wait_until { my $w = $b->workers->{1}; $w && $w != $was };
ok($c->sync, 'a worker that was killed: its client stays');
$got = attempts($b, $c, $b->master_pid);
is($got->{openat}, 'EPERM', '... and the next one is confined');
$was = $b->keepers->{1};
kill 'KILL', $was;
wait_until { my $k = $b->keepers->{1}; $k && $k != $was && $b->workers->{1} };
ok($c->sync, 'a keeper that was killed: the client stays');
$got = attempts($b, $c, $b->master_pid);
is($got->{openat}, 'EPERM', '... and the worker of the next one is confined');
is(proc_status($b->keepers->{1})->{Seccomp}, 0, '... which is not');

# --- the key -----------------------------------------------------------------

my %worker = %{ $b->workers };
$b->configure(set => { sandbox => 'off' });
my $r = $b->reload_ok('a reload switches it off');
like($r->{out}, qr/^sandbox.*applied/m, '... at once');
ok((wait_until { shown($b) eq 'off,off' }), '... and status says so') or diag shown($b);
isnt($b->workers->{1}, $worker{1}, '... in another worker');
ok($c->sync, '... with its client');
is(proc_status($_)->{Seccomp}, 0, '... without a filter') for $b->worker_pids;
$got = attempts($b, $c, $b->master_pid);
is($got->{openat}, 'done', '... it can open files');
is($got->{socket_inet}, 'done', '... and make sockets');
is($got->{kill}, 'done', '... and signal the master');
$b->configure(set => { sandbox => 'log' });
$b->reload_ok('with "log"');
ok((wait_until { shown($b) eq 'seccomp (log), no Landlock,seccomp (log), no Landlock' }), '... there is a filter')
	or diag shown($b);
$got = attempts($b, $c, $b->master_pid);
is($got->{socket_inet}, 'done', '... that refuses nothing');
$b->configure(set => { sandbox => 'on' });
$b->reload_ok('and on again');
ok((wait_until { shown($b) =~ /^seccomp, .*seccomp, / && shown($b) !~ /log/ }), '... it is in force');
is(attempts($b, $c, $b->master_pid)->{socket_inet}, 'EPERM', '... and refuses');
is($b->metric('worker_deaths'), 1, 'none of that was a death, but for the kill');

# A character set whose converter is a library.
$b->configure(listen => { text => {}, old => { charset => 'ISO-8859-15' } });
$b->reload_ok('a reload brings a character set');
ok($c->sync, '... and the client stays');
my ($old) = wait_until { $b->{port}{old} = (map { /^(\d+)$/ ? $1 : () } ports_of($b))[0] };
ok($b->{port}{old}, '... on a port of its own');
my $latin = Banter::Client->new(port => $b->{port}{old});
$latin->sync;
$latin->send("gr\xfc\xdfe \xa4\n");
ok($c->expect(qr/gr\xc3\xbc\xc3\x9fe \xe2\x82\xac$/), '... whose words arrive as UTF-8');
is_deeply([ map { proc_status($_)->{Seccomp} } $b->worker_pids ], [ 2, 2 ], '... and everybody is confined');
$b->stop_ok;

# The ports of the listening TCP sockets of this daemon that it did not tell.
sub ports_of
{
	my ($d) = @_;
	my %inode = map { /socket:\[(\d+)\]/ ? ($1 => 1) : () } Banter::Proc::fd_targets($d->master_pid);
	my %known = map { $_ => 1 } map { $_->{port} } @{ $d->{listen} };
	return grep { !$known{$_} } map {
		my @f = split ' ';
		@f > 9 && $f[3] eq '0A' && $inode{ $f[9] } ? hex((split /:/, $f[1])[1]) : ();
	} split /\n/, slurp('/proc/net/tcp');
}

# --- the parser --------------------------------------------------------------

my $word = File::Temp->new;
$b = Banter->start(workers => 1, env => { BANTER_TEST_CONF_FAULT => "$word" });
$b->expect_log(qr/forbidden: |reload/);
print {$word} "forbidden" or die $!;
$word->flush;
$r = $b->ctl_run('reload');
is($r->{code}, 1, 'the parser tries what is forbidden, and says what came of it');
my %said = "$r->{out}$r->{err}" =~ /forbidden: (\w+) (\w+)\b/g;
for my $name (grep { !$none_here{$_} && $_ !~ /^(?:open|tkill)$/ } @refused, 'tgkill') {
	like($said{$name}, qr/^(?:EPERM|ENOSYS|EACCES)$/, "the parser cannot: $name (" . ($said{$name} // '?') . ')');
}
is($said{openat}, 'done', 'it can read files');
truncate $word, 0;
$b->reload_ok('after it a reload is as ever');
$b->stop_ok;
done_testing;
