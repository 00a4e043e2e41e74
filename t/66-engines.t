# The engines: which one is in force when, what each cannot do, and that clients
# notice nothing of a change from one to another.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until has_uring);

my @engines = ('epoll', has_uring() ? 'io_uring' : (), qw(poll select threads));
my $forked = ($ENV{BANTER_TEST_FORK} || '') eq '1';

sub engines_of
{
	my ($daemon) = @_;
	my $of = $daemon->slot_engines;
	return join ' ', map { $of->{$_} } sort { $a <=> $b } keys %$of;
}

sub pending
{
	my ($b) = @_;
	return join ' ', @{ $b->status('pending_restart') };
}

sub n_threads
{
	my ($pid) = @_;
	opendir my $dir, "/proc/$pid/task" or return 0;
	return scalar grep { /\d/ } readdir $dir;
}

sub fd_limit
{
	my ($pid) = @_;
	my ($soft) = slurp("/proc/$pid/limits") =~ /^Max open files\s+(\d+)/m;
	return $soft;
}

SKIP: {
	skip 'an upgrade needs clone()', 1 if $forked;
	subtest 'a new one comes into force with an upgrade' => sub {
		my $b = Banter->start(workers => 2, set => { engine => 'epoll', max_clients => 500 });
		$b->expect_log(qr/worker 1 \(pid \d+, generation \d+\) was killed by SIGKILL/);
		my $ann = $b->client(worker => 1);
		my $bob = $b->client(worker => 2);
		$b->drop_parked;
		my $slow = $b->client(greet => 0);
		is(engines_of($b), 'epoll epoll', 'status names it');

		my @next = (@engines[1 .. $#engines], 'epoll');
		for my $next (@next) {
			my $was = engines_of($b);
			$b->configure(set => { engine => $next });
			my $r = $b->reload_ok;
			like($r->{out}, qr/^engine\s+pending restart/m, "$next: pending");
			is(pending($b), 'engine', '... says status too');
			$b->kill_worker(1, 'KILL');
			is(engines_of($b), $was, '... and not for the successor of a worker that died');
			$ann->send("before $next\n");
			ok($bob->expect(qr/> before $next$/), '... which serves');

			$bob->send("half a ");
			$r = $b->ctl_run('upgrade');
			is($r->{code}, 0, 'the upgrade is done') or diag $r->{out}, $r->{err}, $b->log_text;
			is(engines_of($b), "$next $next", '... and it is in force');
			is(pending($b), '', '... and not pending');
			$bob->send("line by $next\n");
			ok($ann->expect(qr/> half a line by $next$/), 'clients go on');
			ok($_->sync, '... both') for $ann, $bob;
			$b->kill_worker(1, 'KILL');
			is(engines_of($b), "$next $next", 'the successor of its worker has it too');
			$bob->send("and after $next\n");
			ok($ann->expect(qr/> and after $next$/), '... and serves');
		}
		$b->configure(set => { engine => 'poll' });
		$b->reload_ok;
		$b->configure(set => { engine => 'epoll' });
		like($b->reload_ok->{out}, qr/^engine\s+applied/m, 'back to what is in force: nothing is pending');
		is(pending($b), '', '... says status too');
		ok($slow->is_open, 'and nobody was closed');
		$b->stop_ok;
	};
}

subtest 'select: descriptors that it cannot wait for' => sub {
	my $b = Banter->start(workers => 1, set => { engine => 'select', max_clients => 900 });
	$b->expect_log(qr/keeper 1 \(pid \d+\)|was killed by SIG/);
	my ($worker) = $b->worker_pids;
	is(fd_limit($worker), 1024, 'its worker cannot have any');
	cmp_ok(fd_limit($b->master_pid), '>', 1024, '... the master can');
	my $c = $b->client;
	my @c = map { $b->client(greet => 0) } 1 .. 940;
	ok((wait_until { $b->metric('worker_clients') == 900 }), 'it is full');
	ok($c->sync, '... and goes on');
	unless ($forked) {
		$b->kill_worker(1, 'KILL');
		ok($c->sync, '... also after a takeover');
		$b->kill_keeper(1);
		ok($c->sync, '... and another keeper');
		($worker) = $b->worker_pids;
		is(fd_limit($worker), 1024, '... whose worker is limited again');
	}
	is($b->metric('worker_clients'), 900, 'all are there');
	$_->close for @c;
	ok((wait_until { $b->metric('worker_clients') == 1 }), 'they leave');
	$b->stop_ok;
};

SKIP: {
	skip 'an upgrade needs clone()', 2 if $forked;
	subtest 'select: an upgrade to it goes back when a client is beyond' => sub {
		my $b = Banter->start(workers => 1, set => { engine => 'epoll', max_clients => 2000 });
		$b->expect_log(qr/select|upgrade|went back|cannot start/);
		my @c = ($b->client, (map { $b->client(greet => 0) } 1 .. 1048), $b->client);
		ok((wait_until { $b->metric('worker_clients') == 1050 }), 'more than FD_SETSIZE');
		$b->configure(set => { engine => 'select', max_clients => 900 });
		$b->reload_ok;
		my $r = $b->ctl_run('upgrade');
		is($r->{code}, 1, 'refused');
		$b->log_like(qr/"select" cannot wait for descriptor \d{4}/, 'and the log says why');
		is(engines_of($b), 'epoll', 'what was in force is');
		ok($_->sync, 'and serves') for @c[0, -1];
		is($b->metric('worker_clients'), 1050, 'everybody');
		$b->stop_ok;
	};
	subtest 'select: ... or a listener' => sub {
		my $b = Banter->start(workers => 1, set => { engine => 'epoll', max_clients => 2000 });
		$b->expect_log(qr/select|upgrade|went back|cannot start/);
		my $first = $b->client;
		my @c = map { $b->client(greet => 0) } 1 .. 1048;
		ok((wait_until { $b->metric('worker_clients') == 1049 }), 'more clients than FD_SETSIZE');
		$b->configure(listen => { later => {} });
		$b->reload_ok;
		$_->close for @c;
		ok((wait_until { $b->metric('worker_clients') == 1 }), 'a listener more, and they leave');
		$b->configure(set => { engine => 'select', max_clients => 900 });
		$b->reload_ok;
		is($b->ctl_run('upgrade')->{code}, 1, 'refused');
		$b->log_like(qr/"select" cannot wait for descriptor \d{4}, which a listener has/, 'and the log says why');
		is(engines_of($b), 'epoll', 'what was in force is');
		ok($first->sync, '... and serves');
		$b->stop_ok;
	};
}

subtest 'threads: one for each client' => sub {
	my $b = Banter->start(workers => 1, set => { engine => 'threads' });
	my ($worker) = $b->worker_pids;
	my @c = $b->client;
	# One; ThreadSanitizer has another, from the first client on.
	my $without = n_threads($worker) - 1;
	push @c, map { $b->client } 2 .. 20;
	is(n_threads($worker), $without + 20, 'and one besides');
	$c[0]->send("to all\n");
	ok($_->expect(qr/> to all$/), 'heard') for @c[1 .. 19];
	$_->close for @c[1 .. 19];
	ok((wait_until { n_threads($worker) == $without + 1 }), 'they end with their clients');
	$b->stop_ok;
};

SKIP: {
	skip 'needs --enable-test-faults', 1 unless slurp(Banter::banterd()) =~ /BANTER_FAULT/;
	subtest 'threads: one that cannot be had' => sub {
		my $b = Banter->start(workers => 1, set => { engine => 'threads' },
			env => { BANTER_FAULT => 'thread_create:EAGAIN:3' });
		$b->expect_log(qr/a connection is refused with 2 clients.*engine "threads".*TasksMax=/);
		my ($ann, $bob) = map { $b->client } 1 .. 2;
		my $third = $b->client(greet => 0);
		ok((wait_until { $third->fill(0); !$third->is_open }), 'that connection is closed');
		$b->log_like(qr/a connection is refused/, 'and the log says what to do');
		$ann->send("still here\n");
		ok($bob->expect(qr/> still here$/), 'the others go on');
		ok($b->client, 'and the next one is served');
		is(scalar(() = $b->log_text =~ /was killed|exited/g), 0, 'the worker lives');
		$b->stop_ok;
	};
}

SKIP: {
	skip 'needs --enable-test-faults and clone()', 1
		if $forked || slurp(Banter::banterd()) !~ /BANTER_FAULT/;
	subtest 'threads: an upgrade to it goes back when there are too few' => sub {
		my $b = Banter->start(workers => 1, set => { engine => 'epoll' },
			env => { BANTER_FAULT => 'thread_create:EAGAIN:2' });
		$b->expect_log(qr/cannot start: Resource temporarily|upgrade|went back/);
		my @c = map { $b->client } 1 .. 3;
		$b->configure(set => { engine => 'threads' });
		$b->reload_ok;
		is($b->ctl_run('upgrade')->{code}, 1, 'refused');
		is(engines_of($b), 'epoll', 'what was in force is');
		ok($_->sync, 'with every client') for @c;
		$b->stop_ok;
	};
}

done_testing;
