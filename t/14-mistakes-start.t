# What administrators get wrong around the files: ports, addresses, users, folders,
# descriptors, the command line.  Each row is a start of the real program.  See
# Banter::Mistakes.
#
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Banter;
use Banter::Mistakes;

my $CONF = qr{DIR/banterd\.conf:\d+};
my @nobody = as_nobody();
my $uid = $> || $NOBODY;
my $no_root = $> ? 'root is needed to become somebody else' : '';

sub folder
{
	my %o = @_;
	return Banter->prepare(workers => 1, %o);
}

# As somebody who is not root.  It is the user of the file as well.
sub mine
{
	my %o = @_;
	my %me = @nobody ? (user => scalar getpwuid($uid), group => scalar getgrgid($uid)) : ();
	my $p = folder(%o, set => { %me, %{ $o{set} || {} } });
	chown $uid, $uid, $p->{dir}, $p->{run_dir}, $p->{state_dir} if @nobody;
	return $p;
}

sub text { return (text => { @_ }) }

# --- addresses ----------------------------------------------------------------

my $taken = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $!;
my $port = $taken->sockport;
name_in(PORT => $port);
my $in_use = "listen text: cannot listen on 127.0.0.1:PORT: Address already in use; "
	. "expected a port that is free: `ss -ltnp 'sport = PORT'` shows who has it";
my $p = folder(listen => { text(port => $port) });
mistake('a port that another program has', how => 'a listener of another program', code => 69,
	got => start_with($p), about => '127.0.0.1:PORT', says => qr/^$CONF: \Q$in_use\E$/);
close $taken;

my $b = Banter->start(workers => 1);
name_in(PORT => $b->port, OTHER => $b->{dir});
$p = folder(listen => { text(port => $b->port) });
mistake('two instances at one port', how => 'a run_dir of its own, the same port', code => 69,
	got => start_with($p), about => '127.0.0.1:PORT', says => qr/^$CONF: \Q$in_use\E$/);
$p = folder(set => { run_dir => $b->{run_dir} });
mistake('two instances in one run_dir', how => 'the same run_dir', code => 69, got => start_with($p),
	about => "'OTHER/run'", says => "another instance runs already as pid PID ('OTHER/run' is locked); "
		. 'expected it to be stopped, or a run_dir of its own for each');
$b->stop_ok;

mistake('an address that this machine does not have', how => '`address = {"192.0.2.77"}`', code => 69,
	got => start_with(folder(listen => { text(address => ['192.0.2.77'], port => 0) })), about => '192.0.2.77',
	says => qr/^$CONF: listen text: cannot listen on 192\.0\.2\.77:0: Cannot assign requested address; expected an address of this machine: `ip address` shows them$/);

