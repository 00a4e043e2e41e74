# banter-bench: every scenario over banterd and over a plain line server; a
# server that loses, doubles, reorders or spoils one message is found out, and a
# loader that was late or busy makes its run void.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(slurp wait_until children);

my $bench = Banter::program('BANTER_BENCH', 'src/bench/banter-bench');
my $dir = File::Temp::tempdir('banter-bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# --- a line server ----------------------------------------------------------

# What is done once to a message that is not the first ones of the load, on its
# way to the third client: given it and a place to hold one back.
my %spoil = (
	nothing => undef,
	lose => sub { '' },
	double => sub { "$_[0]$_[0]" },
	swap => sub { ${ $_[1] } = $_[0]; '' },
	flip => sub { $_[0] =~ s/^~....../~000005/r },
	tear => sub { substr($_[0], 5) },
	invent => sub { $_[0] =~ s/^(~......)......../${1}00ffffff/r },
	close => sub { undef },
);

sub serve
{
	my ($listen, $how, $own) = @_;
	my $set = IO::Select->new($listen);
	my (@client, %in, $done, $held);
	$SIG{PIPE} = 'IGNORE';
	while (my @ready = $set->can_read(60)) {
		for my $sock (@ready) {
			if ($sock == $listen) {
				my $c = $listen->accept or next;
				push @client, $c;
				$set->add($c);
				next;
			}
			if (!sysread $sock, $in{$sock}, 65536, length($in{$sock} // '')) {
				$set->remove($sock);
				@client = grep { $_ != $sock } @client;
				next;
			}
			while ($in{$sock} =~ s/^([^\n]*\n)//) {
				my $line = $1;
				my $number = hex substr $line, 7, 8;
				for my $i (0 .. $#client) {
					my $c = $client[$i];
					next if $c == $sock && !$own;
					my $out = $line;
					if ($spoil{$how} && $i == 2 && $number > 3 && !$done++) {
						$out = $spoil{$how}->($line, \$held);
						close $c, next if !defined $out;
					} elsif (defined $held && $i == 2) {
						$out .= $held;
						undef $held;
					}
					# No client has more than a few lines to read.
					syswrite $c, $out if defined fileno $c;
				}
			}
		}
	}
	POSIX::_exit(0);
}

my @servers;

sub line_server
{
	my ($how, $own) = @_;
	my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128)
		or die "listen: $!";
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	serve($listen, $how, $own) if !$pid;
	push @servers, $pid;
	return { pid => $pid, address => '127.0.0.1:' . $listen->sockport };
}

sub stop_servers
{
	kill 'KILL', @servers;
	waitpid $_, 0 for splice @servers;
}

# --- the tool ---------------------------------------------------------------

sub begin
{
	my (@args) = @_;
	my $err = "$dir/err";
	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>"$0"', $err, $bench, '--json',
		@args or die "$bench: $!";
	return { out => $out, err => $err };
}

# Its answer with {code} and {err}.
sub end
{
	my ($run) = @_;
	my $text = do { local $/; readline $run->{out} };
	close $run->{out};
	my $code = $? >> 8;
	my $answer = length($text // '') ? Banter::Ctl::decode($text) : {};
	return { %$answer, code => $code, err => slurp($run->{err}) };
}

# A machine that runs tests is late: what is tested here is not its speed.
my @lenient = ('--late-floor', 1000000000, '--cpu-max', 1000, '--timeout', 10);

sub bench
{
	return end(begin('-q', @lenient, @_));
}

sub clean
{
	my ($r, $name) = @_;
	my $good = is($r->{code}, 0, "$name: exit 0");
	$good &&= ok($r->{ok} && !$r->{void}, '... without errors, and of worth');
	$good &&= is($r->{counts}{delivered}, $r->{counts}{expected},
		'... all is delivered') if $r->{counts}{sent};
	diag("$name: $r->{err}") unless $good;
	return $good;
}

sub is_sane
{
	my ($t, $n, $name) = @_;
	is($t->{count}, $n, "$name: a time for each") or return;
	ok($t->{min} <= $t->{p50} && $t->{p50} <= $t->{p90}
		&& $t->{p90} <= $t->{p99} && $t->{p99} <= $t->{p99_9}
		&& $t->{p99_9} <= $t->{max} && $t->{max} > 0, '... in their order');
}

# --- the kernel's softirq threads -------------------------------------------

# The CPUs that this test and all that it starts may run on.
my @may_use = map { my ($from, $to) = split /-/; $from .. ($to // $from) }
	split /,/, (slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m)[0];

# Their pids by CPU, as far as they are seen; a container shows none.
my %softirqd = map { slurp("$_/stat") =~ /^(\d+) \(ksoftirqd\/(\d+)\) \S+ 2 /
		? ($2 => $1) : () } glob '/proc/[0-9]*';

# By another account of the kernel than the clock that the tool reads.
sub softirqd_ns
{
	my $sum = 0;
	for (@softirqd{@may_use}) {
		return undef unless defined && slurp("/proc/$_/schedstat") =~ /^(\d+) /;
		$sum += $1;
	}
	return $sum;
}

# --- every scenario ---------------------------------------------------------

my $b = Banter->start(workers => 2,
	limits => { rate => 0, clients_per_ip => 0 },
	listen => { text => {}, raw => { mode => 'raw', room => 'pit' } });
my $text = '127.0.0.1:' . $b->port('text');
my @server = ('--server-pid', $b->master_pid);
my @short = ('--warmup', '0.1');

my $softirqd_before = softirqd_ns();
my $r = bench(@server, @short, '-m', 50, 'fanout-1-20', $text);
my $softirqd_after = softirqd_ns();
clean($r, 'fanout-1-20, one after the other');
is($r->{counts}{sent}, 50, '... so many messages');
is($r->{counts}{delivered}, 1000, '... to all of them');
is($r->{parameters}{loop}, 'closed', '... in a closed loop');
is_sane($r->{latency}, 1000, 'latency');
is_sane($r->{completion}, 50, 'completion');
is_sane($r->{first}, 50, 'first');
ok($r->{first}{max} <= $r->{completion}{max}, 'the first is before the last');
ok(!$r->{lateness}, 'nothing is planned in a closed loop');
cmp_ok($r->{server}{cpu_ns}, '>', 0, 'the server used CPU time');
cmp_ok(abs($r->{server}{cpu_per_delivery_ns} * 1000 - $r->{server}{cpu_ns}), '<', 1000,
	'... which is told per delivery');
SKIP: {
	if (!defined $softirqd_before) {
		is_deeply([ grep { /^softirqd/ } keys %{ $r->{server} } ], [],
			'softirq threads are not seen, and not told of');
		skip 'no softirq threads here', 4;
	}
	is_deeply($r->{server}{softirqd_cpus}, \@may_use,
		'the softirq threads of its CPUs are told of');
	ok($r->{server}{softirqd_shared}, '... on which the loader may run, too');
	# The account is brought up to date at each tick and each switch.
	cmp_ok($r->{server}{softirqd_ns}, '<=', $softirqd_after - $softirqd_before + 10e6,
		'... what they used meanwhile, not before');
	cmp_ok(abs($r->{server}{softirqd_per_delivery_ns} * 1000 - $r->{server}{softirqd_ns}),
		'<', 1000, '... per delivery');
	cmp_ok(abs($r->{server}{softirqd_per_message_ns} * 50 - $r->{server}{softirqd_ns}),
		'<', 50, '... and per message');
}
is(scalar @{ $r->{server}{processes} }, 7,
	'... and of each process: master, keepers, reserves, workers');
cmp_ok($r->{memory}{pss_after}, '>', 0, 'its memory is told');
ok($r->{machine}{kernel} && $r->{machine}{cpus}, 'so is the machine');

$r = bench(@server, @short, '-p', 3, '-r', 200, '-d', '0.5', '-P', 7,
	'--revision', 'abc', '--note', 'engine=epoll', '--hgrm', "$dir/h",
	'many-pubs-20', $text);
clean($r, 'many-pubs-20 of 7, planned, by three processes');
is($r->{counts}{sent}, 100, '... what was planned');
is($r->{counts}{delivered}, 1900, '... to all others');
is_sane($r->{lateness}, 100, 'lateness');
is(scalar @{ $r->{loader}{processes} }, 3, 'three loaders are told of');
is_deeply([ $r->{revision}, $r->{notes} ], [ 'abc', { engine => 'epoll' } ],
	'notes are in the result');
like(slurp("$dir/h.latency.hgrm"),
	qr/^ +Value +Percentile TotalCount 1\/\(1-Percentile\)\n\n(?: +[\d.]+ 0\.\d+ +\d+ +[\d.]+\n)+ +[\d.]+ 1\.0+ +1900\n#\[Mean .*\n#\[Max .*Total count += +1900\]\n#\[Buckets/,
	'the histogram is a file');

for (
	['many-pubs-10', '-w', 3, '-m', 500],
	['many-pubs-10', '-p', 2, '-w', 3, '-d', '0.3'],
	['fanout-2-10', '-p', 2, '-A', 'poisson', '-r', 200, '-d', '0.5'],
	['fanout-1-10', '--check', 'last', '-r', 200, '-d', '0.3'],
	['fanout-1-10', '-b', 4000, '-r', 100, '-d', '0.3'],
	['many-pubs-10', '--own', 'yes', '-m', 100],
	['rooms-4', '-n', 22, '-r', 200, '-d', '0.5'],
	['rooms-4', '-p', 2, '-n', 22, '-w', 2, '-d', '0.3'],
	['echo-20-25%', '-d', '0.3'],
	['echo-20-25%', '-r', 200, '-d', '0.5'],
	['slow-10%-20', '-r', 200, '-d', '0.5'],
	['churn', '-n', 10, '-r', 100, '-R', 100, '-d', '0.5'],
	['conn-rate', '-C', 5, '-d', '0.3'],
	['conn-rate', '-p', 2, '-r', 100, '-d', '0.5'],
	['idle-30', '-p', 2, '-d', '0.2'],
) {
	my ($scenario, @args) = @$_;
	my $r = bench(@server, @short, @args, $scenario, $text);
	clean($r, "banter: @$_") or next;
	cmp_ok($r->{counts}{sent}, '>', 0, '... something was said')
		if $scenario !~ /^(?:idle|conn)/;
	cmp_ok($r->{counts}{transients}, '>', 10, '... some came and went')
		if $scenario =~ /^(?:churn|conn)/;
}
is_deeply([ grep { $_->{room} =~ /^bench/ } $b->rows('rooms') ], [],
	'nobody stays');

like(qx($bench -q @lenient @server @short -m 5 fanout-1-5 $text),
	defined $softirqd_before
	? qr/^server: .*\nsoftirq threads of CPU [\d,]+: [\d.]+ % of a CPU, \d+ ns per delivery /m
	: qr/^server: .*\nkernel: /m, 'the text has them as well');
unlike(qx($bench -q @lenient @short -m 5 fanout-1-5 $text), qr/softirq/,
	'... if a server is measured');

# A loader with a CPU of its own leaves the others to the server.
SKIP: {
	my ($cpu, @others) = @may_use;
	skip 'one CPU', 2 if !@others;
	skip 'no softirq threads here', 2 if !defined $softirqd_before;
	$r = bench(@server, @short, '-c', $cpu, '-m', 10, 'fanout-1-5', $text);
	is_deeply($r->{server}{softirqd_cpus}, \@others,
		"the softirq threads of the loader's CPU are left out");
	ok(!$r->{server}{softirqd_shared}, '... and it is said that they are');
}

my $raw = '127.0.0.1:' . $b->port('raw');
clean(bench(@short, '-a', 'raw', '-m', 30, 'fanout-1-10', $raw), 'raw: fanout');
clean(bench(@short, '-a', 'raw', '-w', 2, '-d', '0.3', 'many-pubs-10', $raw),
	'raw: many-pubs');
$b->stop_ok;

for (
	['fanout-1-10', '-m', 30],
	['fanout-1-10', '-r', 200, '-d', '0.3', '-p', 2],
	['many-pubs-8', '-w', 2, '-m', 200],
	['many-pubs-8', '--own', 'yes', '-m', 200],
	['slow-10%-10', '-r', 100, '-d', '0.3'],
	['churn', '-n', 5, '-R', 50, '-d', '0.3'],
	['conn-rate', '-d', '0.2'],
	['idle-10', '-d', '0.1'],
) {
	my ($scenario, @args) = @$_;
	my $s = line_server('nothing', grep { $_ eq 'yes' } @args);
	clean(bench(@short, '-a', 'line', '-S', $s->{pid}, @args, $scenario,
		$s->{address}), "line: @$_");
	stop_servers();
}

# --- a server that is wrong -------------------------------------------------

for (
	[lose => 'lost'], [double => 'duplicated'], [swap => 'disordered'],
	[flip => 'damaged'], [tear => 'lost'], [invent => 'damaged'],
	[close => 'closed'],
) {
	my ($how, $error) = @$_;
	my $s = line_server($how);
	my $r = bench('--warmup', 0, '-a', 'line', '--timeout', '0.3', '-r', 100,
		'-m', 20, 'fanout-1-5', $s->{address});
	is($r->{code}, 1, "$how: exit 1");
	cmp_ok($r->{errors}{$error}, '>=', 1, "... it is $error") or diag $r->{err};
	ok(!$r->{ok}, '... and not ok');
	is($r->{errors}{lost}, $how eq 'swap' || $how eq 'double' ? 0
			: $how eq 'close' ? $r->{errors}{lost} : 1,
		'... what is lost is counted exactly');
	stop_servers();
}
for (['lose', 'lost'], ['double', 'duplicated']) {
	my ($how, $error) = @$_;
	my $s = line_server($how);
	my $r = bench('--warmup', 0, '-a', 'line', '--timeout', '0.3', '--check',
		'last', '-r', 100, '-m', 20, 'fanout-1-5', $s->{address});
	is_deeply([ $r->{code}, $r->{errors}{$error} ], [ 1, 1 ],
		"$how is seen by the count alone");
	stop_servers();
}
my $own = line_server('nothing', 1);
$r = bench('--warmup', 0, '-a', 'line', '-m', 5, 'fanout-1-5', $own->{address});
is($r->{code}, 1, 'own messages that nobody expects: exit 1');
like($r->{err}, qr/--own/, '... with a hint');
stop_servers();

# --- a loader that is late --------------------------------------------------

my $s = line_server('nothing');
my $run = begin('--warmup', 0, '-a', 'line', '-r', 200, '-d', 2, '--cpu-max', 1000,
	'fanout-1-5', $s->{address});
wait_until { slurp($run->{err}) =~ /measuring/ };
my ($director) = grep { Banter::Proc::slurp("/proc/$_/comm") =~ /banter-bench/ }
	children($$);
my ($loader) = children($director);
ok($loader, 'a loader is at work') or BAIL_OUT('no loader');
kill 'STOP', $loader;
my $until = time + 0.5;
wait_until { time > $until };
kill 'CONT', $loader;
$r = end($run);
is($r->{code}, 2, 'a loader that stood still: exit 2');
ok($r->{ok} && $r->{void}, '... no error, but void');
like($r->{void_reasons}[0], qr/^the loader was late: /, '... with the reason');
cmp_ok($r->{lateness}{max}, '>=', 300000000, '... it was late');
cmp_ok($r->{latency}{max}, '>=', 300000000,
	'... and the latency is from the intended time');
is($r->{counts}{sent}, 400, '... all that was planned was sent');
cmp_ok($r->{latency_from_send}{p50}, '<=', $r->{latency}{p50},
	'... the latency from the send is told too');

$r = end(begin('-q', '--warmup', 0, '-a', 'line', '-r', 100, '-d', '0.2', '--cpu-max',
	0, '--late-floor', 1000000000, 'fanout-1-5', $s->{address}));
is($r->{code}, 2, 'a loader that used more CPU than it may: exit 2');
like($r->{void_reasons}[0], qr/of a CPU/, '... with the reason');

# --- what cannot be run -----------------------------------------------------

stop_servers();
$r = bench('-a', 'line', 'fanout-1-5', $s->{address});
is($r->{code}, 3, 'nobody listens: exit 3');
like($r->{failed}, qr/cannot connect|could not be set up/, '... and why');
$r = bench('-S', $s->{pid}, '-a', 'line', 'fanout-1-5', $s->{address});
like($r->{failed}, qr/no process $s->{pid}\b/, 'a server that has ended');
for (['fanout-1-5'], ['nonsense', 'x:1'], ['-a', 'smtp', 'churn', 'x:1'],
	['-a', 'line', 'rooms-10', 'x:1'], ['-s', '-r', 5, 'fanout-1-5', 'x:1'],
	['-b', 47, 'churn', 'x:1'], ['--own', 'no', '-a', 'mqtt', 'churn', 'x:1']) {
	is(bench(@$_)->{code}, 64, "usage: @$_");
}
is(bench('fanout-1-5', 'nowhere')->{code}, 3, 'no address');
done_testing;
