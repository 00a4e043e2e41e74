# Every fault point with everything that may strike there, under load: what did
# the clients see?  It prints a line for each; minutes to an hour.
#
# The clients see nothing of a worker's death, of a keeper's, of an error.  A crash
# with a client in hand closes that one; a master that ends takes all along.
#
#	BANTER_FAULT_POINTS=REGEX    only these points
#	BANTER_FAULT_ACTIONS=REGEX   only these actions
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Fault;
use Banter::Trial;

plan skip_all => 'not a test build' unless `@{[ Banter::banterd() ]} -V` =~ /test build/;

# What can happen to a call here; EIO stands for what nobody has thought of.
my %errors = (
	io_accept => [qw(EMFILE ENFILE ENOBUFS ENOMEM ECONNABORTED EAGAIN EINTR EPROTO)],
	io_recv => [qw(EAGAIN EINTR ECONNRESET ENOMEM EIO)],
	io_send => [qw(EAGAIN EINTR ENOBUFS ENOMEM EPIPE EIO)],
	(map { $_ => [qw(EINTR EIO)] } qw(epoll_wait poll_wait select_wait)),
	thread_create => [qw(EAGAIN)],
	epoll_add => [qw(ENOMEM ENOSPC)],
	uring_setup => [qw(EPERM ENOSYS ENOMEM)],
	uring_add => [qw(ENOMEM)],
	uring_wait => [qw(EINTR EAGAIN EBUSY EIO)],
	uplink_send => [qw(EAGAIN EINTR ENOBUFS ENOMEM EIO)],
	hub_send => [qw(EAGAIN EINTR ENOBUFS ENOMEM EIO)],
	keeper_clone => [qw(EAGAIN ENOMEM)],
	keeper_fork => [qw(EAGAIN ENOMEM)],
	reserve_clone => [qw(EAGAIN ENOMEM)],
	keeper_pidfd => [qw(EMFILE ENOMEM)],
	worker_pidfd => [qw(EMFILE ENOMEM)],
	lines_pair => [qw(EMFILE ENOBUFS)],
	image_exec => [qw(ENOEXEC EACCES EIO)],
	upgrade_exec => [qw(ENOEXEC EIO)],
	upgrade_map => [qw(EINVAL)],
	upgrade_hub => [qw(EIO)],
	upgrade_restored => [qw(EIO)],
);
my @errors = qw(EAGAIN EINTR EIO);

# The doing of one client: it is closed, nobody else.
my %one = map { $_ => 1 } qw(io_recv:ECONNRESET io_recv:ENOMEM io_recv:EIO
	epoll_add:ENOMEM epoll_add:ENOSPC uring_add:ENOMEM thread_create:EAGAIN);

# Where the hand of the worker has a session: a crash closes that one.  "?":
# where it may.
# A successor that crashes before it has emptied the hand of the one before does
# so too.
my %hand = ((map { $_ => 1 } qw(input_step input_read input_handled input_done
	input_flushed output_flush io_send io_send_length io_sent output_noted
	output_done accept_record accept_asked accept_done)),
	map { $_ => '?' } qw(uplink_append queue_copied queue_grown queue_push io_accepted
	close_said close_begun close_shut close_closed close_freed close_half
	worker_born rollback_word takeover_mapped blame_found blame_noted
	seal_numbered seal_copied seal_noted seal_done uplink_send uplink_sent));

# What is passed only after a death; and by whose death it is brought about.
my %after = (rollback_word => 'input_handled', recover_accept => 'io_accepted',
	uring_harvest => 'uring_copied',
	map { $_ => 'io_sent' } qw(thread_create recover_settle keeper_reaped worker_gone
	takeover_mapped blame_found blame_noted blame_done recount_counted
	recover_session recover_closed recover_received recover_harvested recover_resumed
	recover_sorted sync_told));
