#!/usr/bin/perl
# no-uring.pl PROGRAM ARGUMENT... - run it under a filter of system calls, as a
# container or a unit may have one, that refuses io_uring_setup() with EPERM.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;

my ($prctl, $setup) = (157, 425); # x86-64; of all machines the second
my ($no_new_privs, $seccomp, $filter) = (38, 22, 2);
my $code = join '', map { pack 'SCCL', @$_ } (
	[ 0x20, 0, 0, 0 ],                # load the number
	[ 0x15, 0, 1, $setup ],           # is it that one?
	[ 0x06, 0, 0, 0x00050000 | 1 ],   # EPERM
	[ 0x06, 0, 0, 0x7fff0000 ]);      # allow
my $program = pack 'Sx![p]p', length($code) / 8, $code;

exit 77 if `uname -m` ne "x86_64\n";
syscall($prctl, $no_new_privs, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
syscall($prctl, $seccomp, $filter, $program, 0, 0) == 0 or die "seccomp: $!\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
