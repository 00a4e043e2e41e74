# Upgrades with everything that a daemon has: a UNIX listener, a log file, a
# service manager, reloads, more and fewer workers, and another arena.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Temp ();
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until alive n_fds);

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
my $b = Banter->start(workers => 3, limits => { rate => 0 },
	env => { NOTIFY_SOCKET => "$dir/notify" },
	listen => { text => {}, local => { address => ["$dir/chat.sock"] } },
	log => { target => 'file', file => "$dir/log" });
$b->{log} = "$dir/log";

sub told
{
	my $text = '';
	$manager->blocking(0);
	while (defined $manager->recv(my $m, 4096)) {
		$text .= $m;
	}
	return $text;
}

sub upgraded
{
	my ($name) = @_;
	# A slot that was just added is none that could go on as another image.
	wait_until { $b->ctl_run('status')->{out} !~ /\bstarting\b/ };
	my $r = $b->ctl_run('upgrade');
	is($r->{code}, 0, $name) or diag $r->{out}, $r->{err}, $b->log_text;
	return $r;
}

my @c = map { $b->client } 1 .. 6;
$_->sync for @c;
my $local = IO::Socket::UNIX->new(Peer => "$dir/chat.sock") or die "chat.sock: $!";
like(scalar <$local>, qr/Welcome/, 'a UNIX client is served');
$b->configure(limits => { rate => 0, topic_bytes => 100 });
$b->reload_ok('a reload before');
told();
upgraded('an upgrade');
like(told(), qr/RELOADING=1\nMONOTONIC_USEC=\d+\n.*READY=1\nSTATUS=3 workers/s, '... of which the service manager is told');
is($b->status('configuration'), 2, '... keeps the configuration in force');
my $fds = n_fds($b->master_pid);

# Those who ask meanwhile are answered.
my $asker = fork;
die "fork: $!" unless defined $asker;
if (!$asker) {
	my $bad = grep { $b->ctl_run('status')->{code} != 0 } 1 .. 60;
	Banter::write_file("$dir/bad", $bad);
	POSIX::_exit(0);
}
upgraded("upgrade $_ while others ask for the status") for 1 .. 4;
waitpid $asker, 0;
is(slurp("$dir/bad"), 0, '... who always get it');
is(n_fds($b->master_pid), $fds, 'nothing leaks') or diag explain [ Banter::Proc::fd_targets($b->master_pid) ];
is(scalar(grep { $_->sync } @c), 6, 'every client stays');
print $local "hello from here\n";
ok($c[0]->expect(qr/hello from here$/), '... and the UNIX one too');
ok(-S "$dir/chat.sock", 'its socket is there');
my $second = IO::Socket::UNIX->new(Peer => "$dir/chat.sock") or die "chat.sock: $!";
like(scalar <$second>, qr/Welcome/, '... and accepts');

rename "$dir/log", "$dir/log.1" or die "log: $!";
is($b->ctl_run('reopen')->{code}, 0, 'the log is opened anew');
$b->client->sync;
ok((wait_until { slurp("$dir/log") =~ /event=connect/ }), '... for the workers as well');
$b->configure(set => { relay_log => '64M' }, workers => 5);
$b->reload_ok('a reload after');
upgraded('with more workers');
is(scalar(grep { $_->{state} eq 'ready' } $b->rows('status')), 5, '... all are ready');
like($b->ctl_run('status')->{out}, qr/^pending_restart: +relay_log$/m, 'what waits for a restart is still known');
$b->configure(workers => 1);
$b->reload_ok('fewer workers');
upgraded('while the others drain');
is(scalar(grep { $_->sync } @c), 6, '... every client stays');
$b->configure(workers => 3);
$b->reload_ok('more again');
ok((wait_until { 3 == grep { $_->{state} eq 'ready' } $b->rows('status') }), '... are ready');
upgraded('and then');
is(scalar(grep { $_->sync } @c), 6, '... every client stays');
$b->stop_ok;
done_testing;
