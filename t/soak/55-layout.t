# An upgrade from an image with the previous layout of the arena: the clients
# are carried over into the new one.  The way back is refused beforehand.
#
# The older build is in build/previous, which script/soak makes; or
# BANTER_PREVIOUS says where.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Copy ();
use File::Temp ();
use Test::More;
use Banter;
use Banter::Proc qw(alive);

my $clients = $ENV{BANTER_SOAK_CLIENTS} || 500;
my $workers = 3;
my $older = ($ENV{BANTER_PREVIOUS} || Banter::top() . '/build/previous') . '/src/banterd/banterd';
plan(skip_all => "no $older: script/soak builds it") unless -x $older;

my $dir = File::Temp::tempdir('banter-layout-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $installed = "$dir/banterd";

sub install
{
	my ($from) = @_;
	File::Copy::copy($from, "$installed.new") or die "$installed.new: $!";
	chmod 0755, "$installed.new";
	rename "$installed.new", $installed or die "$installed: $!";
}

install($older);
my $d;
{
	local $ENV{BANTERD} = $installed;
	$d = Banter->start(workers => $workers, env => { BANTER_TEST_NO_THROTTLE => 1 },
		limits => { rate => 0, clients_per_ip => 0, output_bytes => '16M' },
		listen => { text => {}, raw => { mode => 'raw', room => 'den' } },
		room => { lobby => { autojoin => 'false' } });
}
$d->expect_log(qr/upgrade|rehears/i, qr/no room has autojoin/, qr/was killed by SIGKILL/);
my $master = $d->master_pid;

# Each kind of thing that a record has.
sub in_den
{
	my $c = $d->client(room => '-', @_);
	$c->send("/join den\n");
	$c->expect(qr/^\* In den/) or die 'not in den';
	return $c;
}
my $ann = in_den();
$ann->send("/nick ann\n/topic all sorts\n");
$ann->expect(qr/topic/i);
$ann->{nick} = 'ann';
my $half = in_den();
$half->send('half of a ');
my $slow = in_den(rcvbuf => 4096);
my $raw = $d->client(listener => 'raw', greet => 0);
my $talker = in_den();
$talker->send(join '', ('s' x 1000 . "\n") x 3000) or die 'send';
$talker->sync;
my $load = $d->load_steady($clients, '-r', 10, '-P', 20, '--rate', 5, '-s', 100, '-t', 60);

install(Banter::banterd());
Banter::mark($load);
my $r = $d->ctl_run('upgrade');
is($r->{code}, 0, 'the upgrade to the newer layout is done') or diag "$r->{out}$r->{err}", $d->log_text;
ok(alive($master) && $d->wait_slots($workers), 'the master is the same, its slots are ready');
ok($ann->sync, 'a client talks on');
$ann->send("/who\n/topic\n");
ok($ann->expect(qr/^\* In den \(\d+\): .*\bann\b/), '... under its name, in its room');
ok($ann->expect(qr/all sorts/), '... which has its topic');
$half->send("line\n");
ok($talker->expect(qr/> half of a line$/), 'half a line is completed');
$raw->send("bytes\n");
ok($ann->expect(qr/\[den\].*bytes/), 'a raw client is one still');
my $n = 0;
while ($n < 3000 && defined(my $line = $slow->next_line)) { $n++ if $line =~ /> s{1000}$/ }
is($n, 3000, 'what was pending for a slow reader comes, whole and in order');

# Deaths over the converted arena.
defined $d->kill_worker($_) or fail("worker $_ was not replaced") for 1 .. $workers;
ok($ann->sync, 'the new arena survives deaths');
$d->kill_keeper(1);
ok($d->wait_slots($workers) && $ann->sync, '... and that of a keeper');

install($older);
$r = $d->ctl_run('upgrade');
is($r->{code}, 1, 'the way back is refused');
like("$r->{out}$r->{err}", qr/arena 3/, '... because of the layout');
ok($ann->sync, '... and nobody notices');
Banter::load_clean(Banter::load_end($load, 200), 'nobody was disconnected; nothing was lost, doubled, damaged or reordered');
$d->stop_ok;
done_testing;