# Passed by each worker that starts: the third is the first successor.
my %third = map { $_ => 1 } qw(uring_setup start_engine start_ready start_said start_served
	worker_born keeper_clone keeper_cloned keeper_pidfd spawn_send spawn_sent
	worker_pidfd worker_ready keeper_report keeper_read);
# Passed at the very start only.
my %start = map { $_ => 1 } qw(lines_pair keeper_fork keeper_child
	reserve_clone reserve_born);
# By a reload that brings a listener, by an upgrade.
my $reload = qr/^(?:reload|link|prepare|listener|commit)_/;
my $upgrade = qr/^(?:upgrade|image|park|go)_/;

sub do_reload
{
	my ($b) = @_;
	$b->configure(listen => { text => {}, another => {} });
	$b->ctl_run('reload');
}

sub actions_of
{
	my ($p) = @_;
	my @a = $p->{who} eq 'MASTER' ? qw(kill) : $p->{who} eq 'KEEPER' ? qw(kill segv)
		: qw(kill abort segv stall);
	push @a, @{ $errors{ $p->{name} } || \@errors } if $p->{kind} eq 'CALL';
	push @a, qw(short half) if $p->{kind} eq 'LENGTH';
	# Before that one it has told nobody that it is there.
	return $p->{name} eq 'worker_born' ? grep { $_ ne 'stall' } @a : @a;
}

# In another engine than that of this run.
sub is_elsewhere
{
	my ($p) = @_;
	my ($engine) = $p->{name} =~ /^(epoll|poll|select|thread)_/ or return 0;
	return ($ENV{BANTER_TEST_ENGINE} || 'epoll') !~ /^$engine/;
}

# How often each point is passed until the load stands, and then in a second.
my (%stood, %rate);
sub measure
{
	my $t = Banter::Trial->run('', seconds => 3, until => sub { 0 },
		act => sub { %stood = $_[1]{fault}->passed });
	my %then = $t->{fault}->passed;
	%rate = map { $_ => ($then{$_} - $stood{$_}) / 3 } keys %then;
	is($t->harm, '', 'undisturbed, all is exact');
	# Or what follows is meaningless.
	BAIL_OUT('the points were not counted') unless $stood{io_sent} && $rate{io_sent} > 100;
}

sub count_of
{
	my ($name) = @_;
	return int($stood{$name} + 0.4 * $rate{$name}) + 1;
}

sub rules_of
{
	my ($p, $action) = @_;
	my $name = $p->{name};
	return "$name:$action:1" if $start{$name};
	if (my $by = $third{$name} ? 'io_sent' : $after{$name}) {
		return sprintf '%s:kill:%d,%s:%s:%d', $by, count_of($by), $name, $action,
			$name =~ /^(?:keeper_read|thread_create)$/ ? $stood{$name} + 1 : $third{$name} ? 3 : 1;
	}
	return "$name:$action:" . ($stood{$name} + 1) if $name =~ $reload || $name =~ $upgrade;
	return "$name:$action:" . count_of($name) if $action ne 'kill' || $p->{who} ne 'WORKER';
	# A place is passed in many states.
	my $step = int($rate{$name} * 0.06) + 4;
	# Never twice in a row: what is tried again and ends the next one is to blame.
	return join ',', map { "$name:$action:" . (count_of($name) + $step * $_ + int rand($step - 2)) } 0 .. 7;
}

# A rehearsal is a child.
sub ends_all
{
	my ($p, $action) = @_;
	return $p->{who} eq 'MASTER' && $action eq 'kill' && $p->{name} ne 'upgrade_rehearsed';
}

sub is_crash { return $_[0] =~ /^(?:abort|segv|stall)$/ }

