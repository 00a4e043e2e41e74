# The measurements measure what they say: the bare loops and the Python servers
# pass on whole lines and nothing else, the runner makes a report from its runs,
# and a server that loses something is found out.  No speed is asserted.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON;
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until);

my $top = Banter::top();
my $floor = Banter::program('BANTER_SENDFLOOR', 'bench/sendfloor/sendfloor');
my $crowd = Banter::program('BANTER_CROWD', 'bench/crowd');
my $build = Banter::build_dir();
my $python = '/usr/bin/python3';
plan skip_all => "no $python" unless -x $python;

# ---- helpers -------------------------------------------------------------------

# A server that says LISTEN and READY on its standard output.
sub serve
{
	my (@command) = @_;
	pipe my $out, my $out_w or die "pipe: $!";
	pipe my $in_r, my $in or die "pipe: $!";
	pipe my $said, my $said_w or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<&', $in_r;
		open STDOUT, '>&', $out_w;
		open STDERR, '>&', $said_w;
		close $_ for $out, $in, $said;
		exec @command or exit 127;
	}
	close $_ for $out_w, $in_r, $said_w;
	$in->autoflush;
	my $s = { pid => $pid, out => $out, in => $in, said => $said };
	while (defined(my $line = line($out))) {
		$s->{port} = $1 if $line =~ /^LISTEN .* (\d+)$/;
		$s->{last} = $line;
		return $s if $line =~ /^READY|^CONNECTED|^STOPPED/;
	}
	return $s;
}

# A line within 20 seconds, or undef; no byte behind it is taken.
sub line
{
	my ($from) = @_;
	my $set = IO::Select->new($from);
	my $got = '';
	while ($got !~ /\n\z/) {
		return undef unless $set->can_read(20) && sysread $from, $got, 1, length $got;
	}
	return $got =~ s/\n\z//r;
}

sub end
{
	my ($s, $signal) = @_;
	close $s->{in};
	kill $signal || 'TERM', $s->{pid};
	waitpid $s->{pid}, 0;
	return $?;
}

sub client
{
	my ($s) = @_;
	return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$s->{port}") || die "connect: $!";
}

# What comes until it ends with this, or what came in 20 seconds.
sub got
{
	my ($client, $end) = @_;
	my $set = IO::Select->new($client);
	my $got = '';
	while ($got !~ /\Q$end\E\z/ && $set->can_read(20)) {
		sysread $client, $got, 65536, length $got or last;
	}
	return $got;
}

# Nobody says when a server has accepted; that a line crosses does.
sub meet
{
	my ($name, $from, $to) = @_;
	my $n = 0;
	ok(wait_until { syswrite $from, '?' . ++$n . "\n"; IO::Select->new($to)->can_read(0.1) },
		"$name: one reads the other");
}

# Read what was sent to meet: all of it is there when each has sent a last line.
sub drain
{
	my (@all) = @_;
	for my $from (@all) {
		syswrite $from, "!\n";
		got($_, "!\n") for grep { $_ != $from } @all;
	}
}

# The line protocol: whole lines, in the order of each sender, to all others.
sub relays
{
	my ($name, @command) = @_;
	my $s = serve(@command);
	ok($s->{port}, "$name listens") or return end($s);
	my ($ann, $bob, $carl) = map { client($s) } 1 .. 3;
	meet($name, $ann, $bob);
	meet($name, $bob, $carl);
	meet($name, $carl, $ann);
	drain($ann, $bob, $carl);
	syswrite $ann, "hel";
	syswrite $bob, "x\n";
	is(got($ann, "x\n"), "x\n", "$name: half a line waits for its end");
	# Two senders have no order with a thread for each.
	is(got($carl, "x\n"), "x\n", "$name: a whole one is for all others");
	syswrite $ann, "lo\nres";
	is(got($bob, "hello\n"), "hello\n", "$name: which makes it one");
	syswrite $ann, "t\n";
	is(got($bob, "rest\n"), "rest\n", "$name: and so on");
	is(got($carl, "rest\n"), "hello\nrest\n",
		"$name: all have the same, and nobody his own");
	syswrite $ann, "never ended";
	close $ann;
	syswrite $carl, "still here\n";
	is(got($bob, "here\n"), "still here\n", "$name: who leaves in a line leaves it unsaid");
	end($s, 'KILL');
}

