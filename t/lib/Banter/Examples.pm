# Banter::Examples - what the manual pages and the READMEs show, as it is typed.
#
#	for my $e (Banter::Examples::of_page('man/banterd.8')) { ... }
#
# An example is { file, line, text, saved }: the text without the marks of mdoc,
# and the name of the file that the sentence before it gives it, if any.
#
# SPDX-License-Identifier: MIT
package Banter::Examples;

use strict;
use warnings;

my %mark = ('\e' => '\\', '\(dq' => '"', '\(aq' => "'", '\-' => '-', '\&' => '');

sub plain
{
	my ($text) = @_;
	$text =~ s/(\\e|\\\(dq|\\\(aq|\\-|\\&)/$mark{$1}/g;
	return $text;
}

sub lines_of
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!";
	return <$in>;
}

# Every display of a page, in its EXAMPLES and elsewhere.
sub of_page
{
	my ($path) = @_;
	my (@found, $display, $saved);
	my $n = 0;
	for my $line (lines_of($path)) {
		$n++;
		if ($display && $line =~ /^\.Ed/) {
			push @found, $display;
			undef $display;
			undef $saved;
		} elsif ($display) {
			$display->{text} .= plain($line);
		} elsif ($line =~ /^\.Bd -literal/) {
			$display = { file => $path, line => $n, text => '', saved => $saved };
		} elsif ($line =~ /^\.Dl (.*\n)/) {
			push @found, { file => $path, line => $n, text => plain($1) };
		} elsif ($line =~ m{^\.Pa (?:\S*/)?(\S+\.conf) :}) {
			$saved = $1;
		} elsif ($line =~ /^\.S[hs]/) {
			undef $saved;
		}
	}
	return @found;
}

# Every block that Markdown shows as it is: indented by four.
sub of_text
{
	my ($path) = @_;
	my (@found, $block);
	my ($n, $empty) = (0, 1);
	for my $line (lines_of($path)) {
		$n++;
		if ($line =~ /^    (.*\n)/ && ($block || $empty)) {
			$block ||= { file => $path, line => $n, text => '' };
			$block->{text} .= $1;
		} elsif ($line =~ /^$/ && $block) {
			$block->{text} .= "\n";
		} elsif ($block) {
			push @found, $block;
			undef $block;
		}
		$empty = $line =~ /^$/;
	}
	push @found, $block if $block;
	$_->{text} =~ s/\n+\z/\n/ for @found;
	return @found;
}

# The commands of a session, with their continuations, and what stands below each.
# { user: '$' or '#', command, below => [lines] }
sub commands
{
	my ($text) = @_;
	my @commands;
	for my $line (split /\n/, $text) {
		my $last = $commands[-1];
		if ($line =~ /^([\$#]) (.*)/) {
			push @commands, { user => $1, command => $2, below => [] };
		} elsif ($last && ($last->{command} =~ /(?:\\|\|)$/ && !@{ $last->{below} })) {
			$last->{command} .= "\n$line";
		} elsif ($last) {
			push @{ $last->{below} }, $line;
		}
	}
	return @commands;
}

1;
