# What administrators get wrong with a server that runs: banterctl, reloads,
# upgrades.  See Banter::Mistakes.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use Test::More;
use Banter;
use Banter::Mistakes;
use Banter::Proc qw(slurp);

my $b = Banter->start(workers => 1, expect_log => [qr/./]);
name_in(DIR => $b->{dir});
my $socket = "$b->{run_dir}/control.sock";

sub command
{
	my $r = Banter::Ctl::run(undef, @_);
	return { code => $r->{code}, text => $r->{out} . $r->{err} };
}

sub ctl { return command(Banter::banterctl(), '-s', $socket, @_) }

# The words, what is said; the exit code; what the message names.
sub row
{
	my ($what, $words, $code, $about, $says) = @_;
	mistake($what, how => "banterctl @$words", code => $code, about => $about, says => $says,
		got => ctl(@$words));
}

# --- to reach it ------------------------------------------------------------------

my $start = 'expected it to be started, or -s with the control.sock of its run_dir';
mistake('no server', how => 'banterctl -s DIR/none status', code => 3, about => 'DIR/none',
	got => command(Banter::banterctl(), '-s', "$b->{dir}/none", 'status'),
	says => "banterd is not running: nobody listens at DIR/none; $start");
mistake('another file for the socket', how => 'banterctl -s DIR/banterd.conf status', code => 3,
	about => 'DIR/banterd.conf', got => command(Banter::banterctl(), '-s', $b->{conf}, 'status'),
	says => "banterd is not running: nobody listens at DIR/banterd.conf; $start");
mistake('a path too long for a socket', how => 'banterctl -s /xxx... status', code => 64, about => '-s',
	got => command(Banter::banterctl(), '-s', '/' . 'x' x 120, 'status'),
	says => '-s: the path is too long; expected at most 107 bytes');
SKIP: {
	skip 'root is needed to become somebody else', 4 if $>;
	mistake('somebody who may not', how => 'banterctl status; as an ordinary user', code => 77,
		got => command(as_nobody(), Banter::banterctl(), '-s', $socket, 'status'), about => 'DIR/run/control.sock',
		says => 'DIR/run/control.sock: Permission denied; expected root, or a member of the control_group of banterd.conf(5)');
}

# --- the words ------------------------------------------------------------------

my $client = $b->client;
$client->send("/nick ann\n");
$client->expect(qr/You are ann/);
$client->{nick} = 'ann';
my $how_long = 'expected 1s to 3650d, such as 90s, 30min, 1h or 7d, or 0 for ever';
my $such = '192.0.2.7, 192.0.2.0/24 or 2001:db8::/32';
row(@$_) for
	(['no verb', [], 64, 'verb', 'a verb is missing; expected one of these'],
	['a typo in a verb', ['relaod'], 64, 'relaod', "'relaod' is no verb; expected one of these"],
	['an option that is not there', ['--force', 'reload'], 64, '--force',
		"'--force' is not understood; expected one of these options"],
	['a word too many', ['reload', 'now'], 64, 'reload', 'reload: too many words; expected at most 0 behind it'],
	['an option without its number', ['clients', '--limit'], 64, 'clients',
		'clients: expected clients [--limit N] [--worker N]'],
	['a worker that is not there', ['clients', '--worker', 9], 1, 'worker 9',
		'there is no worker 9; expected 1 to 1'],
	['a kick of nobody', ['kick'], 64, 'nick', 'kick: a nick is missing; expected kick NICK [--ban DURATION] [REASON]'],
	['a kick of who is not there', ['kick', 'bob'], 1, 'bob',
		'nobody has the nick "bob"; expected one that `banterctl clients` shows'],
	['a kick with a ban of no time', ['kick', 'ann', '--ban', 'please', 'go'], 64, 'please',
		"how long: 'please' is no time for a ban; $how_long"],
	['a ban of nothing', ['ban'], 64, 'network', "an address or a network is missing; expected such as $such"],
	['a ban of a nick', ['ban', 'ann'], 64, 'ann', "ann: this is no address and no network; expected such as $such"],
	['a ban of a name', ['ban', 'host.example.org'], 64, 'host.example.org',
		"host.example.org: this is no address and no network; expected such as $such"],
	['a ban of a network with host bits', ['ban', '192.0.2.17/24'], 64, '192.0.2.17/24',
		'192.0.2.17/24: has bits set behind its prefix; expected 192.0.2.0/24, or the address alone'],
	['a ban for a time of no unit', ['ban', '192.0.2.7', '--for', '1week'], 64, '1week',
		"how long: '1week' is no time for a ban; $how_long"],
	['a ban for too long', ['ban', '192.0.2.7', '--for', '4000d'], 64, '4000d',
		"how long: '4000d' is no time for a ban; $how_long"],
	['a ban without --for', ['ban', '192.0.2.7', '1h'], 64, '1h',
		"'1h' would be the reason of a ban for ever; expected --for 1h"],
	['an unban of what is not banned', ['unban', '192.0.2.7'], 1, '192.0.2.7',
		'there is no ban of 192.0.2.7; expected one that `banterctl bans` shows'],
	['a drain of no worker', ['drain'], 64, 'drain', 'drain: SLOT: expected the number of a worker'],
	['a drain of a worker that is not there', ['drain', 9], 1, 'worker 9',
		'there is no worker 9, or not for long; expected one that `banterctl status` shows'],
	['a drain of the last worker', ['drain', 1], 1, 'worker 1',
		'worker 1 is the last one that takes new clients; expected another one to take them: undrain one, or raise workers']);
