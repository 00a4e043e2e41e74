# Banter::Trial - one fault under load: what did the clients see of it?
#
#	my $t = Banter::Trial->run('io_sent:kill:50');
#	$t->{struck}, $t->{harm}, ...
#
# The load talks, comes and goes, is exact, and goes on until the fault has
# struck and every slot is ready again.  Result:
#
#	struck      strikes, in their order, as "point action role slot"
#	ready       both slots were ready in the end, and a new client was served
#	disconnects lost duplicated disordered damaged refused
#	            over all clients
#	deaths, takeovers, suspects, given_up, skipped
#	            of workers, as the log has them
#	left        processes that outlived the daemon
#	code        its exit code
#
# SPDX-License-Identifier: MIT
package Banter::Trial;

use strict;
use warnings;
use Time::HiRes qw(time);

use Banter;
use Banter::Fault;
use Banter::Proc qw(wait_until alive descendants);

my @HARM = qw(disconnects lost duplicated disordered damaged refused);

# Options: load (more words for banter-load), seconds (to wait for the strike),
# act (called with the daemon when the load stands), until (called likewise, to
# be true before the load ends; without it: all rules have struck),
# master_dies.
sub run
{
	my ($class, $rules, %o) = @_;
	my $b = Banter->prepare(workers => 2, set => { hang_timeout => '1s', %{ $o{set} || {} } },
		limits => { rate => 0 }, expect_log => [qr/./],
		env => { BANTER_TEST_NO_THROTTLE => 1, BANTER_TEST_LINES => 1 });
	my $self = bless { b => $b, rules => $rules, n_rules => scalar split(/,/, $rules),
		fault => Banter::Fault->new($rules, dir => $b->{dir}), o => \%o }, $class;
	$b->{options}{env} = { %{ $b->{options}{env} }, $self->{fault}->env };
	my $start = time;
	$b->launch;
	$self->{came_up} = $b->{ready} ? 1 : 0;
	$self->under_load if $b->{ready};
	$self->finish;
	$self->{seconds} = time - $start;
	return $self;
}

sub struck_all
{
	my ($self) = @_;
	my %due;
	$due{"$1 $2"}++ while $self->{rules} =~ /(\w+):(\w+):/g;
	$due{"$_->{name} $_->{action}"}-- for $self->{fault}->strikes;
	return !grep { $_ > 0 } values %due;
}

sub under_load
{
	my ($self) = @_;
	my ($b, $o) = @$self{qw(b o)};
	my @loads = (
		$b->load_start('-n', 20, '-P', 5, '-r', 2, '--rate', 40, '-s', 100, '-t', 8,
			'--until-eof', '--mixed', 8, @{ $o->{load} || [] }),
		$b->load_start('--churn', 40, '--until-eof', '--rate', 1, '-t', 8));
	$self->{stands} = !grep { !Banter::load_wait($_, qr/^RUNNING/m, 20) } @loads;
	my $burst = Burst->new($b);
	$o->{act}->($b, $self) if $o->{act};
	my $until = $o->{until} || sub { $self->struck_all };
	wait_until { $burst->go_on; $until->($b, $self) } $o->{seconds} || 15;
	if ($o->{master_dies}) {
		$self->{ended} = wait_until { !alive($b->{pid}) };
	} else {
		$self->{ready} = $b->wait_slots(2, 20) ? 1 : 0;
		# What came behind the strike shows that life goes on.
		$burst->go_on for 1 .. 3;
	}
	$burst->finish($o->{master_dies} ? 0.5 : 6);
	$self->{burst} = $burst;
	$self->{summary} = [ map { Banter::load_end($_, 30) } @loads ];
}

sub finish
{
	my ($self) = @_;
	my $b = $self->{b};
	my @strikes = $self->{fault}->strikes;
	$self->{struck} = [ map { "$_->{name} $_->{action} $_->{role} $_->{slot}" } @strikes ];
	# Whoever writes to one that was closed is told that there is no such nick.
	for my $s (@{ $self->{summary} || [] }) {
		$s->{refused} = 0 if $s->{disconnects};
	}
	for my $what (@HARM) {
		$self->{$what} = 0;
		$self->{$what} += $_->{$what} || 0 for @{ $self->{summary} || [] }, $self->{burst} || ();
	}
	if ($self->{ready}) {
		my $c = $b->client;
		$self->{ready} = 0 unless $c && $c->sync;
		$c->close if $c;
	}
	my @pids = ($b->{pid}, descendants($b->{pid}));
	$b->signal('TERM') if alive($b->{pid});
	my $status = $b->wait_end;
	$self->{code} = !defined $status ? 'hangs' : $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
	wait_until { !grep { alive($_) } @pids } 4;
	$self->{left} = grep { alive($_) } @pids;
	kill 'KILL', grep { alive($_) } @pids;
	$b->{stopped} = 1;
	my $log = $self->{log} = $b->log_text;
	$self->{deaths} = () = $log =~ /error: worker \d+ \(pid \d+, generation \d+\) /g;
	$self->{takeovers} = () = $log =~ / took over \d+ clients/g;
	$self->{suspects} = () = $log =~ /event=suspect/g;
	$self->{given_up} = () = $log =~ /slot \d+ is given up/g;
	$self->{skipped} = () = $log =~ /it is not shown/g;
}

