# The engine io_uring: what its ring has taken from the sockets outlives the
# worker, and where it is refused epoll is used.  That everything else holds too
# is seen with BANTER_TEST_ENGINE=io_uring.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until has_uring);
use Banter::Trial;

my @uring = (set => { engine => 'io_uring' });

my $b = Banter->start(workers => 1, @uring);
my $engine = $b->slot_engines->{1};
if ($engine =~ /not implemented/ && has_uring()) {
	$b->expect_log(qr/"io_uring" is refused \(this build is without liburing: /);
	ok($b->client, 'a build without liburing serves with epoll');
	$b->stop_ok;
	done_testing;
	exit;
}
$b->expect_log(qr/"io_uring" is refused/) unless has_uring();
is($engine =~ /refused/ ? 0 : 1, has_uring(), "the engine is used if there is one: $engine");
$b->stop_ok;

# Refused by a filter of system calls.
SKIP: {
	skip 'the filter is written for x86-64', 4 if `uname -m` ne "x86_64\n";
	local $ENV{BANTER_TEST_WRAP} = "$^X $FindBin::Bin/lib/no-uring.pl";
	my $b = Banter->start(workers => 2, @uring);
	$b->expect_log(qr/warning: .*"io_uring" is refused \(io_uring_setup: Operation not permitted\), "epoll" is used/);
	my ($a, $c) = ($b->client(worker => 1), $b->client(worker => 2));
	ok($a && $c, 'where the kernel refuses io_uring, clients are served');
	$a->send("hello\n");
	ok($c->expect(qr/> hello$/), '... and talk');
	is($b->slot_engines->{1}, 'epoll (io_uring refused: Operation not permitted)', '... and the status says why');
	$b->stop_ok;
}
unless (has_uring()) {
	done_testing;
	exit;
}

# What the ring of a parked worker has taken is for whatever engine comes next.
{
	my $b = Banter->start(workers => 2, @uring, limits => { rate => 0, clients_per_ip => 0 });
	my $load = $b->load_steady(60, '-P', 20, '-r', 3, '--rate', 60, '-s', 100, '-t', 60);
	for my $next ('epoll', 'io_uring', 'poll', 'io_uring', 'io_uring') {
		$b->configure(set => { engine => $next });
		$b->reload_ok;
		is($b->ctl_run('upgrade')->{code}, 0, "an upgrade to $next under load");
		is($b->slot_engines->{1}, $next, '... and it is in force');
	}
	Banter::load_clean(Banter::load_end($load, 60), 'nothing is lost or doubled by any');
	$b->stop_ok;
}

SKIP: {
	skip 'not a test build', 1 unless `@{[ Banter::banterd() ]} -V` =~ /test build/;
	my $unseen = sub {
		my ($rules, $name, %o) = @_;
		my $t = Banter::Trial->run($rules, @uring, %o);
		my $deaths = $o{deaths} // 1;
		ok(@{ $t->{struck} } >= $t->{n_rules} && $t->{deaths} == $deaths && $t->{ready}
			&& $t->harm eq '' && $t->{code} eq '0' && !$t->{left}, "$name: nobody sees it")
			or diag($t->text);
		return $t;
	};
	$unseen->('io_received:kill:300', 'killed with a completion in hand');
	$unseen->('uring_copied:kill:300', 'killed with a buffer copied, not noted');
	$unseen->('input_noted:kill:300', 'killed with it noted');
	$unseen->('input_handled:kill:1500', 'killed with a line handled, not committed');
	$unseen->('uring_handled:kill:300', 'killed with its completion still there');
	$unseen->('uring_copied:kill:300,uring_harvest:kill:1', 'killed again in the harvest', deaths => 2);
	$unseen->('uring_copied:kill:300,uring_copied:kill:301,uring_handled:kill:302',
		'killed again by what was harvested', deaths => 3);
	$unseen->('io_sent:kill:2000,recover_harvested:kill:1', 'killed behind the harvest', deaths => 2);
	$unseen->('io_sent:kill:1500,io_sent:kill:2001,io_sent:kill:2502',
		'killed with a group of sends out, not noted', deaths => 3);
	# A master that stands still reads no bus.
	$unseen->('input_kept:kill:1', 'killed with input that came while the bus was full', act => sub {
		my ($b, $trial) = @_;
		kill 'STOP', $b->{pid};
		wait_until { scalar $trial->{fault}->strikes } 15;
		kill 'CONT', $b->{pid};
	});
	$unseen->('io_recv_length:short:200+', 'input byte by byte', deaths => 0);
	$unseen->('io_send:ENOBUFS:2000,io_send_length:half:2100', 'short sends', deaths => 0);
	$unseen->('uring_wait:EINTR:500,uring_wait:EBUSY:700', 'a wait that fails', deaths => 0);
	my $t = $unseen->('uring_setup:ENOMEM:2', 'a ring that a worker does not get', deaths => 0);
	like($t->{log}, qr/"io_uring" is refused \(io_uring_setup: Cannot allocate memory\)/, '... is logged');
}
done_testing;
