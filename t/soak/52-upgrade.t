# Twenty upgrades in a row between two builds under load, and every bad binary
# that one may install: nobody notices any of it.
#
# The daemon runs from a copy in a folder of its own; what is to be upgraded to
# is put there as a package does it, by rename.  The second build is in
# build/next, which script/soak makes; or BANTER_NEXT says where.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Copy ();
use File::Temp ();
use Test::More;
use Time::HiRes qw(time);
use Banter;
use Banter::Proc qw(n_fds fds_at_rest wait_until alive ppid);

my $upgrades = $ENV{BANTER_SOAK_UPGRADES} || 20;
my $clients = $ENV{BANTER_SOAK_CLIENTS} || 2000;
my $workers = $ENV{BANTER_SOAK_WORKERS} || 4;
my $next = ($ENV{BANTER_NEXT} || Banter::top() . '/build/next') . '/src/banterd/banterd';
plan(skip_all => "no $next: script/soak builds it") unless -x $next;

my @build = (Banter::banterd(), $next);
my @version = map { `$_ -V` =~ /(\d[\w.]*)/ ? $1 : '' } @build;
isnt($version[0], $version[1], "two versions: @version");
my $dir = File::Temp::tempdir('banter-upgrade-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $installed = "$dir/banterd";

# Put it where the running one came from.
sub install
{
	my ($from, $mode) = @_;
	File::Copy::copy($from, "$installed.new") or die "$installed.new: $!";
	chmod $mode || 0755, "$installed.new";
	rename "$installed.new", $installed or die "$installed: $!";
}

install($build[0]);
my $d;
{
	local $ENV{BANTERD} = $installed;
	$d = Banter->start(workers => $workers, env => { BANTER_TEST_NO_THROTTLE => 1 },
		limits => { rate => 0, clients_per_ip => 0 },
		room => { lobby => { autojoin => 'false' } });
}
$d->expect_log(qr/no room has autojoin/, qr/upgrade|rehears/i);
my $master = $d->master_pid;
my $stays = $d->client(room => '-');
$stays->send("/nick ann\n/join den\n");
$stays->expect(qr/^\* In den/);
$stays->{nick} = 'ann';
my $fds = fds_at_rest($master);
my %fds = map { $_ => fds_at_rest($d->keepers->{$_}) } 1 .. $workers;
my $load = $d->load_steady($clients, '-r', 20, '-P', 40, '--rate', 4, '--mixed', $clients / 20, '-s', 100, '-t', 60);

sub versions
{
	my $rows = Banter::Slots::rows($d);
	return join ' ', map { $rows->{$_}{version} } sort keys %$rows;
}

# One upgrade: true when it is done and all is as it should be.
sub upgrade
{
	my ($to) = @_;
	my %was = (%{ Banter::Slots::rows($d) });
	install($build[$to]);
	Banter::mark($load);
	my $start = time;
	my $r = $d->ctl_run('upgrade');
	push @main::took, time - $start;
	if ($r->{code}) {
		diag "banterctl upgrade: exit $r->{code}: $r->{out}$r->{err}";
		return 0;
	}
	$d->wait_slots($workers) or return 0;
	my $now = Banter::Slots::rows($d);
	for my $slot (1 .. $workers) {
		my ($old, $new) = ($was{$slot}, $now->{$slot});
		next if $old->{worker} != $new->{worker} && $old->{keeper} != $new->{keeper}
			&& (wait_until { !alive($old->{worker}) && !alive($old->{keeper}) })
			&& ppid($new->{worker}) == $new->{keeper} && ppid($new->{keeper}) == $master;
		diag "slot $slot was keeper $old->{keeper}, worker $old->{worker}, and is $new->{keeper}, $new->{worker}";
		return 0;
	}
	return 1 if $d->status('version') eq $version[$to]
		&& versions() eq join ' ', ($version[$to]) x $workers;
	diag 'version ', $d->status('version'), ', slots ', versions(), ", not $version[$to]";
	return 0;
}

our @took;
my $done = 0;
for my $i (1 .. $upgrades) {
	upgrade($i % 2) or last;
	$done++;
	# Deaths between them: the new image takes over from itself.
	defined $d->kill_worker(1 + int rand $workers) or last if $i % 4 == 0;
}
is($done, $upgrades, "$upgrades upgrades, to and fro");
$d->expect_log(qr/worker \d .*was killed by SIGKILL/);
@took = sort { $a <=> $b } @took;
diag sprintf 'an upgrade takes %.2f s in the median, %.2f s at most', $took[@took / 2], $took[-1] if @took;
ok($stays->sync, 'a client that was there before all of them talks on');
$stays->send("/who\n");
ok($stays->expect(qr/^\* In den \(1\): ann$/), '... under its name, in its room');

# What is installed cannot go on: banterctl says why, and all stays.
my $cc = $ENV{CC} || 'cc';

sub compile
{
	my ($name, $code, @args) = @_;
	Banter::write_file("$dir/$name.c", "#include <stdlib.h>\n#include <unistd.h>\n$code\n");
	system($cc, '-o', "$dir/$name", "$dir/$name.c", @args) == 0 or die "$cc: $?";
	return "$dir/$name";
}

sub missing_library
{
	compile('libgone.so', 'int gone(void) { return 0; }', '-shared', '-fPIC');
	my $path = compile('unlinked', 'int gone(void); int main(void) { return gone(); }', "-Wl,-rpath,$dir", "$dir/libgone.so");
	unlink "$dir/libgone.so" or die;
	return $path;
}

sub script
{
	my ($name, $text) = @_;
	Banter::write_file("$dir/$name", $text);
	return "$dir/$name";
}

my $rows = Banter::Slots::rows($d);
my $failed = $d->status('upgrades_failed') || 0;
my @bad = (
	['it is missing', sub { unlink $installed or die }],
	['it is empty', sub { install(script('empty', '')) }],
	['it is no program', sub { install(script('text', "not a program\n" x 100)) }],
	['it is not executable', sub { install($build[0], 0644) }],
	['it is a folder', sub { unlink $installed; mkdir $installed or die }, sub { rmdir $installed }],
	['it is cut short', sub { install($build[0]); truncate $installed, 100_000 }],
	['its interpreter is missing', sub { install(script('script', "#!$dir/no-such-shell\n")) }],
	['a library is missing', sub { install(missing_library()) }],
	['it exits with 1', sub { install(compile('one', 'int main(void) { return 1; }')) }],
	['it crashes', sub { install(compile('crash', 'int main(void) { abort(); }')) }],
	['it hangs', sub { install(compile('hang', 'int main(void) { for (;;) pause(); }')) }],
	['it exits with 0 and has done nothing', sub { install(compile('zero', 'int main(void) { return 0; }')) }],
	['it is another program', sub { install('/bin/true') }],
);
for my $case (@bad) {
	my ($name, $make, $clean) = @$case;
	$make->();
	Banter::mark($load);
	my $r = $d->ctl_run('upgrade');
	is($r->{code}, 1, "$name: refused");
	like($r->{out} . $r->{err}, qr/\w+ \w+/, '... with the reason');
	diag "$name: ", $r->{err} || $r->{out} if $ENV{TEST_VERBOSE};
	$clean->() if $clean;
	alive($master) or do { fail("$name: the master has ended"); last };
	my $now = Banter::Slots::rows($d);
	is_deeply([ map { @{ $now->{$_} }{qw(keeper worker state)} } sort keys %$now ],
		[ map { @{ $rows->{$_} }{qw(keeper worker state)} } sort keys %$rows ], '... and every process is what it was');
}
# What follows needs it.
alive($master) or do { $d->kill_all; kill 'KILL', $load->{pid}; done_testing; exit };
is($d->status('upgrades_failed'), $failed + @bad, 'each is counted');
ok(upgrade($done % 2 ? 0 : 1), 'after all that a good one succeeds');
ok($stays->sync, 'the client talks on');
my $s = Banter::load_end($load, 200);
Banter::load_clean($s, 'nobody was disconnected; nothing was lost, doubled, damaged or reordered');
diag sprintf 'pause around an upgrade: median %.1f ms, longest %.1f ms', $s->{pause_p50_us} / 1000, $s->{pause_max_us} / 1000;
ok(alive($master), 'the master has the same pid');
ok((wait_until { n_fds($master) == $fds }), '... and as many descriptors as before')
	or diag n_fds($master), " instead of $fds: ", join ' ', Banter::Proc::fd_targets($master);
for my $slot (1 .. $workers) {
	my $keeper = $d->keepers->{$slot};
	ok((wait_until { n_fds($keeper) == $fds{$slot} }), "keeper $slot has as many descriptors as before")
		or diag n_fds($keeper), " instead of $fds{$slot}: ", join ' ', Banter::Proc::fd_targets($keeper);
}
$d->stop_ok;
done_testing;