# What the clients were not to see: "lost=3 ...", or ''.
sub harm
{
	my ($self) = @_;
	return join ' ', map { $self->{$_} ? "$_=$self->{$_}" : () } @HARM;
}

# One line for people.
sub text
{
	my ($self) = @_;
	my $rules = length $self->{rules} < 60 ? $self->{rules} : substr($self->{rules}, 0, 50) . '...';
	return sprintf '%-34s %s; deaths=%d takeovers=%d%s%s%s%s; %s; exit %s%s; %.1fs',
		$rules, @{ $self->{struck} } ? 'struck ' . @{ $self->{struck} } . 'x' : 'NOT REACHED',
		$self->{deaths}, $self->{takeovers},
		(map { $self->{$_} ? " $_=$self->{$_}" : '' } qw(suspects given_up skipped)),
		$self->{ready} ? '' : ' NOT READY', $self->harm || 'no harm', $self->{code},
		$self->{left} ? " $self->{left} LEFT" : '', $self->{seconds};
}

# A pair in a room of its own: many lines at once, questions between them, so
# that queues grow and input is held back.  It counts as the load does.
package Burst;

use Time::HiRes qw(time);

sub new
{
	my ($class, $b) = @_;
	my $self = bless { b => $b, visits => [], turns => 0, sent => 0, got => 0, map { $_ => 0 } @HARM }, $class;
	$self->{from} = $b->client;
	$self->{to} = $b->client;
	for my $c (@$self{qw(from to)}) {
		next if $c && $c->send("/join burst\n") && $c->expect(qr/^\* In burst/);
		$self->{refused}++;
		$self->{off} = 1;
	}
	return $self;
}

sub go_on
{
	my ($self) = @_;
	return if $self->{off};
	$self->visit unless $self->{turns}++ % 8;
	if ($self->{sent} - $self->{got} < 200) {
		my $lines = join '', map { "burst " . ++$self->{sent} . "\n" . ($_ % 10 ? '' : "/who burst\n") } 1 .. 30;
		$self->{from}->send($lines);
	}
	1 while $self->{from}->fill(0);
	1 while $self->{to}->fill(0);
	$self->look;
}

# One says goodbye, one leaves a line without its end, one at a time.
sub visit
{
	my ($self) = @_;
	for my $text ("/quit\n", "/join burst\nunfinished") {
		my $c = $self->{b}->client(greet => 0) or next;
		$c->send($text);
		$c->half_close if $text =~ /ed$/;
		push @{ $self->{visits} }, $c;
	}
	$_->fill(0) for @{ $self->{visits} };
	@{ $self->{visits} } = grep { !$_->{ended} } @{ $self->{visits} };
}

sub look
{
	my ($self) = @_;
	while (defined(my $line = shift @{ $self->{from}{lines} })) {
		$self->{answers}++ if $line =~ /^\* In burst \(\d+\): /;
	}
	while (defined(my $line = shift @{ $self->{to}{lines} })) {
		$line =~ /> burst (.*)$/ or next;
		my $n = $1;
		$n =~ /^\d+$/ or $self->{damaged}++, next;
		$self->{duplicated}++, next if $n <= $self->{got};
		$self->{lost} += $n - $self->{got} - 1;
		$self->{got} = $n;
	}
	for my $c (@$self{qw(from to)}) {
		next unless $c->{ended} && !$c->{counted}++;
		$self->{disconnects}++;
		$self->{off} = 1;
	}
}

sub finish
{
	my ($self, $seconds) = @_;
	my $deadline = time + $seconds;
	while (!$self->{off} && $self->{got} < $self->{sent} && time < $deadline) {
		$self->{to}->fill(0.1);
		1 while $self->{from}->fill(0);
		$self->look;
	}
	while (!$self->{off} && ($self->{answers} || 0) < int($self->{sent} / 10) && time < $deadline) {
		$self->{from}->fill(0.1);
		$self->look;
	}
	if (!$self->{off}) {
		$self->{lost} += $self->{sent} - $self->{got};
		my $more = ($self->{answers} || 0) - int($self->{sent} / 10);
		$self->{ $more > 0 ? 'duplicated' : 'lost' } += abs $more;
	}
	$_ && $_->close for @$self{qw(from to)}, @{ $self->{visits} };
}

1;
