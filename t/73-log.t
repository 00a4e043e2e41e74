# The log: rotation, whole lines, what a client cannot forge, how much it can
# cause.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp wait_until);

my $p = Banter->prepare(workers => 3, limits => { rate => 0, clients_per_ip => 0 },
	log => { target => 'file', file => '/nowhere' });
my $file = "$p->{dir}/banter.log";
$p->configure(log => { target => 'file', file => $file, level => 'info' });
my $b = $p->launch;
ok($b->{ready}, 'it starts with a log file') or diag $b->log_text;
is((stat $file)[2] & 07777, 0640, 'the file is created 0640');

# Rotation under load, as logrotate does it.
my $load = $b->load_start('-n', 30, '-P', 6, '-m', 300, '--rate', 100, '--numbered');
Banter::load_wait($load, qr/^RUNNING/m);
my %port;
for my $i (1 .. 8) {
	for (1 .. 10) {
		my $c = $b->client or next;
		$port{ $c->local_port }++;
		$c->close;
	}
	rename $file, "$file.$i";
	$b->signal('USR1');
	ok((wait_until { -e $file }), "rotation $i: a new file") or last;
}
my $s = Banter::load_end($load);
is($s->{code}, 0, 'no client is disturbed') or diag $s->{text};
my $all = sub { join '', map { slurp($_) } glob "$file*" };
my %seen;
ok((wait_until {
	%seen = ();
	my $text = $all->();
	$seen{$1}{$2}++ while $text =~ /event=(connect|close) addr=127\.0\.0\.1 port=(\d+)/g;
	# The rate limit may leave some out; it says how many.
	!(grep { !$seen{connect}{$_} } keys %port) || $text =~ /were not logged/;
} 10), 'no line is lost');
my @odd = grep { !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S* [\w ]+\[\d+\] (?:error|warning|notice|info|debug): \S/ }
	split /\n/, $all->();
is(scalar @odd, 0, 'no line is split or mixed') or diag "@odd[0 .. ($#odd > 4 ? 4 : $#odd)]";
like(slurp($file), qr/\S/, 'the last file is in use') if $b->client && $b->signal('USR1');
my @old = map { my $pid = $_; grep { /\Q$file\E\.\d/ } Banter::Proc::fd_targets($pid) }
	$b->master_pid, $b->worker_pids;
is_deeply(\@old, [], 'nobody holds an old file open');

# A file that cannot be opened: the old one stays.
rename $file, "$file.kept";
mkdir $file;
my $r = $b->ctl_run('reopen');
is($r->{code}, 1, 'banterctl reopen tells that it failed');
rmdir $file;
my $c = $b->client;
my $want = $c->local_port;
ok((wait_until { slurp("$file.kept") =~ /port=$want\b/ }), '... and the old file goes on');
$r = $b->ctl_run('reopen');
is($r->{code}, 0, 'banterctl reopen');

# What a client chooses is quoted and last.
my $evil = 'addr=1.2.3.4';
$c->send("/nick $evil\n");
$c->send("/nick a^port=1\n");
$c->send("/join x[addr=9.9.9.9]\n");
$c->send("/quit \" addr=6.6.6.6 port=6 event=close \\\n");
$c->eof;
my $g = $b->client;
$g->send("/nick addr_1\n/join room\xe2\x80\xa8x\n");
$g->{nick} = 'addr_1';
$g->sync;
$g->send("GET / HTTP/1.1\r\n");
$g->close;
wait_until { $all->() =~ /event=close [^\n]*port=$want\b/ } 5;
for my $line (grep { /event=/ } split /\n/, $all->()) {
	my $bare = $line;
	$bare =~ s/"(?:[^"\\]|\\.)*"//g;
	my @addr = $bare =~ /\baddr=(\S+)/g;
	if (@addr != 1 || $addr[0] !~ /^(?:127\.0\.0\.1|::1|local)$/) {
		fail("forged: $line");
		last;
	}
	fail("not last: $line"), last if $line =~ /"\s+\w+=[^"]/ && $line !~ /"\s+(?:nick|room|text|reason|seen)="/;
}
unlike($all->(), qr/^[^"]*addr=(?:1\.2\.3\.4|6\.6\.6\.6|9\.9\.9\.9)/m, 'no client forges an address');
unlike($all->(), qr/[\x00-\x09\x0b-\x1f\x7f]/, 'no control character is in the log');

# What clients can cause is limited.
my $size = length $all->();
my $bad = $b->load('-n', 10, '--bad', 5, 300);
$b->client(greet => 0)->send("GET / HTTP/1.1\r\n\r\n") for 1 .. 200;
$b->client->sync;
my $lines = () = substr($all->(), $size) =~ /event=malformed/g;
cmp_ok($lines, '<', 150, "200 malformed clients cause $lines lines");
$b->expect_log(qr/./);
$b->stop_ok;
my @bad = grep { /^\S+ [\w ]+\[\d+\] error: / && !/cannot be opened again/ }
	split /\n/, $all->();
is(scalar @bad, 0, 'no error was logged') or diag "@bad";
done_testing;
