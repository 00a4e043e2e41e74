#!/usr/bin/perl
# Each file of ours says its licence; those that end up in /etc are the
# administrator's.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use File::Find ();
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

my @files = grep { -f } qw(configure.ac Makefile.am sources.am bootstrap
	.ci/run .clang-tidy .editorconfig);
File::Find::find({ no_chdir => 1, wanted => sub {
	return unless -f;
	push @files, $_ if /\.(?:c|h|t|pm|pl|sh|conf|in|[1-8])$/
		|| m{^script/[^.~]+$};
} }, grep { -d } qw(src t bench man script));

my @bad;
for my $file (sort grep { !m{^t/(?:data|corpus)/} } @files) {
	open my $in, '<', $file or die "$file: $!";
	my $found = grep { /SPDX-License-Identifier: MIT\b/ } <$in>;
	push @bad, $file unless $found;
}
is(join("\n", @bad), '', 'every file has its SPDX line');
cmp_ok(scalar @files, '>', 50, 'files were looked at');
done_testing;
