# Banter - a daemon of its own for one test file.
#
#	my $b = Banter->start(workers => 2, limits => { rate => 0 });
#	my $c = $b->client;
#	...
#	$b->stop_ok;
#
# It has a private folder, port 0 everywhere, and is ready when start() returns.
# stop_ok() fails on an exit code other than 0, a process left behind, a report
# of a sanitizer and on any warning or error in the log that expect_log did not
# announce.  A daemon that a test forgets to stop fails the file.
#
# Environment: BANTERD, BANTERCTL, BANTER_LOAD: the programs; BANTER_BUILD: where
# to look for them (build/test); BANTER_TEST_ENGINE, BANTER_TEST_WRAP,
# BANTER_TEST_SANDBOX.
#
# SPDX-License-Identifier: MIT
package Banter;

use strict;
use warnings;
use Cwd ();
use File::Basename ();
use File::Temp ();
use IO::Select;
use POSIX ();
use Test::More ();
use Time::HiRes qw(time);

use Banter::Client;
use Banter::Ctl;
use Banter::Proc qw(slurp wait_until children descendants title alive);
use Banter::Slots;

my $TOP = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
my @started;

sub top { return $TOP }

sub build_dir { return $ENV{BANTER_BUILD} || "$TOP/build/test" }

sub program
{
	my ($env, $path) = @_;
	return $ENV{$env} if $ENV{$env};
	my $found = build_dir() . "/$path";
	return $found if -x $found;
	Test::More::plan(skip_all => "no $found: build first, or set $env");
}

sub banterd { return program('BANTERD', 'src/banterd/banterd') }
sub banterctl { return program('BANTERCTL', 'src/tools/banterctl') }
sub load_tool { return program('BANTER_LOAD', 't/load/banter-load') }

# --- configuration ---------------------------------------------------------

