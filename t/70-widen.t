# An address is widened to every address, and narrowed again, by reloads: the
# port is the same, and clients stay.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Banter;
use Banter::Proc qw(wait_until);

my $spare = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
my $port = $spare->sockport;
close $spare;

my $b = Banter->start(workers => 2, listen => { text => { port => $port } });
my $ann = $b->client(greet => 'ann');

sub reach
{
	my ($host) = @_;
	return !!IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port);
}

# A connection that each worker has been given.
sub by_every_worker
{
	my ($host) = @_;
	my (%slot, @new);
	wait_until {
		push @new, map { Banter::Client->new(host => $host, port => $port) } 1 .. 4;
		my $by = $b->slots_by_port;
		$slot{ $by->{ $_->local_port } // 0 }++ for grep { $_ } @new;
		$slot{1} && $slot{2} || @new > 60;
	};
	my @slots = grep { $slot{$_} } 1, 2;
	$_->close for @new;
	return "@slots";
}

ok(!reach('127.0.0.2'), 'only one address can be reached');
for my $round (1, 2) {
	$b->configure(listen => { text => { port => $port, address => ['*'] } });
	$b->reload_ok("round $round: widened");
	ok(reach('127.0.0.2'), '... every address can be reached');
	ok(wait_until { by_every_worker('127.0.0.1') eq '1 2' }, '... every worker serves the first');
	is(by_every_worker('127.0.0.2'), '1 2', '... and another');
	ok($ann->sync, '... who was connected stays');

	# The program that steers is attached to the new group, too.
	is($b->ctl_run('drain', '1')->{code}, 0, '... worker 1 is drained');
	is(by_every_worker('127.0.0.2'), '2', '... and given no new clients');
	is($b->ctl_run('undrain', '1')->{code}, 0, '... and taken back');

	$b->configure(listen => { text => { port => $port, address => ['127.0.0.1'] } });
	$b->reload_ok("round $round: narrowed");
	ok(wait_until { !reach('127.0.0.2') }, '... only one address can be reached');
	is(by_every_worker('127.0.0.1'), '1 2', '... by every worker');
	ok($ann->sync, '... who was connected stays');
}

my $other = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.3', LocalPort => $port)
	or die $!;
$b->configure(listen => { text => { port => $port, address => ['*'] } });
is($b->ctl_run('reload')->{code}, 1, 'a port that somebody else has as well: refused');
ok($ann->sync, '... who was connected stays');
close $other;
$b->expect_log(qr/reload/);
$b->stop_ok;
done_testing;
