# The text protocol as people meet it: greeting, commands, errors, names, and
# input that is not what it should be.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Proc qw(wait_until);

my $motd = File::Temp->new;
print $motd "First line of the day\nSecond line\n";
close $motd;
chmod 0644, "$motd";
my $b = Banter->start(workers => 2, limits => { rate => 0 },
	set => { motd => "$motd", name => 'testhouse' },
	room => { lobby => { topic => 'Be kind', autojoin => 'true' } });

# First contact.
my $ann = $b->client(greet => 0);
like($ann->next_line, qr/^\* Welcome to testhouse\. You are guest\d+\.$/, 'the welcome comes first');
is($ann->next_line, '* First line of the day', 'the motd follows, line by line');
is($ann->next_line, '* Second line', '... all of it');
like($ann->next_line, qr/^\* In lobby\b/, 'the room one is in');
my $rest = $ann->lines_until(qr{^\* Type to talk\. /nick NAME, /help, /quit\.$});
ok($rest, 'what to do');
ok((grep { /Be kind/ } @{ $ann->{seen} }), 'the topic is told on joining');
unlike($ann->bytes, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'not one control character but LF');

$ann->send("/nick ann\n");
ok($ann->expect(qr/^\* .*\bann\b/), '/nick takes a name');
$ann->{nick} = 'ann';
my $bob = $b->client;
ok((grep { /^\* In lobby with 1 other: ann\b/ } @{ $bob->{seen} }),
	'the second is told who is there') or diag explain $bob->{seen};
ok($ann->expect(qr/^\* \Q$bob->{nick}\E has joined\b.*lobby/),
	'the first is told who joined');
$bob->send("/nick bob\n");
ok($ann->expect(qr/^\* guest\d+ .*\bbob\b/), 'a change of nick is told to the room');
$bob->{nick} = 'bob';

# Talk.
$bob->send("hi there\n");
ok($ann->expect(qr/^\[lobby\] <bob> hi there$/), 'a line is a message');
$bob->send("/me waves\n");
ok($ann->expect(qr/^\[lobby\] \* bob waves$/), '/me');
$bob->send("//shrug\n");
ok($ann->expect(qr{^\[lobby\] <bob> /shrug$}), '//x says /x');
$bob->send("/msg ann psst\n");
ok($ann->expect(qr/^\[private\] <bob> psst$/), '/msg to its receiver');
ok($bob->expect(qr/^\* to ann: psst$/), '/msg to its sender');
$bob->send("\n\n\r\n\n");
$bob->send("after\n");
ok($ann->nothing_until(qr/^\[lobby\] <bob> after$/), 'an empty line does nothing');
is_deeply($bob->lines, [], 'a sender does not get its own message');
$bob->send("  two blanks\n");
ok($ann->expect(qr/^\[lobby\] <bob>   two blanks$/), 'blanks at the start are kept');

