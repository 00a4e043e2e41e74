# The configuration file of each release is still good: an administrator who has
# kept an old one must be able to upgrade.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(slurp);

my $banterd = Banter::banterd();
my $top = Banter::top();
my $p = Banter->prepare;
my $etc = "$p->{dir}/etc";
mkdir $_ or die "$_: $!" for $etc, "$etc/conf.d";

# The user that packages make need not be there.
my ($user, $group) = ((getpwuid $>)[0], (getgrgid $) + 0)[0]);
Banter::write_file("$etc/conf.d/user.conf", qq(user = "$user"\ngroup = "$group"\n)
	. qq(run_dir = "$p->{dir}/run"\nstate_dir = "$p->{dir}/state"\n));

my %file = map { m{([^/]+)\.conf$} ? ($1 => $_) : () }
	glob "$top/t/data/conffiles/*.conf";
my @released = slurp("$top/NEWS") =~ /^(\d[\d.]*) \((?!not yet)/gm;
is_deeply([ grep { !$file{$_} } @released ], [], 'there is the file of each release');

for my $version (sort(keys %file), 'the next') {
	Banter::write_file("$etc/banterd.conf",
		slurp($file{$version} || "$top/etc/banterd.conf"));
	my $r = Banter::Ctl::run(undef, $banterd, '-t', '-c', "$etc/banterd.conf");
	is($r->{code}, 0, "the file of $version is good") or diag($r->{err});
	is($r->{err}, '', 'nothing is said about it') if $version eq 'the next';
}
done_testing;