sub value
{
	my ($v) = @_;
	return '{' . join(', ', map { value($_) } @$v) . '}' if ref $v;
	return $v if $v =~ /^(?:\d+[A-Za-z]*|true|false)$/;
	$v =~ s/(["\\])/\\$1/g;
	return qq("$v");
}

sub section
{
	my ($head, $keys) = @_;
	return "$head {\n"
		. join('', map { "\t$_ = " . value($keys->{$_}) . "\n" } sort keys %$keys)
		. "}\n";
}

# Options as of start().  Keys: set (top level), listen, room, limits, log,
# keepalive (hashes), conf (text, appended as it is).
sub conf_text
{
	my ($self) = @_;
	my $o = $self->{options};
	my %set = (
		name => 'test', run_dir => $self->{run_dir},
		state_dir => $self->{state_dir}, workers => $o->{workers} || 2,
		user => scalar getpwuid($>), group => scalar getgrgid($) + 0),
		%{ $o->{set} || {} });
	# What a test sets itself stays.
	$set{engine} //= $ENV{BANTER_TEST_ENGINE} if $ENV{BANTER_TEST_ENGINE};
	# The default is more than select can wait for.
	$set{max_clients} //= 400 * ($set{workers} || 1)
		if ($set{engine} || '') eq 'select';
	my $text = join '',
		map { "$_ = " . value($set{$_}) . "\n" } sort keys %set;
	my $listen = $o->{listen} || { text => {} };
	for my $name (sort keys %$listen) {
		my %keys = (address => ['127.0.0.1'], port => 0,
			protocol => 'text', %{ $listen->{$name} });
		delete $keys{port} if $keys{address}[0] =~ m{^/};
		$text .= section("listen $name", \%keys);
	}
	my $room = $o->{room} || { lobby => { topic => '', autojoin => 'true' } };
	$text .= section("room $_", $room->{$_}) for sort keys %$room;
	$text .= section('limits', $o->{limits}) if $o->{limits};
	$text .= section('keepalive', $o->{keepalive}) if $o->{keepalive};
	$text .= section('log', { level => 'info', target => 'stderr',
		%{ $o->{log} || {} } });
	return $text . ($o->{conf} || '');
}

sub write_file
{
	my ($path, $text) = @_;
	open my $fh, '>:raw', "$path.new" or die "$path.new: $!";
	print $fh $text or die "$path.new: $!";
	close $fh or die "$path.new: $!";
	rename "$path.new", $path or die "$path: $!";
}

# Change options (merged one level deep) and write the file anew.
sub configure
{
	my ($self, %change) = @_;
	for my $key (keys %change) {
		my $was = $self->{options}{$key};
		$self->{options}{$key} = ref $change{$key} eq 'HASH' && $was
			? { %$was, %{ $change{$key} } } : $change{$key};
	}
	write_file($self->{conf}, $self->conf_text);
	return $self;
}

# A folder and a configuration without a daemon: for tests of the start itself.
sub prepare
{
	my ($class, %o) = @_;
	my $dir = File::Temp::tempdir('banter-XXXXXX', TMPDIR => 1,
		CLEANUP => !$ENV{BANTER_TEST_KEEP});
	chmod 0755, $dir;
	my $self = bless {
		dir => $dir, run_dir => "$dir/run", state_dir => "$dir/state",
		conf => "$dir/banterd.conf", log => "$dir/log", options => {%o},
		expect_log => $o{expect_log} || [], port => {}, listen => [],
		owner => $$,
	}, $class;
	mkdir $_ or die "$_: $!" for $self->{run_dir}, $self->{state_dir};
	write_file($self->{conf}, defined $o{text} ? $o{text} : $self->conf_text);
	return $self;
}

# --- start -----------------------------------------------------------------

sub sanitizer_options
{
	my ($self) = @_;
	for my $name (qw(ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS)) {
		$ENV{$name} = ($ENV{$name} ? "$ENV{$name}:" : '')
			. "log_path=$self->{dir}/san"
			. ($name eq 'UBSAN_OPTIONS' ? ':print_stacktrace=1' : '')
			# A worker that ends does not wait for its threads.
			. ($name eq 'TSAN_OPTIONS' ? ':report_thread_leaks=0' : '');
	}
}

sub exec_daemon
{
	my ($self, $ready_w, $close) = @_;
	my $o = $self->{options};
	open STDIN, '<', '/dev/null';
	open STDERR, '>>', $self->{log} or POSIX::_exit(126);
	POSIX::dup2(2, 1);
	POSIX::close($_) for @$close;
	$self->sanitizer_options;
	$ENV{$_} = $o->{env}{$_} for keys %{ $o->{env} || {} };
	delete $ENV{NOTIFY_SOCKET} unless $o->{env} && $o->{env}{NOTIFY_SOCKET};
	my $fd = fileno $ready_w;
	fcntl $ready_w, 2, 0; # F_SETFD: kept across the exec
	my @wrap = split ' ', $ENV{BANTER_TEST_WRAP} || '';
	my @command = (@wrap, banterd(), '-F', '-c', $self->{conf},
		$o->{ready_option} || '--ready-fd', $fd, @{ $o->{args} || [] });
	@command = ('/bin/sh', '-c', 'ulimit -n "$0" && exec "$@"', $o->{nofile},
		@command) if $o->{nofile};
	exec { $command[0] } @command or POSIX::_exit(126);
}

sub read_ready
{
	my ($self, $fh, $seconds) = @_;
	my ($text, $deadline) = ('', time + $seconds);
	my $set = IO::Select->new($fh);
	while ($text !~ /^READY$/m) {
		$set->can_read($deadline - time) or last;
		sysread $fh, $text, 4096, length $text or last;
	}
	while ($text =~ /^LISTEN (\S+) (\S+) (\d+)$/mg) {
		push @{ $self->{listen} }, { name => $1, address => $2, port => $3 };
		$self->{port}{$1} = $3 unless $self->{port}{$1};
	}
	$self->{ready_text} = $text;
	return $text =~ /^READY$/m;
}

sub launch
{
	my ($self) = @_;
	banterd();
	pipe my $ready_r, my $ready_w or die "pipe: $!";
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		$self->exec_daemon($ready_w, $self->{options}{close} || []);
	}
	close $ready_w;
	$self->{pid} = $pid;
	push @started, $self;
	$self->{ready} = $self->read_ready($ready_r,
		$ENV{BANTER_TEST_WRAP} ? 120 : 30);
	return $self;
}

# A daemon that is ready.  Dies, which fails the file, when it does not come up.
sub start
{
	my ($class, %o) = @_;
	my $self = $class->prepare(%o)->launch;
	return $self if $self->{ready};
	Test::More::diag("banterd did not become ready:\n" . slurp($self->{log})
		. "\nwith:\n" . slurp($self->{conf}));
	$self->kill_all;
	die "banterd did not become ready\n";
}

# Start again over the same folders after a stop.
sub restart
{
	my ($self) = @_;
	$self->{port} = {};
	$self->{listen} = [];
	delete $self->{stopped};
	return $self->launch;
}

