#!/usr/bin/perl
# sources.am names every file: script/sources was run after the last was added.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";

open my $in, '<', 'sources.am' or die "sources.am: $!";
my $is = do { local $/; <$in> };
my $should = `perl script/sources --print`;
my %is = map { $_ => 1 } split /\n/, $is;
my %should = map { $_ => 1 } split /\n/, $should;
is_deeply([grep { !$is{$_} } sort keys %should], [], 'nothing is missing');
is_deeply([grep { !$should{$_} } sort keys %is], [], 'nothing is left over');
ok($is eq $should, 'sources.am is what script/sources writes') or diag 'run script/sources';
done_testing;