# ---- the programs ----------------------------------------------------------------

my @python = (glob("$top/bench/runner/*.py $top/bench/peers/*.py"), "$top/bench/run");
my $said = qx($python -B -c 'import sys
for f in sys.argv[1:]: compile(open(f).read(), f, "exec")' @python 2>&1);
is($said, '', 'the Python files compile');

relays('the bare loop over epoll', $floor);
SKIP: {
	my $s = serve($floor, '-e', 'uring');
	my $why = $s->{port} ? '' : line($s->{said}) // '';
	end($s, 'KILL');
	skip 'no io_uring here', 8 if $why =~ /no io_uring|no ring/;
	relays('the bare loop over io_uring', $floor, '-e', 'uring');
	relays('... with a ring that a turn does not fit in', $floor, '-e', 'uring', '-b', 2);
}
relays("Python's $_", $python, '-B', "$top/bench/peers/chat_$_.py")
	for qw(threads select epoll asyncio);

# There is no queue in the bare loop: who does not read ends it, with a word.
{
	my $s = serve($floor);
	my ($reads, $not) = (client($s), client($s));
	my $line = 'x' x 65535 . "\n";
	$SIG{PIPE} = 'IGNORE';
	ok(wait_until { defined syswrite $reads, $line or 1; IO::Select->new($s->{said})->can_read(0) },
		'the bare loop ends when a client is too slow');
	like(line($s->{said}), qr/this run is void/, '... and says that the run is void');
	is(end($s) >> 8, 3, '... with code 3');
}

# A client of Python's servers that does not read is closed; the others go on.
for my $model (qw(threads select epoll asyncio)) {
	my $s = serve($python, '-B', "$top/bench/peers/chat_$model.py");
	my ($says, $reads, $not) = map { client($s) } 1 .. 3;
	meet($model, $says, $not);
	meet($model, $not, $reads);
	drain($says, $reads, $not);
	my $line = 'x' x 65535 . "\n";
	my ($sent, $read) = (0, 0);
	# Six times what the kernel and the server together keep for one.
	while ($sent < 400) {
		last unless syswrite $says, $line;
		$sent++;
		$read += length got($reads, "x\n");
	}
	is($read, 65536 * 400, "Python's $model: who reads has all, beside one who does not");
	my $kept = length got($not, 'until the end');
	cmp_ok($kept, '<', $read, '... who is closed');
	end($s, 'KILL');
}

# The bare pair for many clients.
{
	my $s = serve($floor, '-k', 2, '-n', 30);
	my $c = serve($crowd, '-p', $s->{port}, '-k', 3, '-n', 40);
	print { $s->{in} } "hello\n";
	like(line($s->{out}), qr/^SENT \d+ \d+$/, 'the bare pair: one line goes to all');
	my $n = 0;
	ok(wait_until {
		print { $c->{in} } "expect 40 0.2\n";
		my ($lines) = (line($c->{out}) // '') =~ /^GOT (\d+)/;
		$n += $lines // 0;
		# Who was not accepted yet when it was sent gets the next.
		print { $s->{in} } "again\n" if $n < 40;
		$n >= 40;
	}, '... and the crowd counts it') or diag "$n of 40";
	end($_, 'KILL') for $c;
	my $stops = serve($crowd, '-p', $s->{port}, '-k', 1, '-n', 4, '-m', 4_000_000_000);
	like($stops->{last}, qr/^STOPPED 0 the memory/, '... which spares the memory');
	end($_, 'KILL') for $stops, $s;
}

# ---- the runner --------------------------------------------------------------------

Banter::program('BANTER_BENCH', 'src/bench/banter-bench');
my $out = File::Temp::tempdir('banter-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub bench_run
{
	my (@more) = @_;
	my $text = qx($top/bench/run --tiny --no-peers --engines epoll --out $out @more 2>&1);
	return ($? >> 8, $text);
}

sub records
{
	my ($part) = @_;
	return map { decode_json(slurp($_)) } sort glob "$out/raw/$part/[0-9]*-*[a-z0-9].json";
}

my ($code, $text) = bench_run('--help');
like($text, qr/^\s+$_\s+[\d.]+ min/m, "--help tells of $_") for qw(fanout manypubs fanout10k
	two-workers idle slow engines peers million);
($code, $text) = bench_run('nothing');
is($code, 64, 'an unknown part is refused');

# Figures of records that are made up: threads that are the server's, or the
# loader's too, and a record of before there was this field.
my %figures = split /[\t\n]/, qx($python -B - "$top/bench" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from runner import figures, sections
from runner.settings import Settings

def record(name, round_, own, aside=None, shared=False):
    server = {'cpu_per_delivery_ns': own, 'cpu_per_message_ns': 10 * own, 'cpu_share': 0.9}
    if aside is not None:
        server.update(softirqd_per_delivery_ns=aside, softirqd_per_message_ns=10 * aside,
                      softirqd_share=0.08, softirqd_shared=shared)
    return {'server': name, 'group': name.split('-')[0], 'round': round_, 'counts': True,
            'void': False, 'bench': {'server': server, 'loader': {'cpu_share_max': 0.5},
                                     'rates': {'deliveries_per_s': 1000}}}

def tell(name, value):
    print(name, value, sep='\t')

for name, r in (('alone', record('a', 0, 100, 20)), ('shared', record('a', 0, 100, 20, True)),
                ('old', record('a', 0, 100))):
    tell(name, [figures.CPU(r), figures.SOFTIRQD(r), figures.CPU_MESSAGE(r), figures.BUSY(r)])
    tell('sentence ' + name, bool(figures.processes_only([r])))
tell('sentence some', 'some of' in figures.processes_only([record('a', 0, 1), record('a', 0, 1, 1)]))
tell('sentence none', bool(figures.processes_only([])))
both = []
for i, (floor, banter) in enumerate(((80, 120), (80, 90), (80, 100), (80, 110), (180, 100))):
    both += [record('floor-io_uring', i, floor, 20), record('banter-epoll', i, banter, 0)]
text = sections.cpu_table(both, True)
tell('row', [c.strip() for c in text.splitlines()[3].split('|')[1:6]])
tell('alone x', 'banter-epoll 1.25 x the io_uring floor.' in text)
tell('busy', 'Not limited by its own CPU' in text)
tell('spread', [figures.Figure(v).spread() for v in ([], [1], [1, 2], [4, 1, 2, 3, 90])])
s = Settings('', '')
tell('rounds', [s.close_rounds('fanout'), s.close_rounds('fanout10k')])
s.quick()
tell('quick', s.close_rounds('fanout'))
END);
is($figures{alone}, '[120, 20, 1200, 0.98]', 'CPU is of the processes and of ksoftirqd');
is($figures{$_}, '[100, None, 1000, 0.9]', "... of the processes alone: $_") for qw(shared old);
is($figures{"sentence $_"}, { alone => 'False', none => 'False' }->{$_} // 'True',
	"... which is told where it is so: $_") for qw(alone shared old some none);
is($figures{row}, "['banter-epoll', '100 (90-120)', '0', '-', '1.00 (0.90-1.10)']",
	'a line has the median of ratios within a round, with quartiles');
is($figures{'alone x'}, 'True', '... and the text those without ksoftirqd');
is($figures{busy}, 'False', '... which keeps a CPU busy as the processes do');
is($figures{spread}, "['-', '1.00', '1.50 (1.25-1.75)', '3.00 (2.00-4.00)']", 'quartiles');
is($figures{rounds}, '[21, 9]', 'more rounds for what is close');
is($figures{quick}, '2', '... but not in a quick run');

my @parts = qw(fanout manypubs two-workers idle slow engines);
($code, $text) = bench_run("--build $build @parts");
is($code, 0, 'parts run') or diag $text;
for my $part (@parts) {
	my @r = records($part);
	ok((grep { $_->{server} eq 'banter-epoll' } @r), "$part: banter was measured");
	is_deeply([ grep { $_->{failed} } @r ], [], '... and nothing lost') or diag $text;
	is($_->{bench}{counts}{delivered}, $_->{bench}{counts}{expected}, "$part $_->{name}: all came")
		for grep { $part =~ /fanout|pubs/ } @r;
}
($code, $text) = bench_run("--report --report-to $out");
is($code, 0, 'a report is made') or diag $text;
my $report = slurp("$out/REPORT.md");
like($report, qr/^\| $_ \|/m, "it has a line of $_") for qw(floor-epoll banter-epoll
	banter-epoll-raw kernel governor noise);
like($report, qr/^\| server \| CPU per delivery, ns \| of it in ksoftirqd \|/m,
	'... and a column of what ksoftirqd did');
# Where no group of processes can be given a share of a CPU, it says so.
like($report, qr/^(\| 8 publishers, 64 in flight of each, 2 workers \||- left out: workers with a fixed share)/m,
	'... two workers with a share of a CPU each, or why not');
# Those of a run that goes on beside us are not ours.
is_deeply([ grep { m{-bench-(\d+)-[^/]*\z} && !-e "/proc/$1" } map { glob "$_/banter-bench-*" } split /\n/,
		qx(sed -n 's,^[^ ]* \\([^ ]*\\) cgroup2* .*,\\1,p' /proc/mounts) ],
	[], '... of which no group is left');
like($report, qr/SCHED_FIFO/, '... whether others could run beside the slow ones');
like($report, qr/Expected, before the run/, '... what was expected');
like($report, qr/not for the record/, '... and that these are no figures');
like($report, qr/One run: `banter-bench /, '... and how to do it by hand');
if (qx(sh -c 'command -v gnuplot')) {
	like(slurp("$out/plots/fanout.svg"), qr/<svg/, 'there is a plot');
	like($report, qr{\(plots/fanout\.svg\)}, '... and it is shown');
}

# A server that loses one line in a hundred deliveries.
mkdir "$out/$_" for qw(bad bad/bench bad/bench/sendfloor);
symlink "$build/src", "$out/bad/src";
open my $bad, '>', "$out/bad/bench/sendfloor/sendfloor" or die $!;
print $bad <<'END';
#!/usr/bin/perl
use IO::Select;
use IO::Socket::INET;
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64);
$| = 1;
print "LISTEN floor 127.0.0.1 ", $listen->sockport, "\nREADY\n";
my $set = IO::Select->new($listen);
my $n = 0;
while (my @ready = $set->can_read) {
	for my $s (@ready) {
		if ($s == $listen) { $set->add(scalar $listen->accept); next }
		if (!sysread $s, my $bytes, 65536) { $set->remove($s); close $s; next }
		else {
			for my $c (grep { $_ != $listen && $_ != $s } $set->handles) {
				syswrite $c, $bytes if ++$n % 100;
			}
		}
	}
}
END
close $bad;
chmod 0755, "$out/bad/bench/sendfloor/sendfloor";
($code, $text) = bench_run("--build $out/bad manypubs");
is($code, 1, 'a server that loses lines is found out');
ok((grep { ($_->{failed} // '') =~ /lost/ && !$_->{counts} } records('manypubs')),
	'... and counts for nothing') or diag $text;
bench_run("--report --report-to $out");
like(slurp("$out/REPORT.md"), qr/^- floor-epoll.*lost/m, '... and the report says so');
done_testing;