# Start and wait for the end: {code, signal, log, ready}.
sub run_to_end
{
	my ($self, $seconds) = @_;
	$self->launch;
	my $status = $self->wait_end($seconds || 30);
	if (!defined $status) {
		$self->kill_all;
		return { code => -1, signal => 0, log => slurp($self->{log}),
			ready => $self->{ready} };
	}
	$self->{stopped} = 1;
	return { code => $status >> 8, signal => $status & 127,
		log => slurp($self->{log}), ready => $self->{ready} };
}

# --- talk to it ------------------------------------------------------------

sub port
{
	my ($self, $name) = @_;
	return $self->{port}{ defined $name ? $name : 'text' };
}

# listener (text), host, greet, room, rcvbuf; worker => N: one that this slot
# serves.
sub client
{
	my ($self, %o) = @_;
	my $name = delete $o{listener} || 'text';
	my $worker = delete $o{worker};
	return $self->client_on($worker, $name, %o) if $worker;
	my ($at) = grep { $_->{name} eq $name
		&& (!$o{host} || $_->{address} =~ /\Q$o{host}\E/) }
		@{ $self->{listen} };
	return Banter::Client->new(port => $at ? $at->{port} : $self->port($name),
		%o);
}

sub client_on
{
	my ($self, $worker, $name, %o) = @_;
	for (1 .. 25) {
		my @some = map { $self->client(listener => $name, %o) } 1 .. 4;
		my $slot = $self->slots_by_port;
		my ($mine) = grep { $_
			&& ($slot->{ $_->local_port } || 0) == $worker } @some;
		if ($mine) {
			$_ && $_ != $mine && $_->close for @some;
			return $mine;
		}
		push @{ $self->{parked} }, @some;
	}
	die "no connection reached worker $worker in 100\n";
}

# Clients needed only to find another one.
sub drop_parked
{
	my ($self) = @_;
	$_ && $_->close for @{ $self->{parked} || [] };
	$self->{parked} = [];
}

sub control_socket
{
	my ($self) = @_;
	my ($path) = grep { -S $_ } glob "$self->{run_dir}/*";
	return $path;
}

# banterctl with these words; its result as Banter::Ctl::run() has it.
sub ctl_run
{
	my ($self, @words) = @_;
	my $socket = $self->control_socket || "$self->{run_dir}/control.sock";
	return Banter::Ctl::run(undef, banterctl(), '-s', $socket, @words);
}

# Its answer decoded, or undef and a complaint.
sub ctl
{
	my ($self, @words) = @_;
	push @words, '--json' unless grep { $_ eq '--json' } @words;
	my $r = $self->ctl_run(@words);
	return Banter::Ctl::decode($r->{out}) if $r->{code} == 0;
	Test::More::diag("banterctl @words: exit $r->{code}: $r->{err}");
	return undef;
}

# The rows of the table that has a column of this name, wherever it stands in
# the answer.
sub table
{
	my ($answer, $column) = @_;
	if (ref $answer eq 'ARRAY') {
		return @$answer if @$answer && ref $answer->[0] eq 'HASH'
			&& exists $answer->[0]{$column};
		for my $part (@$answer) {
			my @rows = table($part, $column);
			return @rows if @rows;
		}
	}
	if (ref $answer eq 'HASH') {
		for my $key (sort keys %$answer) {
			my @rows = table($answer->{$key}, $column);
			return @rows if @rows;
		}
		return ($answer) if exists $answer->{$column};
	}
	return ();
}

sub rows
{
	my ($self, $verb, $column) = @_;
	return table($self->ctl($verb), $column || { clients => 'port',
		rooms => 'room', status => 'slot' }->{$verb});
}

# A value that status shows by its key.
sub status
{
	my ($self, $key) = @_;
	my $answer = $self->ctl('status') or return undef;
	return $answer->{$key};
}

# slot => engine
sub slot_engines
{
	my ($self) = @_;
	return { map { $_->{slot} => $_->{engine} } $self->rows('status') };
}

sub slots_by_port
{
	my ($self) = @_;
	return { map { $_->{port} => $_->{worker} }
		$self->rows('clients') };
}

sub slot_of
{
	my ($self, $client) = @_;
	return $self->slots_by_port->{ $client->local_port };
}