SKIP: {
	my $low = (do { open my $in, '<', '/proc/sys/net/ipv4/ip_unprivileged_port_start'; <$in> } // 1024) + 0;
	skip 'ports below 1024 are for everybody here', 4 if $low < 24;
	mistake('a port below 1024 without the right', how => '`port = 23`; as an ordinary user', code => 77,
		got => start_with(mine(listen => { text(port => 23) }), in => \@nobody), about => '127.0.0.1:23',
		says => qr/^$CONF: listen text: cannot listen on 127\.0\.0\.1:23: Permission denied; a port below 1024 takes CAP_NET_BIND_SERVICE: expected a higher one, or that right \(see low-ports\.conf among the examples\)$/);
}

SKIP: {
	my $can = !$> && !system 'unshare --net true 2>/dev/null';
	skip 'no network namespace may be made here', 14 unless $can;
	my $no_ipv6 = 'ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6';
	my $in = sub { [ 'unshare', '--net', namespace($_[0], 'no-ipv6', $no_ipv6) ] };
	$p = folder(listen => { text(address => ['::1'], port => 0) });
	mistake('::1 on a machine without IPv6', how => '`address = {"::1"}` where IPv6 is disabled', code => 69,
		got => start_with($p, in => $in->($p)), about => '[::1]',
		says => qr/^$CONF: listen text: cannot listen on \[::1\]:0: Cannot assign requested address; there is no IPv6 on this machine: expected IPv4 addresses only$/);
	$p = folder(listen => { text(address => ['127.0.0.1', '2001:db8::1'], port => 0) });
	mistake('an IPv6 address on a machine without it', how => '`address = {"127.0.0.1", "2001:db8::1"}`',
		code => 69, got => start_with($p, in => $in->($p)), about => '[2001:db8::1]',
		says => qr/^$CONF: listen text: cannot listen on \[2001:db8::1\]:0: Cannot assign requested address; there is no IPv6 on this machine: expected IPv4 addresses only$/);
	$p = folder(listen => { text(address => ['127.0.0.1', '::1'], port => 0) });
	mistake('the shipped addresses on a machine without IPv6', how => '`address = {"127.0.0.1", "::1"}`',
		code => 0, got => start_with($p, in => $in->($p)), about => '[::1]',
		says => 'listen text: no IPv6 on this machine, [::1]:0 is left out');
	is(scalar @{ $p->{listen} }, 1, '... it listens on the other one');
	is($p->{listen}[0]{address}, '127.0.0.1', '... which is of IPv4');
}

# --- UNIX sockets -------------------------------------------------------------

sub at_path { my ($path) = @_; return folder(listen => { text(address => [$path]) }) }
my $home = folder();
my $path = "$home->{dir}/chat.sock";
name_in(HOME => $home->{dir});
my $live = IO::Socket::UNIX->new(Listen => 1, Local => $path) or die $!;
mistake('the path of a server that lives', how => 'another server listens at HOME/chat.sock', code => 69,
	got => start_with(at_path($path)), about => 'HOME/chat.sock',
	says => qr/^$CONF: \Qlisten text: cannot listen on HOME\/chat.sock: Address already in use; another server listens there: expected it to be stopped, or another path\E$/);
close $live;
mistake('the path of a server that has died', how => 'nobody listens at HOME/chat.sock', code => 0,
	got => start_with(at_path($path)));
Banter::write_file($path, 'precious');
mistake('the path of a file', how => 'HOME/chat.sock is a file', code => 69, got => start_with(at_path($path)),
	about => 'HOME/chat.sock',
	says => qr/^$CONF: \Qlisten text: cannot listen on HOME\/chat.sock: Address already in use; what is there is no socket: expected another path, or none there\E$/);
is(Banter::Proc::slurp($path), 'precious', '... which stays what it is');
mistake('a path without its folder', how => '`address = {"HOME/none/chat.sock"}`', code => 73,
	got => start_with(at_path("$home->{dir}/none/chat.sock")), about => 'HOME/none/chat.sock',
	says => qr/^$CONF: \Qlisten text: cannot listen on HOME\/none\/chat.sock: No such file or directory; expected its folder to exist\E$/);
mistake('a group of a socket that is not there', how => '`socket_group = "no-such-group"`', code => 78,
	got => start_with(folder(listen => { text(socket_group => 'no-such-group') })), about => 'no-such-group',
	says => qr/^$CONF: \Qlisten text: there is no group 'no-such-group' (key socket_group); expected one: `addgroup --system no-such-group`\E$/);
$p = folder();
Banter::write_file("$p->{run_dir}/control.sock", 'precious');
mistake('a file in the place of the control socket', how => 'DIR/run/control.sock is a file', code => 73,
	got => start_with($p), about => 'DIR/run/control.sock',
	says => "the control socket 'DIR/run/control.sock' cannot be made: what is there is no socket; expected nothing there");

# --- who ------------------------------------------------------------------------

$p = folder(set => { control_group => 'no-such-group' });
mistake('a control_group that is not there', how => '`control_group = "no-such-group"`', code => 78,
	got => start_with($p), about => 'no-such-group',
	says => qr/^$CONF: \Qthere is no group 'no-such-group' (key control_group); expected one: `addgroup --system no-such-group`\E$/);
SKIP: {
	skip $no_root, 42 if $no_root;
	for my $what ('user', 'group') {
		my $add = $what eq 'user' ? 'adduser --system --group' : 'addgroup --system';
		$p = folder(set => { $what => 'no-such-one' });
		mistake("a $what that is not there", how => "`$what = \"no-such-one\"`; as root", code => 78,
			got => start_with($p), about => 'no-such-one',
			says => qr/^$CONF: \Qthere is no $what 'no-such-one' (key $what); expected one: `$add no-such-one`\E$/);
	}
	$p = mine(set => { user => 'root' });
	mistake('started by the wrong user', how => '`user = "root"`; as an ordinary user', code => 0,
		got => start_with($p, in => \@nobody), about => "user 'root'",
		says => "not started by root: user 'root' is ignored; expected a start by root or by that user, or user = \"NAME\" of who starts it");
	$p = mine(set => { control_group => 'daemon' });
	mistake('a control_group that the daemon is not in', how => '`control_group = "daemon"`; as an ordinary user',
		code => 77, got => start_with($p, in => \@nobody), about => "group 'daemon'",
		says => qr/^$CONF: uid $NOBODY may not give the control socket to group 'daemon' \(key control_group\); expected it to be a member of that group \(see control-group\.conf among the examples\)$/);
	$p = mine(listen => { text(address => ["$home->{dir}/other.sock"], socket_group => 'daemon') });
	chown $uid, $uid, $home->{dir};
	mistake('a group of a socket that the daemon is not in', how => '`socket_group = "daemon"`; as an ordinary user',
		code => 77, got => start_with($p, in => \@nobody), about => "group 'daemon'",
		says => qr/^$CONF: listen text: cannot listen on HOME\/other\.sock: Operation not permitted; expected uid $NOBODY to be a member of group 'daemon' \(key socket_group\)$/);
	for my $which ('run', 'state') {
		my $says = "${which}_dir: 'DIR/$which' cannot be used: Permission denied; expected a folder that ";
		$p = mine();
		chown 0, 0, $p->{"${which}_dir"};
		mistake("a ${which}_dir that cannot be written to", how => "chown root DIR/$which; as an ordinary user",
			code => 77, got => start_with($p, in => \@nobody), about => "DIR/$which",
			says => qr/^$CONF: \Q${says}uid $NOBODY may write to: `chown $NOBODY DIR\/$which`, or a start as its owner or as root\E$/);
		$p = mine();
		rmdir $p->{"${which}_dir"};
		chown 0, 0, $p->{dir};
		mistake("a ${which}_dir that cannot be made", how => "rmdir DIR/$which; as an ordinary user",
			code => 77, got => start_with($p, in => \@nobody), about => "DIR/$which",
			says => qr/^$CONF: \Q${says}exists or can be made: `install -d -o $NOBODY DIR\/$which`\E$/);
	}
	$p = mine(log => { target => 'file', file => "$home->{dir}/locked.log" });
	Banter::write_file("$home->{dir}/locked.log", '');
	chmod 0600, "$home->{dir}/locked.log";
	mistake('a log file of somebody else', how => 'HOME/locked.log is root\'s', code => 73,
		got => start_with($p, in => \@nobody), about => 'HOME/locked.log',
		says => qr/^$CONF: log\.file: 'HOME\/locked\.log' cannot be opened: Permission denied; expected a file that uid $NOBODY may make and write to, in a folder that exists$/);
}

# --- folders and files ----------------------------------------------------------

for my $which ('run', 'state') {
	my $key = "${which}_dir";
	$p = folder(set => {});
	rmdir $p->{$key};
	Banter::write_file($p->{$key}, '');
	mistake("a $key that is a file", how => "DIR/$which is a file", code => 73, got => start_with($p),
		about => "DIR/$which", says => qr/^$CONF: \Q$key: 'DIR\/$which' cannot be used: Not a directory; expected a folder that exists or can be made: `install -d -o $> DIR\/$which`\E$/);
	$p = folder();
	chmod 0777, $p->{$key};
	mistake("a $key that everybody may write to", how => "chmod 777 DIR/$which", code => 0, got => start_with($p),
		about => "DIR/$which", says => "$key: everybody may write to 'DIR/$which' (mode 0777), and so put a file of his own in the place of ours; expected `chmod o-w DIR/$which`");
}
$p = folder();
$p->configure(set => { run_dir => "$p->{dir}/none/run" });
mistake('a run_dir without the folder that it is in', how => '`run_dir = "DIR/none/run"`', code => 73,
	got => start_with($p), about => 'DIR/none/run',
	says => qr/^$CONF: \Qrun_dir: 'DIR\/none\/run' cannot be used: No such file or directory; expected a folder that exists or can be made: `install -d -o $> DIR\/none\/run`\E$/);
$p = folder();
$p->configure(log => { target => 'file', file => "$p->{dir}/none/log" });
mistake('a log file without its folder', how => '`file = "DIR/none/log"`', code => 73, got => start_with($p),
	about => 'DIR/none/log',
	says => qr/^$CONF: \Qlog.file: 'DIR\/none\/log' cannot be opened: No such file or directory; expected a file that uid $> may make and write to, in a folder that exists\E$/);
$p = folder();
$p->configure(log => { target => 'file', file => $p->{state_dir} });
mistake('a folder for a log file', how => '`file = "DIR/state"`', code => 73, got => start_with($p),
	about => 'DIR/state',
	says => qr/^$CONF: \Qlog.file: 'DIR\/state' cannot be opened: Is a directory; expected a file that uid $> may make and write to, in a folder that exists\E$/);
SKIP: {
	skip 'a syslog daemon runs here', 4 if -e '/dev/log';
	mistake('syslog without its daemon', how => '`target = "syslog"`', code => 73,
		got => start_with(folder(log => { target => 'syslog' })), about => '/dev/log',
		says => qr/^$CONF: \Qlog.target: no syslog daemon can be reached at \/dev\/log: No such file or directory; expected one that runs, or another target\E$/);
}

$p = folder();
Banter::write_file("$p->{state_dir}/bans", "# mine\n192.0.2.9 2026\n");
my $line = 'expected NETWORK SINCE UNTIL UID [REASON]; this line is left out';
my $got = start_with($p);
mistake('a file of bans edited by hand', how => '`192.0.2.9 2026`', code => 0, got => $got,
	about => 'DIR/state/bans:2', says => "DIR/state/bans:2: $line");
$p = folder();
Banter::write_file("$p->{state_dir}/bans", join '', map { chr($_ * 37 % 256) } 1 .. 400);
mistake('a file of bans that is damaged', how => '400 bytes of anything', code => 0, got => start_with($p),
	about => 'DIR/state/bans:1', says => "DIR/state/bans:1: $line");
$p = folder();
mkdir "$p->{state_dir}/bans";
mistake('a folder for the file of bans', how => 'mkdir DIR/state/bans', code => 0, got => start_with($p),
	about => 'DIR/state/bans',
	says => 'DIR/state/bans cannot be read: not a regular file; bans are not kept, expected a file there at the next start');

SKIP: {
	my $can = !$> && !system 'unshare --mount true 2>/dev/null';
	skip 'no mount namespace may be made here', 9 unless $can;
	my $full = sub {
		my ($q, $dir) = @_;
		return [ 'unshare', '--mount', namespace($q, 'full', "mount -t tmpfs -o size=16k tmpfs $dir\n"
			. "dd if=/dev/zero of=$dir/fill bs=4k 2>/dev/null || true") ];
	};
	my $r;
	$p = folder();
	$got = start_with($p, in => $full->($p, $p->{state_dir}),
		while_up => sub { $r = Banter::Ctl::run(undef, Banter::banterctl(), '-s',
			"$p->{run_dir}/control.sock", 'ban', '192.0.2.7') });
	mistake('a full disk under state_dir', how => 'banterctl ban 192.0.2.7', code => 0, got => $got,
		about => 'DIR/state/bans',
		says => 'DIR/state/bans cannot be written: No space left on device; the bans are in force, and lost when the server stops before it can be; expected space, and a folder that it may write to');
	is($r->{out}, "192.0.2.7 is banned; NOT SAVED (No space left on device): in force until the server stops\n",
		'... and the answer says so');
	$p = folder();
	mistake('a full disk under run_dir', how => 'a start', code => 0,
		got => start_with($p, in => $full->($p, $p->{run_dir})), about => 'DIR/run/banterd.pid',
		says => 'DIR/run/banterd.pid cannot be written: No space left on device; expected space and the right to: what reads it does not find us');
}

# --- limits ---------------------------------------------------------------------

my $fit = sub { qr/^max_clients is 100000, but 1 workers with $_[0] descriptors each have places for \d+: raise workers or LimitNOFILE= \(ulimit -n\), or lower max_clients$/ };
mistake('fewer descriptors than max_clients', how => 'ulimit -n 256', code => 0,
	got => start_with(folder(nofile => 256, set => { max_clients => 100000 })), about => 'max_clients is 100000',
	says => $fit->(256));
mistake('too few descriptors to run', how => 'ulimit -n 16', code => 1,
	got => start_with(folder(nofile => 16, set => { max_clients => 100000 })), about => 'keeper 1',
	says => 'keeper 1 cannot be started: Too many open files; expected more: raise LimitNOFILE= (ulimit -n)');

# --- clocks and languages ---------------------------------------------------------

for my $env ({ LC_ALL => 'xx_YY.UTF-8' }, { LC_ALL => 'tr_TR.UTF-8', LANG => 'tr_TR' }, { LC_ALL => 'C', LANG => 'C' },
	{ TZ => 'Mars/Phobos' }, { TZ => ':/none' }, { LC_NUMERIC => 'de_DE.UTF-8' }) {
	my $name = join ' ', map { "$_=$env->{$_}" } sort keys %$env;
	mistake("an environment of $name", how => $name, code => 0,
		got => start_with(folder(env => $env, set => { hang_timeout => '1500ms' })));
}

# --- the command line ---------------------------------------------------------------

sub command { my $r = Banter::Ctl::run(undef, Banter::banterd(), @_); return { code => $r->{code}, text => $r->{err} } }
for (['-c twice', ['-t', '-c', '/a', '-c', '/b'], 'banterd: -c is there twice; expected one file', '-c'],
	['an empty -c', ['-t', '-c', ''], 'banterd: -c is empty; expected the path of a file', '-c'],
	['a relative path that is not there', ['-t', '-c', 'none.conf'],
		'none.conf: No such file or directory; expected a file that this user may read', 'none.conf', 78],
	['--ready-fd that is not open', ['-F', '--ready-fd', '77'],
		"banterd: --ready-fd '77' is no open descriptor; expected the number of one, as in 3>FILE", '77'],
	['--ready-fd that is no number', ['-F', '--ready-fd', 'ready'],
		"banterd: --ready-fd 'ready' is no open descriptor; expected the number of one, as in 3>FILE", 'ready'],
	['a verb of another program', ['start'], "banterd: 'start' is a word too many; expected options only", 'start'],
	['an option that is not there', ['--config', '/a'],
		"banterd: '--config' is not understood; expected one of these options", '--config'],
	['an option without its value', ['-c'], "banterd: '-c' is not understood; expected one of these options, with its value", '-c']) {
	my ($name, $args, $says, $about, $code) = @$_;
	mistake($name, how => "banterd @$args", code => $code || 64, got => command(@$args), about => $about, says => $says);
}
done_testing;
