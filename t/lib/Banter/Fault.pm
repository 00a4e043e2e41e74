# Banter::Fault - the points at which a test build makes something go wrong.
#
#	my $f = Banter::Fault->new('io_sent:kill:3@1', dir => $dir);
#	Banter->start(env => { $f->env }, ...);
#	$f->wait_strike;
#
# SPDX-License-Identifier: MIT
package Banter::Fault;

use strict;
use warnings;
use Cwd ();
use File::Basename ();

use Banter::Proc qw(slurp wait_until);

my $TOP = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');

# The table of fault_points.h: {name, who, kind, file, what}, in its order.
sub points
{
	my $text = slurp("$TOP/src/base/fault_points.h");
	$text =~ s{/\*.*?\*/}{}gs;
	my @points;
	while ($text =~ /^X\((\w+), (\w+), (\w+), "([^"]*)", "([^"]*)"\)/mg) {
		push @points, { name => $1, who => $2, kind => $3, file => $4,
			what => $5 };
	}
	return @points;
}

# Rules, as BANTER_FAULT has them; what strikes and what is passed is kept in
# files of a folder.
sub new
{
	my ($class, $rules, %o) = @_;
	return bless { rules => $rules, report => "$o{dir}/fault-report",
		counts => "$o{dir}/fault-counts" }, $class;
}

sub env
{
	my ($self) = @_;
	return (($self->{rules} ? (BANTER_FAULT => $self->{rules}) : ()),
		BANTER_FAULT_REPORT => $self->{report},
		BANTER_FAULT_COUNTS => $self->{counts});
}

# What has struck: {name, pid, action, role, slot}.
sub strikes
{
	my ($self) = @_;
	return map { my %s; @s{qw(name pid action role slot)} = split ' '; \%s }
		map { /^([^\0]+)\n/ } unpack '(a128)*', slurp($self->{report});
}

sub wait_strike
{
	my ($self, $seconds) = @_;
	return wait_until { scalar(my @s = $self->strikes) } $seconds;
}

# How often each point was passed: name => number.
sub passed
{
	my ($self) = @_;
	my @n = unpack 'Q*', slurp($self->{counts});
	return map { $_->{name} => shift(@n) || 0 } points();
}

1;
