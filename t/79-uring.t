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
use Banter::Proc qw(wait_until);
use Banter::Trial;

my @uring = (set => { engine => 'io_uring' });

sub engine_of
{
	my ($b, $slot) = @_;
	my ($row) = grep { $_->{slot} == $slot } $b->rows('status');
	return $row->{engine} // 'no such slot';
}

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
	like(engine_of($b, 1), qr/^epoll \(io_uring refused: Operation not permitted\)$/, '... and the status says why');
	$b->drop_parked;
	$b->stop_ok;
}

my $b = Banter->start(workers => 1, @uring);
my $engine = engine_of($b, 1);
if ($engine ne 'io_uring') {
	$b->expect_log(qr/is refused/);
	$b->stop_ok;
	plan skip_all => "io_uring is refused here: $engine" unless Test::More->builder->current_test;
	done_testing;
	exit;
}
pass('this machine has io_uring');
$b->stop_ok;

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
