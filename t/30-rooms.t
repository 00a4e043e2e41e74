# Rooms and nicks are one, whichever worker serves a client.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;

my $b = Banter->start(workers => 3, limits => { rate => 0, rooms_per_client => 4,
	rooms => 6, topic_bytes => 20 },
	room => { lobby => { autojoin => 'true', topic => 'Welcome' },
		quiet => { topic => 'Shh' }, parrot => { echo => 'true' } });
my ($a, $c, $d) = map { $b->client(worker => $_) } 1 .. 3;
$b->drop_parked;
for ([$a, 'ann'], [$c, 'cat'], [$d, 'dan']) {
	$_->[0]->send("/nick $_->[1]\n");
	ok($_->[0]->expect(qr/\b$_->[1]\b/), "$_->[1] has a nick");
	$_->[0]{nick} = $_->[1];
}
$_->sync for $a, $c, $d;

# One namespace.
$d->send("/nick ANN\n");
ok($d->expect(qr/^\* error: .*ANN/), 'a nick is taken in every worker');
$a->send("/nick anna\n");
ok($c->expect(qr/^\* ann .*\banna\b/), 'a change is seen in another worker');
$d->send("/nick ann\n");
ok($c->expect(qr/^\* dan .*\bann\b/), 'and the old nick is free at once');
$a->{nick} = 'anna';
$d->{nick} = 'ann';

# A room over workers.
$a->send("/join den\n");
ok($a->expect(qr/^\* In den\b/), 'a room is made by joining');
$c->send("/join den\n");
ok($c->expect(qr/^\* In den with 1 other: anna/), 'and found from another worker');
ok($a->expect(qr/^\* cat has joined\b.*\bden/), 'its members are told');
$c->send("one\n");
ok($a->expect(qr/^\[den\] <cat> one$/), 'a message crosses');
$d->sync;
ok(!(grep { /den/ } @{ $d->{seen} }), 'who is not in it hears nothing of it');
$c->send("/topic All about dens\n");
ok($a->expect(qr/^\* cat .*All about dens/), 'a topic crosses');
$d->send("/join DEN\n");
ok($d->expect(qr/^\* In den\b/), 'names are compared without case, shown as made');
ok((grep { /All about dens/ } @{ $d->{seen} }, @{ $d->lines }), 'the topic is told on joining');
$d->send("/who\n");
ok((grep { /anna/ && /cat/ && /\bann\b/ } @{ $d->lines }), '/who over workers');
$d->send("/who lobby\n");
ok((grep { /\blobby\b/ && /anna/ } @{ $d->lines }), '/who of another room');
$d->send("/rooms\n");
my $rooms = join "\n", @{ $d->lines };
like($rooms, qr/\bden\b.*\b3\b/, '/rooms counts members over workers');
like($rooms, qr/\bquiet\b/, '/rooms shows a configured room that is empty');
$d->send("/rooms q\n");
$rooms = join "\n", @{ $d->lines };
like($rooms, qr/\bquiet\b/, '/rooms with a prefix');
unlike($rooms, qr/\bden\b/, '... shows only those');

# Private.
$a->send("/msg CAT hello\n");
ok($c->expect(qr/^\[private\] <anna> hello$/), '/msg crosses, in any case');
$d->sync;
ok(!(grep { /hello/ } @{ $d->{seen} }), 'and is private');
$a->send("/msg $c->{nick} \x1b[31mred\n");
ok($c->expect(qr/^\[private\] <anna> [^\x1b]*red/), 'what is shown steers no terminal');
my $guest = $b->client(worker => 2);
$a->send("/msg $guest->{nick} hi guest\n");
ok($guest->expect(qr/^\[private\] <anna> hi guest$/), 'guests are reached by their name');

# Echo of a room.
$a->send("/join parrot\n"); $a->sync;
$a->send("polly\n");
ok($a->expect(qr/^\[parrot\] <anna> polly$/), 'a room with echo gives it back');
$a->send("/part\n"); $a->sync;

# It vanishes when empty, unless configured.
$_->send("/part den\n") for $a, $c, $d;
$_->sync for $a, $c, $d;
$a->send("/rooms\n");
unlike(join("\n", @{ $a->lines }), qr/\bden\b/, 'an empty room vanishes');
$a->send("/join den\n");
my $joined = $a->expect(qr/^\* In den\b/);
ok(!(grep { /All about dens/ } $joined, @{ $a->lines }), '... and its topic with it');
$a->send("/part den\n"); $a->sync;

# Limits.
$c->send("/join r$_\n") for 1 .. 4;
ok($c->expect(qr/^\* error: .*\b4\b/), 'rooms_per_client: the refusal names the limit');
$d->send("/join s1\n");
ok($d->expect(qr/^\* error: .*\b6\b/), 'rooms: the refusal names the limit');
$c->send("/part r3\n"); $c->sync;
$d->send("/join s1\n");
ok($d->expect(qr/^\* In s1\b/), '... and a room that vanished makes place');
$a->send("/topic " . 't' x 21 . "\n");
ok($a->expect(qr/^\* error: .*\b20\b/), 'topic_bytes: the refusal names the limit');
$a->send("/topic " . 't' x 20 . "\n");
ok($a->expect(qr/^\* .*t{20}/), '... and the limit itself is allowed');

# Who is in no room.
$guest->send("/part lobby\n"); $guest->sync;
$guest->send("to nobody\n");
ok($guest->expect(qr{^\* error: .*/join}), 'speaking in no room is refused, naming /join');

# A connection that breaks leaves everywhere.
$c->abort;
ok($a->expect(qr/^\* cat has left/), 'a reset connection has left');
my $left = $a->lines;
ok(!(grep { /cat has left/ } @$left), 'and is told once to who shares several rooms');
$d->send("/nick cat\n");
ok($d->expect(qr/\bcat\b/), 'its nick is free');

# Rooms that nobody may make.
$b->configure(set => { create_rooms => 'false' });
$b->reload_ok;
$a->send("/join newroom\n");
ok($a->expect(qr/^\* error: .*newroom/), 'create_rooms = false');
$a->send("/join quiet\n");
ok($a->expect(qr/^\* In quiet\b/), '... leaves the configured ones');

my %room = map { $_->{room} => $_ } $b->rows('rooms');
ok($room{quiet} && $room{lobby}, 'banterctl rooms lists them');
is($room{quiet}{members}, 1, '... with their members');
$b->stop_ok;
done_testing;