# A counter summed over its labels, or with one of them: metric('clients').
sub metric
{
	my ($self, $name, $label) = @_;
	my $r = $self->ctl_run('metrics');
	my ($sum, $found) = (0, 0);
	while ($r->{out} =~ /^(?:banter_)?\Q$name\E(?:_total)?(\{[^}]*\})?\s+(\S+)$/mg) {
		next if defined $label && (!defined $1 || index($1, $label) < 0);
		$sum += $2;
		$found = 1;
	}
	Test::More::diag("no metric $name") unless $found;
	return $found ? $sum : undef;
}

# Wait until a metric is at least n.
sub wait_metric
{
	my ($self, $name, $n) = @_;
	return wait_until { ($self->metric($name) || 0) >= $n };
}

# --- processes -------------------------------------------------------------

sub master_pid { return $_[0]{pid} }

sub by_title
{
	my ($what, @pids) = @_;
	my %slot;
	for my $pid (@pids) {
		$slot{$1} = $pid if title($pid) =~ /\b$what (\d+)/;
	}
	return \%slot;
}

# slot => pid
sub keepers { return by_title('keeper', children($_[0]{pid})) }

# The children of keepers that succeed them.
sub reserves
{
	my ($self) = @_;
	return by_title('reserve', descendants($self->{pid}));
}

sub workers
{
	my ($self) = @_;
	return by_title('worker', descendants($self->{pid}));
}

sub keeper_pids { my $k = $_[0]->keepers; return map { $k->{$_} } sort { $a <=> $b } keys %$k }
sub worker_pids { my $w = $_[0]->workers; return map { $w->{$_} } sort { $a <=> $b } keys %$w }

# See Banter::Slots.
sub kill_worker { return Banter::Slots::kill_worker(@_) }
sub kill_keeper { return Banter::Slots::kill_keeper(@_) }
sub wait_slots { return Banter::Slots::wait_all(@_) }

sub signal
{
	my ($self, $name, $pid) = @_;
	return kill $name, $pid || $self->{pid};
}

# --- the log ---------------------------------------------------------------

sub log_text { return slurp($_[0]{log}) }

# Wait for a line that matches, from offset `from` on.
sub log_like
{
	my ($self, $re, $name, $from) = @_;
	my $found = wait_until { substr($self->log_text, $from || 0) =~ $re };
	return Test::More::ok($found, $name || "the log says $re");
}

sub expect_log
{
	my ($self, @re) = @_;
	push @{ $self->{expect_log} }, @re;
}

