# A hundred reloads under load, each after the answer to the one before, with
# valid and broken files in turn; then a hundred in a burst.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(pss_kb n_fds wait_until slurp);

my $b = Banter->start(workers => 2, limits => { rate => 0, clients_per_ip => 0 },
	expect_log => [qr/reload|configuration|:\d+: /i]);
my $ann = $b->client;
my @pids = ($b->master_pid, $b->keeper_pids, $b->worker_pids);
my $load = $b->load_start('-n', 60, '-P', 6, '-m', 6000, '--rate', 200, '--numbered', '-t', 60);
Banter::load_wait($load, qr/^RUNNING/m);
sub answered { return $b->status('reloads') + $b->status('reloads_failed') }

my (%kb, @unreported);
for my $i (1 .. 100) {
	my ($before, $log) = (answered(), length $b->log_text);
	my $line;
	$b->configure(limits => { line_bytes => 1000 + $i });
	if ($i % 2 == 0) {
		my $text = slurp($b->{conf});
		$line = 1 + ($text =~ tr/\n//);
		open my $out, '>>', $b->{conf} or die;
		print $out "no_such_key_$i = 1\n";
		close $out;
	}
	$b->signal('HUP');
	wait_until { answered() > $before } or fail "HUP $i was not answered";
	push @unreported, $i if $line
		&& substr($b->log_text, $log) !~ /\Q$b->{conf}\E:$line: .*no_such_key_$i/;
	%kb = map { $_ => pss_kb($_) } @pids if $i == 10;
}
is(scalar @unreported, 0, 'each broken file is reported with file and line') or diag "@unreported";
is($b->status('reloads_failed'), 50, '50 were refused');

for my $i (1 .. 100) {
	$b->configure(limits => { line_bytes => 2000 + $i });
	$b->signal('HUP');
}
ok((wait_until { $ann->send("/limits\n"); my $l = $ann->expect(qr/line_bytes/) || ''; $l =~ /\b2100\b/ }),
	'after a burst of 100 the last file wins');
my $s = Banter::load_end($load, 120);
is($s->{code}, 0, 'nobody was disconnected and nothing lost meanwhile') or diag $s->{text};
my @fds = map { n_fds($_) } @pids;
$b->reload_ok for 1 .. 10;
is_deeply([ map { n_fds($_) } @pids ], \@fds, 'descriptors are the same');
my $grown = 0;
wait_until { $grown = 0; $grown += pss_kb($_) - $kb{$_} for @pids; $grown <= 64 } 10;
diag "PSS of all processes: $grown KiB more than after the tenth";
cmp_ok($grown, '<=', 64, 'PSS is within 64 KiB of that after the tenth');
is_deeply([ $b->master_pid, $b->keeper_pids, $b->worker_pids ], \@pids, 'no process was replaced');
ok($ann->is_open, 'a client that was there before is there still');
$b->stop_ok;
done_testing;