# Commands.
$ann->send("/help\n");
my $help = $ann->lines;
cmp_ok(scalar @$help, '<=', 24, '/help fits 24 lines');
for my $command (qw(help nick join part rooms who msg me topic echo time limits quit)) {
	ok((grep { m{^\* .*/$command\b} } @$help), "/help names /$command");
	$ann->send("/help $command\n");
	ok((grep { m{/$command\b} } @{ $ann->lines }), "/help $command tells its use");
}
cmp_ok(scalar(grep { length > 79 } @$help), '==', 0, '... in 79 columns');
$ann->send("/who\n");
ok((grep { /\bann\b.*\bbob\b|\bbob\b.*\bann\b/ } @{ $ann->lines }), '/who');
$ann->send("/rooms\n");
ok((grep { /\blobby\b/ } @{ $ann->lines }), '/rooms');
$ann->send("/topic News of today\n");
ok($ann->expect(qr/^\* .*News of today/), '/topic sets it');
ok($bob->expect(qr/^\* .*ann.*News of today/), '... and the room is told by whom');
$ann->send("/topic\n");
ok($ann->expect(qr/^\* .*News of today/), '/topic tells it');
$ann->send("/topic -\n");
ok($bob->expect(qr/^\* ann\b.*topic/), '/topic - removes it');
$ann->send("/limits\n");
my $limits = join "\n", @{ $ann->lines };
like($limits, qr/\b$_\b/, "/limits tells $_") for qw(line_bytes rate rooms_per_client);
$ann->send("/echo on\n");
ok($ann->expect(qr/^\* .*\becho\b.*\bon\b/i), '/echo on');
$ann->send("myself\n");
ok($ann->expect(qr/^\[lobby\] <ann> myself$/), 'then one reads oneself');
$ann->send("/echo off\n");
ok($ann->expect(qr/^\* .*\boff\b/i), '/echo off');
$ann->send("/time on\n");
ok($ann->expect(qr/\* Time is on\b/), '/time on');
my ($h, $m) = (gmtime)[2, 1];
$bob->send("late\n");
my $line = $ann->expect(qr/late$/);
like($line, qr/^\d\d:\d\d:\d\d \[lobby\] <bob> late$/, '... puts the time first');
my ($lh, $lm) = $line =~ /^(\d\d):(\d\d)/;
ok(abs(($lh * 60 + $lm) - ($h * 60 + $m)) <= 1, '... and it is UTC');
$ann->send("/time off\n");
ok($ann->expect(qr/\* .*\boff\b/i), '/time off');
$ann->send("/join den\n");
ok($ann->expect(qr/^\* In den\b/), '/join makes a room');
$bob->send("/join #den\n");
ok($bob->expect(qr/^\* In den with 1 other: ann/), '"#den" means "den"');
$bob->send("deep\n");
ok($ann->expect(qr/^\[den\] <bob> deep$/), 'joining makes it current');
$bob->send("/part\n");
ok($ann->expect(qr/^\* bob has left\b.*den/), '/part is told');
$bob->send("/who lobby\n"); $bob->sync;
$bob->send("back\n");
ok($ann->expect(qr/^\[lobby\] <bob> back$/), 'parting goes back to the room before');
$ann->send("/part den\n");
$ann->sync;
$ann->send("/NICK ANN\n");
ok($ann->expect(qr/^\* .*\bANN\b/), 'commands in any case; one may change the case of its nick');
$ann->send("/nick ann\n"); $ann->sync;

# Refusals: what, and what would be right.
for my $case (["/bogus\n", qr{/bogus.*/help}, 'unknown command'],
	["/bogus secret text\n", qr{/bogus}, 'unknown command with words'],
	["/nick bob\n", qr/bob.*(?:use|taken)/, 'nick in use'],
	["/nick BOB\n", qr/BOB.*(?:use|taken)/, 'nick in use in another case'],
	["/nick \xef\xbc\xa2ob\n", qr/(?:use|taken)/, 'nick in use by NFKC'],
	["/nick guest77\n", qr/guest77/, 'nick reserved: guestN'],
	["/nick server\n", qr/server/, 'nick reserved: server'],
	["/nick Private\n", qr/Private/, 'nick reserved: private'],
	["/nick 9lives\n", qr/9lives/, 'nick that begins with a digit'],
	["/nick -x\n", qr/-x/, 'nick that begins with a dash'],
	["/nick a<b\n", qr/a<b/, 'nick with a wrong character'],
	["/nick " . 'n' x 33 . "\n", qr/32/, 'nick too long, naming the limit'],
	["/nick a\xe2\x80\xaeb\n", qr/./, 'nick with a bidi control'],
	["/join\n", qr{/join}, 'join without a room'],
	["/join a,b\n", qr/a,b/, 'join of a bad name'],
	["/join " . 'r' x 33 . "\n", qr/32/, 'join of a name too long'],
	["/part nowhere\n", qr/nowhere/, 'part from where one is not'],
	["/who nowhere\n", qr/nowhere/, 'who is in no such room'],
	["/msg\n", qr{/msg}, 'msg without a receiver'],
	["/msg nobody hi\n", qr/nobody/, 'msg to nobody'],
	["/msg bob\n", qr{/msg}, 'msg without text'],
	["/me\n", qr{/me}, 'me without text'],
	["/echo perhaps\n", qr{/echo}, 'echo without sense'],
	["/help nothing\n", qr/nothing/, 'help for no command'],
	["/join lobby\n", qr/lobby/, 'join of the room one is in']) {
	my ($send, $says, $name) = @$case;
	$ann->send($send);
	my $lines = $ann->lines;
	ok(1 == grep({ /^\* / } @$lines), "$name: one line") or diag explain $lines;
	like($lines->[0], qr/^\* error: \S/, "$name: is an error")
		unless $name =~ /the room one is in/;
	like($lines->[0], $says, "$name: says what");
}
my $heard = $bob->lines;
ok(!grep({ /secret|error/ } @$heard), 'nothing of a refused line reached the room')
	or diag explain $heard;