sub log_surprises
{
	my ($self) = @_;
	my @bad;
	LINE: for my $line (split /\n/, $self->log_text) {
		next if $line =~ /^\d{4}-\d\d-\d\dT\S+ [^\[]+\[\d+\] (?:notice|info|debug): /;
		for my $re (@{ $self->{expect_log} }) {
			next LINE if $line =~ $re;
		}
		push @bad, $line;
	}
	return @bad;
}

sub reload_ok
{
	my ($self, $name) = @_;
	my $r = $self->ctl_run('reload');
	my $ok = Test::More::is($r->{code}, 0, $name || 'the reload succeeds');
	Test::More::diag($r->{out} . $r->{err}) unless $ok;
	return $r;
}

# --- the load tool ---------------------------------------------------------

# Start banter-load; finish with load_end().
sub load_start
{
	my ($self, @args) = @_;
	pipe my $out_r, my $out_w or die "pipe: $!";
	pipe my $in_r, my $in_w or die "pipe: $!";
	my @command = (load_tool(), (grep { /^-p/ } @args) ? ()
		: ('-p', $self->port), @args);
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if (!$pid) {
		POSIX::dup2(fileno $in_r, 0);
		POSIX::dup2(fileno $out_w, 1);
		close $in_w;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	close $out_w;
	close $in_r;
	return { pid => $pid, out => $out_r, in => $in_w, text => '' };
}

# Wait for a line of its output, e.g. qr/^RUNNING/m.
sub load_wait
{
	my ($load, $re, $seconds) = @_;
	my $deadline = time + ($seconds || 60);
	my $set = IO::Select->new($load->{out});
	while ($load->{text} !~ $re) {
		my $left = $deadline - time;
		return 0 if $left <= 0 || !$set->can_read($left);
		sysread $load->{out}, $load->{text}, 65536, length $load->{text}
			or return 0;
	}
	return 1;
}

# Begin a new interval of its measure of pauses, before something happens.
sub mark
{
	my ($load) = @_;
	my $n = ++$load->{marks};
	local $SIG{PIPE} = 'IGNORE';
	syswrite $load->{in}, "mark\n";
	return load_wait($load, qr/^MARK $n$/m);
}

# A load that goes on until load_end(), in which nothing may go wrong.  It
# stands when this returns; dies when it does not.
sub load_steady
{
	my ($self, $clients, @args) = @_;
	my $load = $self->load_start('-n', $clients, '--until-eof', '--strict', @args);
	return $load if load_wait($load, qr/^RUNNING $clients$/m, 120);
	load_end($load);
	die "the load does not stand: $load->{text}\n";
}

# What nobody may notice: the summary has nothing but deliveries.
sub load_clean
{
	my ($s, $name) = @_;
	my @bad = grep { !defined $s->{$_} || $s->{$_} }
		qw(code refused disconnects missed lost duplicated disordered damaged unended);
	Test::More::ok(!@bad, $name) or Test::More::diag(
		join(' ', map { "$_=" . ($s->{$_} // '?') } @bad),
		"\n", $s->{text} =~ s{^MARK.*\n}{}mgr);
	return !@bad;
}

# Close its input, wait for its end.  Its summary as a hash, with code.
sub load_end
{
	my ($load, $seconds) = @_;
	close $load->{in};
	load_wait($load, qr/^SUMMARY .*\n/m, $seconds || 120)
		or kill 'KILL', $load->{pid};
	waitpid $load->{pid}, 0;
	my ($line) = $load->{text} =~ /^SUMMARY (.*)$/m;
	my %s = map { split /=/, $_, 2 } split ' ', $line || '';
	return { %s, code => $? >> 8 || $? & 127, text => $load->{text} };
}

sub load
{
	my ($self, @args) = @_;
	return load_end($self->load_start(@args));
}

# --- stop ------------------------------------------------------------------

# The wait status, or undef at the deadline.
sub wait_end
{
	my ($self, $seconds) = @_;
	my $status;
	wait_until {
		my $r = waitpid $self->{pid}, POSIX::WNOHANG();
		$status = $? if $r == $self->{pid};
		return $r != 0;
	} $seconds || 20;
	return $status;
}

sub kill_all
{
	my ($self) = @_;
	my @pids = ($self->{pid}, descendants($self->{pid}));
	kill 'KILL', @pids;
	waitpid $self->{pid}, 0;
	wait_until { !grep { alive($_) } @pids } 5;
	$self->{stopped} = 1;
}

# What is wrong with a daemon that has ended.
sub problems
{
	my ($self, $status, @pids) = @_;
	my @bad;
	push @bad, 'it did not end within 20 s' unless defined $status;
	push @bad, 'it was killed by signal ' . ($status & 127)
		if $status && $status & 127;
	push @bad, 'it exited with ' . ($status >> 8) if $status && $status >> 8;
	wait_until { !grep { alive($_) } @pids } 5;
	push @bad, map { "process $_ was left behind: " . title($_) }
		grep { alive($_) } @pids;
	push @bad, map { "sanitizer: $_:\n" . substr slurp($_), 0, 4000 }
		grep { -s } glob "$self->{dir}/san*";
	push @bad, map { "unexpected in the log: $_" } $self->log_surprises;
	return @bad;
}

sub stop_ok
{
	my ($self, $name) = @_;
	return Test::More::ok(1, $name || 'stopped') if $self->{stopped};
	$self->drop_parked;
	my @pids = descendants($self->{pid});
	kill 'TERM', $self->{pid};
	my $status = $self->wait_end;
	my @bad = $self->problems($status, @pids);
	$self->kill_all unless defined $status;
	kill 'KILL', grep { alive($_) } @pids;
	$self->{stopped} = 1;
	Test::More::ok(!@bad, $name || 'the daemon stops cleanly')
		or Test::More::diag(join "\n", @bad);
	return !@bad;
}

END {
	my $code = $?;
	for my $self (grep { $_->{owner} == $$ && !$_->{stopped} } @started) {
		print STDERR "# $0: a daemon was not stopped by its test\n";
		my @pids = descendants($self->{pid});
		kill 'TERM', $self->{pid};
		defined $self->wait_end(10) or print STDERR "# and had to be killed\n";
		kill 'KILL', grep { alive($_) } $self->{pid}, @pids;
		$code ||= 255;
	}
	# BANTER_TEST_SANDBOX=trap: also of daemons whose log nobody looked at.
	for my $self (grep { $_->{owner} == $$ } @started) {
		my @refused = $self->log_text =~ /^(SANDBOX: .*)$/mg or next;
		print STDERR map { "# $_\n" } @refused;
		$code ||= 254;
	}
	$? = $code;
}

1;