# What is wrong with the outcome, or ''.
sub verdict
{
	my ($p, $action, $t) = @_;
	my @bad;
	push @bad, 'did not strike' if @{ $t->{struck} } < $t->{n_rules};
	push @bad, "$t->{left} processes left" if $t->{left};
	if (ends_all($p, $action)) {
		push @bad, 'the master lives' unless $t->{ended} || !$t->{came_up};
		return join '; ', @bad;
	}
	push @bad, 'not ready' unless $t->{ready};
	push @bad, "exit $t->{code}" if $t->{code} ne '0';
	push @bad, 'given up' if $t->{given_up};
	my $hand = is_crash($action) && $hand{ $p->{name} } || $one{"$p->{name}:$action"} && '?' || '';
	my $closed = $t->{disconnects} + $t->{refused};
	if (!$hand || !($closed || $t->{suspects})) {
		push @bad, $t->harm if $t->harm;
	} else {
		push @bad, "$closed closed instead of one" if $closed > 1;
		push @bad, map { "$_=$t->{$_}" } grep { $t->{$_} } qw(duplicated disordered damaged);
	}
	push @bad, "$t->{suspects} suspects" if $t->{suspects} > ($hand ? 1 : 0);
	push @bad, 'nobody is suspected' if $hand eq '1' && $p->{name} =~ /^(?:in|out)put_|^io_sen/ && !$t->{suspects};
	push @bad, "$t->{skipped} frames skipped" if $t->{skipped};
	return join '; ', @bad;
}

sub one
{
	my ($p, $action, $rules, $act) = @_;
	my %o;
	$o{act} = $act || ($p->{name} =~ $reload ? \&do_reload
		: $p->{name} =~ $upgrade ? sub { $_[0]->ctl_run('upgrade') } : undef);
	$o{master_dies} = 1 if ends_all($p, $action);
	my $t = Banter::Trial->run($rules, %o);
	my $bad = verdict($p, $action, $t);
	is($bad, '', "$p->{name} $action" . ($act ? ' in an upgrade' : ''));
	diag(($bad ? 'BAD ' : 'ok  ') . $t->text . ($bad ? " -- $bad" : ''));
	return unless $bad && $ENV{BANTER_FAULT_LOG};
	diag(join "\n", grep { !/event=(?:connect|join|close|nick)/ } split /\n/, $t->{log});
}

# Of other engines than the one that runs; and what a full bus brings about:
# t/79-uring.t.
my $uring = ($ENV{BANTER_TEST_ENGINE} || 'epoll') eq 'io_uring';
# One of a group: nobody's doing.
delete $hand{io_sent} if $uring;
my $idle = $uring ? qr/^(?:epoll_|io_recv$|input_kept)/ : qr/^(?:uring_|input_kept)/;

measure();
my $only_points = $ENV{BANTER_FAULT_POINTS} // '.';
my $only_actions = $ENV{BANTER_FAULT_ACTIONS} // '.';
for my $p (Banter::Fault::points()) {
	# Passed by whom a list or a proxy concerns: t/63-access.t, t/64-proxy.t.
	next if $p->{name} =~ /^(?:access|proxy)_/;
	next if $p->{name} =~ $idle;
	next if is_elsewhere($p);
	next unless $p->{name} =~ /^(?:$only_points)/;
	for my $action (actions_of($p)) {
		one($p, $action, rules_of($p, $action)) if $action =~ /^(?:$only_actions)/;
	}
}

# What a takeover passes, once more in an upgrade, where there is a way back.
for my $p (Banter::Fault::points()) {
	next if is_elsewhere($p);
	next unless $p->{name} =~ /^(?:$only_points)/ && ($third{ $p->{name} } || $after{ $p->{name} })
		&& $p->{name} !~ /^(?:rollback_word|recover_accept|recover_settle|uring_harvest|spawn_send|spawn_sent|keeper_reaped)$/;
	next if $p->{who} eq 'MASTER' || $p->{name} =~ $idle;
	for my $action (grep { /^(?:kill|segv|stall)$/ && /^(?:$only_actions)/ } actions_of($p)) {
		# A keeper's death races with what its worker says.
		one($p, $action, "$p->{name}:$action:" . ($third{ $p->{name} } ? 3 : 1),
			sub { $_[0]->ctl_run('upgrade') }) for 1 .. ($p->{who} eq 'KEEPER' ? 8 : 1);
	}
}
done_testing;