mistake('a reason too long', how => 'banterctl ban 192.0.2.7 xxx...', code => 64, about => 'reason',
	got => ctl('ban', '192.0.2.7', 'x' x 200),
	says => 'the reason is too long, or no text; expected text of at most 126 bytes');
is($b->metric('clients'), 1, 'nobody was closed by any of these');

# A terminal is not steered by what was typed.
unlike(ctl("\e[31mreload")->{text}, qr/\e/, 'a verb with an escape in it is shown as text');

# --- reloads --------------------------------------------------------------------

my $good = slurp($b->{conf});
my $line = 1 + ($good =~ tr/\n//);
sub reload_with { Banter::write_file($b->{conf}, $good . $_[0]); return ctl('reload') }
mistake('a reload of a mistake', how => "`wokers = 2`, then banterctl reload", code => 1,
	got => reload_with("wokers = 2\n"), about => "banterd.conf:$line",
	says => "DIR/banterd.conf:$line: there is no key 'wokers'; did you mean 'workers'?");
is($b->log_text =~ /error: reload: \Q$b->{conf}\E:$line: there is no key/ ? 1 : 0, 1, '... which is in the log as well');
mistake('a reload of an address that is not here', how => '`address = {"192.0.2.77"}`, then banterctl reload',
	code => 1, got => reload_with("listen more {\n\taddress = {\"192.0.2.77\"}\n}\n"), about => '192.0.2.77',
	says => 'listen more: cannot listen on 192.0.2.77:7788: Cannot assign requested address; expected an address of this machine: `ip address` shows them');
mistake('a reload of a key that takes a restart', how => '`relay_log = 1M`, then banterctl reload', code => 0,
	got => reload_with("relay_log = 1M\n"), about => 'pending',
	says => 'reloaded; what is pending needs a restart, which closes all connections: `systemctl restart banterd`');
is_deeply($b->status('pending_restart'), ['relay_log'], '... which status tells of as well');
unlink $b->{conf};
mistake('a reload without the file', how => 'rm DIR/banterd.conf; banterctl reload', code => 1, got => ctl('reload'),
	about => 'DIR/banterd.conf', says => 'DIR/banterd.conf: No such file or directory; expected a file of that name');
Banter::write_file($b->{conf}, $good);
ok($client->sync, 'the client is still there');
$client->close;
$b->stop_ok;

# --- upgrades -------------------------------------------------------------------

my $program = "$b->{dir}/banterd";
system('cp', Banter::banterd(), $program) == 0 or die "cp: $?";
{
	local $ENV{BANTERD} = $program;
	$b = Banter->start(workers => 1, expect_log => [qr/./]);
}
$socket = "$b->{run_dir}/control.sock";
name_in(PROGRAM => $program);
my $ann = $b->client;
rename $program, "$program.old";
mistake('an upgrade without the program', how => 'rm banterd; banterctl upgrade', code => 1, got => ctl('upgrade'),
	about => 'PROGRAM', says => 'PROGRAM cannot be opened: No such file or directory; expected the installed program there');
Banter::write_file($program, 'rubbish');
mistake('an upgrade to what may not be executed', how => 'chmod 644 banterd; banterctl upgrade', code => 1,
	got => ctl('upgrade'), about => 'PROGRAM',
	says => 'PROGRAM is not an executable file; expected the installed program there');
chmod 0755, $program;
mistake('an upgrade to what is no program', how => 'a text file; banterctl upgrade', code => 1, got => ctl('upgrade'),
	about => 'PROGRAM', says => 'the rehearsal of PROGRAM exited with code 127: it cannot be executed: Exec format error; expected a banterd for this machine there');
unlink $program;
symlink '/bin/false', $program or die $!;
mistake('an upgrade to another program', how => 'ln -s /bin/false banterd; banterctl upgrade', code => 1,
	got => ctl('upgrade'), about => 'PROGRAM',
	says => 'the rehearsal of PROGRAM exited with code 1; expected a banterd for this machine there');
ok($ann->sync, 'the client is still there');
unlink $program;
rename "$program.old", $program;
$b->stop_ok;
done_testing;
