# A worker with a full arena dumps core: what its clients wait longer for that.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Cwd ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(slurp);

my $rounds = $ENV{BANTER_SOAK_ROUNDS} || 7;
my $lines = 60_000;

plan(skip_all => 'core files go elsewhere here') unless slurp('/proc/sys/kernel/core_pattern') =~ /^core/;
my $d = Banter->prepare(workers => 1, env => { BANTER_TEST_NO_THROTTLE => 1 },
	limits => { rate => 0, output_bytes => '400M', output_memory => '900M' });
my $top = Cwd::getcwd();
local $ENV{BANTERD} = Cwd::abs_path(Banter::banterd());
local $ENV{BANTERCTL} = Cwd::abs_path(Banter::banterctl());
local $ENV{BANTER_TEST_WRAP} = 'prlimit --core=unlimited';
chdir $d->{dir} or die;
$d->launch;
chdir $top or die;
die $d->log_text unless $d->{ready};
$d->expect_log(qr/was killed by SIG/);

# One reads nothing, so that all of it waits for it.
my $slow = $d->client(rcvbuf => 4096);
my $talker = $d->client;
my $hundred = join '', ('y' x 990 . "\n") x 100;
for (1 .. $lines / 100) {
	$talker->send($hundred) or die 'send';
}
$talker->sync;
cmp_ok($d->metric('worker_pending'), '>', 50_000_000, 'the arena is full');

sub death
{
	my ($signal) = @_;
	my $start = time;
	defined $d->kill_worker(1, $signal) or return undef;
	my ($row) = grep { $_->{slot} == 1 } $d->rows('status');
	$talker->sync or return undef;
	return 1000 * (time - $start);
}

my (%ms, @core);
for (1 .. $rounds) {
	for my $signal (qw(KILL SEGV)) {
		my $ms = death($signal);
		defined $ms or fail("SIG$signal: not taken over"), last;
		push @{ $ms{$signal} }, $ms;
	}
	@core = glob "$d->{dir}/core*";
	-s $core[0] or last;
	push @main::size, -s $core[0];
	unlink @core;
}
is(@main::size, $rounds, 'each crash left a core');
my %median = map { my @s = sort { $a <=> $b } @{ $ms{$_} }; $_ => $s[@s / 2] } keys %ms;
diag sprintf 'until the next one answers, median of %d: SIGKILL %.1f ms, SIGSEGV with a core of %d KiB %.1f ms',
	$rounds, $median{KILL}, ($main::size[0] || 0) / 1024, $median{SEGV};
cmp_ok($median{SEGV} - $median{KILL}, '<', 20, 'a core costs less than 20 ms');
my $n = 0;
while ($n < $lines - 1000 && defined(my $line = $slow->next_line)) { $n++ if $line =~ /> y{990}$/ }
cmp_ok($n, '>=', $lines - 1000, 'and what was pending is all there');
$d->stop_ok;
done_testing;