# Names of any script.
my $zoe = $b->client;
$zoe->send("/nick Zo\xc3\xab\n");
ok($zoe->expect(qr/Zo\xc3\xab/), 'a nick with a diaeresis');
$zoe->{nick} = "Zo\xc3\xab";
$ann->send("/nick zo\xc3\x8b\n");
ok($ann->expect(qr/^\* error: /), '... is taken in any case');
$ann->send("/nick zoe\xcc\x88\n");
ok($ann->expect(qr/^\* error: /), '... and decomposed');
$zoe->send("/nick \xe5\xb1\xb1\xe7\x94\xb0\n");
ok($zoe->expect(qr/\xe5\xb1\xb1\xe7\x94\xb0/), 'a nick in Kanji');
$zoe->{nick} = "\xe5\xb1\xb1\xe7\x94\xb0";
$ann->sync;

# Nobody steers somebody else's terminal or forges a line of the server.
for my $case (["a\x1b[2Jb", 'an escape sequence'], ["a\x07b", 'a bell'],
	["a\x9bb", 'C1 as a byte'], ["a\xc2\x9b31mb", 'C1 as UTF-8'],
	["a\xe2\x80\xaeb", 'right-to-left override'], ["a\xe2\x81\xa6b", 'an isolate'],
	["a\xe2\x80\x8bb", 'zero width'], ["a\xe2\x80\xa8b", 'line separator'],
	["a\xe2\x80\xa9b", 'paragraph separator'], ["a\rb", 'a CR in the line'],
	["a\x0bb\x0c", 'VT and FF'], ["a\x00b", 'NUL'], ["a\xef\xbb\xbfb", 'BOM in the line']) {
	my ($text, $name) = @$case;
	$bob->send("$text\n");
	$bob->send("mark $name\n");
	my $lines = $ann->lines_until(qr/mark \Q$name\E$/);
	is(scalar @$lines, 1, "$name: one line") or diag explain $lines;
	my $got = $lines->[0] || '';
	like($got, qr/^\[lobby\] <bob> a.*b/s, "$name: shown as bob's");
	unlike($got, qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf/,
		"$name: shown as something visible");
	ok(utf8::decode(my $copy = $got), "$name: valid UTF-8");
}
$bob->send("* error: you are banned\n");
ok($ann->expect(qr/^\[lobby\] <bob> \* error: you are banned$/),
	'a forged notice stays a message');
$bob->send("/me \n* server: forged\n");
ok($ann->expect(qr/^\[lobby\] <bob> \* server: forged$/), 'likewise after a half command');

# Bytes.
for my $case (["\xc3\x28", 'a broken sequence'], ["\xed\xa0\x80", 'a surrogate'],
	["\xf4\x90\x80\x80", 'beyond U+10FFFF'], ["\xc0\xaf", 'an overlong slash']) {
	$bob->send("x$case->[0]y\n");
	ok($ann->expect(qr/^\[lobby\] <bob> x(?:\xef\xbf\xbd)+\(?y$/),
		"$case->[1] becomes U+FFFD");
}
$bob->send("caf\xc3");
$bob->send("\xa9\n");
ok($ann->expect(qr/caf\xc3\xa9$/), 'a character cut in two is whole again');
my $bom = $b->client(greet => 0);
$bom->send("\xef\xbb\xbfbom first\n");
ok($ann->expect(qr/> bom first$/), 'a BOM at the start is dropped');
my $crlf = $b->client;
$crlf->send("/nick crlf\r\n");
my $got = $crlf->expect(qr/crlf/);
$crlf->{nick} = 'crlf';
$bob->send("to the one with CR\n");
is($crlf->expect(qr/one with CR/), "[lobby] <bob> to the one with CR\r",
	'who sends CR LF gets CR LF');
ok($ann->expect(qr/one with CR$/), 'the others do not');
$crlf->send("from CR\r\n");
ok($ann->expect(qr/^\[lobby\] <crlf> from CR$/), 'and the CR is no part of a message');
$bob->send("ab\x08c\x7f\x7fxyz\n");
ok($ann->expect(qr/^\[lobby\] <bob> xyz$/), 'BS and DEL erase');
$bob->send("\xc3\xa9\x08e\n");
ok($ann->expect(qr/^\[lobby\] <bob> e$/), '... whole characters');
$bob->send("\x08\x08\x7fnothing to erase\n");
ok($ann->expect(qr/^\[lobby\] <bob> nothing to erase$/), '... and never more than there is');

# A line at the limit and one beyond.
my $max = 'm' x 4095;
$bob->send("$max\n");
ok($ann->expect(qr/^\[lobby\] <bob> m{4095}$/), 'a line of the limit with its newline passes');
$bob->sync; # what was refused before is told before
$bob->send('o' x 100_000);
$bob->send("\nnext\n");
$line = $bob->expect(qr/^\* error: /);
like($line, qr/4096/, 'a line too long is refused, naming the limit');
ok($ann->nothing_until(qr/^\[lobby\] <bob> next$/), 'nothing of it is shown; the next line is');
is_deeply([ grep { /error/ } @{ $bob->lines } ], [], 'it is refused once');

# The end.
for my $case (['exit', "exit\n"], ['/quit', "/quit\n"], ['/quit with reason', "/quit so long\n"],
	['exit with CR', "exit\r\n"]) {
	my $c = $b->client;
	my $nick = $c->nick;
	$c->send($case->[1]);
	ok($c->eof, "$case->[0] closes");
	like($ann->expect(qr/\b\Q$nick\E has left/), qr/^\* \Q$nick\E has left.*/, '... and is told');
}
$bob->send(" exit\n");
ok($ann->expect(qr/^\[lobby\] <bob>  exit$/), '" exit" is a message');
my $c = $b->client;
$c->send("/quit see you in [lobby]\n");
like($ann->expect(qr/has left/), qr/see you in/, 'the reason of /quit is shown');

# Half-close: the rest counts as a line, the answer is flushed.
$c = $b->client;
$c->send("half a line");
$c->half_close;
ok($ann->expect(qr/> half a line$/), 'the rest before FIN counts as a line');
ok($c->eof, 'and the connection closes');
SKIP: {
	my ($nc) = grep { -x } map { "$_/nc" } split /:/, $ENV{PATH};
	skip 'no nc(1)', 3 unless $nc;
	my $r = Banter::Ctl::run("hi from nc\n", 'sh', '-c',
		"exec $nc -N 127.0.0.1 " . $b->port);
	is($r->{code}, 0, "printf 'hi\\n' | nc -N: exit 0");
	like($r->{out}, qr/^\* Welcome to testhouse/, '... is greeted');
	ok($ann->expect(qr/> hi from nc$/), '... and heard');
}

# Other protocols.
$b->expect_log(qr/event=malformed/);
for my $case (['HTTP', "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
	['HTTP', "POST /x HTTP/1.0\r\n\r\n"],
	['TLS', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\x00" x 40]) {
	my $c = $b->client;
	my $nick = $c->nick;
	my $from = length $b->log_text;
	$c->send($case->[1]);
	like($c->expect(qr/^\* error: /) // '', qr/$case->[0]/, "$case->[0] gets one line that names it");
	ok($c->eof, '... and the close');
	$b->log_like(qr/event=malformed addr=127\.0\.0\.1 port=\d+.*/, '... and a log entry', $from);
	ok($ann->expect(qr/\Q$nick\E has left/), '... and nothing else is said in the room');
}
$c = $b->client;
$c->send("ordinary\nGET / HTTP/1.1\n");
ok($ann->expect(qr{> GET / HTTP/1\.1$}), 'later in a conversation it is a message');

# Nobody sees another's address.
unlike($ann->bytes . $bob->bytes, qr/127\.0\.0\.1/, 'no address was shown to anybody');

# What happened was counted.
cmp_ok($b->metric('too_long'), '==', 1, 'metrics: too_long');
cmp_ok($b->metric('malformed'), '==', 3, 'metrics: malformed');
cmp_ok($b->metric('refused_requests'), '>=', 20, 'metrics: refused_requests');
cmp_ok($b->metric('lines_in'), '>', 100, 'metrics: lines_in');
$b->stop_ok;
done_testing;
